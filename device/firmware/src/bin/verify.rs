//! Decodes an envelope and verifies it against a list of one author: what a bootloader needs of SUIT.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;

use cose::Key;
use suit::{Authority, AuthorityList, Envelope, Role};

static RELEASE: &[u8] = include_bytes!("../../fixtures/release.suit");
static AUTHOR: &[u8] = include_bytes!("../../fixtures/author.pub");

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::init();
    sextant_firmware::exit(run())
}

fn run() -> Result<(), &'static str> {
    let key = Key::decode(AUTHOR).map_err(|_| "the author's key")?;
    let author = Authority::new(key.public().clone(), b"", "", Role::Author);
    let list = AuthorityList::with_default_policy(vec![author]).map_err(|_| "the list")?;
    let envelope = Envelope::decode(core::hint::black_box(RELEASE)).map_err(|_| "the envelope")?;
    let verified = envelope.verify(&list).map_err(|_| "the signature")?;
    if verified.sequence_number() == 1 { Ok(()) } else { Err("the sequence number") }
}
