//! Releases that depend on other manifests: taken as one set, measured, kept from going back, and removed when nothing
//! refers to them.

mod bringing;
mod life;
mod refusals;

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use suit::{Condition, Directive, Parameter, ReportingPolicy, Section, SequenceBuilder, VendorId};

use super::*;
use crate::{Boot, Fault, InstallError};

const ALWAYS: ReportingPolicy = ReportingPolicy::ALWAYS;

pub(super) fn place(name: &str) -> ComponentId {
    ComponentId::new(&[name, "manifest"]).unwrap()
}

fn seq() -> SequenceBuilder {
    SequenceBuilder::new()
}

fn signed(manifest: &ManifestBuilder, by: &SigningKey, payloads: &[(&str, &[u8])]) -> Vec<u8> {
    let mut envelope = manifest.build(HashAlgorithm::Sha256).unwrap();
    for (uri, payload) in payloads {
        envelope.payload(uri, payload);
    }
    envelope.sign(by, None);
    envelope.to_bytes()
}

/// Whom a manifest is for, and what its image is.
fn identified(image: &[u8]) -> SequenceBuilder {
    seq()
        .override_parameters(&[
            Parameter::VendorId(VendorId::Uuid(vendor())),
            Parameter::ClassId(class()),
            Parameter::ImageDigest(digest(image)),
            Parameter::ImageSize(image.len() as u64),
        ])
        .condition(Condition::VendorIdentifier, ALWAYS)
        .condition(Condition::ClassIdentifier, ALWAYS)
}

/// The same of the first of several components: the shared sequence then says which it is about.
fn identified_first(image: &[u8]) -> SequenceBuilder {
    seq().component(0).then(&identified(image))
}

/// What the sections do with the first component, whose image is fetched from a URI.
fn own_of(uri: &str) -> [(Section, SequenceBuilder); 3] {
    [
        (
            Section::Install,
            seq()
                .override_parameters(&[Parameter::Uri(uri)])
                .directive(Directive::Fetch, ALWAYS)
                .condition(Condition::ImageMatch, ALWAYS),
        ),
        (Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS)),
        (Section::Uninstall, seq().directive(Directive::Unlink, ALWAYS)),
    ]
}

/// A manifest about one component, with its image from a URI; it can be given up.
pub(super) fn part(name: &str, number: u64, image: &[u8], uri: &str) -> ManifestBuilder {
    let mut manifest = ManifestBuilder::new(number);
    manifest.component(component(name));
    manifest.shared(identified(image));
    let fetch = seq()
        .override_parameters(&[Parameter::Uri(uri)])
        .directive(Directive::Fetch, ALWAYS)
        .condition(Condition::ImageMatch, ALWAYS);
    manifest.section(Section::Install, fetch);
    manifest.section(Section::Validate, seq().condition(Condition::ImageMatch, ALWAYS));
    manifest.section(Section::Uninstall, seq().directive(Directive::Unlink, ALWAYS));
    manifest
}

/// Adds dependencies behind the components of a manifest, each with its place, its manifest digest and where it is
/// fetched from; every section processes them before what it does itself.
pub(super) fn depend(
    manifest: &mut ManifestBuilder,
    components: u32,
    needed: &[(ComponentId, Digest, &str)],
    own: &[(Section, SequenceBuilder)],
) {
    let mut all = [
        Section::DependencyResolution,
        Section::Install,
        Section::Validate,
        Section::Invoke,
        Section::Uninstall,
    ]
    .map(|section| (section, seq()));
    for (index, (place, digest, uri)) in (components..).zip(needed) {
        manifest.component(place.clone()).dependency(index, None);
        for (section, sequence) in &mut all {
            let at =
                sequence.clone().component(index).override_parameters(&[Parameter::ImageDigest(*digest)]);
            let known =
                |sequence: SequenceBuilder| sequence.condition(Condition::DependencyIntegrity, ALWAYS);
            *sequence = match section {
                Section::DependencyResolution => {
                    known(at.override_parameters(&[Parameter::Uri(uri)]).directive(Directive::Fetch, ALWAYS))
                        .directive(Directive::ProcessDependency, ALWAYS)
                }
                Section::Install | Section::Validate => {
                    known(at).directive(Directive::ProcessDependency, ALWAYS)
                }
                Section::Uninstall => known(at).directive(Directive::Unlink, ALWAYS),
                _ => continue,
            };
        }
    }
    for (section, sequence) in all {
        let own = own.iter().find(|(other, _)| *other == section);
        let sequence = own.map_or(sequence.clone(), |(_, own)| sequence.then(&seq().component(0)).then(own));
        if !sequence.is_empty() {
            manifest.section(section, sequence);
        }
    }
}

/// A root manifest about `app` that depends on others.
pub(super) fn root(number: u64, app: &[u8], needed: &[(ComponentId, Digest, &str)]) -> ManifestBuilder {
    let mut manifest = part("app", number, app, "#app");
    manifest.shared(identified_first(app));
    let mut own = own_of("#app").to_vec();
    own.push((Section::Invoke, seq().directive(Directive::Invoke, ALWAYS)));
    depend(&mut manifest, 1, needed, &own);
    manifest
}

/// The manifest about `config` that releases of these tests depend on, with its image.
///
/// Made once: a signature is another one each time where its algorithm draws at random.
pub(super) fn inner(number: u64, image: &[u8]) -> Vec<u8> {
    type Made = BTreeMap<(u64, Vec<u8>), Vec<u8>>;
    static MADE: Mutex<Made> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || signed(&part("config", number, image, "#config"), &author(), &[("#config", image)]);
    made.entry((number, image.to_vec())).or_insert_with(make).clone()
}

/// A release about `app` that brings another one about `config`.
pub(super) fn depending(number: u64, app: &[u8], inner: &[u8]) -> Vec<u8> {
    let manifest = root(number, app, &[(place("config"), manifest_digest(inner), "#config.suit")]);
    signed(&manifest, &author(), &[("#app", app), ("#config.suit", inner)])
}

/// The release with this number, whose dependency has this one.
fn release_with(number: u64, of_inner: u64) -> Vec<u8> {
    depending(number, &image("app", number), &inner(of_inner, &image("config", of_inner)))
}

fn installed(device: &mut Device<Simulator>, envelope: &[u8]) {
    device.install(envelope, None, None).unwrap();
    assert!(matches!(device.boot(None), Ok(Boot::Release(_))));
    device.commit().unwrap();
}

fn refusal(device: &mut Device<Simulator>, envelope: &[u8]) -> Fault {
    let before = contents(device.storage());
    match device.install(envelope, None, None) {
        Err(InstallError::Refused(fault)) => {
            assert_eq!(contents(device.storage()), before, "{fault}: something was written");
            fault
        }
        other => panic!("{other:?}"),
    }
}

fn stored(device: &Device<Simulator>, area: Area) -> Vec<u8> {
    read_all(device.storage(), area, usize::MAX).unwrap().unwrap()
}
