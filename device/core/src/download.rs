use alloc::{vec, vec::Vec};

use crypto::{Digest, HashAlgorithm, Hasher};

use crate::{Area, Storage};

/// Bytes of the digest that an unfinished download begins with.
const HEADER: u64 = 32;
/// Bytes hashed at a time.
const CHUNK: usize = 4096;

/// An envelope on its way into [`Area::Download`].
///
/// The area begins with the SHA-256 of the envelope it is part of, so that after a power cut or a restart the device
/// knows whether it may go on where it was. Nothing is believed of the bytes until the whole has that digest, and
/// nothing is trusted until the envelope is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Download {
    envelope: Digest,
    size: u64,
    have: u64,
}

impl Download {
    /// Goes on with a download of this envelope, or begins it.
    pub fn open<S: Storage>(storage: &mut S, envelope: Digest, size: u64) -> Result<Self, S::Error> {
        let mut header = [0; HEADER as usize];
        let read = storage.read(Area::Download, 0, &mut header)?;
        let have = storage.len(Area::Download)?.saturating_sub(HEADER);
        if read == header.len() && header == envelope.as_bytes() && have <= size {
            return Ok(Self { envelope, size, have });
        }
        let mut download = Self { envelope, size, have: 0 };
        download.restart(storage)?;
        Ok(download)
    }

    /// Begins again.
    pub fn restart<S: Storage>(&mut self, storage: &mut S) -> Result<(), S::Error> {
        storage.erase(Area::Download)?;
        storage.append(Area::Download, self.envelope.as_bytes())?;
        storage.sync(Area::Download)?;
        self.have = 0;
        Ok(())
    }

    /// How much is here: the offset to resume at.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// How much is to come.
    pub fn missing(&self) -> u64 {
        self.size - self.have
    }

    /// Takes what came next. What is beyond the announced size is not stored, and makes the answer false.
    pub fn append<S: Storage>(&mut self, storage: &mut S, bytes: &[u8]) -> Result<bool, S::Error> {
        let room = usize::try_from(self.missing()).unwrap_or(usize::MAX);
        let fits = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        storage.append(Area::Download, fits)?;
        self.have += fits.len() as u64;
        Ok(fits.len() == bytes.len())
    }

    /// Makes what came so far survive a power cut, so that it need not be sent again.
    pub fn sync<S: Storage>(&self, storage: &mut S) -> Result<(), S::Error> {
        storage.sync(Area::Download)
    }

    /// The envelope, if it is complete and the one announced.
    pub fn finish<S: Storage>(&self, storage: &S) -> Result<Option<Vec<u8>>, S::Error> {
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        let mut envelope = vec![0; usize::try_from(self.size).unwrap_or(0)];
        let mut at = HEADER;
        for chunk in envelope.chunks_mut(CHUNK) {
            if storage.read(Area::Download, at, chunk)? != chunk.len() {
                return Ok(None);
            }
            hasher.update(chunk);
            at += chunk.len() as u64;
        }
        Ok((hasher.finish() == self.envelope).then_some(envelope))
    }

    /// Frees the area.
    pub fn discard<S: Storage>(storage: &mut S) -> Result<(), S::Error> {
        storage.erase(Area::Download)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{Loss, Simulator};

    fn sha256(bytes: &[u8]) -> Digest {
        Digest::of(HashAlgorithm::Sha256, bytes)
    }

    #[test]
    fn resumes_the_same_envelope_and_begins_another_anew() {
        let mut storage = Simulator::new();
        let envelope = b"an envelope of some bytes";
        let mut download = Download::open(&mut storage, sha256(envelope), 25).unwrap();
        assert!(download.append(&mut storage, &envelope[..10]).unwrap());
        assert_eq!(download.finish(&storage).unwrap(), None);

        let mut resumed = Download::open(&mut storage, sha256(envelope), 25).unwrap();
        assert_eq!((resumed.have(), resumed.missing()), (10, 15));
        assert!(resumed.append(&mut storage, &envelope[10..]).unwrap());
        assert_eq!(resumed.finish(&storage).unwrap().as_deref(), Some(envelope.as_slice()));

        let other = Download::open(&mut storage, sha256(b"other"), 5).unwrap();
        assert_eq!((other.have(), other.missing()), (0, 5));
    }

    #[test]
    fn stops_at_the_announced_size_and_sees_wrong_bytes() {
        let mut storage = Simulator::new();
        let mut download = Download::open(&mut storage, sha256(b"right"), 5).unwrap();
        assert!(!download.append(&mut storage, b"right and more").unwrap());
        assert_eq!(storage.len(Area::Download).unwrap(), HEADER + 5);
        assert_eq!(download.finish(&storage).unwrap().as_deref(), Some(b"right".as_slice()));

        download.restart(&mut storage).unwrap();
        assert!(download.append(&mut storage, b"wrong").unwrap());
        assert_eq!(download.finish(&storage).unwrap(), None);
    }

    #[test]
    fn after_a_cut_at_any_write_the_download_completes_or_is_seen_to_be_damaged() {
        let envelope: Vec<u8> = (0..100).collect();
        let step = |storage: &mut Simulator| {
            let mut download = Download::open(storage, sha256(&envelope), 100)?;
            while download.missing() > 0 {
                let from = download.have() as usize;
                download.append(storage, &envelope[from..(from + 30).min(100)])?;
                download.sync(storage)?;
            }
            download.finish(storage)
        };
        let mut cuts = 0;
        for loss in Loss::ALL {
            for cut in 0.. {
                let mut storage = Simulator::new().cut_after(cut, loss);
                if step(&mut storage).is_ok() {
                    break;
                }
                cuts += 1;
                let mut survivor = storage.power_up();
                if step(&mut survivor).unwrap().is_none() {
                    Download::open(&mut survivor, sha256(&envelope), 100)
                        .unwrap()
                        .restart(&mut survivor)
                        .unwrap();
                    assert!(step(&mut survivor).unwrap().is_some(), "cut {cut}");
                }
            }
        }
        println!("{cuts} power cuts tried on a download");
        assert!(cuts >= 40);
    }
}
