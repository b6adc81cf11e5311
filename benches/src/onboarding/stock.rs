//! Devices that left a factory, and their vouchers, made without any server.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use crypto::{Digest, HashAlgorithm, PublicKey, SignatureAlgorithm, SigningKey, Zeroizing};
use fdo::{
    Credential, DeviceInfo, Directive, Guid, Instruction, KeyEncoding, KeyType, ManufacturerSession,
    NewDevice, Protocol, RendezvousInfo, SoftSecrets, Step, Voucher, device::Di,
};
use x509::{Certificate, CertificateBuilder, CertificationRequestBuilder, Validity};

/// A device that waits for its owner.
pub(crate) struct Waiting {
    pub(crate) secrets: SoftSecrets,
    pub(crate) credential: Credential,
    /// Sold to the owner.
    pub(crate) voucher: Vec<u8>,
}

/// Who makes them.
pub(crate) struct Factory {
    pub(crate) key: SigningKey,
    authority_key: SigningKey,
    authority: Certificate,
}

/// A long time, so that no certificate ends before a measurement does.
const VALIDITY: Validity = Validity { not_before: 1_700_000_000, not_after: 2_600_000_000 };

/// A key for a purpose.
pub(crate) fn key(purpose: &str, number: usize) -> Result<SigningKey> {
    let secret = Digest::of(HashAlgorithm::Sha256, format!("onboarding bench {purpose} {number}").as_bytes());
    SigningKey::from_bytes(SignatureAlgorithm::Es256, secret.as_bytes()).map_err(|error| anyhow!("{error:?}"))
}

/// Where devices look for their owner: at a server over HTTPS, through rendezvous or at once.
pub(crate) fn rendezvous(address: std::net::SocketAddr, bypass: bool) -> RendezvousInfo {
    let instructions = bypass.then_some(Instruction::Bypass).into_iter().chain([
        Instruction::IpAddress(address.ip()),
        Instruction::DevicePort(address.port()),
        Instruction::OwnerPort(address.port()),
        Instruction::Protocol(Protocol::Https),
    ]);
    RendezvousInfo { directives: vec![Directive { instructions: instructions.collect() }] }
}

impl Factory {
    pub(crate) fn new() -> Result<Self> {
        let (key, authority_key) = (key("manufacturer", 0)?, key("device authority", 0)?);
        let name = "CN=Device CA".parse().map_err(|error| anyhow!("{error:?}"))?;
        let authority = CertificateBuilder::new(name, authority_key.public_key(), &[1], VALIDITY)
            .authority(Some(0))
            .self_signed(&authority_key)
            .map_err(|error| anyhow!("{error:?}"))?;
        Ok(Self { key, authority_key, authority })
    }

    /// Makes so many devices and sells them, on all cores.
    pub(crate) fn make(
        &self,
        what: &str,
        count: usize,
        rendezvous: &RendezvousInfo,
        owner: &PublicKey,
    ) -> Result<Vec<Waiting>> {
        let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
        thread::scope(|scope| {
            let threads = thread::available_parallelism().map_or(1, usize::from);
            let toil = || -> Result<()> {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return Ok(());
                    }
                    let device = self.make_one(what, number, rendezvous, owner)?;
                    made.lock().unwrap_or_else(PoisonError::into_inner).push(device);
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(toil)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread failed"))?)
        })?;
        Ok(made.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn make_one(
        &self,
        what: &str,
        number: usize,
        rendezvous: &RendezvousInfo,
        owner: &PublicKey,
    ) -> Result<Waiting> {
        let device = key(what, number)?;
        let secret = Digest::of(HashAlgorithm::Sha256, format!("{what} hmac {number}").as_bytes());
        let secrets = SoftSecrets { key: device, hmac_secret: Zeroizing::new(secret.as_bytes().to_vec()) };
        let name: x509::Name = format!("CN={what}-{number}").parse().map_err(|error| anyhow!("{error:?}"))?;
        let request = CertificationRequestBuilder::new(name.clone(), secrets.key.public_key());
        let request = request.sign(&secrets.key).map_err(|error| anyhow!("{error:?}"))?;
        let (mut di, _start) = Di::begin(DeviceInfo {
            key_type: KeyType::Secp256r1,
            encoding: KeyEncoding::X509,
            serial: format!("{what}-{number}"),
            info: what.to_owned(),
            request: request.as_der().to_vec(),
        });
        let serial = [&[1], (number as u64).to_be_bytes().as_slice()].concat();
        let certificate = CertificateBuilder::new(name, secrets.key.public_key(), &serial, VALIDITY)
            .issued_by(&self.authority, &self.authority_key)
            .map_err(|error| anyhow!("{error:?}"))?;
        let guid = Digest::of(HashAlgorithm::Sha256, format!("{what} guid {number}").as_bytes());
        let guid = Guid(guid.as_bytes()[..Guid::LEN].try_into().context("16 bytes")?);
        let (session, credentials) = ManufacturerSession::begin(NewDevice {
            guid,
            info: what,
            rendezvous,
            manufacturer: fdo::PublicKey::new(self.key.public_key(), KeyEncoding::X509)
                .map_err(|error| anyhow!("{error:?}"))?,
            certificates: &[certificate.as_der().to_vec(), self.authority.as_der().to_vec()],
        })
        .map_err(|failure| anyhow!("{failure:?}"))?;
        let step = di.receive(credentials.message_type, &credentials.body, &secrets);
        let Step::Send(hmac) = step.map_err(|failure| anyhow!("{failure:?}"))? else {
            return Err(anyhow!("DI ends early"));
        };
        let made = session.finish(&hmac.body).map_err(|failure| anyhow!("{failure:?}"))?;
        let step = di.receive(made.message.message_type, &made.message.body, &secrets);
        let Step::Done(credential) = step.map_err(|failure| anyhow!("{failure:?}"))? else {
            return Err(anyhow!("DI does not end"));
        };
        let unsold = Voucher::decode(&made.voucher)?;
        let voucher = unsold.extend(owner)?.sign(&self.key)?;
        Ok(Waiting { secrets, credential, voucher })
    }
}

/// Vouchers as a file of PEM blocks.
pub(crate) fn file_of(devices: &[Waiting]) -> String {
    devices.iter().map(|device| x509::pem::encode(fdo::PEM_LABEL, &device.voucher)).collect()
}
