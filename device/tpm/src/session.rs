use std::{thread, time::Duration};

use crate::{
    Address, Error, KeyKind, ResponseCode, WrappedKey,
    channel::Channel,
    command::Command,
    response::{self, Created},
};

/// The most bytes that a TPM takes in one piece: MAX_DIGEST_BUFFER of all TPMs for PCs.
const MAX_BUFFER: usize = 1024;
/// How often a TPM that wants to be asked again is.
const ATTEMPTS: u32 = 8;
/// How long it is left alone at first; each time twice as long.
const PAUSE: Duration = Duration::from_millis(10);

/// One use of a TPM. What it loaded is given up at its end.
pub(crate) struct Session {
    channel: Channel,
    held: Vec<u32>,
}

impl Session {
    pub(crate) fn open(address: &Address) -> Result<Self, Error> {
        Ok(Self { channel: Channel::open(address)?, held: Vec::new() })
    }

    pub(crate) fn create_primary(&mut self) -> Result<u32, Error> {
        self.hold(&Command::create_primary(), response::primary)
    }

    pub(crate) fn create(&mut self, parent: u32, kind: KeyKind) -> Result<Created, Error> {
        self.call(&Command::create(parent, kind), response::created)
    }

    pub(crate) fn load(&mut self, parent: u32, key: &WrappedKey) -> Result<u32, Error> {
        self.hold(&Command::load(parent, key), response::loaded)
    }

    pub(crate) fn sign(&mut self, key: u32, digest: &[u8]) -> Result<[u8; 64], Error> {
        self.call(&Command::sign(key, digest), response::signature)
    }

    pub(crate) fn hmac(&mut self, key: u32, message: &[u8]) -> Result<[u8; 32], Error> {
        let sequence = self.hold(&Command::hmac_start(key), response::sequence)?;
        let mut pieces = message.chunks(MAX_BUFFER).peekable();
        let mut last: &[u8] = &[];
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_some() {
                self.call(&Command::sequence_update(sequence, piece), response::updated)?;
            } else {
                last = piece;
            }
        }
        let mac = self.call(&Command::sequence_complete(sequence, last), response::completed)?;
        self.held.retain(|held| *held != sequence);
        Ok(mac)
    }

    pub(crate) fn read_public(&mut self, key: u32) -> Result<Vec<u8>, Error> {
        self.call(&Command::read_public(key), response::public)
    }

    pub(crate) fn flush(&mut self, handle: u32) -> Result<(), Error> {
        self.call(&Command::flush_context(handle), response::flushed)?;
        self.held.retain(|held| *held != handle);
        Ok(())
    }

    /// A command that loads something, which is held then.
    fn hold(&mut self, command: &Command, read: fn(&[u8]) -> Result<u32, Error>) -> Result<u32, Error> {
        let handle = self.call(command, read)?;
        self.held.push(handle);
        Ok(handle)
    }

    fn call<T>(&mut self, command: &Command, read: fn(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
        match self.ask(command, read) {
            Err(Error::Refused { code, .. }) if code.error() == ResponseCode::OBJECT_MEMORY => {
                self.make_room()?;
                self.ask(command, read)
            }
            other => other,
        }
    }

    /// Without a resource manager, what a program that was killed had loaded stays in the TPM's memory. Nobody else uses the
    /// TPM while this connection is open. Behind a resource manager there is nothing of others to be seen.
    fn make_room(&mut self) -> Result<(), Error> {
        let handles = self.ask(&Command::transient_handles(response::MAX_HANDLES), response::handles)?;
        for handle in handles {
            if !self.held.contains(&handle) {
                self.ask(&Command::flush_context(handle), response::flushed)?;
            }
        }
        Ok(())
    }

    /// Asks until the TPM no longer wants to be asked again.
    fn ask<T>(&mut self, command: &Command, read: fn(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.ask_once(command, read) {
                Err(Error::Refused { code, .. }) if wants_to_be_asked_again(code) => thread::sleep(pause),
                other => return other,
            }
            pause *= 2;
        }
        self.ask_once(command, read)
    }

    fn ask_once<T>(&mut self, command: &Command, read: fn(&[u8]) -> Result<T, Error>) -> Result<T, Error> {
        let answer = self.channel.transmit(command.as_bytes());
        if answer.is_err() {
            // Over a broken connection nothing is given up.
            self.held.clear();
        }
        read(&answer?)
    }
}

fn wants_to_be_asked_again(code: ResponseCode) -> bool {
    matches!(code.error(), ResponseCode::RETRY | ResponseCode::TESTING | ResponseCode::YIELDED)
}

impl Drop for Session {
    fn drop(&mut self) {
        // The newest first. Where it fails, the TPM is gone, or the next use makes room.
        while let Some(handle) = self.held.pop() {
            if self.ask(&Command::flush_context(handle), response::flushed).is_err() {
                return;
            }
        }
    }
}
