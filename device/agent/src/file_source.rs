use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use crypto::{Digest, HashAlgorithm, Hasher};
use device_core::{PayloadSource, Transport};
use suit::{EnvelopeIndex, EnvelopeReader, PlatformError};

use crate::Error;

/// An envelope in a file, which brings its own payloads and nothing else.
pub(crate) struct FileSource {
    path: PathBuf,
    file: File,
    len: u64,
    at: u64,
    end: u64,
}

impl FileSource {
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        if len > limit {
            let what = format!("{len} bytes are more than {limit}");
            return Err(Error::Setup { path: path.to_owned(), what });
        }
        Ok(Self { path: path.to_owned(), file, len, at: 0, end: 0 })
    }

    /// SHA-256 of the envelope, its head, and where its payloads are.
    pub(crate) fn read_index(&mut self) -> Result<(Digest, EnvelopeIndex), Error> {
        let path = &self.path;
        let failed = |source| Error::File { path: path.clone(), source };
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        let mut buffer = vec![0; 16 << 10];
        loop {
            let count = self.file.read(&mut buffer).map_err(failed)?;
            if count == 0 {
                break;
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
        let malformed = |error: suit::Error| Error::Refused { code: error.code(), what: error.to_string() };
        let mut reader = EnvelopeReader::new(self.len);
        while let Some((offset, count)) = reader.wanted() {
            buffer.resize(count, 0);
            let count = self.file.read_at(&mut buffer, offset).map_err(failed)?;
            if count == 0 {
                break;
            }
            reader.take(buffer.get(..count).unwrap_or_default()).map_err(malformed)?;
        }
        Ok((hasher.finish(), reader.finish().map_err(malformed)?))
    }
}

impl Transport for FileSource {
    fn permits(&self, source: PayloadSource<'_>) -> bool {
        matches!(source, PayloadSource::Envelope { .. })
    }

    fn open(&mut self, source: PayloadSource<'_>, offset: u64) -> Result<(), PlatformError> {
        let PayloadSource::Envelope { offset: start, len } = source else {
            return Err(PlatformError::Denied);
        };
        (self.at, self.end) = (start.saturating_add(offset), start.saturating_add(len));
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, PlatformError> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        let room = buffer.get_mut(..room).unwrap_or_default();
        let count = self.file.read_at(room, self.at).map_err(|_| PlatformError::Transport)?;
        self.at = self.at.saturating_add(count as u64);
        Ok(count)
    }
}
