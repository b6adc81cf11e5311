use core::fmt;

use cose::KeyStore;
use crypto::{Digest, HashAlgorithm};

use super::{DependencyFault, Procedure};
use crate::{
    Abilities, AuthorityList, ComponentId, ComponentMetadata, Report, Section, Uuid, VendorId, Verified,
    Version, WaitInfo,
};

/// What the processor needs of a device.
///
/// The processor moves all content in pieces of [`Platform::CHUNK`] bytes, hashes it and enforces the size itself, so
/// that there is one place where this is right. A platform only stores, reads and transports.
///
/// Content of a component that is being written need not be readable, and counts as absent until
/// [`Platform::commit`]. Every method may be called again after a power failure.
pub trait Platform {
    /// A transfer that is under way.
    type Source;

    /// Bytes moved at a time; the only buffer the processor allocates.
    const CHUNK: usize = 1024;

    /// What the device can do beyond the base. A manifest that needs more is refused before it runs.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// Keys that may sign dependencies. Without any, dependencies are refused.
    fn authorities(&self) -> Option<&AuthorityList> {
        None
    }

    /// Keys that decrypt content, wherever they are. Without any, encrypted content is refused.
    fn keys(&self) -> Option<&dyn KeyStore> {
        None
    }

    /// Whether the device has this component.
    fn has_component(&self, component: &ComponentId) -> bool;

    /// Whether the component belongs to this vendor.
    fn is_vendor(&self, component: &ComponentId, vendor: &VendorId<'_>) -> bool;

    /// Whether the component belongs to this class.
    fn is_class(&self, component: &ComponentId, class: &Uuid) -> bool;

    /// Whether the device, or the component in it, is this one.
    fn is_device(&self, component: &ComponentId, device: &Uuid) -> bool;

    /// The slot the component stands for, where there is a choice.
    fn slot(&self, component: &ComponentId) -> Option<u64>;

    /// Sequence number and digest of the manifest that was installed last, under the root of this one.
    fn installed(&self, manifest: Option<&ComponentId>) -> Option<Installed>;

    /// Size of what the component holds, or nothing when it is empty.
    fn size(&mut self, component: &ComponentId) -> Result<Option<u64>, PlatformError>;

    /// The most the component can hold.
    fn capacity(&self, component: &ComponentId) -> u64;

    /// Reads content at an offset; fewer bytes than fit the buffer mean that it ends there.
    fn read(
        &mut self,
        component: &ComponentId,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, PlatformError>;

    /// Begins to replace the content; `size` is how much will come, where known.
    fn begin(&mut self, component: &ComponentId, size: Option<u64>) -> Result<(), PlatformError>;

    /// How much is there of what an earlier transfer of the same manifest into the component brought before it broke
    /// off; [`Platform::read`] gives it. Only a fetch whose image has a digest goes on from there.
    fn retained(&mut self, component: &ComponentId) -> Result<u64, PlatformError> {
        let _ = component;
        Ok(0)
    }

    /// Begins to write behind what is retained, in place of [`Platform::begin`].
    fn resume(&mut self, component: &ComponentId, retained: u64) -> Result<(), PlatformError> {
        let _ = (component, retained);
        Err(PlatformError::Unsupported)
    }

    /// Has owners, permissions and kind of file set on the content being written (UM), together with its commit and
    /// without following links. Called after [`Platform::begin`].
    fn describe(
        &mut self,
        component: &ComponentId,
        metadata: &ComponentMetadata<'_>,
    ) -> Result<(), PlatformError> {
        let _ = (component, metadata);
        Err(PlatformError::Unsupported)
    }

    /// Which manifests refer to the component (TD), beside the one with this digest and by that one itself.
    fn references(&self, component: &ComponentId, holder: &Digest) -> References {
        let _ = (component, holder);
        References::default()
    }

    /// Asked about a dependency whose integrity was checked just now, before anything of it runs. `place` holds its
    /// envelope, `prefix` goes before the identifiers it uses. A device that keeps sequence numbers of dependencies
    /// refuses one that falls below its own here; it may be asked about the same one again.
    fn admit(
        &mut self,
        dependency: &Verified<'_>,
        place: &ComponentId,
        prefix: Option<&ComponentId>,
    ) -> Result<(), DependencyFault> {
        let _ = (dependency, place, prefix);
        Ok(())
    }

    /// Notes durably that the manifest refers to the component. Noting it again changes nothing.
    fn link(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let _ = (component, holder);
        Err(PlatformError::Unsupported)
    }

    /// Forgets durably that the manifest refers to the component; where it does not, nothing changes. A component that
    /// nothing refers to may be reclaimed, after the procedure has ended.
    fn unlink(&mut self, component: &ComponentId, holder: &Digest) -> Result<(), PlatformError> {
        let _ = (component, holder);
        Err(PlatformError::Unsupported)
    }

    /// Adds to the content being written.
    fn append(&mut self, component: &ComponentId, data: &[u8]) -> Result<(), PlatformError>;

    /// Makes what was written the content, durably.
    fn commit(&mut self, component: &ComponentId) -> Result<(), PlatformError>;

    /// Gives up what was being written.
    fn discard(&mut self, component: &ComponentId);

    /// Exchanges the content of two components, resumably.
    fn swap(&mut self, one: &ComponentId, other: &ComponentId) -> Result<(), PlatformError>;

    /// Begins a transfer. The platform has its own limits of time.
    fn open(&mut self, uri: &str, arguments: Option<&[u8]>) -> Result<Self::Source, PlatformError>;

    /// Begins a transfer at an offset of what the URI leads to.
    fn open_at(
        &mut self,
        uri: &str,
        arguments: Option<&[u8]>,
        offset: u64,
    ) -> Result<Self::Source, PlatformError> {
        if offset == 0 { self.open(uri, arguments) } else { Err(PlatformError::Unsupported) }
    }

    /// Bytes of a payload that the envelope of the root carries, where that was left elsewhere
    /// ([`crate::EnvelopeIndex`]): it is transferred from there.
    fn integrated(&self, uri: &str) -> Option<u64> {
        let _ = uri;
        None
    }

    /// Takes what has come of a transfer; nothing means that it ended.
    fn receive(&mut self, source: &mut Self::Source, buffer: &mut [u8]) -> Result<usize, PlatformError>;

    /// Told before a component is started, which may end the processor: what `report` makes says that the start is
    /// pending (reason 12 of a report) and is there to be kept or signed.
    fn about_to_invoke(
        &mut self,
        component: &ComponentId,
        report: impl FnOnce() -> Report,
    ) -> Result<(), PlatformError> {
        let _ = (component, report);
        Ok(())
    }

    /// Starts the component. It may not return.
    fn invoke(&mut self, component: &ComponentId, arguments: Option<&[u8]>) -> Result<(), PlatformError>;

    /// Seconds since 1970, where there is a clock to trust.
    fn now(&self) -> Option<u64> {
        None
    }

    /// Energy in the battery in mWh, where there is one.
    fn battery(&self) -> Option<u64> {
        None
    }

    /// Seconds that local time is ahead of UTC now, where a time zone is set.
    fn utc_offset(&self) -> Option<i32> {
        None
    }

    /// Whether the device is in the power state with a number of its deployment profile.
    fn in_power_state(&self, state: i64) -> bool {
        let _ = state;
        false
    }

    /// Whether the device is in the network state with a number of its deployment profile.
    fn in_network_state(&self, state: i64) -> bool {
        let _ = state;
        false
    }

    /// Version of another device that a deployment profile knows by this identifier.
    fn version_of_other(&self, device: &[u8]) -> Option<Version> {
        let _ = device;
        None
    }

    /// Whether the application allows an update of this priority now.
    fn authorizes(&mut self, priority: i64) -> bool {
        let _ = priority;
        false
    }

    /// Installed version of the component.
    fn version(&self, component: &ComponentId) -> Option<Version> {
        let _ = component;
        None
    }

    /// Waits until something has changed that events depend on; the processor then looks again. To not block, it may
    /// fail with [`PlatformError::NotReady`]; the procedure is then run again when they have happened.
    fn wait(&mut self, info: &WaitInfo<'_>) -> Result<(), PlatformError> {
        let _ = info;
        Err(PlatformError::Unsupported)
    }

    /// Told before each directive that changes something, for a journal.
    fn checkpoint(&mut self, progress: &Progress<'_>) -> Result<(), PlatformError> {
        let _ = progress;
        Ok(())
    }

    /// Digest of all that the component holds, where hardware computes it; else the processor reads and hashes.
    fn digest(
        &mut self,
        component: &ComponentId,
        algorithm: HashAlgorithm,
    ) -> Result<Option<Digest>, PlatformError> {
        let _ = (component, algorithm);
        Ok(None)
    }
}

/// Who refers to a component (TD, section 6.4). A manifest holds one reference at most, so that giving it up twice
/// takes nothing from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Other manifests that do.
    pub others: u32,
    /// Whether the manifest that was asked about does.
    pub own: bool,
}

/// What was installed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Sequence number of the manifest.
    pub sequence_number: u64,
    /// Digest of the manifest, or nothing when it was not kept.
    pub manifest_digest: Option<Digest>,
}

/// How far a procedure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress<'p> {
    /// The manifest that the command is of: the root, or a dependency.
    pub manifest_digest: Digest,
    /// What is being done with it.
    pub procedure: Procedure,
    /// The section.
    pub section: Section,
    /// Byte offset of the command in its section.
    pub offset: u32,
    /// Index of the component.
    pub index: u32,
    /// The component.
    pub component: &'p ComponentId,
}

/// What a platform could not do.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlatformError {
    /// There is nothing there.
    NotFound,
    /// There is no room.
    NoRoom,
    /// Reading or writing failed.
    Io,
    /// A transfer failed or took too long.
    Transport,
    /// Not yet: try again later.
    NotReady,
    /// The platform will not.
    Denied,
    /// The platform does not have the feature.
    Unsupported,
}

impl PlatformError {
    /// Stable word for audit records, the API and pages.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NoRoom => "no-room",
            Self::Io => "storage-failed",
            Self::Transport => "transport-failed",
            Self::NotReady => "waiting",
            Self::Denied => "denied-by-device",
            Self::Unsupported => "unsupported-by-device",
        }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "nothing is there",
            Self::NoRoom => "there is no room",
            Self::Io => "reading or writing failed",
            Self::Transport => "the transfer failed",
            Self::NotReady => "the events waited for have not happened",
            Self::Denied => "the device refuses",
            Self::Unsupported => "the device cannot do this",
        })
    }
}

impl core::error::Error for PlatformError {}
