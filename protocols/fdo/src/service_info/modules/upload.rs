use alloc::{borrow::ToOwned, string::String, vec};

use cbor::Reader;
use crypto::{HashAlgorithm, Hasher};

use super::{FileFault, MIN_DATA_LEN, SHA384_LEN, is_file_name, one, sha384};
use crate::service_info::{Activity, DeviceModule, ModuleFault, Outgoing, labels};

/// Where files of `fdo.upload` come from.
pub trait FileSource {
    /// Length in bytes of the file, whose name is allowed.
    fn len(&mut self, name: &str) -> Result<u64, FileFault>;
    /// Fills the buffer with what stands at an offset.
    fn read(&mut self, name: &str, offset: u64, bytes: &mut [u8]) -> Result<(), FileFault>;
}

/// `fdo.upload` of a device: gives files that the caller allows by name, up to a length in bytes.
///
/// Length, contents, and at the end the SHA-384 where the owner asked for it. The module has no message for a file that is
/// not there: that ends the protocol.
pub struct Upload<S, A> {
    source: S,
    allows: A,
    max_len: u64,
    needs_hash: bool,
    open: Option<Open>,
}

struct Open {
    name: String,
    len: u64,
    offset: u64,
    hasher: Hasher,
}

impl<S: FileSource, A: FnMut(&str) -> bool> Upload<S, A> {
    /// A module that gives files with names that `allows` takes, of up to `max_len` bytes, out of `source`.
    pub fn new(source: S, allows: A, max_len: u64) -> Self {
        Self { source, allows, max_len, needs_hash: false, open: None }
    }

    fn begin(&mut self, name: &str, out: &mut Outgoing) -> Result<(), ModuleFault> {
        if self.open.is_some() {
            return Err(ModuleFault::OutOfOrder);
        }
        if !is_file_name(name) || !(self.allows)(name) {
            return Err(ModuleFault::Refused);
        }
        let len = self.source.len(name)?;
        if len > self.max_len {
            return Err(ModuleFault::TooLarge);
        }
        out.send(labels::UPLOAD, labels::LENGTH, |w| _ = w.uint(len))?;
        let hasher = Hasher::new(HashAlgorithm::Sha384);
        self.open = Some(Open { name: name.to_owned(), len, offset: 0, hasher });
        Ok(())
    }
}

impl<S: FileSource, A: FnMut(&str) -> bool> DeviceModule for Upload<S, A> {
    fn name(&self) -> &str {
        labels::UPLOAD
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        match message {
            labels::NEED_SHA => {
                self.needs_hash = one(value, Reader::bool)?;
                Ok(())
            }
            labels::NAME => self.begin(one(value, Reader::text)?, out),
            _ => Err(ModuleFault::MessageUnknown),
        }
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        let Some(open) = &mut self.open else { return Ok(Activity::Idle) };
        loop {
            let rest = open.len - open.offset;
            let space = out.space(labels::UPLOAD, labels::DATA);
            let piece = usize::try_from(rest).unwrap_or(usize::MAX).min(space);
            if (piece as u64) < rest && piece < MIN_DATA_LEN {
                return Ok(Activity::Idle);
            }
            let mut data = vec![0; piece];
            self.source.read(&open.name, open.offset, &mut data)?;
            open.hasher.update(&data);
            open.offset += piece as u64;
            out.send(labels::UPLOAD, labels::DATA, |w| _ = w.bytes(&data))?;
            if open.offset == open.len {
                break;
            }
        }
        if let Some(open) = self.open.take()
            && core::mem::take(&mut self.needs_hash)
        {
            let hash = open.hasher.finish();
            out.send(labels::UPLOAD, labels::SHA384, |w| _ = w.bytes(hash.as_bytes()))?;
        }
        Ok(Activity::Idle)
    }
}

impl From<FileFault> for ModuleFault {
    fn from(_: FileFault) -> Self {
        Self::Failed
    }
}

/// The owner's half.
pub(crate) mod owner {
    use super::{Outgoing, Reader, SHA384_LEN, labels, one, sha384};
    use crate::service_info::{
        Advance, Backend, ModuleFault, ObjectId, Outcome, ServiceFault, state::Progress,
    };

    /// What is wanted.
    #[derive(Clone, Copy)]
    pub(crate) struct Wanted<'p> {
        pub(crate) name: &'p str,
        pub(crate) into: ObjectId,
        pub(crate) needs_hash: bool,
        pub(crate) max_len: u64,
    }

    /// Asks for the file.
    pub(crate) fn advance(
        wanted: Wanted<'_>,
        progress: &mut Progress,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        if *progress == Progress::Start {
            out.send(labels::UPLOAD, labels::NEED_SHA, |w| _ = w.bool(wanted.needs_hash))?;
            out.send(labels::UPLOAD, labels::NAME, |w| _ = w.text(wanted.name))?;
            *progress = Progress::Receiving { len: None, offset: 0, sha384: None };
        }
        Ok(Advance::Wait)
    }

    /// Takes the file piece by piece. Data that stands in a message that comes again is written to where it was before.
    pub(crate) fn receive(
        wanted: Wanted<'_>,
        progress: &mut Progress,
        (message, value): (&str, &[u8]),
        backend: &mut Backend<'_>,
    ) -> Result<(), ServiceFault> {
        let Progress::Receiving { len, offset, sha384: hash } = progress else {
            return Err(ModuleFault::OutOfOrder.into());
        };
        match message {
            labels::LENGTH if len.is_none() => {
                let told = one(value, Reader::uint)?;
                if told > wanted.max_len || told < *offset {
                    return Err(ModuleFault::TooLarge.into());
                }
                *len = Some(told);
            }
            labels::DATA => {
                let data = one(value, Reader::bytes)?;
                let after = offset.saturating_add(data.len() as u64);
                if after > len.unwrap_or(wanted.max_len) {
                    return Err(ModuleFault::TooLarge.into());
                }
                if !data.is_empty() {
                    backend.sink.write_at(wanted.into, *offset, data)?;
                }
                *offset = after;
            }
            labels::SHA384 if hash.is_none() => *hash = Some(sha384(value)?),
            labels::LENGTH | labels::SHA384 => return Err(ModuleFault::OutOfOrder.into()),
            _ => return Err(ModuleFault::MessageUnknown.into()),
        }
        let (len, offset, hash) = (*len, *offset, *hash);
        if len == Some(offset) && (hash.is_some() || !wanted.needs_hash) {
            *progress = Progress::Ended(end(wanted, offset, hash, backend)?);
        }
        Ok(())
    }

    /// The file is whole: whether it is what the device says it is.
    fn end(
        wanted: Wanted<'_>,
        len: u64,
        hash: Option<[u8; SHA384_LEN]>,
        backend: &mut Backend<'_>,
    ) -> Result<Outcome, ServiceFault> {
        if let Some(hash) = hash {
            let found = backend.sink.sha384(wanted.into, len)?;
            if !crypto::constant_time_eq(&found, &hash) {
                return Ok(Outcome::Failed(-1));
            }
        }
        backend.sink.finish(wanted.into, len)?;
        Ok(Outcome::Done(i64::try_from(len).unwrap_or(i64::MAX)))
    }
}
