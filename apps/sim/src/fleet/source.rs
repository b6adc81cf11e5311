//! A release as a simulated device gets it: its head first, then each payload, in ranges of the one artifact.

use device_core::{PayloadSource, Transport};
use suit::{EnvelopeIndex, EnvelopeReader, PlatformError};

use super::link::{Deployment, Link, PIECE, Piece, Trouble};

/// An envelope on the server.
pub(crate) struct LinkSource<'l> {
    link: &'l Link,
    deployment: &'l Deployment,
    token: &'l str,
    /// The next byte of the payload in the envelope, and where the payload ends.
    at: u64,
    end: u64,
    /// What came and was not taken yet.
    ahead: Vec<u8>,
    trouble: Option<Trouble>,
}

impl<'l> LinkSource<'l> {
    pub(crate) fn new(link: &'l Link, deployment: &'l Deployment, token: &'l str) -> Self {
        Self { link, deployment, token, at: 0, end: 0, ahead: Vec::new(), trouble: None }
    }

    /// Why a transfer broke off.
    pub(crate) fn trouble(self) -> Option<Trouble> {
        self.trouble
    }

    /// Reads the head, and where the payloads are; nothing when what came is no envelope.
    pub(crate) fn read_index(&self) -> Result<Result<EnvelopeIndex, suit::Error>, Trouble> {
        let mut reader = EnvelopeReader::new(self.deployment.offer.size);
        while let Some((offset, count)) = reader.wanted() {
            let bytes = self.fetch(offset, count as u64)?;
            if bytes.is_empty() {
                return Err(Trouble::Failed);
            }
            if let Err(error) = reader.take(&bytes) {
                return Ok(Err(error));
            }
        }
        Ok(reader.finish())
    }

    fn fetch(&self, from: u64, len: u64) -> Result<Vec<u8>, Trouble> {
        Ok(match self.link.fetch(self.deployment, self.token, from, len)? {
            Piece::Next(bytes) => bytes,
            Piece::Whole(bytes) => {
                let start = usize::try_from(from).unwrap_or(usize::MAX);
                bytes.get(start..).unwrap_or_default().to_vec()
            }
        })
    }
}

impl Transport for LinkSource<'_> {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        matches!(source, PayloadSource::Envelope { .. })
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        let PayloadSource::Envelope { offset: start, len } = source else {
            return Err(PlatformError::Denied);
        };
        (self.at, self.end) = (start.saturating_add(offset), start.saturating_add(len));
        self.ahead.clear();
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        if self.ahead.is_empty() && self.at < self.end {
            self.ahead = self.fetch(self.at, PIECE.min(self.end - self.at)).map_err(|trouble| {
                self.trouble = Some(trouble);
                PlatformError::Transport
            })?;
        }
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let count = self.ahead.len().min(buffer.len()).min(left);
        buffer.iter_mut().zip(self.ahead.drain(..count)).for_each(|(to, from)| *to = from);
        self.at += count as u64;
        Ok(count)
    }
}
