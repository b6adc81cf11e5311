use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crypto::{HashAlgorithm, PublicKey};

use crate::message::check_algorithm;
use crate::{Distrust, Error, thumbprint};

/// How many keys are tried on one signature.
pub const MAX_CANDIDATES: usize = 8;

/// What a trusted key is trusted for. A key has one purpose: one that signs policies vouches for no firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Signs SUIT manifests as the maker of the software.
    Author,
    /// Signs SUIT manifests as the owner of the device.
    Operator,
    /// Signs MUD files.
    MudSigner,
    /// Signs evidence: the attestation key of a device.
    Evidence,
    /// Signs attestation results: the key of a verifier.
    Result,
    /// Signs overrides of network policy.
    Override,
    /// Signs CoSWID tags.
    Swid,
    /// Signs CoRIM reference values and endorsements.
    Corim,
    /// Signs statements on what a scan of a release found.
    Scan,
    /// Authenticates a server or a device in TLS.
    Tls,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 10] = [
        Self::Author,
        Self::Operator,
        Self::MudSigner,
        Self::Evidence,
        Self::Result,
        Self::Override,
        Self::Swid,
        Self::Corim,
        Self::Scan,
        Self::Tls,
    ];

    /// Name in configuration and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Author => "author",
            Self::Operator => "operator",
            Self::MudSigner => "mud-signer",
            Self::Evidence => "evidence",
            Self::Result => "result",
            Self::Override => "override",
            Self::Swid => "swid",
            Self::Corim => "corim",
            Self::Scan => "scan",
            Self::Tls => "tls",
        }
    }

    /// The purpose of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A public key that is trusted for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    /// The key.
    pub key: PublicKey,
    /// Its identifier in messages. An anchor without one (empty) is tried whatever identifier a message names.
    pub kid: Vec<u8>,
    /// What it is trusted for.
    pub purpose: Purpose,
    /// Its name for people.
    pub name: String,
}

impl TrustAnchor {
    /// An anchor whose key identifier is the key's SHA-256 thumbprint (RFC 9679, section 5.2).
    pub fn new(key: PublicKey, purpose: Purpose, name: impl Into<String>) -> Self {
        let kid = thumbprint(&key, HashAlgorithm::Sha256).as_bytes().to_vec();
        Self { key, kid, purpose, name: name.into() }
    }
}

/// The keys a role trusts, each for its purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustAnchors(Vec<TrustAnchor>);

impl TrustAnchors {
    /// Trust in these keys.
    pub fn new(anchors: Vec<TrustAnchor>) -> Self {
        Self(anchors)
    }

    /// Trusts one more key.
    pub fn push(&mut self, anchor: TrustAnchor) {
        self.0.push(anchor);
    }

    /// Every anchor.
    pub fn iter(&self) -> core::slice::Iter<'_, TrustAnchor> {
        self.0.iter()
    }

    /// Whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The anchors to try on a message: those of the purpose that carry its key identifier, or carry none. Without an
    /// identifier, all of the purpose.
    pub fn find(&self, purpose: Purpose, kid: Option<&[u8]>) -> impl Iterator<Item = &TrustAnchor> {
        self.0.iter().filter(move |anchor| {
            anchor.purpose == purpose && kid.is_none_or(|kid| anchor.kid.is_empty() || anchor.kid == kid)
        })
    }

    /// The first anchor that verifies; the error says how near the message came.
    pub(crate) fn verify(
        &self,
        purpose: Purpose,
        kid: Option<&[u8]>,
        algorithm: i64,
        verify: impl Fn(&PublicKey) -> Result<(), Error>,
    ) -> Result<&TrustAnchor, Error> {
        let mut refusal = Error::from(Distrust::NoKey);
        let mut tried = 0;
        for anchor in self.find(purpose, kid) {
            // A key of another algorithm costs nothing to pass over.
            if let Err(error) = check_algorithm(algorithm, &anchor.key) {
                if tried == 0 {
                    refusal = error;
                }
                continue;
            }
            if tried == MAX_CANDIDATES {
                return Err(Distrust::TooManyKeys.into());
            }
            tried += 1;
            match verify(&anchor.key) {
                Ok(()) => return Ok(anchor),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

impl FromIterator<TrustAnchor> for TrustAnchors {
    fn from_iter<I: IntoIterator<Item = TrustAnchor>>(anchors: I) -> Self {
        Self(anchors.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a TrustAnchors {
    type Item = &'a TrustAnchor;
    type IntoIter = core::slice::Iter<'a, TrustAnchor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
