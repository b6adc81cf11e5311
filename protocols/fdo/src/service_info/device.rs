use alloc::{boxed::Box, vec::Vec};

use cbor::Reader;

use super::{
    Incoming, ModuleFault, Outgoing, ServiceFault, decode_list, encode_list, incoming::MAX_VALUE_LEN, labels,
    list::is_name, modules::Devmod, modules::one,
};

/// How many messages either side sends at most (section 5.5.9).
pub const MAX_ROUNDS: u32 = 1_000_000;

/// How many modules a device has at most.
pub const MAX_MODULES: usize = 128;

/// What a device lets its owner do, under one name.
///
/// The engine answers `active` itself; a module sees messages only while it is in use.
pub trait DeviceModule {
    /// Its name.
    fn name(&self) -> &str;

    /// Takes one message of the owner, whose value is one item in deterministic encoding.
    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault>;

    /// Asked before each message of the device while the module is in use, and once when the owner is done: adds what there
    /// is to tell by now, no more than [`Outgoing::space`] says, and whether it waits for something.
    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault>;
}

/// Whether a module waits for something other than messages: a program that runs, a file that is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// It does not.
    Idle,
    /// It does, so that the next message is better sent a while later.
    Busy,
}

impl<M: DeviceModule + ?Sized> DeviceModule for &mut M {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn receive(&mut self, message: &str, value: &[u8], out: &mut Outgoing) -> Result<(), ModuleFault> {
        (**self).receive(message, value, out)
    }

    fn poll(&mut self, out: &mut Outgoing) -> Result<Activity, ModuleFault> {
        (**self).poll(out)
    }
}

/// The device's side: what stands in messages 68, and what follows from messages 69 (sections 5.5.9 and 5.5.10).
///
/// Call [`next`](Self::next) and [`receive`](Self::receive) in turn until it [is finished](Self::is_finished). After an error
/// the protocol is over. What a module has begun and not finished by then is the module's to throw away.
pub struct DeviceEngine<'m> {
    slots: Vec<Slot<'m>>,
    incoming: Incoming,
    outgoing: Outgoing,
    rounds: u32,
    turn: Turn,
    /// Whether the last message of the device said that there is more.
    is_more: bool,
    owner_is_more: bool,
    owner_is_done: bool,
    is_busy: bool,
}

struct Slot<'m> {
    module: Box<dyn DeviceModule + 'm>,
    is_active: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Device,
    Owner,
}

impl<'m> DeviceEngine<'m> {
    /// A device that is this, and has these modules.
    ///
    /// # Errors
    /// [`ServiceFault::Misuse`] for names that are none, that occur twice or are `devmod`, and for too many modules;
    /// [`ServiceFault::Module`] where the device has too much to tell of itself.
    pub fn new(devmod: &Devmod, modules: Vec<Box<dyn DeviceModule + 'm>>) -> Result<Self, ServiceFault> {
        if modules.len() > MAX_MODULES {
            return Err(ServiceFault::Misuse("device has too many modules"));
        }
        let names: Vec<&str> = modules.iter().map(|module| module.name()).collect();
        for (index, name) in names.iter().enumerate() {
            let is_other = is_name(name) && !name.contains(':') && *name != labels::DEVMOD;
            if !is_other || names.iter().skip(index + 1).any(|other| other == name) {
                return Err(ServiceFault::Misuse("module of the device has no name of its own"));
            }
        }
        let mut outgoing = Outgoing::new();
        devmod.send(&names, &mut outgoing)?;
        Ok(Self {
            slots: modules.into_iter().map(|module| Slot { module, is_active: false }).collect(),
            incoming: Incoming::new(MAX_VALUE_LEN),
            outgoing,
            rounds: 0,
            turn: Turn::Device,
            is_more: true,
            owner_is_more: false,
            owner_is_done: false,
            is_busy: false,
        })
    }

    /// IsMoreServiceInfo and the encoded list of the next message 68, which may have `budget` bytes.
    ///
    /// # Errors
    /// Failures of modules; [`ServiceFault::OutOfTurn`] where it is the owner's turn, or all is done.
    pub fn next(&mut self, budget: usize) -> Result<(bool, Vec<u8>), ServiceFault> {
        if self.turn == Turn::Owner || self.is_finished() {
            return Err(ServiceFault::OutOfTurn);
        }
        if self.rounds == MAX_ROUNDS {
            return Err(ServiceFault::TooManyRounds);
        }
        self.outgoing.set_budget(budget)?;
        self.rounds += 1;
        self.turn = Turn::Owner;
        if self.owner_is_more {
            self.is_more = false;
            return Ok((false, encode_list(&[])));
        }
        self.poll()?;
        let list = self.outgoing.take();
        self.is_more = !self.outgoing.is_empty();
        Ok((self.is_more, list))
    }

    /// Takes IsMoreServiceInfo, IsDone and the encoded list of the message 69 that answers.
    ///
    /// # Errors
    /// Whatever is malformed, not due, or refused by a module: the protocol is to be ended with an error.
    pub fn receive(&mut self, is_more: bool, is_done: bool, list: &[u8]) -> Result<(), ServiceFault> {
        let entries = decode_list(list)?;
        let speaks_between = self.is_more && (is_more || !entries.is_empty());
        if self.turn == Turn::Device || (is_more && is_done) || speaks_between {
            return Err(ServiceFault::OutOfTurn);
        }
        self.turn = Turn::Device;
        for entry in &entries {
            for value in self.incoming.receive(entry)? {
                self.deliver(entry.module, entry.message, &value)?;
            }
        }
        self.owner_is_more = is_more;
        if is_done {
            if self.incoming.is_waiting() {
                return Err(ServiceFault::Interrupted);
            }
            self.owner_is_done = true;
            self.poll()?;
        }
        Ok(())
    }

    /// Whether it is time for message 70: the owner is done, and nothing is left to tell.
    pub fn is_finished(&self) -> bool {
        self.owner_is_done && self.turn == Turn::Device && self.outgoing.is_empty()
    }

    /// Whether a module waits for something, so that the next message is better sent a while later.
    pub fn is_busy(&self) -> bool {
        self.is_busy
    }

    fn poll(&mut self) -> Result<(), ServiceFault> {
        self.is_busy = false;
        for slot in self.slots.iter_mut().filter(|slot| slot.is_active) {
            self.is_busy |= slot.module.poll(&mut self.outgoing)? == Activity::Busy;
        }
        Ok(())
    }

    fn deliver(&mut self, module: &str, message: &str, value: &[u8]) -> Result<(), ServiceFault> {
        let slot = self.slots.iter_mut().find(|slot| slot.module.name() == module);
        if message == labels::ACTIVE {
            let is_wanted = one(value, Reader::bool)?;
            let is_there = slot.is_some();
            if let Some(slot) = slot {
                slot.is_active = is_wanted;
            }
            let answer = is_there && is_wanted;
            return Ok(self.outgoing.send(module, labels::ACTIVE, |w| _ = w.bool(answer))?);
        }
        let slot = slot.ok_or(ServiceFault::ModuleUnknown)?;
        if !slot.is_active {
            return Err(ServiceFault::ModuleNotActive);
        }
        Ok(slot.module.receive(message, value, &mut self.outgoing)?)
    }
}
