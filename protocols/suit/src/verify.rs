use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crypto::{Digest, PublicKey};

use crate::{
    Authority, AuthorityKey, AuthorityList, ComponentId, Envelope, Error, Image, Installed, Manifest,
    MudBinding, Refusal, Role, Text,
    authority::{self, AuthorityPolicy},
    evaluate::{self, Targets},
    limits::MAX_CANDIDATE_KEYS,
};

impl<'b> Envelope<'b> {
    /// Decides whether to believe the envelope.
    ///
    /// In this order: enough listed keys signed the digest; the manifest has the digest; only then the manifest is
    /// decoded; severed members that are present have their digests; as many keys of each role as the list asks for may
    /// change every component the manifest names, for its vendor and class.
    pub fn verify(&self, authorities: &AuthorityList) -> Result<Verified<'b>, Refusal> {
        self.verify_as(authorities, &Standing::Root)
    }

    /// Decides whether to believe the envelope of a dependency (TD, section 6.1), as [`Envelope::verify`] does: its own
    /// signers must have the right to every component it names, with what its dependent puts before their identifiers.
    /// Where it would be stored as a root manifest is of no account.
    pub fn verify_dependency(
        &self,
        authorities: &AuthorityList,
        prefix: Option<&ComponentId>,
    ) -> Result<Verified<'b>, Refusal> {
        self.verify_as(authorities, &Standing::Dependency { prefix })
    }

    fn verify_as(
        &self,
        authorities: &AuthorityList,
        standing: &Standing<'_>,
    ) -> Result<Verified<'b>, Refusal> {
        let signing = self.signing_entries(authorities)?;
        let manifest = self.authentic_manifest()?;
        let authors = authorities.policy().authors;
        let distribution = authority::count_signers(&signing, Role::Author) < authors;
        let maker = match distribution {
            false => (Role::Author, authors),
            true => match authority::beyond_distribution(&manifest) {
                Some(beyond) => return Err(Refusal::BeyondDistribution { beyond }),
                None => (Role::Distributor, 1),
            },
        };
        authority::check(&manifest, &named_components(&manifest, standing)?, &signing, authorities, maker)?;
        let mut policy = *authorities.policy();
        // The roots may say that a sequence number is to jump.
        if authority::count_signers(&signing, Role::Root) >= policy.roots {
            policy.max_sequence_jump = None;
        }
        Ok(Verified { envelope: self.clone(), manifest, signers: signers(&signing), policy, distribution })
    }

    /// The entries of the list whose keys signed, once there are enough of them.
    fn signing_entries<'a>(&self, authorities: &'a AuthorityList) -> Result<Vec<&'a Authority>, Refusal> {
        if self.signatures().is_empty() {
            return Err(Refusal::Unsigned);
        }
        let mut signing = Vec::new();
        let mut doubt = None;
        for block in self.signatures() {
            // Others may be enough: an author's new key, or another recipient's operator. The first doubt is told.
            if let Err(refusal) = add_signers_of(block, self.signed_bytes(), authorities, &mut signing) {
                doubt = doubt.or(Some(refusal));
            }
        }
        let policy = authorities.policy();
        if signing.is_empty() {
            return Err(doubt.map_or(Refusal::Unsigned, |refusal| *refusal));
        }
        let found = authority::count_signers(&signing, Role::Author);
        let distributor = signing.iter().any(|entry| entry.role == Role::Distributor);
        if found < policy.authors && !distributor {
            return Err(Refusal::AuthorSignatureMissing { needed: policy.authors, found });
        }
        let found = authority::count_signers(&signing, Role::Operator);
        if found < policy.operators {
            return Err(Refusal::OperatorSignatureMissing { needed: policy.operators, found });
        }
        Ok(signing)
    }
}

/// As what a manifest is verified.
enum Standing<'p> {
    Root,
    Dependency { prefix: Option<&'p ComponentId> },
}

/// An envelope that the recipient believes. Only [`Envelope::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'b> {
    envelope: Envelope<'b>,
    manifest: Manifest<'b>,
    signers: Vec<Signer>,
    policy: AuthorityPolicy,
    distribution: bool,
}

/// A key whose signature counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The key.
    pub key: AuthorityKey,
    /// Its identifier on the authority list.
    pub kid: Vec<u8>,
    /// Its name on the authority list.
    pub name: String,
    /// What its holder does.
    pub role: Role,
}

impl<'b> Verified<'b> {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest<'b> {
        &self.manifest
    }

    /// The envelope it came in.
    pub fn envelope(&self) -> &Envelope<'b> {
        &self.envelope
    }

    /// Digest of the manifest: the name of the release.
    pub fn manifest_digest(&self) -> Digest {
        self.envelope.manifest_digest_claimed()
    }

    /// The keys that signed.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Whether it is a distributor's, which says where images are and how they are decrypted, and nothing of what they are.
    pub fn is_distribution(&self) -> bool {
        self.distribution
    }

    /// The sequence number.
    pub fn sequence_number(&self) -> u64 {
        self.manifest.sequence_number()
    }

    /// The components.
    pub fn components(&self) -> &[ComponentId] {
        self.manifest.common().components()
    }

    /// The CoSWID, unless it is missing or severed and not here.
    pub fn coswid(&self) -> Option<&'b [u8]> {
        self.manifest.coswid().and_then(|held| held.value().copied())
    }

    /// Which MUD file belongs to the software, and who signs it.
    pub fn mud(&self) -> Option<MudBinding<'b>> {
        self.manifest.mud().copied()
    }

    /// The text, unless it is missing or severed and not here. Devices never need it, so it is decoded on demand.
    pub fn text(&self) -> Result<Option<Text<'b>>, Error> {
        let Some((content, at)) = self.manifest.text_with_offset() else { return Ok(None) };
        let text = Text::decode(content, at)?;
        if text.components().any(|component| !self.components().contains(component)) {
            return Err(cbor::Error::rule(at, "text is about a component that is not in common").into());
        }
        Ok(Some(text))
    }

    /// The images a device may end up with, as far as the manifest tells without a device.
    pub fn images(&self) -> Vec<Image<'b>> {
        self.manifest.images()
    }

    /// Every URI the manifest fetches from, in order and once each.
    pub fn uris(&self) -> Vec<&'b str> {
        evaluate::uris(&self.manifest)
    }

    /// Integrated payloads that the manifest fetches and the envelope lacks.
    pub fn missing_payloads(&self) -> Vec<&'b str> {
        let mut uris = self.uris();
        uris.retain(|uri| uri.starts_with('#') && self.envelope.integrated(uri).is_none());
        uris
    }

    /// The vendors and classes the manifest is for.
    pub fn targets(&self) -> Targets<'b> {
        Targets::of(&self.manifest)
    }

    /// Whether the manifest may follow the installed one. The same one may be applied again; an older one, or another
    /// one with the same number, may not.
    pub fn admit(&self, installed: Option<&Installed>) -> Result<(), Refusal> {
        let offered = self.sequence_number();
        let Some(Installed { sequence_number: installed, manifest_digest }) = installed else {
            return Ok(());
        };
        let installed = *installed;
        if offered < installed {
            return Err(Refusal::SequenceTooLow { offered, installed });
        }
        if offered == installed && manifest_digest.as_ref() != Some(&self.manifest_digest()) {
            return Err(Refusal::SequenceReused { sequence_number: offered });
        }
        if self.policy.max_sequence_jump.is_some_and(|jump| offered - installed > jump) {
            return Err(Refusal::SequenceJump { offered, installed });
        }
        Ok(())
    }

    /// The same, with bytes of its own.
    pub fn keep(&self) -> VerifiedManifest {
        VerifiedManifest {
            envelope: self.envelope.as_bytes().to_vec(),
            signers: self.signers.clone(),
            policy: self.policy,
            distribution: self.distribution,
        }
    }
}

/// A [`Verified`] envelope that owns its bytes, for keeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedManifest {
    envelope: Vec<u8>,
    signers: Vec<Signer>,
    policy: AuthorityPolicy,
    distribution: bool,
}

impl VerifiedManifest {
    /// Decodes and verifies an envelope.
    pub fn verify(envelope: Vec<u8>, authorities: &AuthorityList) -> Result<Self, Refusal> {
        let verified = Envelope::decode(&envelope)?.verify(authorities)?;
        let Verified { signers, policy, distribution, .. } = verified;
        Ok(Self { envelope, signers, policy, distribution })
    }

    /// The envelope's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.envelope
    }

    /// The verified envelope. It is decoded again; the signatures, which cannot have changed, are not checked again.
    pub fn open(&self) -> Verified<'_> {
        let envelope = Envelope::decode(&self.envelope).expect("the same bytes were decoded when verified");
        let manifest = envelope.authentic_manifest().expect("the same bytes were authentic when verified");
        let (signers, policy, distribution) = (self.signers.clone(), self.policy, self.distribution);
        Verified { envelope, manifest, signers, policy, distribution }
    }
}

/// Adds the entries whose key made an authentication block.
fn add_signers_of<'a>(
    block: &[u8],
    signed: &[u8],
    authorities: &'a AuthorityList,
    signing: &mut Vec<&'a Authority>,
) -> Result<(), Box<Refusal>> {
    let entries = authorities.entries();
    let unsupported = || Box::new(Refusal::UnsupportedAuthentication);
    match cbor::lean::Reader::new(block).tag().ok() {
        Some(cose::labels::TAG_SIGN1) => {
            let message = cose::Sign1::decode(block).map_err(|_| unsupported())?;
            if message.payload().is_some() {
                return Err(unsupported());
            }
            let verify = |key: &PublicKey| message.verify(key, Some(signed), &[]).is_ok();
            add_signer(message.alg(), message.kid(), entries, &verify, signing)
        }
        Some(cose::labels::TAG_SIGN) => {
            let message = cose::Sign::decode(block).map_err(|_| unsupported())?;
            if message.payload().is_some() {
                return Err(unsupported());
            }
            let verify = |key: &PublicKey| message.verify(key, Some(signed), &[]).is_ok();
            let (mut found, mut doubt) = (false, None);
            for signature in message.signatures() {
                match add_signer(signature.alg(), signature.kid(), entries, &verify, signing) {
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
fn add_shared<'a>(
    message: &cose::Mac0<'_>,
    signed: &[u8],
    authorities: &'a AuthorityList,
    signing: &mut Vec<&'a Authority>,
) -> Result<(), Box<Refusal>> {
    let entries = authorities.entries();
    let mut absent = None;
    for entry in entries.iter().filter(|entry| message.kid().is_none_or(|kid| entry.kid == kid)) {
        let AuthorityKey::Shared(name) = &entry.key else { continue };
        if name.algorithm.hmac_cose_id() != message.alg() {
            continue;
        }
        // There are few secrets, and each is tried for its entries once.
        match authorities.secret(name) {
            None => absent = absent.or(Some(name)),
            Some(secret) if message.verify(secret, Some(signed), &[]).is_ok() => {
                add_entries_of(&entry.key, entries, signing);
                return Ok(());
            }
            Some(_) => {}
        }
    }
    Err(match absent {
        Some(name) => Box::new(Refusal::SharedKeyMissing { kid: name.kid.clone() }),
        None => no_key(message.kid(), entries),
    })
}

/// Finds the key that verifies, and adds every entry that it has on the list and that was not added before.
fn add_signer<'a>(
    algorithm: i64,
    kid: Option<&[u8]>,
    entries: &'a [Authority],
    verify: &dyn Fn(&PublicKey) -> bool,
    signing: &mut Vec<&'a Authority>,
) -> Result<(), Box<Refusal>> {
    let mut tried: Vec<&PublicKey> = Vec::new();
    for entry in entries {
        if !kid.is_none_or(|kid| entry.kid.is_empty() || entry.kid == kid) {
            continue;
        }
        let Some(key) = entry.key.public().filter(|key| key.algorithm().matches_cose_id(algorithm)) else {
            continue;
        };
        if tried.contains(&key) || tried.len() == MAX_CANDIDATE_KEYS {
            continue;
        }
        tried.push(key);
        if verify(key) {
            add_entries_of(&entry.key, entries, signing);
            return Ok(());
        }
    }
    Err(no_key(kid, entries))
}

/// Adds every entry that a key has on the list and that was not added before.
fn add_entries_of<'a>(key: &AuthorityKey, entries: &'a [Authority], signing: &mut Vec<&'a Authority>) {
    for entry in entries.iter().filter(|entry| entry.key == *key) {
        if !signing.iter().any(|before| core::ptr::eq(*before, entry)) {
            signing.push(entry);
        }
    }
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

/// Each key once, authors first.
fn signers(signing: &[&Authority]) -> Vec<Signer> {
    let mut signers: Vec<Signer> = Vec::new();
    for entry in signing {
        if !signers.iter().any(|signer| signer.key == entry.key) {
            let (key, kid, name) = (entry.key.clone(), entry.kid.clone(), entry.name.clone());
            signers.push(Signer { key, kid, name, role: entry.role });
            // To its place: behind those of its role.
            let mut place = signers.len() - 1;
            while let Some(before) = place.checked_sub(1)
                && signers.get(before).is_some_and(|signer| signer.role > entry.role)
            {
                signers.swap(before, place);
                place = before;
            }
        }
    }
    signers
}

/// Every component that the manifest names, and the places of the manifest itself and of its dependencies.
fn named_components(manifest: &Manifest<'_>, standing: &Standing<'_>) -> Result<Vec<ComponentId>, Refusal> {
    let common = manifest.common();
    let mut named = common.components().to_vec();
    for dependency in common.dependencies() {
        // A dependency without an index among the components is fetched into a component of its own.
        if let (None, Some(place)) = (common.component(dependency.index), &dependency.prefix) {
            named.push(place.clone());
        }
    }
    match standing {
        Standing::Root => named.extend(manifest.component_id().cloned()),
        Standing::Dependency { prefix: None } => {}
        Standing::Dependency { prefix: Some(prefix) } => {
            for component in &mut named {
                let prefixed = component.prefixed(prefix);
                *component =
                    prefixed.ok_or_else(|| Refusal::AuthorNotAuthorised { component: component.clone() })?;
            }
        }
    }
    Ok(named)
}
