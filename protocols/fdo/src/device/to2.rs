use alloc::{boxed::Box, vec::Vec};
use core::mem;

use crypto::{Digest, HashAlgorithm};

use crate::{
    Binding, CipherSuite, Credential, DeviceSecrets, DeviceServiceInfo, DeviceServiceInfoReady, Done, Entry,
    ExchangeSuite, Failure, GetNextEntry, Header, HelloDevice, Message, MessageType, NextEntry, Nonce,
    OwnerServiceInfo, OwnerServiceInfoReady, ProveHeader, PublicKey, Redirect, Refusal, SetupDevice, SigInfo,
    eat::Claims,
    entry::{Before, about},
    exchange,
    limits::{MAX_MESSAGE_LEN, TUNNEL_OVERHEAD, at_least_deployed, budget},
    service_info::{DEFAULT_BUDGET, DeviceEngine},
    signer::{algorithm, strength},
    step::{Step, expect},
    tunnel::Tunnel,
};

/// TO2 on the device's side (section 5.5).
pub struct To2<'c> {
    credential: &'c Credential,
    redirect: Option<Vec<u8>>,
    options: To2Options,
    stage: Stage,
}

/// What a device wants of TO2.
#[derive(Clone, Copy, Debug)]
pub struct To2Options {
    /// The key exchange, which must be one for its owner's keys.
    pub exchange: ExchangeSuite,
    /// The cipher suite. One that is not [`CipherSuite::is_authenticated`] is for owners that have nothing else.
    pub cipher: CipherSuite,
    /// Whether an owner may leave the credential as it is, so that it is good for another onboarding.
    pub reuse: bool,
    /// The longest message in bytes that the device takes.
    pub max_message_len: u16,
    /// The signature algorithm to announce in place of the device's own. There are owners that take what the device announces for
    /// the algorithm of their own key, and serve none whose key is of another type (docs/interop.md). What the device signs by
    /// shows in what it signs.
    pub announces: Option<SigInfo>,
}

impl To2Options {
    /// What is best, for owners with keys of the type that the device knows; nothing where this build has no exchange for them.
    /// Other exchanges for them are in [`ExchangeSuite::all_for`], for devices that prefer another, or are refused.
    pub fn for_credential(credential: &Credential) -> Option<Self> {
        Some(Self {
            exchange: ExchangeSuite::for_key_type(credential.owner_key_type)?,
            cipher: CipherSuite::A256Gcm,
            reuse: false,
            max_message_len: MAX_MESSAGE_LEN as u16,
            announces: None,
        })
    }

    fn sig_info(&self, secrets: &dyn DeviceSecrets) -> SigInfo {
        self.announces.unwrap_or(SigInfo(algorithm(&secrets.key())))
    }
}

/// How TO2 ended, for the device to keep in one step.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has another credential.
    Replaced(Credential),
    /// It keeps the one it has.
    Reused,
}

enum Stage {
    Hello { hello: Vec<u8>, nonce: Nonce },
    Entries(Box<Chain>),
    Setup(Box<Proved>),
    Ready(Session),
    ServiceInfo(Session, usize),
    Done(Session),
    Ended,
}

/// The owner's proof, followed entry by entry.
struct Chain {
    header: Header,
    /// What the next entry follows.
    before: [Vec<u8>; 2],
    /// Who signs the next entry.
    signer: PublicKey,
    /// Who says to be the owner.
    owner: PublicKey,
    entries: u8,
    next: u8,
    /// The hash function of all entries.
    hash: Option<HashAlgorithm>,
    device_nonce: Nonce,
    exchange: Vec<u8>,
    max_message_len: u16,
}

/// Both sides are known to each other.
struct Proved {
    header: Header,
    owner: PublicKey,
    session: Session,
}

/// What is left of all that, once there is a tunnel.
struct Session {
    tunnel: Tunnel,
    device_nonce: Nonce,
    setup_nonce: Nonce,
    max_message_len: u16,
    /// What the device becomes; nothing where it stays what it is.
    replacement: Option<Credential>,
}

impl<'c> To2<'c> {
    /// Begins with the owner's side at one of its addresses. The redirection that led there must be the owner's; where the
    /// device was told by its rendezvous instructions, there is none. `fill` overwrites a slice with random bytes.
    pub fn begin(
        credential: &'c Credential,
        redirect: Option<Vec<u8>>,
        options: To2Options,
        secrets: &dyn DeviceSecrets,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> (Self, Message) {
        let nonce = Nonce::generate(fill);
        let hello = HelloDevice {
            max_message_len: options.max_message_len,
            guid: credential.guid,
            nonce,
            exchange: options.exchange.name().into(),
            cipher: options.cipher.number(),
            sig_info: options.sig_info(secrets),
        };
        let hello = hello.encode();
        let message = Message::new(MessageType::HelloDevice, hello.clone());
        (Self { credential, redirect, options, stage: Stage::Hello { hello, nonce } }, message)
    }

    /// What both ends of this session have and nobody else, once both are known.
    pub fn binding(&self) -> Option<Binding> {
        match &self.stage {
            Stage::Setup(proved) => Some(proved.session.tunnel.binding()),
            Stage::Ready(session) | Stage::ServiceInfo(session, _) | Stage::Done(session) => {
                Some(session.tunnel.binding())
            }
            Stage::Hello { .. } | Stage::Entries(_) | Stage::Ended => None,
        }
    }

    /// Takes an answer. After a failure nothing more is taken: the device begins again, with the credential that it has.
    pub fn receive(
        &mut self,
        message_type: MessageType,
        body: &[u8],
        secrets: &dyn DeviceSecrets,
        engine: &mut DeviceEngine<'_>,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Step<Outcome>, Failure> {
        let due = |expected| expect(expected, message_type, body);
        match mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Hello { hello, nonce } => {
                due(MessageType::ProveOvHeader)?;
                let chain = self.check_header(body, &hello, nonce, secrets)?;
                self.follow(chain, secrets, fill)
            }
            Stage::Entries(chain) => {
                due(MessageType::OvNextEntry)?;
                let chain = self.check_entry(chain, body)?;
                self.follow(chain, secrets, fill)
            }
            Stage::Setup(proved) => {
                due(MessageType::SetupDevice)?;
                self.set_up(*proved, body, secrets, fill)
            }
            Stage::Ready(session) => {
                due(MessageType::OwnerServiceInfoReady)?;
                let ready = OwnerServiceInfoReady::decode(&session.tunnel.open(body)?)?;
                let len = ready.max_len.map_or(DEFAULT_BUDGET, usize::from);
                let budget = budget(len, session.max_message_len);
                self.speak(session, budget, engine, fill)
            }
            Stage::ServiceInfo(session, budget) => {
                due(MessageType::OwnerServiceInfo)?;
                let message = session.tunnel.open(body)?;
                let OwnerServiceInfo { more, done, list } = OwnerServiceInfo::decode(&message)?;
                engine.receive(more, done, list)?;
                if !engine.is_finished() {
                    return self.speak(session, budget, engine, fill);
                }
                let body = session.tunnel.seal(&Done(session.device_nonce).encode(), fill)?;
                self.stage = Stage::Done(session);
                Ok(Step::Send(Message::new(MessageType::Done, body)))
            }
            Stage::Done(session) => {
                due(MessageType::Done2)?;
                let Done(nonce) = Done::decode(&session.tunnel.open(body)?)?;
                if nonce != session.setup_nonce {
                    return Err(Refusal::Nonce.into());
                }
                Ok(Step::Done(session.replacement.map_or(Outcome::Reused, Outcome::Replaced)))
            }
            Stage::Ended => Err(Failure::OutOfOrder { found: message_type }),
        }
    }

    /// The owner's proof is about this device and this session, and begins with what the device knows.
    fn check_header(
        &self,
        body: &[u8],
        hello: &[u8],
        nonce: Nonce,
        secrets: &dyn DeviceSecrets,
    ) -> Result<Box<Chain>, Failure> {
        let proof = ProveHeader::decode(body)?;
        proof.verify()?;
        if proof.nonce != nonce {
            return Err(Refusal::Nonce.into());
        }
        if Digest::of(proof.hello.algorithm(), hello) != proof.hello {
            return Err(Refusal::HelloHash.into());
        }
        if proof.sig_info != self.options.sig_info(secrets) {
            return Err(Refusal::SigInfo.into());
        }
        if proof.header.guid != self.credential.guid {
            return Err(Refusal::Guid.into());
        }
        if !secrets.verify_hmac(&proof.hmac, proof.header_bytes)? {
            return Err(Refusal::HeaderHmac.into());
        }
        if !self.credential.is_of(&proof.header.manufacturer) {
            return Err(Refusal::Manufacturer.into());
        }
        if !self.options.exchange.fits(proof.owner.key()) {
            return Err(Refusal::ExchangeSuite.into());
        }
        Ok(Box::new(Chain {
            before: [proof.header_bytes.to_vec(), proof.hmac_bytes.to_vec()],
            signer: proof.header.manufacturer.clone(),
            header: proof.header,
            owner: proof.owner,
            entries: proof.entries,
            next: 0,
            hash: None,
            device_nonce: proof.device_nonce,
            exchange: proof.exchange.to_vec(),
            max_message_len: at_least_deployed(proof.max_message_len),
        }))
    }

    /// An entry follows the one before, and is signed by its owner.
    fn check_entry(&self, mut chain: Box<Chain>, body: &[u8]) -> Result<Box<Chain>, Failure> {
        let NextEntry { index, entry } = NextEntry::decode(body)?;
        if index != chain.next {
            return Err(Refusal::EntryIndex.into());
        }
        let [first, second] = &chain.before;
        let before = Before { hashed: &[first, second], owner: &chain.signer };
        let hash = chain.hash.unwrap_or(entry.hash_algorithm());
        let about = about(&chain.header.guid, &chain.header.device_info);
        entry.follow(index.into(), hash, &before, &about, &chain.header.manufacturer)?;
        chain.signer = entry.next().clone();
        chain.before = [Entry::as_bytes(&entry).to_vec(), Vec::new()];
        chain.hash = Some(hash);
        chain.next += 1;
        Ok(chain)
    }

    /// Asks for the next entry, or proves the device to the owner whom the last one names.
    fn follow(
        &mut self,
        chain: Box<Chain>,
        secrets: &dyn DeviceSecrets,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Step<Outcome>, Failure> {
        if chain.next < chain.entries {
            let message = GetNextEntry { index: chain.next }.encode();
            self.stage = Stage::Entries(chain);
            return Ok(Step::Send(Message::new(MessageType::GetOvNextEntry, message)));
        }
        if chain.signer != chain.owner {
            return Err(Refusal::Owner.into());
        }
        if let Some(redirect) = &self.redirect {
            Redirect::decode(redirect)?.verify(&chain.owner)?;
        }
        let (part, shared) =
            exchange::answer(self.options.exchange, &chain.exchange, chain.owner.key(), fill)?;
        let tunnel = Tunnel::derive(self.options.cipher, &shared)?;
        let setup_nonce = Nonce::generate(fill);
        let claims = Claims {
            nonce: chain.device_nonce,
            guid: &self.credential.guid,
            setup_nonce: Some(setup_nonce),
            exchange: Some(&part),
        };
        let token = claims.sign(secrets)?;
        let Chain { header, owner, device_nonce, max_message_len, .. } = *chain;
        let session = Session { tunnel, device_nonce, setup_nonce, max_message_len, replacement: None };
        self.stage = Stage::Setup(Box::new(Proved { header, owner, session }));
        Ok(Step::Send(Message::new(MessageType::ProveDevice, token)))
    }

    /// What the device is to become, said by who will own it.
    fn set_up(
        &mut self,
        proved: Proved,
        body: &[u8],
        secrets: &dyn DeviceSecrets,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Step<Outcome>, Failure> {
        let Proved { header, owner, mut session } = proved;
        let message = session.tunnel.open(body)?;
        let setup = SetupDevice::decode(&message)?;
        setup.verify()?;
        if setup.nonce != session.setup_nonce {
            return Err(Refusal::Nonce.into());
        }
        let keeps = setup.guid == self.credential.guid
            && setup.rendezvous == self.credential.rendezvous
            && setup.owner == owner;
        let hmac = if keeps {
            if !self.options.reuse {
                return Err(Refusal::CredentialReuse.into());
            }
            None
        } else {
            let algorithm = strength(&secrets.key(), setup.owner.key());
            let SetupDevice { rendezvous, guid, owner: manufacturer, .. } = setup;
            let header = Header { guid, rendezvous, manufacturer, ..header };
            let hmac = secrets.hmac(algorithm, &header.encode())?;
            session.replacement = Some(Credential::of(header, algorithm));
            Some(hmac)
        };
        let max_len = self.options.max_message_len.saturating_sub(TUNNEL_OVERHEAD as u16);
        let ready = DeviceServiceInfoReady { hmac, max_len: Some(max_len) };
        let body = session.tunnel.seal(&ready.encode(), fill)?;
        self.stage = Stage::Ready(session);
        Ok(Step::Send(Message::new(MessageType::DeviceServiceInfoReady, body)))
    }

    fn speak(
        &mut self,
        session: Session,
        budget: usize,
        engine: &mut DeviceEngine<'_>,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Step<Outcome>, Failure> {
        let (more, list) = engine.next(budget)?;
        let body = session.tunnel.seal(&DeviceServiceInfo { more, list: &list }.encode(), fill)?;
        self.stage = Stage::ServiceInfo(session, budget);
        Ok(Step::Send(Message::new(MessageType::DeviceServiceInfo, body)))
    }
}
