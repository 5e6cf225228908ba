//! The heap, which counts what of it was used at most.
#![allow(unsafe_code, reason = "the interface of a global allocator is unsafe")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::TlsfHeap;

struct Counted(TlsfHeap);

#[global_allocator]
static HEAP: Counted = Counted(TlsfHeap::empty());

/// Bytes that were asked for and not given back.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: memory comes from the heap that is wrapped and goes back to it, with the layouts that it was asked for.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller promises what the wrapped heap asks for.
        unsafe { self.0.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller promises what the wrapped heap asks for.
        unsafe { self.0.dealloc(memory, layout) };
    }
}

/// Lends memory to the heap.
pub(crate) fn lend(memory: &'static mut [u64]) {
    // SAFETY: the memory is borrowed for ever, so nothing else uses it, and it is lent once: `main` is entered once.
    unsafe { HEAP.0.init(memory.as_mut_ptr() as usize, size_of_val(memory)) };
}

/// Bytes that were in use at most, without what the heap keeps for itself.
pub(crate) fn peak() -> usize {
    PEAK.load(Ordering::Relaxed)
}
