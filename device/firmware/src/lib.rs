//! What every image of this workspace needs: memory, and a way to end.

#![no_std]

extern crate alloc;

use core::mem::MaybeUninit;

use cortex_m_semihosting::{debug, hprintln};
use embedded_alloc::LlffHeap as Heap;
use panic_semihosting as _;

#[global_allocator]
static HEAP: Heap = Heap::empty();

/// Bytes of the heap.
const HEAP_SIZE: usize = 64 * 1024;

/// Gives the allocator its memory. Call it first, and once.
pub fn init() {
    static mut ARENA: [MaybeUninit<u8>; HEAP_SIZE] = [MaybeUninit::uninit(); HEAP_SIZE];
    // SAFETY: called once, before the first allocation; nothing else names ARENA.
    unsafe { HEAP.init(&raw mut ARENA as usize, HEAP_SIZE) }
}

/// Ends the emulator: its status says whether all went well.
pub fn exit(outcome: Result<(), &'static str>) -> ! {
    match outcome {
        Ok(()) => debug::exit(debug::EXIT_SUCCESS),
        Err(what) => {
            hprintln!("FAILED: {}", what);
            debug::exit(debug::EXIT_FAILURE);
        }
    }
    loop {
        cortex_m::asm::wfi();
    }
}
