//! A device that meets whatever a manifest asks for, found out from the manifest.

use sextant_suit::{Envelope, Operation, Parameter, Sequence, VendorId, Verified, Version, WaitInfo};

use crate::support::{Device, one_author};

/// A device that meets every condition of the manifest and gets an image of the right size from anywhere.
pub(crate) fn device(verified: &Verified<'_>) -> Device {
    let mut device = Device::fitting(verified, &one_author());
    let targets = verified.targets();
    let vendor = targets.vendors.iter().find_map(|vendor| match vendor {
        VendorId::Uuid(id) => Some(*id),
        VendorId::PrivateEnterprise(_) => None,
    });
    device.vendor = vendor.or(device.vendor);
    device.class = targets.classes.first().copied().or(device.class);
    for dependency in dependencies(verified.envelope()) {
        device.components.entry(dependency).or_default();
    }
    let mut demands = Demands::default();
    let manifest = verified.manifest();
    let sections = manifest.sections().filter_map(|(_, held)| held.value());
    manifest.common().shared().into_iter().chain(sections).for_each(|sequence| demands.read(sequence));
    demands.meet(&mut device);
    let images = verified.images();
    for image in &images {
        // Some tell the size of an image only where it ends up.
        let first = images.iter().position(|other| other.digest == image.digest).unwrap_or_default();
        let size = images.iter().filter(|other| other.digest == image.digest).find_map(|other| other.size);
        // Nobody published the images: bytes that no other image has stand for them.
        let content = vec![first as u8; size.unwrap_or(first as u64 + 1) as usize];
        device.pretended.insert(content.clone(), image.digest);
        if let Some(slot) = image.slot {
            device.slots.entry(image.component.clone()).or_insert(slot);
        }
        // The image is there already where nothing fetches it.
        match image.uri {
            None => device = device.holding(&image.component, &content),
            Some(uri) => device = device.serve(uri, &content),
        }
    }
    device
}

/// The components of dependencies that the envelope carries.
fn dependencies(envelope: &Envelope<'_>) -> Vec<sextant_suit::ComponentId> {
    let mut components = Vec::new();
    for (_, payload) in envelope.payloads() {
        let Ok(manifest) = Envelope::decode(payload).and_then(|inner| inner.manifest_unverified()) else {
            continue;
        };
        components.extend(manifest.common().components().iter().cloned());
        components.extend(manifest.component_id().cloned());
    }
    components
}

/// What the parameters of a manifest ask of a device.
#[derive(Default)]
struct Demands<'m> {
    parameters: Vec<&'m Parameter<'m>>,
}

impl<'m> Demands<'m> {
    fn read(&mut self, sequence: &'m Sequence<'m>) {
        for command in sequence.commands() {
            self.parameters.extend(command.operation.parameters());
            match &command.operation {
                Operation::TryEach { alternatives, .. } => alternatives.iter().for_each(|it| self.read(it)),
                Operation::RunSequence(sequence) => self.read(sequence),
                _ => {}
            }
        }
    }

    fn of<T>(&self, pick: impl Fn(&'m Parameter<'m>) -> Option<T>) -> Vec<T> {
        self.parameters.iter().copied().filter_map(pick).collect()
    }

    fn meet(&self, device: &mut Device) {
        let waits = self.of(|it| if let Parameter::WaitInfo(info) = it { Some(&**info) } else { None });
        device.device = self.of(|it| if let Parameter::DeviceId(id) = it { Some(*id) } else { None }).pop();
        device.battery = self
            .of(|it| if let Parameter::MinimumBattery(least) = it { Some(*least) } else { None })
            .into_iter()
            .max();
        let priorities = self.of(|it| if let Parameter::UpdatePriority(is) = it { Some(*is) } else { None });
        device.authorized_up_to =
            priorities.into_iter().chain(waits.iter().filter_map(|info| info.authorization)).max();
        device.network = waits.iter().find_map(|info| info.network);
        device.power = waits.iter().find_map(|info| info.power);
        device.utc_offset = Some(0);
        for other in waits.iter().flat_map(|info| &info.other_devices) {
            let versions = other.versions.iter();
            device.others.extend(fitting_version(versions).map(|version| (other.device.to_vec(), version)));
        }
        let versions =
            self.of(|it| if let Parameter::VersionMatch(demand) = it { Some(&**demand) } else { None });
        if let Some(version) = fitting_version(versions.iter().copied()) {
            device.versions = device.components.keys().map(|id| (id.clone(), version.clone())).collect();
        }
        let expiry = self.of(|it| if let Parameter::UseBefore(time) = it { Some(*time) } else { None });
        device.now = fitting_time(expiry.into_iter().min(), &waits);
        for slot in self.of(|it| if let Parameter::ComponentSlot(slot) = it { Some(*slot) } else { None }) {
            for component in device.components.keys() {
                device.slots.entry(component.clone()).or_insert(slot);
            }
        }
    }
}

/// A version that meets all demands: one of theirs, or next to it.
fn fitting_version<'m>(
    demands: impl Iterator<Item = &'m sextant_suit::VersionMatch> + Clone,
) -> Option<Version> {
    let beside = |version: &Version| {
        let mut parts = version.parts().to_vec();
        let last = parts.len().saturating_sub(1);
        [0, 1, -1].map(|step| {
            parts[last] = version.parts()[last] + step;
            Version::new(&parts)
        })
    };
    let mut candidates = demands.clone().flat_map(|demand| beside(&demand.version)).flatten();
    candidates.find(|version| demands.clone().all(|demand| demand.matches(version)))
}

/// The first time, in steps of five minutes, at which all is met; a day before the expiry where nothing else is asked.
fn fitting_time(expiry: Option<u64>, waits: &[&WaitInfo<'_>]) -> Option<u64> {
    const DAY: u64 = 86_400;
    let earliest = waits.iter().filter_map(|info| info.time).max();
    let start = earliest.unwrap_or(expiry.map_or(SOME_TIME, |expiry| expiry.saturating_sub(8 * DAY)));
    (0..8 * DAY).step_by(300).map(|later| start - start % 300 + 300 + later).find(|now| {
        let weekday = (now / DAY + 4) % 7;
        expiry.is_none_or(|expiry| *now < expiry)
            && waits.iter().all(|info| {
                [info.time_of_day, info.utc_time_of_day].iter().flatten().all(|time| now % DAY >= *time)
                    && [info.day_of_week, info.utc_day_of_week].iter().flatten().all(|day| weekday == *day)
            })
    })
}

/// A time for devices that are not asked for one.
const SOME_TIME: u64 = 1_800_000_000;
