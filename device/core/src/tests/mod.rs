//! Tests of the device as a whole: what it refuses, what it boots, what it attests, and power cuts at every write.

mod attestation;
mod authorities;
mod booting;
mod dependencies;
mod power_cuts;
mod proof;
mod refusals;
mod streaming;
mod watched;

use crypto::{Digest, HashAlgorithm, SignatureAlgorithm, SigningKey};
use eat::{DebugStatus, Ueid};
use suit::{
    Authority, AuthorityList, AuthorityPolicy, ComponentId, Envelope, ImageRecipe, ManifestBuilder,
    ReleaseRecipe, Role, Uuid, Variant,
};

use crate::{
    Area, Component, Credentials, Device, Identity, Layout, Slot, Storage, read_all, simulator::Simulator,
};

pub(super) const CAPACITY: u64 = 256 * 1024;

/// A key that is the same whenever it is asked for.
pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).unwrap()
}

pub(super) fn author() -> SigningKey {
    key(1)
}

pub(super) fn operator() -> SigningKey {
    key(2)
}

pub(super) fn vendor() -> Uuid {
    Uuid::vendor("maker.example")
}

pub(super) fn class() -> Uuid {
    Uuid::class(&vendor(), b"camera")
}

pub(super) fn component(name: &str) -> ComponentId {
    ComponentId::new(&[name]).unwrap()
}

pub(super) fn identity() -> Identity {
    Identity {
        ueid: Ueid::new(&[1; 17]).unwrap(),
        vendor: vendor(),
        class: class(),
        debug: DebugStatus::Disabled,
        components: ["app", "config"]
            .map(|name| Component { id: component(name), capacity: CAPACITY })
            .to_vec(),
        layout: Layout::InTurn,
    }
}

pub(super) fn authority(key: &SigningKey, name: &str, role: Role) -> Authority {
    Authority::new(key.public_key().clone(), name.as_bytes(), name, role)
}

/// The device of most tests: one author, no operator.
pub(super) fn credentials() -> Credentials {
    credentials_with(
        AuthorityPolicy::default(),
        vec![
            authority(&author(), "author", Role::Author),
            authority(&operator(), "operator", Role::Operator),
        ],
    )
}

pub(super) fn credentials_with(policy: AuthorityPolicy, entries: Vec<Authority>) -> Credentials {
    let authorities = AuthorityList::new(policy, entries).unwrap();
    Credentials { identity: identity(), authorities, key: Box::new(key(9)) }
}

pub(super) fn device() -> Device<Simulator> {
    wake(Simulator::new())
}

pub(super) fn wake(storage: Simulator) -> Device<Simulator> {
    Device::power_up(storage, credentials(), &[5; 16]).unwrap()
}

/// The image of a component in the release with this number; of several pieces.
pub(super) fn image(name: &str, number: u64) -> Vec<u8> {
    let len = if name == "app" { 20_000 } else { 100 };
    format!("{name} {number} ").bytes().cycle().take(len).collect()
}

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::of(HashAlgorithm::Sha256, bytes)
}

/// The usual recipe of a release with this sequence number.
pub(super) fn recipe(number: u64) -> ReleaseRecipe {
    let images = ["app", "config"].map(|name| {
        let image = image(name, number);
        let variant = Variant {
            slot: None,
            digest: digest(&image),
            size: image.len() as u64,
            uri: Some(format!("#{name}")),
        };
        ImageRecipe { component: component(name), variants: vec![variant], invoke: name == "app" }
    });
    ReleaseRecipe { sequence_number: number, vendor: vendor(), class: class(), images: images.to_vec() }
}

/// An envelope around a manifest, with the images of the release with this number and these signatures.
pub(super) fn envelope(manifest: &ManifestBuilder, number: u64, signers: &[(&SigningKey, &str)]) -> Vec<u8> {
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    for name in ["app", "config"] {
        envelope.payload(&format!("#{name}"), &image(name, number));
    }
    for (key, kid) in signers {
        envelope.sign(key, Some(kid.as_bytes()));
    }
    envelope.to_bytes()
}

/// The release with this number, signed by the author.
pub(super) fn release(number: u64) -> Vec<u8> {
    envelope(&recipe(number).manifest().unwrap(), number, &[(&author(), "author")])
}

pub(super) fn manifest_digest(envelope: &[u8]) -> Digest {
    Envelope::decode(envelope).unwrap().manifest_digest_claimed()
}

/// Everything stored but the boot record.
pub(super) fn contents(storage: &Simulator) -> Vec<Vec<u8>> {
    let slots = [Slot::A, Slot::B].into_iter();
    let areas = slots.flat_map(|slot| [Area::Manifest(slot), Area::Image(slot, 0), Area::Image(slot, 1)]);
    areas.map(|area| read_all(storage, area, usize::MAX).unwrap().unwrap()).collect()
}

/// A device that runs the committed release with this number.
pub(super) fn running(number: u64) -> Device<Simulator> {
    let mut device = device();
    device.boot(None).unwrap();
    device.install(&release(number), None, None).unwrap();
    device.boot(None).unwrap();
    device.commit().unwrap();
    device
}

/// Flips a bit of what an area holds.
pub(super) fn damage(storage: &mut Simulator, area: Area) {
    let mut bytes = read_all(storage, area, usize::MAX).unwrap().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    storage.erase(area).unwrap();
    storage.append(area, &bytes).unwrap();
    storage.sync(area).unwrap();
}
