use crypto::{Digest, HashAlgorithm, Hasher, constant_time_eq};

use super::{FailureKind, Platform, PlatformError, Processor, processor::Stop};
use crate::{ComponentId, Condition, Feature, Parameter, Property, labels::parameter};

/// What a condition found on the device, where there is something to tell.
pub(super) type Measured = Option<Property>;

/// Whether a condition is met, and what it found.
type Finding = (bool, Measured);

impl<'m, 'b, P: Platform> Processor<'m, 'b, P> {
    /// Tests a condition for the current component (MAN, section 8.4.9; UM; TD). It is not met without the parameter
    /// it needs. Only a device that cannot tell stops the procedure.
    pub(super) fn condition(&mut self, condition: Condition) -> Result<Finding, Stop> {
        let index = self.place.index;
        match condition {
            Condition::Abort => return Ok((false, None)),
            Condition::IsDependency => {
                return Ok((self.verified.manifest().common().is_dependency(index), None));
            }
            Condition::DependencyIntegrity => {
                self.require_dependency(index)?;
                return Err(FailureKind::Unsupported(Feature::Dependencies).into());
            }
            Condition::UpdateAuthorized => {
                let priority = match self.table.find(index, parameter::UPDATE_PRIORITY) {
                    Some(Parameter::UpdatePriority(priority)) => *priority,
                    _ => return Ok((false, None)),
                };
                return Ok((self.platform.authorizes(priority), None));
            }
            Condition::UseBefore => {
                let now = self.platform.now();
                let met = match (self.table.find(index, parameter::USE_BEFORE), now) {
                    (Some(Parameter::UseBefore(end)), Some(now)) => now < *end,
                    _ => false,
                };
                return Ok((met, now.map(Property::Time)));
            }
            Condition::MinimumBattery => {
                let battery = self.platform.battery();
                let met = match (self.table.find(index, parameter::MINIMUM_BATTERY), battery) {
                    (Some(Parameter::MinimumBattery(least)), Some(battery)) => battery >= *least,
                    _ => false,
                };
                return Ok((met, battery.map(Property::Battery)));
            }
            _ => {}
        }
        let component = self.component(index)?;
        match condition {
            Condition::ImageMatch => self.image_match(index, component),
            Condition::ImageNotMatch => match self.table.image_digest(index) {
                Some(_) => self.image_match(index, component).map(|(same, measured)| (!same, measured)),
                None => Ok((false, None)),
            },
            Condition::CheckContent => match self.table.content(index) {
                Some(content) => Ok((self.holds(component, content)?, None)),
                None => Ok((false, None)),
            },
            Condition::ComponentSlot => {
                let slot = self.platform.slot(component);
                let wanted = match self.table.find(index, parameter::COMPONENT_SLOT) {
                    Some(Parameter::ComponentSlot(wanted)) => Some(*wanted),
                    _ => None,
                };
                Ok((wanted.is_some() && wanted == slot, slot.map(Property::ComponentSlot)))
            }
            Condition::Version => {
                let installed = self.platform.version(component);
                let met = match (self.table.find(index, parameter::VERSION_MATCH), &installed) {
                    (Some(Parameter::VersionMatch(wanted)), Some(installed)) => wanted.matches(installed),
                    _ => false,
                };
                Ok((met, installed.map(Property::Version)))
            }
            _ => Ok((self.identifier(condition, index, component), None)),
        }
    }

    fn identifier(&self, condition: Condition, index: u32, component: &ComponentId) -> bool {
        let label = match condition {
            Condition::VendorIdentifier => parameter::VENDOR_IDENTIFIER,
            Condition::ClassIdentifier => parameter::CLASS_IDENTIFIER,
            _ => parameter::DEVICE_IDENTIFIER,
        };
        match self.table.find(index, label) {
            Some(Parameter::VendorId(vendor)) => self.platform.is_vendor(component, vendor),
            Some(Parameter::ClassId(class)) => self.platform.is_class(component, class),
            Some(Parameter::DeviceId(device)) => self.platform.is_device(component, device),
            _ => false,
        }
    }

    /// Whether the component holds the image: all of its content, and of the right size if that is set.
    fn image_match(&mut self, index: u32, component: &ComponentId) -> Result<Finding, Stop> {
        if self.verified.manifest().common().is_dependency(index) {
            return Err(FailureKind::Unsupported(Feature::Dependencies).into());
        }
        let Some(wanted) = self.table.image_digest(index) else { return Ok((false, None)) };
        let Some(size) = self.platform.size(component)? else { return Ok((false, None)) };
        if self.table.image_size(index).is_some_and(|wanted| wanted != size) {
            return Ok((false, Some(Property::ImageSize(size))));
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
            let count = self.platform.read(component, offset, &mut self.buffer)?;
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
        for expected in content.chunks(self.buffer.len()) {
            let count = self.platform.read(component, offset, &mut self.buffer)?;
            let found = self.buffer.get(..count).unwrap_or_default();
            same &= constant_time_eq(found, expected);
            offset += expected.len() as u64;
        }
        Ok(same)
    }

    /// Whether the component already holds the image that is about to be fetched. Hashing is only worth it when the
    /// size says that it may.
    pub(super) fn already_holds(&mut self, index: u32, component: &ComponentId) -> Result<bool, Stop> {
        let size = self.table.image_size(index);
        if size.is_none()
            || self.table.image_digest(index).is_none()
            || self.platform.size(component)? != size
        {
            return Ok(false);
        }
        Ok(self.image_match(index, component)?.0)
    }

    pub(super) fn require_dependency(&self, index: u32) -> Result<(), Stop> {
        if self.verified.manifest().common().is_dependency(index) {
            Ok(())
        } else {
            Err(FailureKind::NotADependency.into())
        }
    }

    /// Allocates the buffer when it is needed first.
    pub(super) fn ready_buffer(&mut self) {
        if self.buffer.is_empty() {
            self.buffer.resize(P::CHUNK.max(1), 0);
        }
    }
}
