use alloc::boxed::Box;

use crypto::{Digest, PublicKey};

#[cfg(feature = "mac")]
use crate::AuthorityKey;
use crate::{
    Authority, AuthorityList, Envelope, Member, Refusal, Role,
    authority::{Members, Signing, bit},
    limits::MAX_CANDIDATE_KEYS,
};

/// An envelope whose manifest is, byte for byte, the one that enough listed keys signed. Nothing of the manifest was read:
/// whether it is one, and whether they may say what it says, [`Authentic::believe`] finds out.
///
/// Only [`Envelope::authenticate`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Authentic<'e, 'b> {
    pub(crate) envelope: &'e Envelope<'b>,
    pub(crate) authorities: &'e AuthorityList,
    pub(crate) signing: Signing<'e>,
}

impl<'b> Envelope<'b> {
    /// Finds out whether those signed the manifest whom the list asks for, before anything of the manifest is read.
    ///
    /// In this order: as many listed keys signed the digest as every manifest needs; the manifest has the digest. What else
    /// the list asks for depends on what the manifest says.
    pub fn authenticate<'e>(&'e self, authorities: &'e AuthorityList) -> Result<Authentic<'e, 'b>, Refusal> {
        let signing = self.signing(authorities)?;
        if !self.is_whole() {
            return Err(Refusal::DigestMismatch { member: Member::Manifest });
        }
        Ok(Authentic { envelope: self, authorities, signing })
    }

    /// The entries of the list whose keys signed, once there are enough of them.
    fn signing<'a>(&self, authorities: &'a AuthorityList) -> Result<Signing<'a>, Refusal> {
        let mut signing = Signing::new(authorities.shared_members());
        let mut doubt = None;
        for block in self.blocks() {
            // Others may be enough: an author's new key, or another recipient's operator. The first doubt is told.
            if let Err(refusal) = add_signers_of(block, self.signed_bytes(), authorities, &mut signing) {
                doubt = doubt.or(Some(refusal));
            }
        }
        let policy = authorities.policy();
        if signing.is_empty() {
            return Err(doubt.map_or(Refusal::Unsigned, |refusal| *refusal));
        }
        let found = signing.count(Role::Author);
        if found < policy.authors && signing.count(Role::Distributor) == 0 {
            return Err(Refusal::AuthorSignatureMissing { needed: policy.authors, found });
        }
        let found = signing.count(Role::Operator);
        if found < policy.operators {
            return Err(Refusal::OperatorSignatureMissing { needed: policy.operators, found });
        }
        Ok(signing)
    }
}

impl<'b> Authentic<'_, 'b> {
    /// The envelope it came in.
    pub fn envelope(&self) -> &Envelope<'b> {
        self.envelope
    }

    /// Digest of the manifest: the name of the release.
    pub fn manifest_digest(&self) -> Digest {
        self.envelope.manifest_digest_claimed()
    }

    /// The encoded manifest, which nobody has read.
    pub fn manifest_bytes(&self) -> &'b [u8] {
        self.envelope.manifest_bytes()
    }

    /// How many different keys of a role signed.
    pub fn signatures_by(&self, role: Role) -> u8 {
        self.signing.count(role)
    }
}

/// Adds the entries whose key made an authentication block.
fn add_signers_of(
    block: &[u8],
    signed: &[u8],
    authorities: &AuthorityList,
    signing: &mut Signing<'_>,
) -> Result<(), Box<Refusal>> {
    let members = authorities.shared_members();
    let unsupported = || Box::new(Refusal::UnsupportedAuthentication);
    match cbor::lean::Reader::new(block).tag().ok() {
        Some(cose::labels::TAG_SIGN1) => {
            let message = cose::Sign1::decode(block).map_err(|_| unsupported())?;
            if message.payload().is_some() {
                return Err(unsupported());
            }
            let verify = |key: &PublicKey| message.verify(key, Some(signed), &[]).is_ok();
            add_signer(message.alg(), message.kid(), members, &verify, signing)
        }
        Some(cose::labels::TAG_SIGN) => {
            let message = cose::Sign::decode(block).map_err(|_| unsupported())?;
            if message.payload().is_some() {
                return Err(unsupported());
            }
            let (mut found, mut doubt) = (false, None);
            for signature in message.signatures() {
                let verify =
                    |key: &PublicKey| message.verify_signature(signature, key, Some(signed), &[]).is_ok();
                match add_signer(signature.alg(), signature.kid(), members, &verify, signing) {
                    Ok(()) => found = true,
                    Err(refusal) => doubt = doubt.or(Some(refusal)),
                }
            }
            match doubt {
                Some(refusal) if !found => Err(refusal),
                _ => Ok(()),
            }
        }
        // A list that allows no shared keys is that of a device which knows no MAC.
        #[cfg(feature = "mac")]
        Some(cose::labels::TAG_MAC0) if authorities.policy().shared_keys => {
            let message = cose::Mac0::decode(block).map_err(|_| unsupported())?;
            if message.payload().is_some() {
                return Err(unsupported());
            }
            add_shared(&message, signed, authorities, signing)
        }
        _ => Err(unsupported()),
    }
}

/// Finds the shared key that made a MAC, and adds every entry that it has on the list.
#[cfg(feature = "mac")]
fn add_shared(
    message: &cose::Mac0<'_>,
    signed: &[u8],
    authorities: &AuthorityList,
    signing: &mut Signing<'_>,
) -> Result<(), Box<Refusal>> {
    let members = authorities.shared_members();
    let mut absent = None;
    for (_, number, entry) in members.numbered() {
        let AuthorityKey::Shared(name) = &entry.key else { continue };
        let is_other = message.kid().is_some_and(|kid| entry.kid != kid);
        if is_other || name.algorithm.hmac_cose_id() != message.alg() {
            continue;
        }
        // There are few secrets, and each is tried for its entries once.
        match authorities.secret(name) {
            None => absent = absent.or(Some(name)),
            Some(secret) if message.verify(secret, Some(signed), &[]).is_ok() => {
                signing.add(number);
                return Ok(());
            }
            Some(_) => {}
        }
    }
    Err(match absent {
        Some(name) => Box::new(Refusal::SharedKeyMissing { kid: name.kid.clone() }),
        None => no_key(message.kid(), members.entries()),
    })
}

/// Finds the key that verifies, and adds every entry that it has on the list.
fn add_signer(
    algorithm: i64,
    kid: Option<&[u8]>,
    members: &Members,
    verify: &dyn Fn(&PublicKey) -> bool,
    signing: &mut Signing<'_>,
) -> Result<(), Box<Refusal>> {
    let mut tried = 0_u64;
    for (_, number, entry) in members.numbered() {
        if !kid.is_none_or(|kid| entry.kid.is_empty() || entry.kid == kid) {
            continue;
        }
        let Some(key) = entry.key.public().filter(|key| key.algorithm().matches_cose_id(algorithm)) else {
            continue;
        };
        let this = bit(number.into());
        if tried & this != 0 || tried.count_ones() == MAX_CANDIDATE_KEYS as u32 {
            continue;
        }
        tried |= this;
        if verify(key) {
            signing.add(number);
            return Ok(());
        }
    }
    Err(no_key(kid, members.entries()))
}

/// Unless a listed key has the identifier, nothing tells what is wrong from what is by somebody else.
fn no_key(kid: Option<&[u8]>, entries: &[Authority]) -> Box<Refusal> {
    Box::new(match kid {
        Some(kid) if entries.iter().any(|entry| entry.kid == kid) => {
            Refusal::BadSignature { kid: kid.to_vec() }
        }
        kid => Refusal::UnknownSigner { kid: kid.map(<[u8]>::to_vec) },
    })
}
