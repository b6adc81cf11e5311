//! A server that is watched, and breaks off.

use suit::{EnvelopeIndex, PlatformError};

use super::*;
use crate::{InstallError, Offered, PayloadSource, Transport, simulator::PowerCut, transport::InMemory};

/// A transport that notes what is opened, and breaks after some bytes.
pub(super) struct Watched<'e> {
    envelope: &'e [u8],
    inner: InMemory<'e>,
    left: usize,
    /// What it gives beside the envelope.
    files: Vec<(&'e str, &'e [u8])>,
    /// What was opened, and from which byte on: a URI, or nothing for the envelope.
    pub(super) opened: Vec<(String, u64)>,
}

impl<'e> Watched<'e> {
    pub(super) fn new(envelope: &'e [u8], left: usize) -> Self {
        Self { envelope, inner: InMemory::new(envelope), left, files: Vec::new(), opened: Vec::new() }
    }

    /// Gives a file as well.
    pub(super) fn serving(mut self, uri: &'e str, content: &'e [u8]) -> Self {
        self.files.push((uri, content));
        self
    }

    /// From which bytes on something was opened.
    pub(super) fn offsets(&self) -> Vec<u64> {
        self.opened.iter().map(|(_, offset)| *offset).collect()
    }

    /// Installs what it gives.
    pub(super) fn install_into(
        &mut self,
        device: &mut Device<Simulator>,
    ) -> Result<Digest, InstallError<PowerCut>> {
        let index = EnvelopeIndex::of(self.envelope).unwrap();
        let offered = Offered { index: &index, envelope: digest(self.envelope), manifest: None };
        device.install_from(&offered, self, None)
    }
}

impl Transport for Watched<'_> {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        match source {
            PayloadSource::Uri(uri) => self.files.iter().any(|(known, _)| *known == uri),
            PayloadSource::Envelope { .. } => true,
        }
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        let (name, content, source) = match source {
            PayloadSource::Uri(uri) => {
                let found = self.files.iter().find(|(known, _)| *known == uri);
                let (_, content) = found.ok_or(PlatformError::NotFound)?;
                (uri, *content, PayloadSource::Envelope { offset: 0, len: content.len() as u64 })
            }
            source => ("", self.envelope, source),
        };
        self.opened.push((name.to_owned(), offset));
        self.inner = InMemory::new(content);
        self.inner.open(source, offset)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let room = buffer.len().min(self.left);
        if room == 0 {
            return Err(PlatformError::Transport);
        }
        let count = self.inner.receive(&mut buffer[..room])?;
        self.left -= count;
        Ok(count)
    }
}
