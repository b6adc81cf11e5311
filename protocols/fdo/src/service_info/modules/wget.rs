use alloc::{borrow::ToOwned, string::String};

use cbor::Reader;

use super::{SHA384_LEN, is_file_name, one, sha384};
use crate::service_info::{Activity, DeviceModule, ModuleFault, Outgoing, labels};

/// Length in bytes of the longest address to fetch from.
pub const MAX_URL_LEN: usize = 2048;

/// Length in bytes of the longest text about an error that is sent.
const MAX_ERROR_LEN: usize = 256;

/// A file to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Where from.
    pub url: String,
    /// Under which name it is kept, if the owner gave one. It [is one of a file](is_file_name).
    pub name: Option<String>,
    /// What its SHA-384 must be. Whoever fetches compares.
    pub sha384: Option<[u8; SHA384_LEN]>,
}

/// How a file that is being fetched stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchState {
    /// Not whole yet.
    Running,
    /// It is there, of so many bytes, with the hash that was wanted.
    Done(u64),
    /// It comes to nothing, and why. The owner reads it.
    Failed(&'static str),
}

/// Fetches files over a connection of its own.
pub trait Fetcher {
    /// Begins, without waiting.
    fn start(&mut self, fetch: Fetch);
    /// Asked again and again while it runs.
    fn poll(&mut self) -> FetchState;
}

/// `fdo.wget` of a device: fetches from addresses that the caller allows.
pub struct Wget<F, A> {
    fetcher: F,
    allows: A,
    name: Option<String>,
    sha384: Option<[u8; SHA384_LEN]>,
    is_running: bool,
}

impl<F: Fetcher, A: FnMut(&Fetch) -> bool> Wget<F, A> {
    /// A module that lets `fetcher` fetch what `allows` takes.
    pub fn new(fetcher: F, allows: A) -> Self {
        Self { fetcher, allows, name: None, sha384: None, is_running: false }
    }

    fn start(&mut self, url: &str) -> Result<(), ModuleFault> {
        if url.len() > MAX_URL_LEN {
            return Err(ModuleFault::TooLarge);
        }
        let fetch = Fetch { url: url.to_owned(), name: self.name.take(), sha384: self.sha384.take() };
        if url.chars().any(char::is_control) || !(self.allows)(&fetch) {
            return Err(ModuleFault::Refused);
        }
        self.fetcher.start(fetch);
        self.is_running = true;
        Ok(())
    }
}

impl<F: Fetcher, A: FnMut(&Fetch) -> bool> DeviceModule for Wget<F, A> {
    fn name(&self) -> &str {
        labels::WGET
    }

    fn receive(&mut self, message: &str, value: &[u8], _: &mut Outgoing) -> Result<(), ModuleFault> {
        if self.is_running {
            return Err(ModuleFault::OutOfOrder);
        }
        match message {
            labels::SHA384 => self.sha384 = Some(sha384(value)?),
            labels::NAME => {
                let name = one(value, Reader::text)?;
                if !is_file_name(name) {
                    return Err(ModuleFault::Refused);
                }
                self.name = Some(name.to_owned());
            }
            labels::URL => self.start(one(value, Reader::text)?)?,
            _ => return Err(ModuleFault::MessageUnknown),
        }
        Ok(())
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        if !self.is_running {
            return Ok(Activity::Idle);
        }
        match self.fetcher.poll() {
            FetchState::Running => return Ok(Activity::Busy),
            FetchState::Done(len) => out.send(labels::WGET, labels::DONE, |w| _ = w.uint(len))?,
            FetchState::Failed(why) => {
                let why = why.get(..why.floor_char_boundary(MAX_ERROR_LEN)).unwrap_or_default();
                out.send(labels::WGET, labels::ERROR, |w| _ = w.text(why))?;
            }
        }
        self.is_running = false;
        Ok(Activity::Idle)
    }
}

/// The owner's half.
pub(crate) mod owner {
    use super::{Fetch, Outgoing, Reader, labels, one};
    use crate::service_info::{Advance, ModuleFault, Outcome, ServiceFault, state::Progress};

    /// Tells what to fetch. The address comes last: it starts the device.
    pub(crate) fn advance(
        fetch: &Fetch,
        progress: &mut Progress,
        out: &mut Outgoing,
    ) -> Result<Advance, ServiceFault> {
        if *progress == Progress::Start {
            if let Some(hash) = &fetch.sha384 {
                out.send(labels::WGET, labels::SHA384, |w| _ = w.bytes(hash))?;
            }
            if let Some(name) = &fetch.name {
                out.send(labels::WGET, labels::NAME, |w| _ = w.text(name))?;
            }
            out.send(labels::WGET, labels::URL, |w| _ = w.text(&fetch.url))?;
            *progress = Progress::Waiting;
        }
        Ok(Advance::Wait)
    }

    /// Takes what came of it. What a device says about an error is not kept.
    pub(crate) fn receive(
        progress: &mut Progress,
        (message, value): (&str, &[u8]),
    ) -> Result<(), ServiceFault> {
        if *progress != Progress::Waiting {
            return Err(ModuleFault::OutOfOrder.into());
        }
        let outcome = match message {
            labels::DONE => match one(value, Reader::int)? {
                len if len >= 0 => Outcome::Done(len),
                code => Outcome::Failed(code),
            },
            labels::ERROR => {
                one(value, Reader::text)?;
                Outcome::Failed(-1)
            }
            _ => return Err(ModuleFault::MessageUnknown.into()),
        };
        *progress = Progress::Ended(outcome);
        Ok(())
    }
}
