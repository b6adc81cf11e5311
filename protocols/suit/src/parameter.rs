use alloc::boxed::Box;
use alloc::vec::Vec;

use cbor::{MapBuilder, Writer, lean::Reader};
use crypto::Digest;

use crate::{
    ComponentMetadata, Feature, Uuid, VendorId, VersionMatch, WaitInfo,
    digest::{decode_digest, encode_digest},
    error::Fault,
    labels::parameter,
    limits::MAX_URI_LEN,
};

/// One parameter and its value (MAN, section 8.4.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter<'b> {
    /// Vendor the component must belong to.
    VendorId(VendorId<'b>),
    /// Class the component must belong to.
    ClassId(Uuid),
    /// Digest of the image.
    ImageDigest(Digest),
    /// Seconds since 1970 before which the manifest may be used (UM).
    UseBefore(u64),
    /// Slot of the component.
    ComponentSlot(u64),
    /// Whether commands run in order. This processor always runs them in order, which conforms.
    StrictOrder(bool),
    /// Whether a failed condition ends just its sequence.
    SoftFailure(bool),
    /// Size of the image in bytes.
    ImageSize(u64),
    /// Content to write or to compare with.
    Content(&'b [u8]),
    /// SUIT_Encryption_Info, as it came (ENC).
    EncryptionInfo(&'b [u8]),
    /// Where to fetch from.
    Uri(&'b str),
    /// Index of the component to copy from or to swap with.
    SourceComponent(u32),
    /// Arguments to invoke with.
    InvokeArgs(&'b [u8]),
    /// Device the manifest is for.
    DeviceId(Uuid),
    /// Arguments to fetch with.
    FetchArguments(&'b [u8]),
    /// Energy the battery must hold, in mWh (UM).
    MinimumBattery(u64),
    /// Priority of the update; smaller is more urgent (UM).
    UpdatePriority(i64),
    /// Demand on the installed version (UM).
    VersionMatch(Box<VersionMatch>),
    /// Events to wait for (UM).
    WaitInfo(Box<WaitInfo<'b>>),
    /// What a file system is to know of the component (UM).
    ComponentMetadata(Box<ComponentMetadata<'b>>),
}

impl<'b> Parameter<'b> {
    /// Label in the registry.
    pub fn label(&self) -> i64 {
        match self {
            Self::VendorId(_) => parameter::VENDOR_IDENTIFIER,
            Self::ClassId(_) => parameter::CLASS_IDENTIFIER,
            Self::ImageDigest(_) => parameter::IMAGE_DIGEST,
            Self::UseBefore(_) => parameter::USE_BEFORE,
            Self::ComponentSlot(_) => parameter::COMPONENT_SLOT,
            Self::StrictOrder(_) => parameter::STRICT_ORDER,
            Self::SoftFailure(_) => parameter::SOFT_FAILURE,
            Self::ImageSize(_) => parameter::IMAGE_SIZE,
            Self::Content(_) => parameter::CONTENT,
            Self::EncryptionInfo(_) => parameter::ENCRYPTION_INFO,
            Self::Uri(_) => parameter::URI,
            Self::SourceComponent(_) => parameter::SOURCE_COMPONENT,
            Self::InvokeArgs(_) => parameter::INVOKE_ARGS,
            Self::DeviceId(_) => parameter::DEVICE_IDENTIFIER,
            Self::FetchArguments(_) => parameter::FETCH_ARGUMENTS,
            Self::MinimumBattery(_) => parameter::MINIMUM_BATTERY,
            Self::UpdatePriority(_) => parameter::UPDATE_PRIORITY,
            Self::VersionMatch(_) => parameter::VERSION_MATCH,
            Self::WaitInfo(_) => parameter::WAIT_INFO,
            Self::ComponentMetadata(_) => parameter::COMPONENT_METADATA,
        }
    }

    /// Labels of all parameters, ascending.
    pub const LABELS: [i64; 20] = [
        parameter::VENDOR_IDENTIFIER,
        parameter::CLASS_IDENTIFIER,
        parameter::IMAGE_DIGEST,
        parameter::USE_BEFORE,
        parameter::COMPONENT_SLOT,
        parameter::STRICT_ORDER,
        parameter::SOFT_FAILURE,
        parameter::IMAGE_SIZE,
        parameter::CONTENT,
        parameter::ENCRYPTION_INFO,
        parameter::URI,
        parameter::SOURCE_COMPONENT,
        parameter::INVOKE_ARGS,
        parameter::DEVICE_IDENTIFIER,
        parameter::FETCH_ARGUMENTS,
        parameter::MINIMUM_BATTERY,
        parameter::UPDATE_PRIORITY,
        parameter::VERSION_MATCH,
        parameter::WAIT_INFO,
        parameter::COMPONENT_METADATA,
    ];

    /// Reads the value of the parameter with a label that stands at `at`.
    pub(crate) fn decode(label: i64, at: usize, reader: &mut Reader<'b>) -> Result<Self, Fault> {
        // Read by their kind: twenty calls of five functions would be most of this one.
        Ok(match label {
            parameter::VENDOR_IDENTIFIER => Self::VendorId(VendorId::decode(reader)?),
            parameter::CLASS_IDENTIFIER | parameter::DEVICE_IDENTIFIER => {
                let id = Uuid::from(*reader.byte_array()?);
                if label == parameter::CLASS_IDENTIFIER { Self::ClassId(id) } else { Self::DeviceId(id) }
            }
            parameter::USE_BEFORE
            | parameter::COMPONENT_SLOT
            | parameter::IMAGE_SIZE
            | parameter::MINIMUM_BATTERY => {
                let value = reader.uint()?;
                match label {
                    parameter::USE_BEFORE => Self::UseBefore(value),
                    parameter::COMPONENT_SLOT => Self::ComponentSlot(value),
                    parameter::IMAGE_SIZE => Self::ImageSize(value),
                    _ => Self::MinimumBattery(value),
                }
            }
            parameter::STRICT_ORDER | parameter::SOFT_FAILURE => {
                let value = reader.bool()?;
                if label == parameter::STRICT_ORDER {
                    Self::StrictOrder(value)
                } else {
                    Self::SoftFailure(value)
                }
            }
            parameter::CONTENT
            | parameter::ENCRYPTION_INFO
            | parameter::INVOKE_ARGS
            | parameter::FETCH_ARGUMENTS => {
                let bytes = reader.bytes()?;
                match label {
                    parameter::CONTENT => Self::Content(bytes),
                    parameter::ENCRYPTION_INFO => Self::EncryptionInfo(bytes),
                    parameter::INVOKE_ARGS => Self::InvokeArgs(bytes),
                    _ => Self::FetchArguments(bytes),
                }
            }
            parameter::URI => Self::Uri(decode_uri(reader)?),
            parameter::SOURCE_COMPONENT => Self::SourceComponent(reader.uint_as()?),
            parameter::UPDATE_PRIORITY => Self::UpdatePriority(reader.int()?),
            parameter::IMAGE_DIGEST
            | parameter::VERSION_MATCH
            | parameter::WAIT_INFO
            | parameter::COMPONENT_METADATA => {
                let mut inner = reader.wrapped()?;
                let value = match label {
                    parameter::IMAGE_DIGEST => Self::ImageDigest(decode_digest(&mut inner)?),
                    parameter::VERSION_MATCH => {
                        Self::VersionMatch(Box::new(VersionMatch::decode(&mut inner)?))
                    }
                    parameter::WAIT_INFO => Self::WaitInfo(Box::new(WaitInfo::decode(&mut inner)?)),
                    _ => Self::ComponentMetadata(Box::new(ComponentMetadata::decode(&mut inner)?)),
                };
                inner.end()?;
                value
            }
            other => return Err(Fault::unsupported(at, Feature::Parameter(other))),
        })
    }

    /// Writes the value without its label.
    pub(crate) fn encode_value(&self, writer: &mut Writer) {
        match self {
            Self::VendorId(vendor) => vendor.encode(writer),
            Self::ClassId(id) | Self::DeviceId(id) => {
                writer.bytes(id.as_bytes());
            }
            Self::ImageDigest(digest) => {
                writer.wrap(|w| encode_digest(digest, w));
            }
            Self::UseBefore(value)
            | Self::ComponentSlot(value)
            | Self::ImageSize(value)
            | Self::MinimumBattery(value) => {
                writer.uint(*value);
            }
            Self::SourceComponent(index) => {
                writer.uint(u64::from(*index));
            }
            Self::StrictOrder(value) | Self::SoftFailure(value) => {
                writer.bool(*value);
            }
            Self::Content(bytes)
            | Self::EncryptionInfo(bytes)
            | Self::InvokeArgs(bytes)
            | Self::FetchArguments(bytes) => {
                writer.bytes(bytes);
            }
            Self::ComponentMetadata(metadata) => {
                writer.wrap(|w| metadata.encode(w));
            }
            Self::Uri(uri) => {
                writer.text(uri);
            }
            Self::UpdatePriority(priority) => {
                writer.int(*priority);
            }
            Self::VersionMatch(version) => {
                writer.wrap(|w| version.encode(w));
            }
            Self::WaitInfo(info) => {
                writer.bytes(&info.to_bytes());
            }
        }
    }
}

/// Reads a map of parameters; there must be one at least.
pub(crate) fn decode_parameters<'b>(reader: &mut Reader<'b>) -> Result<Vec<Parameter<'b>>, Fault> {
    let start = reader.position();
    let mut map = reader.map()?;
    if map.remaining() == 0 {
        return Err(Fault::rule(start, "map of parameters is empty"));
    }
    // Every label is known and none occurs twice, so the count is bounded by the registry.
    let mut parameters = Vec::with_capacity(map.remaining().min(Parameter::LABELS.len()));
    loop {
        let at = reader.position();
        let Some(label) = map.next_int(reader)? else { return Ok(parameters) };
        parameters.push(Parameter::decode(label, at, reader)?);
    }
}

/// Writes a map of parameters.
pub(crate) fn encode_parameters(parameters: &[Parameter<'_>], writer: &mut Writer) {
    let mut map = MapBuilder::new();
    for parameter in parameters {
        map.int(parameter.label(), |w| parameter.encode_value(w));
    }
    map.write(writer);
}

/// Reads a URI of bounded length.
pub(crate) fn decode_uri<'b>(reader: &mut Reader<'b>) -> Result<&'b str, Fault> {
    let at = reader.position();
    let uri = reader.text()?;
    if uri.len() > MAX_URI_LEN {
        return Err(Fault::too_long(at, MAX_URI_LEN));
    }
    Ok(uri)
}

/// Reads a byte string that wraps exactly one item.
pub(crate) fn wrapped<'b, T>(
    reader: &mut Reader<'b>,
    decode: impl FnOnce(&mut Reader<'b>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut inner = reader.wrapped()?;
    let value = decode(&mut inner)?;
    inner.end()?;
    Ok(value)
}
