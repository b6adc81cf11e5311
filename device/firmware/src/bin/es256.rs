//! Checks one ES256 signature: the part of the other images that is the curve and the hash.

#![no_std]
#![no_main]

use crypto::{PublicKey, SignatureAlgorithm};
use sextant_firmware::{Failure, RFC_6979_KEY};

// RFC 6979, appendix A.2.5: P-256 with SHA-256, message "sample".
static SIGNATURE: [u8; 64] = [
    0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40, 0xdd, 0x9c, 0xd4, 0x5e, 0x81, 0xd6, 0x9d,
    0x2c, 0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d, 0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16, 0xf7, 0xcb,
    0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36, 0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65, 0xf3, 0xe9, 0x00,
    0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4, 0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8,
];

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(verify, refuse)
}

fn verify() -> Result<(), Failure> {
    check(b"sample").map_err(|_| "the signature")
}

fn refuse() -> Result<(), Failure> {
    match check(b"simple") {
        Err(crypto::Error::BadSignature) => Ok(()),
        _ => Err("another message was taken"),
    }
}

fn check(message: &[u8]) -> Result<(), crypto::Error> {
    let (x, y) = core::hint::black_box(&RFC_6979_KEY).split_at(RFC_6979_KEY.len() / 2);
    let key = PublicKey::from_ec2(SignatureAlgorithm::Es256, x, y)?;
    key.verify(message, core::hint::black_box(&SIGNATURE))
}
