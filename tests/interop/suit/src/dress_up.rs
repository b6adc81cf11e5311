//! `dress-up`: verifies digests and runs sections, and leaves COSE and the device to its caller.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cose::Sign1;
use crypto::PublicKey;
use dress_up::component::Component as TheirComponent;
use dress_up::error::Error;
use dress_up::manifest::Manifest as TheirManifest;
use dress_up::{Authenticated, OperatingHooks, SuitManifest};
use generic_array::typenum::U64;
use heapless::String as BoundedString;
use sextant_suit_conformance::{
    Component, Device, Failure, Features, Implementation, Manifest, Outcome, Trace, from_hex, to_hex,
};
use uuid::Uuid;

/// `dress-up`, with this product's COSE for what it leaves to its caller.
#[derive(Clone, Copy, Debug)]
pub struct DressUp;

impl Implementation for DressUp {
    /// What its documentation says that it has.
    fn features(&self) -> Features {
        let set = |numbers: &[i64]| numbers.iter().copied().collect();
        Features {
            implementation: "dress-up".into(),
            version: "0.1.1".into(),
            draft: "draft-ietf-suit-manifest-34".into(),
            verbs: ["verify", "process"].map(str::to_owned).into(),
            authentication: set(&[18]),
            algorithms: set(&[-7, -8, -9, -19]),
            digests: set(&[-16, -18, -43, -44, -45]),
            envelope: set(&[2, 3]),
            integrated: false,
            untagged: false,
            manifest: set(&[1, 2, 3, 4, 7, 8, 9, 16, 20, 23]),
            common: set(&[2, 4]),
            commands: set(&[1, 2, 3, 5, 6, 12, 14, 15, 18, 20, 21, 24]),
            parameters: set(&[1, 2, 3, 5, 14, 18, 21, 24]),
            device: ["device", "slot"].map(str::to_owned).into(),
        }
    }

    fn verify(&self, keys: &[Vec<u8>], envelope: &[u8]) -> Result<(), Failure> {
        authenticate(&public_keys(keys), &envelope).map(drop).map_err(|error| failure(&error))
    }

    /// Without believing it tells the sequence number and no members.
    fn decode(&self, _: &[u8]) -> Option<Result<Manifest, Failure>> {
        None
    }

    fn process(&self, keys: &[Vec<u8>], envelope: &[u8], device: &Device) -> Option<Trace> {
        let hooks = Hooks::new(device);
        let mut trace = Trace::default();
        let outcome = authenticate(&public_keys(keys), &envelope).and_then(|manifest| {
            trace.outcome = Outcome::Stopped;
            device.procedures.iter().try_for_each(|procedure| run(&manifest, procedure, &hooks))
        });
        match outcome {
            Ok(()) => trace.outcome = Outcome::Done,
            Err(error) => trace.failure = failure(&error),
        }
        hooks.tell(&mut trace);
        Some(trace)
    }
}

impl DressUp {
    /// Verifies an envelope and runs a procedure on a device without content: what there is to measure.
    pub fn verify_and_run(
        &self,
        key: &PublicKey,
        envelope: &[u8],
        procedure: &str,
        device: &impl OperatingHooks,
    ) -> bool {
        authenticate(std::slice::from_ref(key), &envelope)
            .and_then(|manifest| run(&manifest, procedure, device))
            .is_ok()
    }
}

/// As its documentation says: authenticate, take the envelope, take the manifest, look at version and sequence number.
fn authenticate<'b>(
    keys: &[PublicKey],
    envelope: &'b &[u8],
) -> Result<TheirManifest<'b, Authenticated>, Error> {
    let authentic = SuitManifest::from_bytes(envelope).authenticate(|block, digest| {
        let block = Sign1::decode(block).map_err(|_| Error::InvalidAuthenticationStructure)?;
        Ok(keys.iter().any(|key| block.verify(key, Some(digest), &[]).is_ok()))
    })?;
    let manifest = authentic.envelope()?.manifest()?;
    manifest.version()?;
    manifest.sequence_number()?;
    Ok(manifest)
}

/// The sections of a procedure that the manifest has, in order.
fn run(
    manifest: &TheirManifest<'_, Authenticated>,
    procedure: &str,
    hooks: &impl OperatingHooks,
) -> Result<(), Error> {
    if procedure == "update" {
        if manifest.has_payload_fetch()? {
            manifest.execute_payload_fetch(hooks)?;
        }
        if manifest.has_payload_installation()? {
            manifest.execute_payload_installation(hooks)?;
        }
    }
    if manifest.has_image_validation()? {
        manifest.execute_image_validation(hooks)?;
    }
    if procedure == "invocation" {
        if manifest.has_image_loading()? {
            manifest.execute_image_loading(hooks)?;
        }
        if manifest.has_invoke()? {
            manifest.execute_invoke(hooks)?;
        }
    }
    Ok(())
}

fn public_keys(keys: &[Vec<u8>]) -> Vec<PublicKey> {
    keys.iter().filter_map(|key| cose::Key::decode(key).ok()).map(|key| key.public().clone()).collect()
}

/// Its errors do not say which condition was not met.
fn failure(error: &Error) -> Failure {
    let reason = match error {
        Error::AuthenticationFailure => "unauthorised",
        Error::ConditionMatchFail { .. } | Error::TryEachFail { .. } => "condition-failed",
        Error::UnsupportedCommand { .. } => "command-unsupported",
        Error::UnsupportedParameter { .. } => "parameter-unsupported",
        Error::UnsupportedDigestAlgo { .. } => "alg-unsupported",
        Error::UnsupportedComponentIdentifier { .. } => "component-unsupported",
        _ => return Failure { reason: None, code: error.to_string() },
    };
    Failure { reason: Some(reason.into()), code: error.to_string() }
}

/// A device in memory. The crate hands out shared references, so what changes is behind cells.
struct Hooks {
    device: Device,
    contents: RefCell<BTreeMap<String, Option<Vec<u8>>>>,
    fetched: RefCell<Vec<String>>,
}

impl Hooks {
    fn new(device: &Device) -> Self {
        let content = |it: &Component| it.content.as_deref().and_then(from_hex);
        let contents = device.components.iter().map(|it| (name_of(it), content(it))).collect();
        Self { device: device.clone(), contents: RefCell::new(contents), fetched: RefCell::default() }
    }

    fn tell(&self, trace: &mut Trace) {
        trace.fetched = self.fetched.borrow().clone();
        let contents = self.contents.borrow();
        trace.components = self
            .device
            .components
            .iter()
            .map(|it| Component {
                id: it.id.clone(),
                content: contents.get(&name_of(it)).cloned().flatten().map(to_hex),
                ..Component::default()
            })
            .collect();
    }

    fn component(&self, component: &TheirComponent<'_>) -> Result<&Component, Error> {
        let name = their_name(component)?;
        let known = self.device.components.iter().find(|it| name_of(it) == name);
        known.ok_or(Error::UnsupportedComponentIdentifier { identifier: 0 })
    }

    fn with<T>(
        &self,
        component: &TheirComponent<'_>,
        use_it: impl FnOnce(&mut Option<Vec<u8>>) -> T,
    ) -> Result<T, Error> {
        let name = name_of(self.component(component)?);
        let mut contents = self.contents.borrow_mut();
        contents.get_mut(&name).map(use_it).ok_or(Error::UnsupportedComponentIdentifier { identifier: 0 })
    }
}

impl OperatingHooks for Hooks {
    type ReadWriteBufferSize = U64;

    fn match_vendor_id(&self, uuid: Uuid, component: &TheirComponent<'_>) -> Result<bool, Error> {
        self.component(component)?;
        Ok(self.device.vendor.as_deref() == Some(&to_hex(uuid.as_bytes())))
    }

    fn match_class_id(&self, uuid: Uuid, component: &TheirComponent<'_>) -> Result<bool, Error> {
        self.component(component)?;
        Ok(self.device.class.as_deref() == Some(&to_hex(uuid.as_bytes())))
    }

    fn match_device_id(&self, uuid: Uuid, component: &TheirComponent<'_>) -> Result<bool, Error> {
        self.component(component)?;
        Ok(self.device.device.as_deref() == Some(&to_hex(uuid.as_bytes())))
    }

    fn match_component_slot(&self, component: &TheirComponent<'_>, slot: u64) -> Result<bool, Error> {
        Ok(self.component(component)?.slot == Some(slot))
    }

    fn component_read(
        &self,
        component: &TheirComponent<'_>,
        _: Option<u64>,
        offset: usize,
        bytes: &mut [u8],
    ) -> Result<(), Error> {
        self.with(component, |content| {
            let held = content.as_deref().and_then(|content| content.get(offset..offset + bytes.len()));
            held.map(|held| bytes.copy_from_slice(held)).ok_or(Error::EndOfInput)
        })?
    }

    fn component_write(
        &self,
        component: &TheirComponent<'_>,
        _: Option<u64>,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.with(component, |content| {
            let content = content.get_or_insert_default();
            content.truncate(offset);
            content.extend_from_slice(bytes);
        })
    }

    fn component_size(&self, component: &TheirComponent<'_>) -> Result<usize, Error> {
        self.with(component, |content| content.as_ref().map_or(0, Vec::len))
    }

    fn component_capacity(&self, component: &TheirComponent<'_>) -> Result<usize, Error> {
        self.component(component).map(|_| 1 << 20)
    }

    fn fetch(&self, component: &TheirComponent<'_>, slot: Option<u64>, uri: &str) -> Result<(), Error> {
        self.fetched.borrow_mut().push(uri.into());
        let content = self.device.served.get(uri).and_then(|digits| from_hex(digits));
        self.component_write(component, slot, 0, &content.ok_or(Error::EndOfInput)?)
    }
}

/// Its components give their identifiers as text only.
fn their_name(component: &TheirComponent<'_>) -> Result<String, Error> {
    let mut name = BoundedString::<256>::new();
    component.as_string(&mut name, "/")?;
    Ok(name.as_str().into())
}

fn name_of(component: &Component) -> String {
    let segments = component.id.iter().map(|segment| from_hex(segment).unwrap_or_default());
    segments.map(|segment| String::from_utf8_lossy(&segment).into_owned()).collect::<Vec<_>>().join("/")
}
