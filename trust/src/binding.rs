//! What binds the key that signed evidence to a device that is not enrolled, and how results tell it.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use cbor::{MapBuilder, Reader};
use crypto::Digest;
use eat::{Appraisal, ClaimKey};
use fdo::Guid;

/// What binds the key that signed evidence to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyBinding {
    /// This manifest names it.
    Manifest(Digest),
    /// A certificate of it leads to an authority that this manifest names.
    ManifestAuthority(Digest),
    /// A certificate of it leads to an authority that the operator names.
    OperatorAuthority,
    /// The operator names it.
    Operator,
    /// The ownership voucher of the device with this GUID.
    Voucher(Guid),
    /// It is that of the token which this is a part of.
    Whole,
    /// The platform in the same evidence vouches for it.
    Platform,
}

/// What a result says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldBinding {
    /// The word of [`KeyBinding::as_str`], or one of another verifier's.
    pub by: String,
    /// The digest of the manifest that it rests on.
    pub manifest: Option<String>,
    /// The GUID of the voucher that it rests on.
    pub guid: Option<String>,
}

/// The claim of a result that holds it: a map of text.
const CLAIM: &str = "sextant_key_binding";

impl KeyBinding {
    /// Its word, as it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest",
            Self::ManifestAuthority(_) => "manifest-authority",
            Self::OperatorAuthority => "operator-authority",
            Self::Operator => "operator",
            Self::Voucher(_) => "voucher",
            Self::Whole => "whole",
            Self::Platform => "platform",
        }
    }

    pub(crate) fn claim(self) -> (ClaimKey, Vec<u8>) {
        let mut map = MapBuilder::new();
        map.text(BY, |w| _ = w.text(self.as_str()));
        match self {
            Self::Manifest(manifest) | Self::ManifestAuthority(manifest) => {
                map.text(MANIFEST, |w| _ = w.text(&manifest.to_string()));
            }
            Self::Voucher(guid) => {
                map.text(GUID, |w| _ = w.text(&guid.to_string()));
            }
            Self::OperatorAuthority | Self::Operator | Self::Whole | Self::Platform => {}
        }
        (ClaimKey::Text(CLAIM.to_owned()), map.into_bytes())
    }
}

/// What a result says of what binds the key of an attester.
pub fn key_binding(appraisal: &Appraisal) -> Option<ToldBinding> {
    let is_binding = |key: &ClaimKey| matches!(key, ClaimKey::Text(name) if name == CLAIM);
    let (_, value) = appraisal.verifier_claims.iter().find(|(key, _)| is_binding(key))?;
    let mut reader = Reader::new(value);
    let mut told = ToldBinding { by: String::new(), manifest: None, guid: None };
    for _ in 0..reader.map_head().ok()? {
        let (name, text) = (reader.text().ok()?, reader.text().ok()?.to_owned());
        match name {
            BY => told.by = text,
            MANIFEST => told.manifest = Some(text),
            GUID => told.guid = Some(text),
            _ => {}
        }
    }
    Some(told).filter(|told| !told.by.is_empty())
}

const BY: &str = "by";
const MANIFEST: &str = "manifest";
const GUID: &str = "guid";
