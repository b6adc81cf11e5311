use alloc::string::String;
use alloc::vec::Vec;

use crypto::Digest;

use crate::{
    Authentic, Authority, AuthorityKey, AuthorityList, ComponentId, Envelope, Error, Image, Installed,
    Manifest, MudBinding, Refusal, Role, Text,
    authority::{self, AuthorityPolicy, Signed},
    evaluate::{self, Targets},
};

impl<'b> Envelope<'b> {
    /// Decides whether to believe the envelope: [`Envelope::authenticate`], then [`Authentic::believe`].
    pub fn verify(&self, authorities: &AuthorityList) -> Result<Verified<'b>, Refusal> {
        self.authenticate(authorities)?.believe()
    }

    /// Decides whether to believe the envelope of a dependency: [`Envelope::authenticate`], then
    /// [`Authentic::believe_dependency`].
    pub fn verify_dependency(
        &self,
        authorities: &AuthorityList,
        prefix: Option<&ComponentId>,
    ) -> Result<Verified<'b>, Refusal> {
        self.authenticate(authorities)?.believe_dependency(prefix)
    }
}

impl<'b> Authentic<'_, 'b> {
    /// Decodes the manifest and decides whether those who signed it may say what it says.
    ///
    /// In this order: the manifest is well-formed; severed members that are present have their digests; as many keys of each
    /// role as the list asks for may change every component the manifest names, for its vendor and class.
    pub fn believe(self) -> Result<Verified<'b>, Refusal> {
        self.believe_as(&Standing::Root)
    }

    /// The same for the manifest of a dependency (TD, section 6.1): its own signers must have the right to every component it
    /// names, with what its dependent puts before their identifiers. Where it would be stored as a root manifest is of no
    /// account.
    pub fn believe_dependency(self, prefix: Option<&ComponentId>) -> Result<Verified<'b>, Refusal> {
        self.believe_as(&Standing::Dependency { prefix })
    }

    fn believe_as(self, standing: &Standing<'_>) -> Result<Verified<'b>, Refusal> {
        let Self { envelope, authorities, signing } = self;
        let manifest = envelope.whole_manifest()?;
        let mut policy = *authorities.policy();
        let distribution = signing.count(Role::Author) < policy.authors;
        let maker = match distribution {
            false => (Role::Author, policy.authors),
            true => match authority::beyond_distribution(&manifest) {
                Some(beyond) => return Err(Refusal::BeyondDistribution { beyond }),
                None => (Role::Distributor, 1),
            },
        };
        let own = match standing {
            Standing::Dependency { prefix: Some(_) } => &[],
            _ => manifest.common().components(),
        };
        let named = [own, &named_beside(&manifest, standing)?];
        authority::check(&manifest, named, &signing, authorities, maker)?;
        // The roots may say that a sequence number is to jump.
        if signing.count(Role::Root) >= policy.roots {
            policy.max_sequence_jump = None;
        }
        Ok(Verified { envelope: *envelope, manifest, signed: signing.keep(), policy, distribution })
    }
}

/// As what a manifest is believed.
enum Standing<'p> {
    Root,
    Dependency { prefix: Option<&'p ComponentId> },
}

/// An envelope that the recipient believes. Only [`Authentic::believe`] and [`Authentic::believe_dependency`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<'b> {
    envelope: Envelope<'b>,
    manifest: Manifest<'b>,
    signed: Signed,
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

impl Signer {
    fn of(entry: &Authority) -> Self {
        let (key, kid, name) = (entry.key.clone(), entry.kid.clone(), entry.name.clone());
        Self { key, kid, name, role: entry.role }
    }
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

    /// The keys that signed, each once, authors first.
    pub fn signers(&self) -> Vec<Signer> {
        self.signed.signers().map(Signer::of).collect()
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
            signed: self.signed.clone(),
            policy: self.policy,
            distribution: self.distribution,
        }
    }
}

/// A [`Verified`] envelope that owns its bytes, for keeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedManifest {
    envelope: Vec<u8>,
    signed: Signed,
    policy: AuthorityPolicy,
    distribution: bool,
}

impl VerifiedManifest {
    /// Decodes and verifies an envelope.
    pub fn verify(envelope: Vec<u8>, authorities: &AuthorityList) -> Result<Self, Refusal> {
        let verified = Envelope::decode(&envelope)?.verify(authorities)?;
        let Verified { signed, policy, distribution, .. } = verified;
        Ok(Self { envelope, signed, policy, distribution })
    }

    /// The envelope's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.envelope
    }

    /// The verified envelope. It is decoded again; the signatures, which cannot have changed, are not checked again.
    pub fn open(&self) -> Verified<'_> {
        let envelope = Envelope::decode(&self.envelope).expect("the same bytes were decoded when verified");
        let manifest = envelope.whole_manifest().expect("the same bytes were authentic when verified");
        let (signed, policy, distribution) = (self.signed.clone(), self.policy, self.distribution);
        Verified { envelope, manifest, signed, policy, distribution }
    }
}

/// What the manifest names beside its components: its own place and those of its dependencies. With something before their
/// identifiers, its components too.
fn named_beside(manifest: &Manifest<'_>, standing: &Standing<'_>) -> Result<Vec<ComponentId>, Refusal> {
    let common = manifest.common();
    let mut named = Vec::new();
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
            named.extend_from_slice(common.components());
            for component in &mut named {
                let prefixed = component.prefixed(prefix);
                *component =
                    prefixed.ok_or_else(|| Refusal::AuthorNotAuthorised { component: component.clone() })?;
            }
        }
    }
    Ok(named)
}
