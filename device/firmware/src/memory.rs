//! Heap and stack, and the most that was used of each.

use core::alloc::{GlobalAlloc, Layout};
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use cortex_m_rt::STACK_PAINT_VALUE;
use embedded_alloc::LlffHeap;

/// Bytes of the heap.
const HEAP_SIZE: usize = 64 * 1024;

#[global_allocator]
static HEAP: Counting =
    Counting { heap: LlffHeap::empty(), used: AtomicUsize::new(0), peak: AtomicUsize::new(0) };

/// A heap that counts the bytes that are asked of it.
struct Counting {
    heap: LlffHeap,
    used: AtomicUsize,
    peak: AtomicUsize,
}

// SAFETY: all memory comes from and goes back to the inner allocator, with the same layouts; the rest are counters.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = self.used.fetch_add(layout.size(), Relaxed) + layout.size();
        self.peak.fetch_max(used, Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { self.heap.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the memory came from `alloc`, so from the inner allocator.
        unsafe { self.heap.dealloc(memory, layout) }
    }
}

/// Gives the allocator its memory. Call it first, and once.
pub(crate) fn init() {
    static mut ARENA: [MaybeUninit<u8>; HEAP_SIZE] = [MaybeUninit::uninit(); HEAP_SIZE];
    // SAFETY: called once, before the first allocation; nothing else names ARENA.
    unsafe { HEAP.heap.init(&raw mut ARENA as usize, HEAP_SIZE) }
}

/// The most bytes that were asked of the heap at one time.
pub(crate) fn heap_peak() -> usize {
    HEAP.peak.load(Relaxed)
}

/// The most bytes of stack that were in use: start-up painted it, and what is still painted was never written.
pub(crate) fn stack_peak() -> usize {
    unsafe extern "C" {
        // The linker script of cortex-m-rt. The stack grows down from the first to the second.
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let (top, mut deepest) = (&raw const _stack_start, &raw const _stack_end);
    // SAFETY: all words from `_stack_end` up to `_stack_start` are memory that start-up wrote; none is written here.
    while deepest < top && unsafe { deepest.read_volatile() } == STACK_PAINT_VALUE {
        deepest = deepest.wrapping_add(1);
    }
    top as usize - deepest as usize
}
