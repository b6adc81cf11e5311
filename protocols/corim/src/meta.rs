//! Who signs: corim-meta-map, CWT claims, and the message they stand in (draft-ietf-rats-corim, section 4.2).

use alloc::{string::String, vec::Vec};

use cbor::{Error, Key, MapBuilder, Order, Reader, Reason, Writer};
use cose::Sign1Builder;
use crypto::{Digest, SigningKey};

use crate::{
    CONTENT_TYPE, Corim, Distrust, Validity,
    identity::{Round, time},
    labels::signed as labels,
    wire,
};

/// What the protected header of a signed manifest says of its signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerMeta {
    /// Name of the signer.
    pub name: String,
    /// URI that names the signer.
    pub uri: Option<String>,
    /// What is signed, as a text.
    pub subject: Option<String>,
    /// From when the signature counts, in seconds since 1970.
    pub not_before: Option<i64>,
    /// Until when, that second included.
    pub not_after: Option<i64>,
}

impl SignerMeta {
    /// A signer whose signature is not limited in time.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), uri: None, subject: None, not_before: None, not_after: None }
    }

    /// Limits the signature in time.
    #[must_use]
    pub fn valid(self, not_before: Option<i64>, not_after: i64) -> Self {
        Self { not_before, not_after: Some(not_after), ..self }
    }

    /// Whether a time is within the validity of the signature.
    pub fn check(&self, now: i64) -> Result<(), Distrust> {
        Validity { not_before: self.not_before, not_after: self.not_after.unwrap_or(i64::MAX) }.check(now)
    }

    /// Reads either parameter or both, which must then say the same.
    pub(crate) fn decode(
        corim_meta: Option<&[u8]>,
        cwt_claims: Option<&[u8]>,
    ) -> Result<Option<Self>, crate::Error> {
        let meta = corim_meta
            .map(|value| {
                let mut reader = Reader::with_order(value, Order::Unique);
                let meta = wire::wrapped(&mut reader, Self::decode_corim_meta)?;
                reader.end()?;
                Ok::<_, Error>(meta)
            })
            .transpose()?;
        let claims = cwt_claims.map(|value| wire::whole(value, 0, Self::decode_claims)).transpose()?;
        match (meta, claims) {
            (Some(meta), Some(claims)) => {
                let times = |meta: &Self| (meta.not_before, meta.not_after);
                if meta.name != claims.name || times(&meta) != times(&claims) {
                    return Err(Distrust::SignersDiffer.into());
                }
                Ok(Some(Self { subject: claims.subject, ..meta }))
            }
            (meta, claims) => Ok(meta.or(claims)),
        }
    }

    fn decode_corim_meta(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut signer, mut validity) = (None, None);
        let mut at = reader.position();
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::META_SIGNER) => signer = Some(decode_signer(reader)?),
                Key::Int(labels::META_VALIDITY) => validity = Some(Validity::decode(reader)?),
                key => return wire::closed(key, at),
            }
            at = reader.position();
        }
        let (name, uri) = wire::required(signer, start, labels::META_SIGNER)?;
        Ok(Self {
            name,
            uri,
            subject: None,
            not_before: validity.and_then(|validity| validity.not_before),
            not_after: validity.map(|validity| validity.not_after),
        })
    }

    fn decode_claims(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let start = reader.position();
        let mut map = reader.map()?;
        let (mut name, mut subject, mut not_before, mut not_after) = (None, None, None, None);
        while let Some(key) = map.next(reader)? {
            match key {
                Key::Int(labels::CWT_ISS) => name = Some(wire::text(reader)?),
                Key::Int(labels::CWT_SUB) => subject = Some(wire::text(reader)?),
                Key::Int(labels::CWT_EXP) => not_after = Some(time(reader, false, Round::Down)?),
                Key::Int(labels::CWT_NBF) => not_before = Some(time(reader, false, Round::Up)?),
                _ => reader.skip()?,
            }
        }
        let name = name.ok_or(Error::new(start, Reason::MissingKey(labels::CWT_ISS)))?;
        Ok(Self { name, uri: None, subject, not_before, not_after })
    }

    fn encode_corim_meta(&self) -> Vec<u8> {
        let mut signer = MapBuilder::new();
        signer.int(labels::SIGNER_NAME, |w| {
            w.text(&self.name);
        });
        signer.int_if(labels::SIGNER_URI, self.uri.as_deref(), wire::write_uri);
        let mut map = MapBuilder::new();
        map.int(labels::META_SIGNER, |w| signer.write(w));
        map.int_if(labels::META_VALIDITY, self.not_after, |w, not_after| {
            Validity { not_before: self.not_before, not_after }.encode(w);
        });
        Writer::encode(|w| {
            w.bytes(&map.into_bytes());
        })
    }

    fn encode_claims(&self) -> Vec<u8> {
        let mut map = MapBuilder::new();
        let text = |w: &mut Writer, text: &String| {
            w.text(text);
        };
        let int = |w: &mut Writer, time| {
            w.int(time);
        };
        map.int(labels::CWT_ISS, |w| text(w, &self.name));
        map.int_if(labels::CWT_SUB, self.subject.as_ref(), text);
        map.int_if(labels::CWT_EXP, self.not_after, int);
        map.int_if(labels::CWT_NBF, self.not_before, int);
        map.into_bytes()
    }

    /// The message a manifest is signed in, for keys held elsewhere and for further header parameters: its payload is
    /// what [`Corim::build`] gives.
    ///
    /// CWT claims say who signs; corim-meta says it again for older recipients, unless it could not say the same: it has
    /// no validity without an end.
    pub fn envelope(&self, kid: &[u8]) -> Sign1Builder {
        self.headers(kid).content_type(CONTENT_TYPE)
    }

    /// The message that holds the digest of a manifest instead of the manifest; `location` says where the
    /// manifest is. Its payload is the value of the digest.
    pub fn hash_envelope(&self, kid: &[u8], digest: &Digest, location: Option<&str>) -> Sign1Builder {
        let item = |write: &dyn Fn(&mut Writer)| Writer::encode(|w| write(w));
        let algorithm = digest.algorithm().cose_id();
        let builder = self
            .headers(kid)
            .protected(
                labels::PAYLOAD_HASH_ALG,
                &item(&|w| {
                    w.int(algorithm);
                }),
            )
            .protected(
                labels::PAYLOAD_PREIMAGE_CONTENT_TYPE,
                &item(&|w| {
                    w.text(CONTENT_TYPE);
                }),
            );
        match location {
            Some(location) => builder.protected(
                labels::PAYLOAD_LOCATION,
                &item(&|w| {
                    w.text(location);
                }),
            ),
            None => builder,
        }
    }

    fn headers(&self, kid: &[u8]) -> Sign1Builder {
        let builder = Sign1Builder::new().kid(kid).protected(cose::labels::CWT_CLAIMS, &self.encode_claims());
        if self.not_before.is_some() && self.not_after.is_none() {
            return builder;
        }
        builder.protected(labels::CORIM_META, &self.encode_corim_meta())
    }
}

impl Corim {
    /// Signs the manifest: `18([…])` over its deterministic encoding.
    pub fn sign(&self, meta: &SignerMeta, key: &SigningKey, kid: &[u8]) -> Result<Vec<u8>, crate::Error> {
        Ok(meta.envelope(kid).sign(key, &self.build()?))
    }
}

fn decode_signer(reader: &mut Reader<'_>) -> Result<(String, Option<String>), Error> {
    let start = reader.position();
    let mut map = reader.map()?;
    let (mut name, mut uri) = (None, None);
    while let Some(key) = map.next(reader)? {
        match key {
            Key::Int(labels::SIGNER_NAME) => name = Some(wire::text(reader)?),
            Key::Int(labels::SIGNER_URI) => uri = Some(wire::uri(reader)?),
            // An extension point, of which nothing here takes account.
            _ => reader.skip()?,
        }
    }
    Ok((wire::required(name, start, labels::SIGNER_NAME)?, uri))
}
