//! A manufacturer, its devices, and who buys them.

#![allow(dead_code, reason = "each test file uses what it needs")]

pub(crate) mod parties;

use std::sync::OnceLock;

use crypto::{Digest, HashAlgorithm, RsaSigningKey, SignatureAlgorithm, SigningKey};
use sextant_fdo::{
    Directive, Guid, Header, Hmac, Instruction, KeyEncoding, Protocol, PublicKey, RendezvousInfo, Signer,
    Voucher,
};
use x509::{Certificate, CertificateBuilder, KeyUsage, Name, Validity};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SECRET: &[u8] = b"secret of the device";

/// The key whose bytes all are `number`.
pub(crate) fn key(algorithm: SignatureAlgorithm, number: u8) -> SigningKey {
    SigningKey::from_bytes(algorithm, &vec![number; algorithm.secret_len()]).expect("a key")
}

pub(crate) fn es256(number: u8) -> SigningKey {
    key(SignatureAlgorithm::Es256, number)
}

/// One of three RSA keys of 2048 or 3072 bits, made once.
pub(crate) fn rsa(bits: usize, number: usize) -> &'static RsaSigningKey {
    static KEYS: [OnceLock<RsaSigningKey>; 6] = [const { OnceLock::new() }; 6];
    let place = number + if bits == 2048 { 0 } else { 3 };
    KEYS[place].get_or_init(|| RsaSigningKey::generate(bits).expect("a key"))
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn certificate(subject: &str, key: &SigningKey) -> CertificateBuilder {
    let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
    CertificateBuilder::new(name(subject), key.public_key(), &[7], validity)
}

fn device_certificate(authority: &Certificate, authority_key: &SigningKey, usage: KeyUsage) -> Certificate {
    let certificate = certificate("O=Maker, CN=Device 1", &es256(60)).key_usage(Some(usage));
    certificate.issued_by(authority, authority_key).expect("a certificate")
}

/// Who makes devices: a key of an algorithm, written in one way, and an authority of device certificates.
pub(crate) struct Manufacturer {
    pub(crate) key: SigningKey,
    pub(crate) encoding: KeyEncoding,
    pub(crate) hash: HashAlgorithm,
    pub(crate) authority: Certificate,
    /// Of the one device. It is made once: there are back ends that sign otherwise each time.
    pub(crate) device: Certificate,
    authority_key: SigningKey,
}

impl Manufacturer {
    pub(crate) fn new(algorithm: SignatureAlgorithm, encoding: KeyEncoding, hash: HashAlgorithm) -> Self {
        let authority_key = es256(50);
        let authority = certificate("O=Maker, CN=Device CA", &authority_key).authority(None);
        let authority = authority.self_signed(&authority_key).expect("a certificate");
        let usage = KeyUsage::DIGITAL_SIGNATURE;
        let device = device_certificate(&authority, &authority_key, usage);
        Self { key: key(algorithm, 1), encoding, hash, authority, device, authority_key }
    }

    pub(crate) fn plain() -> Self {
        Self::new(SignatureAlgorithm::Es256, KeyEncoding::X509, HashAlgorithm::Sha256)
    }

    pub(crate) fn device_key(&self) -> SigningKey {
        es256(60)
    }

    /// Of the same device, for other uses of its key.
    pub(crate) fn device_certificate(&self, usage: KeyUsage) -> Certificate {
        device_certificate(&self.authority, &self.authority_key, usage)
    }

    /// A certificate for a device with this key.
    pub(crate) fn certify(&self, key: &crypto::PublicKey) -> Certificate {
        let validity = Validity { not_before: NOW - 1000, not_after: NOW + 1000 };
        let builder = CertificateBuilder::new(name("O=Maker, CN=Device 2"), key, &[8], validity);
        builder.issued_by(&self.authority, &self.authority_key).expect("a certificate")
    }

    /// Where devices look for their owner.
    pub(crate) fn rendezvous() -> RendezvousInfo {
        let instructions = vec![
            Instruction::Dns("rv.example".into()),
            Instruction::Protocol(Protocol::Https),
            Instruction::DevicePort(443),
            Instruction::OwnerPort(443),
        ];
        RendezvousInfo { directives: vec![Directive { instructions }] }
    }

    pub(crate) fn header(&self, certificates: &[&[u8]]) -> Header {
        Header {
            guid: Guid([9; 16]),
            rendezvous: Self::rendezvous(),
            device_info: "camera".into(),
            manufacturer: PublicKey::new(self.key.public_key(), self.encoding).expect("a type"),
            certificates: Digest::of(self.hash, &certificates.concat()),
        }
    }

    /// The voucher of a device with these certificates that nobody bought yet.
    pub(crate) fn voucher_with(&self, certificates: &[&[u8]], change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = self.header(certificates);
        change(&mut header);
        let header = header.encode();
        let hmac = Hmac::of(self.hash, SECRET, &header);
        Voucher::assemble(&header, &hmac, certificates).expect("a voucher")
    }

    /// The voucher of the one device that nobody bought yet.
    pub(crate) fn voucher(&self) -> Vec<u8> {
        self.voucher_with(&[self.device.as_der(), self.authority.as_der()], |_| {})
    }

    /// The voucher after it was sold to these, one after another.
    pub(crate) fn sold_to(&self, buyers: &[&SigningKey]) -> Vec<u8> {
        let mut owner = &self.key;
        let mut voucher = self.voucher();
        for buyer in buyers {
            voucher = extend(&voucher, owner, *buyer);
            owner = buyer;
        }
        voucher
    }
}

pub(crate) fn extend(voucher: &[u8], owner: &dyn Signer, buyer: &dyn Signer) -> Vec<u8> {
    let voucher = Voucher::decode(voucher).expect("well-formed");
    voucher.extend(buyer.key()).expect("consistent").sign(owner).expect("the owner")
}
