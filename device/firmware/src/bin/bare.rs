//! Does nothing: what start-up, the allocator and the measuring cost in every image.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;

#[cortex_m_rt::entry]
fn main() -> ! {
    sextant_firmware::run(allocate, || Ok(()))
}

/// One allocation, for an allocator that nobody calls is not linked.
fn allocate() -> Result<(), sextant_firmware::Failure> {
    if *core::hint::black_box(Box::new(1)) == 1 { Ok(()) } else { Err("an allocation") }
}
