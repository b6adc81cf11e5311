//! Verifies a release, installs it into the slot that is not in use and starts it. Dependencies are refused.

#![no_std]
#![no_main]

use sextant_firmware::{NoDependencies, refuse_tampered, update};

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(|| update(NoDependencies), refuse_tampered)
}
