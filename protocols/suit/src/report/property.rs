use alloc::vec::Vec;

use cbor::{Error as CborError, Reader, Writer};
use crypto::Digest;

use crate::{
    Comparison, Error, Parameter, Uuid, VendorId, Version, VersionMatch,
    digest::{decode_digest, encode_digest},
    labels::parameter,
    parameter::wrapped,
};

/// A measured value, labelled and encoded as the parameter it was compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// Vendor of the component.
    Vendor(Uuid),
    /// Vendor of the component, as the relative OID of a private enterprise number.
    PrivateEnterprise(Vec<u8>),
    /// Class of the component.
    Class(Uuid),
    /// The device.
    Device(Uuid),
    /// Digest of what the component holds.
    ImageDigest(Digest),
    /// Size of what the component holds.
    ImageSize(u64),
    /// Slot of the component.
    ComponentSlot(u64),
    /// Seconds since 1970.
    Time(u64),
    /// Energy in the battery, in mWh.
    Battery(u64),
    /// Installed version.
    Version(Version),
    /// Something with another label, as it came.
    Other {
        /// Label of the parameter.
        label: i64,
        /// The encoded value.
        value: Vec<u8>,
    },
}

impl Property {
    /// Label of the parameter.
    pub fn label(&self) -> i64 {
        match self {
            Self::Vendor(_) | Self::PrivateEnterprise(_) => parameter::VENDOR_IDENTIFIER,
            Self::Class(_) => parameter::CLASS_IDENTIFIER,
            Self::Device(_) => parameter::DEVICE_IDENTIFIER,
            Self::ImageDigest(_) => parameter::IMAGE_DIGEST,
            Self::ImageSize(_) => parameter::IMAGE_SIZE,
            Self::ComponentSlot(_) => parameter::COMPONENT_SLOT,
            Self::Time(_) => parameter::USE_BEFORE,
            Self::Battery(_) => parameter::MINIMUM_BATTERY,
            Self::Version(_) => parameter::VERSION_MATCH,
            Self::Other { label, .. } => *label,
        }
    }

    /// The property that a component has when it was found to be what the parameter says.
    pub(crate) fn as_demanded(demand: &Parameter<'_>) -> Option<Self> {
        match demand {
            Parameter::VendorId(VendorId::Uuid(id)) => Some(Self::Vendor(*id)),
            Parameter::VendorId(VendorId::PrivateEnterprise(oid)) => {
                Some(Self::PrivateEnterprise(oid.to_vec()))
            }
            Parameter::ClassId(id) => Some(Self::Class(*id)),
            Parameter::DeviceId(id) => Some(Self::Device(*id)),
            _ => None,
        }
    }

    /// Whether what was measured meets what a parameter of the same label demands.
    pub(crate) fn meets(&self, demand: &Parameter<'_>) -> bool {
        match (self, demand) {
            (Self::ImageDigest(found), Parameter::ImageDigest(wanted)) => found == wanted,
            (Self::ImageSize(found), Parameter::ImageSize(wanted))
            | (Self::ComponentSlot(found), Parameter::ComponentSlot(wanted)) => found == wanted,
            (Self::Time(now), Parameter::UseBefore(end)) => now < end,
            (Self::Battery(found), Parameter::MinimumBattery(least)) => found >= least,
            (Self::Version(found), Parameter::VersionMatch(wanted)) => wanted.matches(found),
            (found, wanted) => Self::as_demanded(wanted).as_ref() == Some(found),
        }
    }

    pub(super) fn decode(label: i64, reader: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(match label {
            parameter::VENDOR_IDENTIFIER => match VendorId::decode(reader.lean())? {
                VendorId::Uuid(id) => Self::Vendor(id),
                VendorId::PrivateEnterprise(oid) => Self::PrivateEnterprise(oid.to_vec()),
            },
            parameter::CLASS_IDENTIFIER => Self::Class(Uuid::from(*reader.byte_array()?)),
            parameter::DEVICE_IDENTIFIER => Self::Device(Uuid::from(*reader.byte_array()?)),
            parameter::IMAGE_DIGEST => Self::ImageDigest(wrapped(reader.lean(), decode_digest)?),
            parameter::IMAGE_SIZE => Self::ImageSize(reader.uint()?),
            parameter::COMPONENT_SLOT => Self::ComponentSlot(reader.uint()?),
            parameter::USE_BEFORE => Self::Time(reader.uint()?),
            parameter::MINIMUM_BATTERY => Self::Battery(reader.uint()?),
            parameter::VERSION_MATCH => {
                let at = reader.position();
                let found = wrapped(reader.lean(), VersionMatch::decode)?;
                if found.comparison != Comparison::Equal {
                    return Err(CborError::rule(at, "measured version is not one version").into());
                }
                Self::Version(found.version)
            }
            label => Self::Other { label, value: reader.raw()?.to_vec() },
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Vendor(id) => VendorId::Uuid(*id).encode(writer),
            Self::PrivateEnterprise(oid) => VendorId::PrivateEnterprise(oid).encode(writer),
            Self::Class(id) | Self::Device(id) => {
                writer.bytes(id.as_bytes());
            }
            Self::ImageDigest(digest) => {
                writer.wrap(|w| encode_digest(digest, w));
            }
            Self::ImageSize(value)
            | Self::ComponentSlot(value)
            | Self::Time(value)
            | Self::Battery(value) => {
                writer.uint(*value);
            }
            Self::Version(version) => {
                let exactly = VersionMatch { comparison: Comparison::Equal, version: version.clone() };
                writer.wrap(|w| exactly.encode(w));
            }
            Self::Other { value, .. } => {
                writer.raw(value);
            }
        }
    }
}
