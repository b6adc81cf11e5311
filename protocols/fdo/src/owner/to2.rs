use alloc::vec::Vec;

use cbor::Writer;
use crypto::{Digest, HashAlgorithm};

use crate::{
    Binding, CipherSuite, DeviceServiceInfo, DeviceServiceInfoReady, Done, Entry, ExchangeSuite, Failure,
    Fault, GetNextEntry, Guid, Header, HelloDevice, Hmac, Key, Message, MessageType, NextEntry, Nonce,
    OwnedVoucher, OwnerKey, OwnerServiceInfo, OwnerServiceInfoReady, PublicKey, Refusal, RendezvousInfo,
    SetupDevice, SigInfo, Signer, Voucher,
    eat::DeviceToken,
    exchange::OwnerHalf,
    labels,
    limits::{MAX_MESSAGE_LEN, TUNNEL_OVERHEAD, at_least_deployed, budget},
    message::ProveHeaderPayload,
    service_info::{Backend, DEFAULT_BUDGET, OwnerEngine, Program},
    signer::{sign1, strength},
    tunnel::Tunnel,
};

/// TO2 on the owner's side (section 5.5), between two messages.
///
/// It can be taken apart into bytes and put together again by whoever answers the next message, since nothing else is kept: the
/// voucher is looked up anew, and must be the one that the session began with.
pub struct OwnerSession {
    pub(super) guid: Guid,
    /// SHA-256 of the voucher.
    pub(super) voucher: [u8; 32],
    /// What the device is to sign.
    pub(super) device_nonce: Nonce,
    /// The device's key, a SubjectPublicKeyInfo.
    pub(super) device_key: Vec<u8>,
    /// The longest message in bytes that the device takes.
    pub(super) max_message_len: u16,
    pub(super) stage: Stage,
}

pub(super) enum Stage {
    /// The owner is proven, and hands out the entries of the voucher.
    Entries { half: OwnerHalf, exchange: ExchangeSuite, cipher: CipherSuite, entries: u8, sig_info: SigInfo },
    /// The device is proven, and told what it becomes.
    Setup(Open),
    /// The device is told the rest.
    ServiceInfo(Open),
}

/// A session whose sides are known to each other.
pub(super) struct Open {
    pub(super) tunnel: Tunnel,
    pub(super) setup_nonce: Nonce,
    /// What the device becomes, where it does not stay what it is.
    pub(super) replacement: Option<Replacement>,
    /// Bytes of service information that the device takes at once.
    pub(super) budget: usize,
    /// How far the service information is; empty at first.
    pub(super) progress: Vec<u8>,
    /// Whether the owner said all of it.
    pub(super) said_all: bool,
}

/// The header that the device is to have, and its HMAC of it once it is ready.
pub(super) struct Replacement {
    pub(super) header: Vec<u8>,
    pub(super) hmac: Option<Hmac>,
}

/// What an owner permits.
#[derive(Clone, Debug)]
pub struct OwnerOptions {
    /// Key exchanges.
    pub exchanges: Vec<ExchangeSuite>,
    /// Cipher suites: by default those that are [`CipherSuite::is_authenticated`].
    pub ciphers: Vec<CipherSuite>,
    /// The longest message in bytes that the owner takes.
    pub max_message_len: u16,
}

impl Default for OwnerOptions {
    fn default() -> Self {
        Self {
            exchanges: ExchangeSuite::ALL.to_vec(),
            ciphers: CipherSuite::ALL.into_iter().filter(|suite| suite.is_authenticated()).collect(),
            max_message_len: MAX_MESSAGE_LEN as u16,
        }
    }
}

/// What a device is told to become.
pub enum Setup<'a> {
    /// It stays what it is, good for another onboarding by the same owner.
    Keep,
    /// It is set up anew, so that its voucher until now is worth nothing.
    Replace {
        /// What it will be called.
        guid: Guid,
        /// Where it will look for its owner.
        rendezvous: &'a RendezvousInfo,
        /// Who will own it.
        owner: &'a dyn Signer,
    },
}

/// How TO2 ended, for the owner to keep before it answers.
#[derive(Debug)]
pub struct Finished {
    /// The last message, which lets the device keep what it became.
    pub message: Message,
    /// The device's voucher from now on, begun by its new owner; nothing where it keeps the one it has.
    pub voucher: Option<Vec<u8>>,
}

impl OwnerSession {
    /// Answers [`HelloDevice`], whose bytes are given, with the proof that the device's owner is here.
    pub fn begin(
        hello: &[u8],
        voucher: &OwnedVoucher<'_>,
        options: &OwnerOptions,
        owner: &dyn OwnerKey,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(Self, Message), Failure> {
        let message = HelloDevice::decode(hello)?;
        let device_key = voucher.device_key();
        let device = Key::from(device_key.clone());
        let voucher = voucher.voucher();
        if message.guid != voucher.header().guid {
            return Err(Refusal::Guid.into());
        }
        if !message.sig_info.is_supported() {
            return Err(Refusal::SigInfo.into());
        }
        let key = owner.key();
        if *voucher.owner().key() != key {
            return Err(Fault::Key.into());
        }
        let exchange = ExchangeSuite::from_name(&message.exchange)
            .filter(|suite| options.exchanges.contains(suite) && suite.fits(&key))
            .ok_or(Refusal::ExchangeSuite)?;
        let cipher = CipherSuite::from_number(message.cipher)
            .filter(|suite| options.ciphers.contains(suite))
            .ok_or(Refusal::CipherSuite)?;
        let half = OwnerHalf::generate(exchange, fill)?;
        let device_nonce = Nonce::generate(fill);
        // A voucher has no more entries than a byte counts.
        let entries = u8::try_from(voucher.entries().len()).unwrap_or(u8::MAX);
        let payload = ProveHeaderPayload {
            header: voucher.header_bytes(),
            entries,
            hmac: voucher.hmac(),
            nonce: message.nonce,
            sig_info: message.sig_info,
            exchange: &half.part(),
            hello: &Digest::of(strength(&device, &key), hello),
            max_message_len: options.max_message_len,
        };
        let unprotected = [
            (labels::CUPH_NONCE, Writer::encode(|w| device_nonce.write(w))),
            (labels::CUPH_OWNER_KEY, voucher.owner().as_bytes().to_vec()),
        ];
        let answer = sign1(owner, &unprotected, &payload.encode())?;
        let session = Self {
            guid: message.guid,
            voucher: digest(voucher),
            device_nonce,
            device_key: device_key.to_spki_der(),
            max_message_len: at_least_deployed(message.max_message_len),
            stage: Stage::Entries { half, exchange, cipher, entries, sig_info: message.sig_info },
        };
        Ok((session, Message::new(MessageType::ProveOvHeader, answer)))
    }

    /// Which device this is about.
    pub fn guid(&self) -> &Guid {
        &self.guid
    }

    /// Whether the device is proven.
    pub fn is_proven(&self) -> bool {
        !matches!(self.stage, Stage::Entries { .. })
    }

    /// The device's key, by which it is or will be proven.
    pub fn device_key(&self) -> Result<crypto::PublicKey, Failure> {
        Ok(crypto::PublicKey::from_spki_der(&self.device_key).map_err(|_| Fault::Session)?)
    }

    /// What both ends of this session have and nobody else, once both are known.
    pub fn binding(&self) -> Option<Binding> {
        match &self.stage {
            Stage::Entries { .. } => None,
            Stage::Setup(open) | Stage::ServiceInfo(open) => Some(open.tunnel.binding()),
        }
    }

    /// Answers [`GetNextEntry`].
    pub fn entry(&self, body: &[u8], voucher: &Voucher<'_>) -> Result<Message, Failure> {
        let Stage::Entries { .. } = &self.stage else {
            return Err(Failure::OutOfOrder { found: MessageType::GetOvNextEntry });
        };
        self.check_voucher(voucher)?;
        let GetNextEntry { index } = GetNextEntry::decode(body)?;
        let entry = voucher.entries().get(usize::from(index)).ok_or(Refusal::EntryIndex)?;
        Ok(Message::new(MessageType::OvNextEntry, NextEntry::encode(index, Entry::as_bytes(entry))))
    }

    /// Answers the device's proof with what it is to become.
    pub fn set_up(
        &mut self,
        body: &[u8],
        voucher: &Voucher<'_>,
        setup: &Setup<'_>,
        owner: &dyn OwnerKey,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Message, Failure> {
        let Stage::Entries { half, exchange, cipher, .. } = &self.stage else {
            return Err(Failure::OutOfOrder { found: MessageType::ProveDevice });
        };
        self.check_voucher(voucher)?;
        let token = DeviceToken::decode(body)?;
        token.verify(&self.device_key()?.into(), &self.guid, self.device_nonce)?;
        let setup_nonce = token.setup_nonce()?;
        let half = OwnerHalf::from_bytes(*exchange, &half.to_bytes())?;
        let tunnel = Tunnel::derive(*cipher, &half.finish(token.exchange()?, owner)?)?;

        let header = voucher.header();
        let (payload, signer, replacement) = match setup {
            Setup::Keep => {
                let payload =
                    SetupDevice::payload(&header.rendezvous, &self.guid, setup_nonce, voucher.owner());
                (payload, owner as &dyn Signer, None)
            }
            Setup::Replace { guid, rendezvous, owner } => {
                let key = PublicKey::new(owner.key(), header.manufacturer.encoding())?;
                let payload = SetupDevice::payload(rendezvous, guid, setup_nonce, &key);
                let header = Header {
                    guid: *guid,
                    rendezvous: (*rendezvous).clone(),
                    device_info: header.device_info.clone(),
                    manufacturer: key,
                    certificates: header.certificates,
                };
                (payload, *owner, Some(Replacement { header: header.encode(), hmac: None }))
            }
        };
        let message = sign1(signer, &[], &payload)?;
        let answer = tunnel.seal(&message, fill)?;
        let (budget, progress, said_all) = (0, Vec::new(), false);
        self.stage = Stage::Setup(Open { tunnel, setup_nonce, replacement, budget, progress, said_all });
        Ok(Message::new(MessageType::SetupDevice, answer))
    }

    /// Answers [`DeviceServiceInfoReady`]: the device has what it becomes.
    pub fn ready(
        mut self,
        body: &[u8],
        options: &OwnerOptions,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(Self, Message), Failure> {
        let Stage::Setup(mut open) = self.stage else {
            return Err(Failure::OutOfOrder { found: MessageType::DeviceServiceInfoReady });
        };
        let ready = DeviceServiceInfoReady::decode(&open.tunnel.open(body)?)?;
        match (&mut open.replacement, ready.hmac) {
            (None, None) => {}
            (Some(replacement), Some(hmac)) => replacement.hmac = Some(hmac),
            (Some(_), None) | (None, Some(_)) => return Err(Refusal::ReplacementHmac.into()),
        }
        let len = ready.max_len.map_or(DEFAULT_BUDGET, usize::from);
        open.budget = budget(len, self.max_message_len);
        let max_len = options.max_message_len.saturating_sub(TUNNEL_OVERHEAD as u16);
        let answer = OwnerServiceInfoReady { max_len: Some(max_len) };
        let answer = open.tunnel.seal(&answer.encode(), fill)?;
        self.stage = Stage::ServiceInfo(open);
        Ok((self, Message::new(MessageType::OwnerServiceInfoReady, answer)))
    }

    /// How far a program of service information is in this session.
    pub fn engine<'p>(&self, program: &'p Program) -> Result<OwnerEngine<'p>, Failure> {
        match &self.stage {
            Stage::ServiceInfo(open) if !open.progress.is_empty() => {
                Ok(OwnerEngine::from_bytes(program, &open.progress)?)
            }
            _ => Ok(OwnerEngine::new(program)),
        }
    }

    /// Answers [`DeviceServiceInfo`] with what comes next in a program, which must be the same in all of the session.
    pub fn service_info(
        &mut self,
        body: &[u8],
        program: &Program,
        backend: &mut Backend<'_>,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Message, Failure> {
        let mut engine = self.engine(program)?;
        let Stage::ServiceInfo(open) = &mut self.stage else {
            return Err(Failure::OutOfOrder { found: MessageType::DeviceServiceInfo });
        };
        let message = open.tunnel.open(body)?;
        let DeviceServiceInfo { more, list } = DeviceServiceInfo::decode(&message)?;
        let answer = engine.receive(more, list, open.budget, backend)?;
        let answer = OwnerServiceInfo { more: answer.is_more, done: answer.is_done, list: &answer.list };
        open.said_all = answer.done;
        let message = open.tunnel.seal(&answer.encode(), fill)?;
        open.progress = engine.to_bytes();
        Ok(Message::new(MessageType::OwnerServiceInfo, message))
    }

    /// Takes [`Done`]: the device has all, and waits for the last message to keep it. Nothing of the voucher that results is
    /// checked but what the device said in this session: only the device can tell its HMAC.
    pub fn done(
        &self,
        body: &[u8],
        voucher: &Voucher<'_>,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Finished, Failure> {
        let out_of_order = Failure::OutOfOrder { found: MessageType::Done };
        let Stage::ServiceInfo(open) = &self.stage else { return Err(out_of_order) };
        let Done(nonce) = Done::decode(&open.tunnel.open(body)?)?;
        if nonce != self.device_nonce {
            return Err(Refusal::Nonce.into());
        }
        if !open.said_all {
            return Err(out_of_order);
        }
        self.check_voucher(voucher)?;
        let voucher = match &open.replacement {
            None => None,
            Some(Replacement { header, hmac: Some(hmac) }) => {
                Some(Voucher::assemble(header, hmac, voucher.certificates())?)
            }
            Some(Replacement { hmac: None, .. }) => return Err(Fault::Session.into()),
        };
        let answer = open.tunnel.seal(&Done(open.setup_nonce).encode(), fill)?;
        Ok(Finished { message: Message::new(MessageType::Done2, answer), voucher })
    }

    /// The voucher is the one that the session began with, which was verified then.
    fn check_voucher(&self, voucher: &Voucher<'_>) -> Result<(), Failure> {
        if digest(voucher) == self.voucher { Ok(()) } else { Err(Fault::Session.into()) }
    }
}

fn digest(voucher: &Voucher<'_>) -> [u8; 32] {
    let digest = Digest::of(HashAlgorithm::Sha256, voucher.as_bytes());
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    bytes
}
