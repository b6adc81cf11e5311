//! The same as `update`, on a device that takes dependencies too: what the code for them costs. The release has none.

#![no_std]
#![no_main]

use sextant_firmware::{authorities, refuse_tampered, update};

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(|| update(authorities()?), refuse_tampered)
}
