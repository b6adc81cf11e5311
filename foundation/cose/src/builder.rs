//! What the COSE messages have in common on the way out.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use cbor::Writer;

use crate::{ContentType, Label, labels};

/// Both buckets in the making; maps over encoded labels are in deterministic order by themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderBuilder {
    protected: BTreeMap<Vec<u8>, Vec<u8>>,
    unprotected: BTreeMap<Vec<u8>, Vec<u8>>,
    critical: Vec<Vec<u8>>,
}

impl HeaderBuilder {
    /// A label is in one bucket only: the last call counts.
    pub(crate) fn protected(&mut self, label: Label<'_>, value: &[u8]) {
        let label = label.encode();
        self.unprotected.remove(&label);
        self.protected.insert(label, value.to_vec());
    }

    pub(crate) fn unprotected(&mut self, label: Label<'_>, value: &[u8]) {
        let label = label.encode();
        self.protected.remove(&label);
        self.unprotected.insert(label, value.to_vec());
    }

    pub(crate) fn critical(&mut self, label: Label<'_>, value: &[u8]) {
        self.protected(label, value);
        let label = label.encode();
        if !self.critical.contains(&label) {
            self.critical.push(label);
        }
    }

    pub(crate) fn content_type(&mut self, content_type: ContentType<'_>) {
        let value = Writer::encode(|w| {
            match content_type {
                ContentType::Format(format) => w.uint(format),
                ContentType::MediaType(media_type) => w.text(media_type),
            };
        });
        self.protected(Label::Int(labels::CONTENT_TYPE), &value);
    }

    pub(crate) fn kid(&mut self, kid: &[u8]) {
        let value = Writer::encode(|w| {
            w.bytes(kid);
        });
        self.unprotected(Label::Int(labels::KID), &value);
    }

    /// The content of the protected bucket: nothing when it is empty (RFC 9052, section 3).
    pub(crate) fn protected_bytes(&self, algorithm: Option<i64>) -> Vec<u8> {
        let mut entries = self.protected.clone();
        if let Some(algorithm) = algorithm {
            entries.insert(
                Label::Int(labels::ALG).encode(),
                Writer::encode(|w| {
                    w.int(algorithm);
                }),
            );
        }
        if !self.critical.is_empty() {
            let value = Writer::encode(|w| {
                w.array(self.critical.len());
                for label in &self.critical {
                    w.raw(label);
                }
            });
            entries.insert(Label::Int(labels::CRIT).encode(), value);
        }
        if entries.is_empty() { Vec::new() } else { Writer::encode(|w| write_map(w, &entries)) }
    }

    pub(crate) fn write_unprotected(&self, writer: &mut Writer) {
        write_map(writer, &self.unprotected);
    }
}

fn write_map(writer: &mut Writer, entries: &BTreeMap<Vec<u8>, Vec<u8>>) {
    writer.map(entries.len());
    for (label, value) in entries {
        writer.raw(label).raw(value);
    }
}

/// A payload, or nil where it is carried apart.
pub(crate) fn write_payload(writer: &mut Writer, payload: Option<&[u8]>) {
    match payload {
        Some(payload) => writer.bytes(payload),
        None => writer.null(),
    };
}

/// The methods that every builder of a message has, over its field `headers`.
macro_rules! header_methods {
    () => {
        /// Content type of the payload, protected.
        #[must_use]
        pub fn content_type<'c>(mut self, content_type: impl Into<crate::ContentType<'c>>) -> Self {
            self.headers.content_type(content_type.into());
            self
        }

        /// A protected header parameter; `value` is one encoded CBOR item.
        #[must_use]
        pub fn protected<'l>(mut self, label: impl Into<crate::Label<'l>>, value: &[u8]) -> Self {
            self.headers.protected(label.into(), value);
            self
        }

        /// A protected header parameter that recipients must understand; `value` is one encoded CBOR item.
        #[must_use]
        pub fn critical<'l>(mut self, label: impl Into<crate::Label<'l>>, value: &[u8]) -> Self {
            self.headers.critical(label.into(), value);
            self
        }

        /// An unprotected header parameter; `value` is one encoded CBOR item.
        #[must_use]
        pub fn unprotected<'l>(mut self, label: impl Into<crate::Label<'l>>, value: &[u8]) -> Self {
            self.headers.unprotected(label.into(), value);
            self
        }

        /// Data that is authenticated and not carried (RFC 9052, section 4.4).
        #[must_use]
        pub fn external_aad(mut self, external_aad: &[u8]) -> Self {
            self.external_aad = external_aad.to_vec();
            self
        }
    };
}
pub(crate) use header_methods;
