//! Threads that share the work of a layer. They stay alive between layers, spin for a moment, let others have the processor
//! for a moment, and then sleep.

#![allow(unsafe_code, reason = "threads borrow the caller's data while it waits for them")]

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::vec::Vec;

/// What a layer wants done by every thread, called with the thread's number.
type Job<'a> = dyn Fn(usize) + Sync + 'a;

/// The number of jobs so far (upper half), whether the last may still be joined, and how many threads did.
const OPEN: u64 = 1 << 31;
const JOINED: u64 = OPEN - 1;

/// Looks at the state before a thread goes to sleep, some microseconds.
const SPINS: u32 = if cfg!(miri) { 10 } else { 150 };

/// Looks between which any other thread may run: with those about 30 microseconds, longer than the pause between layers.
/// Where a decoder works on the same processors, they are its.
const YIELDS: u32 = if cfg!(miri) { 2 } else { 50 };

struct Shared {
    state: AtomicU64,
    /// Written by the owner while no job is open; read by threads that joined one.
    job: UnsafeCell<Option<*const Job<'static>>>,
    /// Threads that joined the job and are done.
    done: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is only written while no thread can have joined, and only read by threads that joined, which comes after
// the write through `state`. The job itself is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer is only followed while its owner waits.
unsafe impl Send for Shared {}

impl Shared {
    fn work(&self, number: usize) {
        let mut seen = 0;
        loop {
            let Some(state) = self.wait(number, seen) else { return };
            let joined = self.state.compare_exchange(state, state + 1, Ordering::SeqCst, Ordering::SeqCst);
            if joined.is_err() {
                continue;
            }
            seen = state >> 32;
            // SAFETY: this thread joined an open job, so the owner wrote it before and waits until `done` counts this
            // thread; what the job borrows lives as long.
            let result =
                unsafe { (*self.job.get()).map(|job| catch_unwind(AssertUnwindSafe(|| (*job)(number)))) };
            if matches!(result, Some(Err(_))) {
                self.panicked.store(true, Ordering::SeqCst);
            }
            self.done.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The state with a job that this thread has not seen; `None` when it should end.
    fn wait(&self, number: usize, seen: u64) -> Option<u64> {
        let ready = || {
            let state = self.state.load(Ordering::SeqCst);
            (state & OPEN != 0 && state >> 32 != seen).then_some(state)
        };
        loop {
            for look in 0..SPINS + YIELDS {
                if self.stop.load(Ordering::SeqCst) {
                    return None;
                }
                if let Some(state) = ready() {
                    return Some(state);
                }
                if look < SPINS {
                    core::hint::spin_loop();
                } else {
                    thread::yield_now();
                }
            }
            let asleep = &self.asleep[number - 1];
            asleep.store(true, Ordering::SeqCst);
            // Whoever changes the state after this sees that the thread sleeps.
            if ready().is_none() && !self.stop.load(Ordering::SeqCst) {
                thread::park();
            }
            asleep.store(false, Ordering::SeqCst);
        }
    }
}

/// A team of threads; the caller's is one of them.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    others: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Threads {
    /// A team of `count` threads, or of fewer where the system has no more.
    pub(crate) fn new(count: usize) -> Self {
        let others = count.clamp(1, 1024) - 1;
        let shared = Arc::new(Shared {
            state: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            done: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: (0..others).map(|_| AtomicBool::new(false)).collect(),
        });
        let others = (1..=others)
            .map_while(|number| {
                let shared = Arc::clone(&shared);
                let thread = thread::Builder::new().name("eyespot-nn".into());
                thread.spawn(move || shared.work(number)).ok()
            })
            .collect();
        Self { shared, others }
    }

    /// Number of threads.
    pub(crate) fn count(&self) -> usize {
        self.others.len() + 1
    }

    /// Runs a job on all threads that have time, at least on this one, and waits for them.
    fn run(&mut self, job: &Job<'_>) {
        let shared = &*self.shared;
        let number = shared.state.load(Ordering::SeqCst) >> 32;
        shared.done.store(0, Ordering::SeqCst);
        // SAFETY: no job is open and all threads that joined the last one are done with it, so nobody reads. The
        // lifetime is erased, but this function does not return before all who read it are done.
        unsafe {
            *shared.job.get() = Some(core::mem::transmute::<*const Job<'_>, *const Job<'static>>(job));
        }
        shared.state.store((number + 1) << 32 | OPEN, Ordering::SeqCst);
        for (asleep, thread) in shared.asleep.iter().zip(&self.others) {
            if asleep.swap(false, Ordering::SeqCst) {
                thread.thread().unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let joined = (shared.state.fetch_and(!OPEN, Ordering::SeqCst) & JOINED) as usize;
        let mut spins = 0u32;
        while shared.done.load(Ordering::SeqCst) < joined {
            spins += 1;
            if spins.is_multiple_of(256) {
                thread::yield_now();
            } else {
                core::hint::spin_loop();
            }
        }
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!shared.panicked.swap(false, Ordering::SeqCst), "a thread of the network panicked");
    }

    /// Calls `body` once with every chunk of `chunk` values and its number, on all threads; `locals` has one value for
    /// each thread. Which thread does what is open.
    ///
    /// # Panics
    /// Where there are fewer locals than threads.
    pub(crate) fn chunks<T: Send, L: Send>(
        &mut self,
        output: &mut [T],
        chunk: usize,
        locals: &mut [L],
        body: impl Fn(&mut L, usize, &mut [T]) + Sync,
    ) {
        let chunk = chunk.max(1);
        let count = output.len().div_ceil(chunk);
        assert!(locals.len() >= self.count());
        if count <= 1 || self.others.is_empty() {
            for (number, values) in output.chunks_mut(chunk).enumerate() {
                body(&mut locals[0], number, values);
            }
            return;
        }
        let next = AtomicUsize::new(0);
        let (len, output, locals) =
            (output.len(), Pointer(output.as_mut_ptr()), Pointer(locals.as_mut_ptr()));
        let (output, locals) = (&output, &locals);
        self.run(&|thread| {
            // SAFETY: every thread has its own number, below the number of locals.
            let local = unsafe { &mut *locals.0.add(thread) };
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                let start = number * chunk;
                // SAFETY: each number is given out once, and chunks of different numbers have nothing in common.
                let values =
                    unsafe { core::slice::from_raw_parts_mut(output.0.add(start), chunk.min(len - start)) };
                body(local, number, values);
            }
        });
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.others.drain(..) {
            thread.thread().unpark();
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// The start of a slice whose parts go to threads.
struct Pointer<T>(*mut T);

// SAFETY: parts are given to one thread each, and `T` may go from thread to thread.
unsafe impl<T: Send> Sync for Pointer<T> {}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn every_chunk_is_done_once() {
        for count in 1..=4 {
            let mut threads = Threads::new(count);
            assert_eq!(threads.count(), count);
            for round in 0..(if cfg!(miri) { 3 } else { 300 }) {
                let mut values = vec![0usize; 100 + round % 7];
                let mut locals = vec![0usize; count];
                threads.chunks(&mut values, 8, &mut locals, |local, number, values| {
                    *local += values.len();
                    for value in values {
                        *value += number + 1;
                    }
                });
                assert!(values.iter().enumerate().all(|(at, value)| *value == at / 8 + 1));
                assert_eq!(locals.iter().sum::<usize>(), values.len());
                if round % 100 == 99 {
                    // Long enough for the threads to fall asleep.
                    thread::sleep(std::time::Duration::from_millis(2));
                }
            }
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_team_works_on() {
        let mut threads = Threads::new(3);
        for wrong in 0..4 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                threads.chunks(&mut [0; 4], 1, &mut [(); 3], |(), number, _| {
                    assert!(number != wrong, "as wanted");
                });
            }));
            assert!(result.is_err());
            let mut values = [0; 4];
            threads.chunks(&mut values, 1, &mut [(); 3], |(), number, values| values[0] = number);
            assert_eq!(values, [0, 1, 2, 3]);
        }
    }
}
