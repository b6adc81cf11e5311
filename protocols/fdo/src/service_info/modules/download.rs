use alloc::{borrow::ToOwned, string::String};

use cbor::Reader;
use crypto::{Digest, HashAlgorithm, Hasher};

use super::{SHA384_LEN, one, sha384};
use crate::service_info::{Activity, DeviceModule, ModuleFault, Outgoing, labels};

/// Length in bytes of the longest name of a file.
pub const MAX_FILE_NAME_LEN: usize = 255;

/// Whether it names a file in a folder and nothing outside of it: no separator, no drive, no `.` or `..`, no control
/// characters, 1 to [`MAX_FILE_NAME_LEN`] bytes.
pub fn is_file_name(name: &str) -> bool {
    let is_apart = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    !matches!(name, "" | "." | "..") && name.len() <= MAX_FILE_NAME_LEN && !name.contains(is_apart)
}

/// What holds the file could not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFault;

/// Where files of `fdo.download` go. One at a time; one that was begun and is not finished is to be thrown away.
pub trait FileSink {
    /// Begins a file, whose name [is one](is_file_name) and is allowed. Its length is told where the owner said it.
    fn begin(&mut self, name: &str, len: Option<u64>) -> Result<(), FileFault>;
    /// Adds to it.
    fn write(&mut self, bytes: &[u8]) -> Result<(), FileFault>;
    /// It is whole; `is_hashed` says whether the owner gave a SHA-384, which it has then.
    fn finish(&mut self, is_hashed: bool) -> Result<(), FileFault>;
    /// It comes to nothing.
    fn abort(&mut self);
}

/// `fdo.download` of a device: takes files that the caller allows by name, up to a length in bytes.
///
/// With a length said before, the file is whole when it is reached; without one, at empty data. Where the owner gave a
/// SHA-384 it must be that of the file. `done` tells the length, or -1.
pub struct Download<S, A> {
    sink: S,
    allows: A,
    max_len: u64,
    name: Option<String>,
    len: Option<u64>,
    sha384: Option<[u8; SHA384_LEN]>,
    /// What came of the file that is open.
    open: Option<(Hasher, u64)>,
    /// Whether the file failed, so that what still comes of it is passed over.
    has_failed: bool,
}

impl<S: FileSink, A: FnMut(&str) -> bool> Download<S, A> {
    /// A module that puts files with names that `allows` takes, of up to `max_len` bytes, into `sink`.
    pub fn new(sink: S, allows: A, max_len: u64) -> Self {
        Self { sink, allows, max_len, name: None, len: None, sha384: None, open: None, has_failed: false }
    }

    fn begin_name(&mut self, name: &str) -> Result<(), ModuleFault> {
        if self.open.is_some() {
            return Err(ModuleFault::OutOfOrder);
        }
        if !is_file_name(name) || !(self.allows)(name) {
            return Err(ModuleFault::Refused);
        }
        self.forget();
        self.has_failed = false;
        self.name = Some(name.to_owned());
        Ok(())
    }

    fn data(&mut self, data: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        if self.has_failed {
            return Ok(());
        }
        let Some(name) = &self.name else {
            // Some end every file with empty data, also one that was whole by its length.
            return if data.is_empty() { Ok(()) } else { Err(ModuleFault::OutOfOrder) };
        };
        if self.open.is_none() {
            if self.sink.begin(name, self.len).is_err() {
                return self.fail(out);
            }
            self.open = Some((Hasher::new(HashAlgorithm::Sha384), 0));
        }
        let Some((hasher, written)) = &mut self.open else { return Ok(()) };
        let after = written.saturating_add(data.len() as u64);
        if after > self.len.unwrap_or(self.max_len) {
            if self.len.is_some() {
                return self.fail(out);
            }
            self.abort();
            return Err(ModuleFault::TooLarge);
        }
        hasher.update(data);
        *written = after;
        if !data.is_empty() && self.sink.write(data).is_err() {
            return self.fail(out);
        }
        match self.len {
            Some(len) if after == len => self.finish(out),
            Some(_) if data.is_empty() => self.fail(out),
            None if data.is_empty() => self.finish(out),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, out: &mut Outgoing) -> Result<(), ModuleFault> {
        let Some((hasher, written)) = self.open.take() else { return Ok(()) };
        let expected = self.sha384.and_then(|hash| Digest::new(HashAlgorithm::Sha384, &hash));
        let is_whole = expected.is_none_or(|hash| hash == hasher.finish());
        if !is_whole || self.sink.finish(expected.is_some()).is_err() {
            return self.fail(out);
        }
        self.forget();
        out.send(labels::DOWNLOAD, labels::DONE, |w| _ = w.uint(written))
    }

    fn fail(&mut self, out: &mut Outgoing) -> Result<(), ModuleFault> {
        self.abort();
        self.forget();
        self.has_failed = true;
        out.send(labels::DOWNLOAD, labels::DONE, |w| _ = w.int(-1))
    }

    fn abort(&mut self) {
        self.open = None;
        self.sink.abort();
    }

    fn forget(&mut self) {
        (self.name, self.len, self.sha384) = (None, None, None);
    }
}

impl<S: FileSink, A: FnMut(&str) -> bool> DeviceModule for Download<S, A> {
    fn name(&self) -> &str {
        labels::DOWNLOAD
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        match message {
            labels::NAME => self.begin_name(one(value, Reader::text)?),
            labels::LENGTH => {
                let len = one(value, Reader::uint)?;
                if self.open.is_some() || self.name.is_none() {
                    return Err(ModuleFault::OutOfOrder);
                }
                if len > self.max_len {
                    return Err(ModuleFault::TooLarge);
                }
                self.len = Some(len);
                Ok(())
            }
            labels::SHA384 => {
                let hash = sha384(value)?;
                if self.name.is_none() && !self.has_failed {
                    return Err(ModuleFault::OutOfOrder);
                }
                self.sha384 = Some(hash);
                Ok(())
            }
            labels::DATA => self.data(one(value, Reader::bytes)?, out),
            _ => Err(ModuleFault::MessageUnknown),
        }
    }

    fn poll(&mut self, _: &mut Outgoing) -> Result<Activity, ModuleFault> {
        Ok(Activity::Idle)
    }
}

/// The owner's half.
pub(crate) mod owner {
    use alloc::vec;

    use super::{Outgoing, Reader, labels, one};
    use crate::service_info::modules::MIN_DATA_LEN;
    use crate::service_info::{
        Advance, Backend, ModuleFault, ObjectId, Outcome, ServiceFault, state::Progress,
    };

    /// Adds what goes into the next list: name, length and hash, then as much of the contents.
    pub(crate) fn advance(
        (content, name): (ObjectId, &str),
        progress: &mut Progress,
        backend: &Backend<'_>,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        let len = backend.contents.len(content)?;
        if *progress == Progress::Start {
            out.send(labels::DOWNLOAD, labels::NAME, |w| _ = w.text(name))?;
            out.send(labels::DOWNLOAD, labels::LENGTH, |w| _ = w.uint(len))?;
            let hash = backend.contents.sha384(content)?;
            out.send(labels::DOWNLOAD, labels::SHA384, |w| _ = w.bytes(&hash))?;
            *progress = Progress::Sending { offset: 0 };
        }
        while let Progress::Sending { offset } = progress {
            // Contents that have become shorter are not those that were begun.
            let rest = len.checked_sub(*offset).ok_or(ServiceFault::Backend)?;
            let space = out.space(labels::DOWNLOAD, labels::DATA);
            let piece = usize::try_from(rest).unwrap_or(usize::MAX).min(space);
            if (piece as u64) < rest && piece < MIN_DATA_LEN {
                break;
            }
            let mut data = vec![0; piece];
            backend.contents.read(content, *offset, &mut data)?;
            out.send(labels::DOWNLOAD, labels::DATA, |w| _ = w.bytes(&data))?;
            *offset += piece as u64;
            if *offset == len {
                *progress = Progress::Waiting;
            }
        }
        Ok(Advance::Wait)
    }

    /// Takes what the device answers.
    pub(crate) fn receive(
        content: ObjectId,
        progress: &mut Progress,
        (message, value): (&str, &[u8]),
        backend: &Backend<'_>,
    ) -> Result<(), ServiceFault> {
        if message != labels::DONE {
            return Err(ModuleFault::MessageUnknown.into());
        }
        let written = one(value, Reader::int)?;
        let outcome = match progress {
            Progress::Waiting if u64::try_from(written) == Ok(backend.contents.len(content)?) => {
                Outcome::Done(written)
            }
            Progress::Waiting | Progress::Sending { .. } => Outcome::Failed(written),
            _ => return Err(ModuleFault::OutOfOrder.into()),
        };
        *progress = Progress::Ended(outcome);
        Ok(())
    }
}
