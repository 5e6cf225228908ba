//! Large values on the heap.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

/// What a thread needs beside the value.
const STACK: usize = 1 << 20;

/// How often a value may lie on the stack at the same time.
const COPIES: usize = 8;

/// Makes a value of megabytes in a box. Without optimisation it goes over the stack on its way there, in several copies,
/// which overflows that of a usual thread: the maker gets one with room.
pub(crate) fn on_heap<T: Send>(make: fn() -> T) -> Box<T> {
    let boxed = move || Box::new(make());
    scope(|scope| {
        match Builder::new().stack_size(STACK + COPIES * size_of::<T>()).spawn_scoped(scope, boxed) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // No thread can be had: with optimisation it works here as well.
            Err(_) => boxed(),
        }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(clippy::large_stack_arrays, reason = "what this is for")]
    fn a_value_may_be_larger_than_a_stack() {
        // A test's thread has 2 MiB.
        let value = super::on_heap(|| [7u8; 16 << 20]);
        assert!(value.len() == 16 << 20 && value.iter().all(|&byte| byte == 7));
    }
}
