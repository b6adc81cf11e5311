use crypto::{Digest, HashAlgorithm, Hasher, constant_time_eq};

use super::{
    Platform, PlatformError,
    machine::{Machine, Stop},
    table::Slot,
};
use crate::{ComponentId, Condition, Envelope, Parameter, Property, labels::parameter};

/// What a condition found on the device, where there is something to tell.
pub(super) type Measured = Option<Property>;

/// Whether a condition is met, and what it found.
type Finding = (bool, Measured);

impl<'a, P: Platform> Machine<'a, P> {
    /// Tests a condition for the current component (MAN, section 8.4.9; UM; TD). It is not met without the parameter
    /// it needs. Only a device that cannot tell stops the procedure, and a dependency that is not what it should be.
    pub(super) fn condition(&mut self, condition: Condition) -> Result<Finding, Stop> {
        let index = self.place.index;
        let slot = self.slot(index)?;
        match condition {
            Condition::Abort => Ok((false, None)),
            Condition::IsDependency => Ok((self.is_dependency(index), None)),
            Condition::DependencyIntegrity => {
                self.dependency_integrity(index)?;
                let digest = self.table.image_digest(slot).copied();
                Ok((true, digest.map(Property::ImageDigest)))
            }
            Condition::UpdateAuthorized => Ok(match self.table.find(slot, parameter::UPDATE_PRIORITY) {
                Some(Parameter::UpdatePriority(priority)) => (self.platform.authorizes(*priority), None),
                _ => (false, None),
            }),
            Condition::UseBefore => {
                let now = self.platform.now();
                let met = match (self.table.find(slot, parameter::USE_BEFORE), now) {
                    (Some(Parameter::UseBefore(end)), Some(now)) => now < *end,
                    _ => false,
                };
                Ok((met, now.map(Property::Time)))
            }
            Condition::MinimumBattery => {
                let battery = self.platform.battery();
                let met = match (self.table.find(slot, parameter::MINIMUM_BATTERY), battery) {
                    (Some(Parameter::MinimumBattery(least)), Some(battery)) => battery >= *least,
                    _ => false,
                };
                Ok((met, battery.map(Property::Battery)))
            }
            _ => self.condition_on(condition, slot),
        }
    }

    /// Tests a condition that is about what a component is or holds.
    fn condition_on(&mut self, condition: Condition, slot: Slot) -> Result<Finding, Stop> {
        let component = self.component(slot)?;
        match condition {
            Condition::ImageMatch => self.image_match(slot, component),
            Condition::ImageNotMatch => match self.table.image_digest(slot) {
                Some(_) => self.image_match(slot, component).map(|(same, measured)| (!same, measured)),
                None => Ok((false, None)),
            },
            Condition::CheckContent => match self.table.content(slot) {
                Some(content) => Ok((self.holds(component, content)?, None)),
                None => Ok((false, None)),
            },
            Condition::ComponentSlot => {
                let found = self.platform.slot(component);
                let wanted = match self.table.find(slot, parameter::COMPONENT_SLOT) {
                    Some(Parameter::ComponentSlot(wanted)) => Some(*wanted),
                    _ => None,
                };
                Ok((wanted.is_some() && wanted == found, found.map(Property::ComponentSlot)))
            }
            Condition::Version => {
                let installed = self.platform.version(component);
                let met = match (self.table.find(slot, parameter::VERSION_MATCH), &installed) {
                    (Some(Parameter::VersionMatch(wanted)), Some(installed)) => wanted.matches(installed),
                    _ => false,
                };
                Ok((met, installed.map(Property::Version)))
            }
            _ => Ok(self.identifier(condition, slot, component)),
        }
    }

    /// The device only tells whether it is what the parameter says.
    fn identifier(&self, condition: Condition, slot: Slot, component: &ComponentId) -> Finding {
        let label = match condition {
            Condition::VendorIdentifier => parameter::VENDOR_IDENTIFIER,
            Condition::ClassIdentifier => parameter::CLASS_IDENTIFIER,
            _ => parameter::DEVICE_IDENTIFIER,
        };
        let demand = self.table.find(slot, label);
        let met = match demand {
            Some(Parameter::VendorId(vendor)) => self.platform.is_vendor(component, vendor),
            Some(Parameter::ClassId(class)) => self.platform.is_class(component, class),
            Some(Parameter::DeviceId(device)) => self.platform.is_device(component, device),
            _ => false,
        };
        (met, demand.filter(|_| met).and_then(Property::as_demanded))
    }

    /// Whether the component holds the image: all of its content, and of the right size if that is set.
    ///
    /// Of a dependency only the manifest is compared, which stays the same when others sign it or parts are severed
    /// (TD, section 5.2). That says nothing about who signed it.
    fn image_match(&mut self, slot: Slot, component: &ComponentId) -> Result<Finding, Stop> {
        let Some(wanted) = self.table.image_digest(slot) else { return Ok((false, None)) };
        let Some(size) = self.platform.size(component)? else { return Ok((false, None)) };
        if self.table.image_size(slot).is_some_and(|wanted| wanted != size) {
            return Ok((false, Some(Property::ImageSize(size))));
        }
        if self.is_dependency(self.place.index) {
            let bytes = self.read_envelope(slot)?;
            let Ok(envelope) = Envelope::decode(&bytes) else { return Ok((false, None)) };
            let found = envelope.manifest_digest_computed(wanted.algorithm());
            return Ok((found == *wanted, Some(Property::ImageDigest(found))));
        }
        let found = match self.platform.digest(component, wanted.algorithm())? {
            Some(found) => found,
            None => self.hash(component, wanted.algorithm())?,
        };
        Ok((found == *wanted, Some(Property::ImageDigest(found))))
    }

    /// Digest of all that the component holds.
    fn hash(&mut self, component: &ComponentId, algorithm: HashAlgorithm) -> Result<Digest, PlatformError> {
        self.ready_buffer();
        let mut hasher = Hasher::new(algorithm);
        let mut offset = 0;
        loop {
            let count = self.platform.read(component, offset, self.buffer)?;
            hasher.update(self.buffer.get(..count).ok_or(PlatformError::Io)?);
            if count < self.buffer.len() {
                return Ok(hasher.finish());
            }
            offset += count as u64;
        }
    }

    /// Whether the component holds just this content. The time it takes depends on nothing but sizes.
    fn holds(&mut self, component: &ComponentId, content: &[u8]) -> Result<bool, Stop> {
        if self.platform.size(component)? != Some(content.len() as u64) {
            return Ok(false);
        }
        self.ready_buffer();
        let mut same = true;
        let mut offset = 0;
        for expected in content.chunks(self.buffer.len().max(1)) {
            let count = self.platform.read(component, offset, self.buffer)?;
            let found = self.buffer.get(..count).unwrap_or_default();
            same &= constant_time_eq(found, expected);
            offset += expected.len() as u64;
        }
        Ok(same)
    }

    /// Whether the component already holds the image that is about to be fetched. Hashing is only worth it when the
    /// size says that it may. An envelope is always fetched: the one that is there may lack signatures.
    pub(super) fn already_holds(&mut self, slot: Slot, component: &ComponentId) -> Result<bool, Stop> {
        let size = self.table.image_size(slot);
        if size.is_none()
            || self.is_dependency(self.place.index)
            || self.table.image_digest(slot).is_none()
            || self.platform.size(component)? != size
        {
            return Ok(false);
        }
        Ok(self.image_match(slot, component)?.0)
    }

    /// Allocates the buffer when it is needed first.
    pub(super) fn ready_buffer(&mut self) {
        if self.buffer.is_empty() {
            self.buffer.resize(P::CHUNK.max(1), 0);
        }
    }
}
