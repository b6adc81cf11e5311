//! A device in memory, and keys and images for tests.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;

use sextant_suit::{
    Abilities, Authority, AuthorityList, AuthorityPolicy, ComponentId, ComponentMetadata, Condition,
    Directive, Envelope, EnvelopeBuilder, ImageRecipe, Installed, ManifestBuilder, Parameter, Platform,
    PlatformError, Progress, References, ReleaseRecipe, Report, ReportingPolicy, Role, Section,
    SequenceBuilder, Uuid, Variant, VendorId, Verified, Version, WaitInfo,
};

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};

pub(crate) const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;
pub(crate) const IMAGE: &[u8] = b"an image of a release";

/// A device whose components are byte vectors. Nothing in it fails unless a test says so.
#[derive(Default)]
pub(crate) struct Device {
    pub(crate) components: BTreeMap<ComponentId, Option<Vec<u8>>>,
    pub(crate) slots: BTreeMap<ComponentId, u64>,
    pub(crate) versions: BTreeMap<ComponentId, Version>,
    pub(crate) vendor: Option<Uuid>,
    pub(crate) class: Option<Uuid>,
    pub(crate) device: Option<Uuid>,
    pub(crate) installed: Option<Installed>,
    pub(crate) served: BTreeMap<String, Vec<u8>>,
    pub(crate) capacity: u64,
    pub(crate) now: Option<u64>,
    pub(crate) battery: Option<u64>,
    pub(crate) authorized_up_to: Option<i64>,
    pub(crate) utc_offset: Option<i32>,
    pub(crate) power: Option<i64>,
    pub(crate) network: Option<i64>,
    pub(crate) others: BTreeMap<Vec<u8>, Version>,
    /// Seconds by which the clock moves when the processor waits; without any it is not ready.
    pub(crate) tick: u64,
    pub(crate) abilities: Abilities,
    pub(crate) authorities: Option<AuthorityList>,
    pub(crate) keys: Option<cose::DecryptionKeys>,
    /// Manifests that refer to a component, by their digests.
    pub(crate) links: BTreeMap<ComponentId, Vec<Digest>>,
    /// The command before which power is lost, counted by checkpoints.
    pub(crate) cut_at: Option<usize>,
    pub(crate) checkpoints: usize,
    /// The report before the last start of a component.
    pub(crate) pending: Option<Report>,
    /// Contents and the digests they are taken to have, where a vector does not tell its image.
    pub(crate) pretended: BTreeMap<Vec<u8>, Digest>,
    /// What happened, in order.
    pub(crate) log: Vec<String>,
    pub(crate) received: u64,
    /// What broken transfers left.
    pub(crate) retained: BTreeMap<ComponentId, Vec<u8>>,
    /// Payloads of the root's envelope that were left where it came from.
    pub(crate) left: BTreeMap<String, Vec<u8>>,
    writing: Option<(ComponentId, Vec<u8>)>,
}

pub(crate) struct Transfer {
    left: Vec<u8>,
}

impl Device {
    pub(crate) fn new(components: &[ComponentId]) -> Self {
        Self {
            components: components.iter().map(|id| (id.clone(), None)).collect(),
            vendor: Some(vendor()),
            class: Some(class()),
            capacity: 1 << 20,
            abilities: ALL,
            ..Self::default()
        }
    }

    /// A device with every place that a manifest names, which takes dependencies of the same authors.
    pub(crate) fn fitting(verified: &Verified<'_>, authorities: &AuthorityList) -> Self {
        let common = verified.manifest().common();
        let places: Vec<_> = common.all_indices().filter_map(|index| common.place(index)).cloned().collect();
        Self { authorities: Some(authorities.clone()), ..Self::new(&places) }
    }

    pub(crate) fn serve(mut self, uri: &str, content: &[u8]) -> Self {
        self.served.insert(uri.into(), content.to_vec());
        self
    }

    pub(crate) fn holding(mut self, component: &ComponentId, content: &[u8]) -> Self {
        self.components.insert(component.clone(), Some(content.to_vec()));
        self
    }

    pub(crate) fn content(&self, component: &ComponentId) -> Option<&[u8]> {
        self.components.get(component)?.as_deref()
    }

    pub(crate) fn is_writing(&self) -> bool {
        self.writing.is_some()
    }
}

impl Platform for Device {
    type Source = Transfer;

    // Small, so that every transfer takes several pieces.
    const CHUNK: usize = 8;

    fn abilities(&self) -> Abilities {
        self.abilities
    }

    fn authorities(&self) -> Option<&AuthorityList> {
        self.authorities.as_ref()
    }

    fn keys(&self) -> Option<&dyn cose::KeyStore> {
        self.keys.as_ref().map(|keys| keys as &dyn cose::KeyStore)
    }

    fn has_component(&self, component: &ComponentId) -> bool {
        self.components.contains_key(component)
    }

    fn is_vendor(&self, _: &ComponentId, vendor: &VendorId<'_>) -> bool {
        self.vendor.is_some_and(|own| *vendor == VendorId::Uuid(own))
    }

    fn is_class(&self, _: &ComponentId, class: &Uuid) -> bool {
        self.class.as_ref() == Some(class)
    }

    fn is_device(&self, _: &ComponentId, device: &Uuid) -> bool {
        self.device.as_ref() == Some(device)
    }

    fn slot(&self, component: &ComponentId) -> Option<u64> {
        self.slots.get(component).copied()
    }

    fn installed(&self, _: Option<&ComponentId>) -> Option<Installed> {
        self.installed
    }

    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError> {
        Ok(self.content(component).map(|content| content.len() as u64))
    }

    fn capacity(&self, _: &ComponentId) -> u64 {
        self.capacity
    }

    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError> {
        let retained = self.retained.get(component).map(Vec::as_slice);
        let content = retained.or(self.content(component)).ok_or(PlatformError::NotFound)?;
        let left = content.get(offset as usize..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        Ok(count)
    }

    fn begin(&mut self, component: &ComponentId, _: Option<u64>) -> Result<(), PlatformError> {
        assert!(self.writing.is_none(), "one write at a time");
        self.retained.remove(component);
        self.writing = Some((component.clone(), Vec::new()));
        Ok(())
    }

    fn retained(&mut self, component: &ComponentId) -> Result<u64, PlatformError> {
        Ok(self.retained.get(component).map_or(0, |retained| retained.len() as u64))
    }

    fn resume(&mut self, component: &ComponentId, retained: u64) -> Result<(), PlatformError> {
        let kept = self.retained.remove(component).ok_or(PlatformError::NotFound)?;
        assert_eq!(kept.len() as u64, retained);
        self.log.push(format!("resumed {component} at {retained}"));
        self.writing = Some((component.clone(), kept));
        Ok(())
    }

    fn integrated(&self, uri: &str) -> Option<u64> {
        self.left.get(uri).map(|payload| payload.len() as u64)
    }

    fn open_at(
        &mut self,
        uri: &str,
        arguments: Option<&[u8]>,
        offset: u64,
    ) -> Result<Transfer, PlatformError> {
        let mut source = self.open(uri, arguments)?;
        source.left.drain(..(offset as usize).min(source.left.len()));
        Ok(source)
    }

    fn describe(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), PlatformError> {
        assert_eq!(self.writing.as_ref().map(|(writing, _)| writing), Some(component), "after begin");
        self.log.push(format!("described {component} as {:?}", metadata.file_type));
        Ok(())
    }

    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let links = self.links.get(component).map(Vec::as_slice).unwrap_or_default();
        let own = links.contains(holder);
        References { others: (links.len() - usize::from(own)) as u32, own }
    }

    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let links = self.links.entry(component.clone()).or_default();
        if !links.contains(holder) {
            links.push(*holder);
        }
        Ok(())
    }

    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let links = self.links.entry(component.clone()).or_default();
        links.retain(|other| other != holder);
        let left = links.len();
        self.log.push(format!("unlinked {component}, {left} left"));
        Ok(())
    }

    fn append(&mut self, component: &ComponentId, data: &[u8]) -> Result<(), PlatformError> {
        let (writing, content) = self.writing.as_mut().ok_or(PlatformError::Io)?;
        assert_eq!(writing, component);
        content.extend_from_slice(data);
        Ok(())
    }

    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError> {
        let (writing, content) = self.writing.take().ok_or(PlatformError::Io)?;
        assert_eq!(writing, *component);
        self.log.push(format!("wrote {component}"));
        self.components.insert(writing, Some(content));
        Ok(())
    }

    fn discard(&mut self, component: &ComponentId) {
        self.log.push(format!("discarded {component}"));
        self.writing = None;
    }

    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), PlatformError> {
        let content = self.components.get(one).cloned().flatten().ok_or(PlatformError::NotFound)?;
        let other_content = self.components.insert(other.clone(), Some(content)).flatten();
        self.components.insert(one.clone(), other_content);
        self.log.push(format!("swapped {one} and {other}"));
        Ok(())
    }

    fn open(&mut self, uri: &str, arguments: Option<&[u8]>) -> Result<Transfer, PlatformError> {
        self.log.push(match arguments {
            Some(arguments) => format!("fetched {uri} with {arguments:02x?}"),
            None => format!("fetched {uri}"),
        });
        let content = self.left.get(uri).or(self.served.get(uri)).ok_or(PlatformError::Transport)?;
        Ok(Transfer { left: content.clone() })
    }

    fn receive(&mut self, source: &mut Transfer, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let count = source.left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&source.left[..count]);
        source.left.drain(..count);
        self.received += count as u64;
        Ok(count)
    }

    fn invoke(&mut self, component: &ComponentId, arguments: Option<&[u8]>) -> Result<(), PlatformError> {
        self.log.push(match arguments {
            Some(arguments) => format!("invoked {component} with {}", String::from_utf8_lossy(arguments)),
            None => format!("invoked {component}"),
        });
        Ok(())
    }

    fn now(&self) -> Option<u64> {
        self.now
    }

    fn battery(&self) -> Option<u64> {
        self.battery
    }

    fn utc_offset(&self) -> Option<i32> {
        self.utc_offset
    }

    fn in_power_state(&self, state: i64) -> bool {
        self.power == Some(state)
    }

    fn in_network_state(&self, state: i64) -> bool {
        self.network == Some(state)
    }

    fn version_of_other(&self, device: &[u8]) -> Option<Version> {
        self.others.get(device).cloned()
    }

    fn authorizes(&mut self, priority: i64) -> bool {
        self.authorized_up_to.is_some_and(|most| priority <= most)
    }

    fn version(&self, component: &ComponentId) -> Option<Version> {
        self.versions.get(component).cloned()
    }

    fn wait(&mut self, _: &WaitInfo<'_>) -> Result<(), PlatformError> {
        if self.tick == 0 {
            return Err(PlatformError::NotReady);
        }
        self.now = self.now.map(|now| now + self.tick);
        Ok(())
    }

    fn checkpoint(&mut self, _: &Progress<'_>) -> Result<(), PlatformError> {
        self.checkpoints += 1;
        if self.cut_at == Some(self.checkpoints) {
            return Err(PlatformError::Io);
        }
        Ok(())
    }

    fn about_to_invoke(
        &mut self,
        component: &ComponentId,
        report: impl FnOnce() -> Report,
    ) -> Result<(), PlatformError> {
        self.log.push(format!("about to invoke {component}"));
        self.pending = Some(report());
        Ok(())
    }

    fn digest(&mut self, component: &ComponentId, _: HashAlgorithm) -> Result<Option<Digest>, PlatformError> {
        Ok(self.content(component).and_then(|content| self.pretended.get(content).copied()))
    }
}

/// What this device can do: everything but decrypting and, unless a test wants it, counting references.
pub(crate) const ALL: Abilities = Abilities {
    swap: true,
    clock: true,
    battery: true,
    authorization: true,
    versions: true,
    events: &[1, 2, 3, 4, 5, 6, 7, 8, 9],
    metadata: true,
    decryption: false,
    dependencies: true,
    references: false,
};

pub(crate) fn vendor() -> Uuid {
    Uuid::vendor("arm.com")
}

/// The class of the draft's examples.
pub(crate) fn class() -> Uuid {
    Uuid::from(*b"\x14\x92\xaf\x14\x25\x69\x5e\x48\xbf\x42\x9b\x2d\x51\xf2\xab\x45")
}

pub(crate) fn component(text: &str) -> ComponentId {
    text.parse().expect("a component identifier")
}

pub(crate) fn sha256(data: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, data)
}

/// A key made from one byte.
pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a scalar below the order")
}

pub(crate) fn authority(seed: u8, role: Role) -> Authority {
    Authority::new(key(seed).public_key().clone(), &[seed], &format!("key {seed}"), role)
}

/// One author with key 1.
pub(crate) fn one_author() -> AuthorityList {
    AuthorityList::with_default_policy(vec![authority(1, Role::Author)]).expect("a list")
}

pub(crate) fn policy(authors: u8, operators: u8) -> AuthorityPolicy {
    AuthorityPolicy { authors, operators, ..AuthorityPolicy::default() }
}

/// A release of [`IMAGE`] for component `fw`, fetched from `#fw`.
pub(crate) fn recipe(sequence_number: u64) -> ReleaseRecipe {
    ReleaseRecipe {
        sequence_number,
        vendor: vendor(),
        class: class(),
        images: vec![ImageRecipe {
            component: component("fw"),
            variants: vec![Variant {
                slot: None,
                digest: sha256(IMAGE),
                size: IMAGE.len() as u64,
                uri: Some("#fw".into()),
            }],
            invoke: false,
        }],
    }
}

/// An envelope around a manifest, signed by key 1.
pub(crate) fn signed(manifest: &ManifestBuilder) -> Vec<u8> {
    let mut envelope = build(manifest);
    envelope.sign(&key(1), Some(&[1]));
    envelope.to_bytes()
}

pub(crate) fn build(manifest: &ManifestBuilder) -> EnvelopeBuilder {
    manifest.build(HashAlgorithm::Sha256).expect("a manifest within the rules")
}

/// A signed envelope of one component `fw` with an install section.
pub(crate) fn with_install(install: SequenceBuilder) -> Vec<u8> {
    let mut manifest = ManifestBuilder::new(1);
    manifest.component(component("fw"));
    manifest.section(Section::Install, install);
    signed(&manifest)
}

/// The parameters of [`IMAGE`].
pub(crate) fn image_parameters() -> Vec<Parameter<'static>> {
    vec![Parameter::ImageDigest(sha256(IMAGE)), Parameter::ImageSize(IMAGE.len() as u64)]
}

pub(crate) fn seq() -> SequenceBuilder {
    SequenceBuilder::new()
}

/// Sets the content parameter and writes it: the visible trace of a command that ran.
pub(crate) fn mark(content: &'static [u8]) -> SequenceBuilder {
    seq().override_parameters(&[Parameter::Content(content)]).directive(Directive::Write, ALWAYS)
}

pub(crate) fn abort() -> SequenceBuilder {
    seq().condition(Condition::Abort, ALWAYS)
}

/// The same envelope with one byte changed.
pub(crate) fn flipped(envelope: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = envelope.to_vec();
    bytes[at] ^= 1;
    bytes
}

pub(crate) fn code_of(envelope: &[u8], list: &AuthorityList) -> &'static str {
    match Envelope::decode(envelope) {
        Err(error) => error.code(),
        Ok(envelope) => match envelope.verify(list) {
            Err(refusal) => refusal.code(),
            Ok(_) => "ok",
        },
    }
}
