use suit::PlatformError;

/// Where the payload of a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadSource<'u> {
    /// In the envelope itself, which was left where it was found.
    Envelope {
        /// Offset of its first byte in the envelope.
        offset: u64,
        /// How many bytes it has.
        len: u64,
    },
    /// Where the manifest says.
    Uri(&'u str),
}

/// Brings the payloads of an installation, one at a time: opening one ends that before it.
///
/// What comes is trusted by nobody. A transport has its own limits of time; those of size are the device's.
pub trait Transport {
    /// Whether it may be fetched at all. Asked before anything is written.
    fn permits(&self, source: PayloadSource<'_>) -> bool;

    /// Begins to bring the bytes from an offset in the payload on.
    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError>;

    /// The bytes that come next; none at the end. [`PlatformError::NotReady`] interrupts the installation, to be gone
    /// on with later.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError>;
}

/// An envelope at hand brings its own payloads, and nothing else.
#[derive(Debug)]
pub(crate) struct InMemory<'e> {
    envelope: &'e [u8],
    left: &'e [u8],
}

impl<'e> InMemory<'e> {
    pub(crate) fn new(envelope: &'e [u8]) -> Self {
        Self { envelope, left: &[] }
    }
}

impl Transport for InMemory<'_> {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        matches!(source, PayloadSource::Envelope { .. })
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        let PayloadSource::Envelope { offset: start, len } = source else {
            return Err(PlatformError::Denied);
        };
        let first = usize::try_from(start.saturating_add(offset)).map_err(|_| PlatformError::NotFound)?;
        let end = usize::try_from(start.saturating_add(len)).map_err(|_| PlatformError::NotFound)?;
        self.left = self.envelope.get(first..end).ok_or(PlatformError::NotFound)?;
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let (now, later) = self.left.split_at(self.left.len().min(buffer.len()));
        buffer.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        self.left = later;
        Ok(now.len())
    }
}

/// Nothing is fetched: what is there is looked at.
pub(crate) struct Nothing;

impl Transport for Nothing {
    fn permits(&self, _source: PayloadSource<'_>) -> bool {
        false
    }

    fn open(&mut self, _source: PayloadSource<'_>, _offset: u64) -> Result<(), PlatformError> {
        Err(PlatformError::Denied)
    }

    fn receive(&mut self, _buffer: &mut [u8]) -> Result<usize, PlatformError> {
        Err(PlatformError::Denied)
    }
}
