use alloc::{collections::BTreeSet, string::String, vec::Vec};

use cbor::{Order, Reader, Type};
use cose::{Purpose, Sign1, TrustAnchor, TrustAnchors};
use crypto::{Digest, HashAlgorithm};
use x509::{Certificate, KeyUsage, verify_chain};

use crate::{
    Comid, Corim, CryptoKey, Distrust, Error, KnownProfile, MAX_CORIM_LEN, SignerMeta, TagId,
    labels::{signed as labels, tag},
    profile,
};

/// Content type of a signed CoRIM, and media type of an unsigned one.
pub const CONTENT_TYPE: &str = "application/rim+cbor";

/// The same in drafts up to 05.
const OLDER_CONTENT_TYPE: &str = "application/corim-unsigned+cbor";

/// A CoRIM as it may arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "taken apart where it is made, never stored")]
pub enum Received<'b> {
    /// Authenticated by nothing but the channel that carried it.
    Unsigned(UnsignedCorim<'b>),
    /// Signed, not verified yet.
    Signed(SignedCorim<'b>),
}

/// A CoRIM without a signature, which nobody vouches for yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedCorim<'b> {
    bytes: &'b [u8],
    corim: Corim,
}

/// A signed CoRIM (draft, section 4.2) whose signature nobody has verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCorim<'b> {
    bytes: &'b [u8],
    message: Sign1<'b>,
    meta: SignerMeta,
    /// The encoded manifest, wherever it came from.
    content: &'b [u8],
    carriage: Carriage,
    corim: Corim,
}

/// How a signature refers to the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carriage {
    Attached,
    Detached,
    /// The payload is the digest of the manifest by this algorithm.
    HashEnvelope(HashAlgorithm),
}

/// Whose manifests are believed.
#[derive(Clone, Copy, Debug)]
pub struct Anchors<'a> {
    /// Keys; those for [`Purpose::Corim`] count.
    pub keys: &'a TrustAnchors,
    /// Certificates from which that of a signer may descend.
    pub issuers: &'a [Certificate],
}

/// Who answers for a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one a manifest")]
pub enum Authority {
    /// The holder of a key that is trusted.
    Key(TrustAnchor),
    /// The holder of a certificate that descends from one that is trusted.
    Certificate(Certificate),
    /// An operator who uploaded it, by name.
    Operator(String),
}

/// A manifest somebody answers for, valid at the time it was asked for, of a known profile or none, and within the rules
/// of its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCorim {
    corim: Corim,
    profile: Option<KnownProfile>,
    authority: Authority,
    keys: Vec<CryptoKey>,
    meta: Option<SignerMeta>,
    digest: Digest,
}

impl<'b> Received<'b> {
    /// Decodes `501(…)` or `18([…])`, or what older drafts had for them: both below tag 500, and the second below 502.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, Error> {
        Self::decode_with(bytes, None, MAX_CORIM_LEN)
    }

    /// The same where the manifest may come apart from its signature, `content` being then its encoding, and with another
    /// limit on the length of the manifest.
    pub fn decode_with(bytes: &'b [u8], content: Option<&'b [u8]>, limit: usize) -> Result<Self, Error> {
        if is_signed(bytes)? {
            return SignedCorim::decode_within(bytes, content, limit).map(Self::Signed);
        }
        if content.is_some() {
            return Err(cose::Error::PayloadTwice.into());
        }
        Corim::decode_within(bytes, limit).map(|corim| Self::Unsigned(UnsignedCorim { bytes, corim }))
    }
}

impl UnsignedCorim<'_> {
    /// The manifest, which nobody vouches for yet.
    pub fn unverified(&self) -> &Corim {
        &self.corim
    }

    /// Believes it because an operator uploaded it over a channel that says who it is (draft, section 4.3): that person is
    /// the authority. `keys` are by what conditions know the operator's authority; there may be none.
    pub fn trusted_by_operator(
        self,
        operator: &str,
        keys: Vec<CryptoKey>,
        now: i64,
    ) -> Result<VerifiedCorim, Error> {
        if operator.trim().is_empty() {
            return Err(Distrust::NobodyAnswers.into());
        }
        VerifiedCorim::admit(self.corim, self.bytes, Authority::Operator(operator.into()), keys, None, now)
    }
}

impl<'b> SignedCorim<'b> {
    /// Decodes a signed manifest; `content` is the encoded manifest exactly where the message does not carry it: it has
    /// no payload, or the digest of the manifest for one.
    ///
    /// Offsets in header parameters count from the start of the parameter.
    pub fn decode(bytes: &'b [u8], content: Option<&'b [u8]>) -> Result<Self, Error> {
        Self::decode_within(bytes, content, MAX_CORIM_LEN)
    }

    fn decode_within(bytes: &'b [u8], content: Option<&'b [u8]>, limit: usize) -> Result<Self, Error> {
        let message = Sign1::decode(below_older_tags(bytes)?)?;
        let protected = message.headers().protected();
        let meta =
            SignerMeta::decode(protected.get(labels::CORIM_META), protected.get(cose::labels::CWT_CLAIMS))?
                .ok_or(Distrust::NoSigner)?;
        let carriage = match protected.get(labels::PAYLOAD_HASH_ALG) {
            Some(algorithm) => {
                let id = Reader::with_order(algorithm, Order::Unique).int()?;
                Carriage::HashEnvelope(HashAlgorithm::from_cose_id(id).ok_or(Distrust::HashAlgorithm(id))?)
            }
            None if message.payload().is_some() => Carriage::Attached,
            None => Carriage::Detached,
        };
        let own = protected.get(cose::labels::CONTENT_TYPE);
        let preimage = protected.get(labels::PAYLOAD_PREIMAGE_CONTENT_TYPE);
        // One is of the payload, the other of what the payload is the digest of.
        let content_type = match carriage {
            Carriage::HashEnvelope(_) if own.is_none() => preimage,
            Carriage::HashEnvelope(_) => None,
            _ => own,
        };
        if !content_type.is_some_and(names_corim) {
            return Err(Distrust::ContentType.into());
        }
        let content = match (carriage, message.payload(), content) {
            (Carriage::Attached, Some(_), Some(_)) => return Err(cose::Error::PayloadTwice.into()),
            (Carriage::Attached, Some(payload), None) => payload,
            (_, _, content) => content.ok_or(Distrust::NoContent)?,
        };
        let corim = Corim::decode_within(content, limit)?;
        Ok(Self { bytes, message, meta, content, carriage, corim })
    }

    /// The manifest, which nobody vouches for yet: to look up whose it may be.
    pub fn unverified(&self) -> &Corim {
        &self.corim
    }

    /// Who says to have signed it.
    pub fn meta(&self) -> &SignerMeta {
        &self.meta
    }

    /// Where the manifest can be had, when the message holds its digest. A hint that nothing here follows.
    pub fn location(&self) -> Option<&'b str> {
        let value = self.message.headers().protected().get(labels::PAYLOAD_LOCATION)?;
        Reader::with_order(value, Order::Unique).text().ok()
    }

    /// Verifies with the trusted keys, and where none of them signed it with the certificates that came along.
    pub fn verify(self, anchors: Anchors<'_>, now: i64) -> Result<VerifiedCorim, Error> {
        let authority = self.authority(anchors, now)?;
        if let Carriage::HashEnvelope(algorithm) = self.carriage {
            let signed = self.message.payload().ok_or(cose::Error::PayloadMissing)?;
            if Digest::new(algorithm, signed).is_none_or(|digest| !digest.matches(self.content)) {
                return Err(Distrust::ContentDigest.into());
            }
        }
        self.meta.check(now)?;
        let keys = match &authority {
            Authority::Key(anchor) => CryptoKey::of_public_key(&anchor.key),
            Authority::Certificate(certificate) => {
                let mut keys = CryptoKey::of_certificate(certificate);
                keys.extend(CryptoKey::of_public_key(certificate.public_key()?));
                keys
            }
            Authority::Operator(_) => Vec::new(),
        };
        VerifiedCorim::admit(self.corim, self.bytes, authority, keys, Some(self.meta), now)
    }

    fn names_one_of(&self, keys: &TrustAnchors) -> bool {
        let kid = self.message.kid().filter(|kid| !kid.is_empty());
        kid.is_some_and(|kid| keys.find(Purpose::Corim, Some(kid)).any(|anchor| anchor.kid == kid))
    }

    fn authority(&self, anchors: Anchors<'_>, now: i64) -> Result<Authority, Error> {
        let detached = (self.carriage == Carriage::Detached).then_some(self.content);
        let by_key = self.message.verify_with(anchors.keys, Purpose::Corim, detached, &[]);
        let refusal = match by_key {
            Ok(anchor) => return Ok(Authority::Key(anchor.clone())),
            // Unless a trusted key bears the identifier, nothing tells what was changed from what is by somebody else.
            Err(cose::Error::Untrusted(cose::Distrust::BadSignature)) if !self.names_one_of(anchors.keys) => {
                cose::Distrust::NoKey.into()
            }
            Err(refusal) => refusal,
        };
        let chain = self.message.headers().x5chain();
        if chain.is_empty() || anchors.issuers.is_empty() {
            return Err(refusal.into());
        }
        let chain = chain.iter().map(|der| Certificate::decode(der)).collect::<Result<Vec<_>, _>>()?;
        let Some((leaf, intermediates)) = chain.split_first() else { return Err(refusal.into()) };
        verify_chain(leaf, intermediates, anchors.issuers, now)?;
        if leaf.key_usage().is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE)) {
            return Err(Distrust::KeyUsage.into());
        }
        self.message.verify(leaf.public_key()?, detached, &[])?;
        Ok(Authority::Certificate(leaf.clone()))
    }
}

impl VerifiedCorim {
    fn admit(
        mut corim: Corim,
        bytes: &[u8],
        authority: Authority,
        keys: Vec<CryptoKey>,
        meta: Option<SignerMeta>,
        now: i64,
    ) -> Result<Self, Error> {
        if let Some(validity) = &corim.validity {
            validity.check(now)?;
        }
        let profile = profile::admit(&mut corim)?;
        let digest = Digest::of(HashAlgorithm::Sha256, bytes);
        Ok(Self { corim, profile, authority, keys, meta, digest })
    }

    /// The manifest, in the terms of today: what older profiles wrote otherwise has been replaced.
    pub fn corim(&self) -> &Corim {
        &self.corim
    }

    /// Its CoMIDs without those that another of them replaces.
    pub fn comids(&self) -> impl Iterator<Item = &Comid> {
        let replaced: BTreeSet<&TagId> = self.corim.comids().flat_map(Comid::replaces).collect();
        self.corim.comids().filter(move |comid| !replaced.contains(&comid.identity.id))
    }

    /// Its profile.
    pub fn profile(&self) -> Option<KnownProfile> {
        self.profile
    }

    /// Who answers for it.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// By what conditions know that authority: each key it has in several forms, one of which is enough.
    pub fn authority_keys(&self) -> &[CryptoKey] {
        &self.keys
    }

    /// What the protected header says of the signer; none when it came unsigned.
    pub fn meta(&self) -> Option<&SignerMeta> {
        self.meta.as_ref()
    }

    /// SHA-256 of the object as received.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The last second in which it counts, of manifest and signature; none where it never ends.
    pub fn not_after(&self) -> Option<i64> {
        let manifest = self.corim.validity.map(|validity| validity.not_after);
        let signature = self.meta.as_ref().and_then(|meta| meta.not_after);
        manifest.into_iter().chain(signature).min()
    }

    /// Whether it still counts: the validity of the manifest and of its signature.
    pub fn check_validity(&self, now: i64) -> Result<(), Error> {
        if let Some(validity) = &self.corim.validity {
            validity.check(now)?;
        }
        Ok(self.meta.as_ref().map_or(Ok(()), |meta| meta.check(now))?)
    }
}

fn is_signed(bytes: &[u8]) -> Result<bool, Error> {
    let mut reader = Reader::with_order(below_older_tags(bytes)?, Order::Unique);
    Ok(reader.peek()? == Type::Tag && reader.tag()? == cose::labels::TAG_SIGN1)
}

/// What stands below the tags that older drafts put around a signed manifest.
fn below_older_tags(bytes: &[u8]) -> Result<&[u8], Error> {
    let mut reader = Reader::with_order(bytes, Order::Unique);
    let whole = reader.rest();
    let is_older = reader.is_tag(tag::OLDER_CORIM)?;
    let is_signed = reader.is_tag(tag::OLDER_SIGNED)?;
    // 500 stands before an unsigned one too, which reads it itself.
    let next_is_signature = reader.peek()? == Type::Tag && reader.clone().tag()? == cose::labels::TAG_SIGN1;
    Ok(if is_signed || (is_older && next_is_signature) { reader.rest() } else { whole })
}

fn names_corim(value: &[u8]) -> bool {
    matches!(Reader::new(value).text(), Ok(CONTENT_TYPE | OLDER_CONTENT_TYPE))
}
