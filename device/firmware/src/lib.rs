//! What every image of this workspace needs: start, memory that is measured, and a way to end.
//!
//! Nothing here formats: the formatter of `core` is larger than all else that a small image holds.

#![no_std]

extern crate alloc;

mod memory;
mod output;
mod release;
mod slots;
mod update;

use cortex_m_semihosting::debug;

// Public interface
pub use release::{RFC_6979_KEY, authorities, others, release, tampered};
pub use slots::{Dependencies, NoDependencies, TwoSlots};
pub use update::{refuse_tampered, update};

/// Why an image failed.
pub type Failure = &'static str;

/// Does an image's work, says how much memory it took, checks what else must hold, and ends the emulator with a status
/// that says whether all went well.
pub fn run(work: fn() -> Result<(), Failure>, check: fn() -> Result<(), Failure>) -> ! {
    memory::init();
    let worked = work();
    output::figure("stack", memory::stack_peak());
    output::figure("heap", memory::heap_peak());
    match worked.and_then(|()| check()) {
        Ok(()) => debug::exit(debug::EXIT_SUCCESS),
        Err(what) => {
            output::line(&[b"failed: ", what.as_bytes()]);
            debug::exit(debug::EXIT_FAILURE);
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}

/// Ends the emulator. A device would start again.
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    if let Some(location) = info.location() {
        output::figure(location.file(), location.line() as usize);
    }
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
