//! Items that are fetched before they are asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use eyespot_media::Stopper;

/// Requests that are under way at the same time.
const AT_ONCE: usize = 8;
/// Items that are fetched, or begun, and not taken.
const AHEAD: usize = 16;
/// Bytes of items that are fetched and not taken; each request under way counts as much as the largest item so far.
const BYTES: u64 = 64 << 20;

/// Fetches items over a long line: a few requests are under way at a time, the items come in their order, and one that
/// can't be had costs nothing but itself.
///
/// At most 8 requests are under way, and at most 16 items wait to be taken. They take at most 64 MiB, but for what requests
/// under way bring beyond the largest item before them, or a single item that is larger. Threads run from the first item that is asked for to the last; dropping it waits for the
/// requests that are under way, and no thread is left.
///
/// ```
/// use eyespot_supervisely::FetchAhead;
///
/// let lengths = FetchAhead::new(vec!["one", "", "three"], |name| Some(name.len()).filter(|&n| n > 0).ok_or("empty"), |_| 8);
/// assert_eq!(lengths.collect::<Vec<_>>(), [Ok(3), Err("empty"), Ok(5)]);
/// ```
pub struct FetchAhead<T, E> {
    shared: Arc<Shared<T, E>>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads and the taker share.
struct Shared<T, E> {
    total: usize,
    /// The item of a place; `None` behind the last one.
    fetch: Box<dyn Fn(usize) -> Option<Result<T, E>> + Send + Sync>,
    size: fn(&T) -> u64,
    state: Mutex<State<T, E>>,
    /// Something in `state` has changed.
    news: Condvar,
}

struct State<T, E> {
    /// Items whose fetching has begun.
    begun: usize,
    /// Items that were taken.
    taken: usize,
    under_way: u64,
    /// What waits to be taken, with its size in bytes.
    ready: BTreeMap<usize, (u64, Result<T, E>)>,
    /// Bytes of `ready`.
    bytes: u64,
    /// Bytes of the largest item so far.
    largest: u64,
    stopped: bool,
    /// A thread has panicked.
    broken: bool,
}

impl<T, E> State<T, E> {
    /// Is there room for one more? The item that is asked for next always has it.
    const fn has_room(&self) -> bool {
        let expected = self.bytes.saturating_add(self.largest.saturating_mul(self.under_way + 1));
        self.begun == self.taken || (self.begun - self.taken < AHEAD && expected <= BYTES)
    }
}

impl<T, E> Shared<T, E> {
    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        // Nothing is called while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T, E>>) -> MutexGuard<'a, State<T, E>> {
        self.news.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.news.notify_all();
    }

    /// What each thread does.
    fn run(&self) {
        let guard = Guard(self);
        loop {
            let mut state = self.lock();
            while !state.stopped && state.begun < self.total && !state.has_room() {
                state = self.wait(state);
            }
            if state.stopped || state.begun >= self.total {
                break;
            }
            let number = state.begun;
            state.begun += 1;
            state.under_way += 1;
            drop(state);
            let Some(item) = (self.fetch)(number) else { break };
            let size = item.as_ref().map_or(0, self.size);
            let mut state = self.lock();
            state.under_way -= 1;
            state.bytes = state.bytes.saturating_add(size);
            state.largest = state.largest.max(size);
            state.ready.insert(number, (size, item));
            drop(state);
            self.news.notify_all();
        }
        std::mem::forget(guard);
    }
}

/// Tells the taker of a panic, which would wait for ever.
struct Guard<'a, T, E>(&'a Shared<T, E>);

impl<T, E> Drop for Guard<'_, T, E> {
    fn drop(&mut self) {
        self.0.lock().broken = true;
        self.0.news.notify_all();
    }
}

impl<T: Send + 'static, E: Send + 'static> FetchAhead<T, E> {
    /// `fetch` gets an item, on any thread; `size` is what it then takes of the memory, in bytes.
    pub fn new<I: Send + Sync + 'static>(
        items: Vec<I>,
        fetch: impl Fn(&I) -> Result<T, E> + Send + Sync + 'static,
        size: fn(&T) -> u64,
    ) -> Self {
        let state = State {
            begun: 0,
            taken: 0,
            under_way: 0,
            ready: BTreeMap::new(),
            bytes: 0,
            largest: 0,
            stopped: false,
            broken: false,
        };
        let (state, news) = (Mutex::new(state), Condvar::new());
        let total = items.len();
        let fetch = Box::new(move |number: usize| items.get(number).map(&fetch));
        Self { shared: Arc::new(Shared { total, fetch, size, state, news }), threads: Vec::new() }
    }

    /// Ends a `next` that waits, from another thread: no more items come. Requests under way are not ended by it.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        let shared = Arc::clone(&self.shared);
        Stopper::new(move || shared.stop())
    }

    /// As many threads as the system allows; with none of them the taker fetches by itself.
    fn start(&mut self) {
        for _ in 0..self.shared.total.min(AT_ONCE) {
            let shared = Arc::clone(&self.shared);
            match std::thread::Builder::new().name("eyespot-fetch".into()).spawn(move || shared.run()) {
                Ok(thread) => self.threads.push(thread),
                Err(_) => break,
            }
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> Iterator for FetchAhead<T, E> {
    type Item = Result<T, E>;

    fn next(&mut self) -> Option<Result<T, E>> {
        let state = self.shared.lock();
        let number = state.taken;
        if state.stopped || number == self.shared.total {
            return None;
        }
        drop(state);
        // One item gains nothing from a thread.
        if self.threads.is_empty() && self.shared.total > 1 {
            self.start();
        }
        if self.threads.is_empty() {
            let item = (self.shared.fetch)(number);
            let mut state = self.shared.lock();
            (state.taken, state.begun) = (number + 1, number + 1);
            return item.filter(|_| !state.stopped);
        }
        let mut state = self.shared.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some((size, item)) = state.ready.remove(&number) {
                state.bytes -= size;
                state.taken += 1;
                drop(state);
                self.shared.news.notify_all();
                return Some(item);
            }
            if state.broken {
                break;
            }
            state = self.shared.wait(state);
        }
        drop(state);
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        None
    }
}

impl<T, E> Drop for FetchAhead<T, E> {
    fn drop(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            // A panic was told to whoever asked for the item.
            let _ = thread.join();
        }
    }
}

impl<T, E> fmt::Debug for FetchAhead<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("FetchAhead")
            .field("total", &self.shared.total)
            .field("begun", &state.begun)
            .field("taken", &state.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// Waits until the threads have nothing to do.
    fn quiet<T, E>(ahead: &FetchAhead<T, E>) -> (usize, u64) {
        let mut state = ahead.shared.lock();
        while state.under_way > 0 || (state.begun < ahead.shared.total && state.has_room()) {
            state = ahead.shared.wait(state);
        }
        (state.begun, state.bytes)
    }

    /// Every request waits for the seven others: one after the other would wait for ever.
    #[test]
    fn requests_overlap_and_items_keep_their_order() {
        let all = Barrier::new(AT_ONCE);
        let fetch = move |&number: &usize| {
            all.wait();
            // The first ones come last.
            std::thread::sleep(Duration::from_millis(8 - number as u64 % 8));
            if number % 5 == 2 { Err(number) } else { Ok(number) }
        };
        let items: Vec<_> = FetchAhead::new((0..5 * AT_ONCE).collect(), fetch, |_| 1).collect();
        let expected: Vec<_> =
            (0..5 * AT_ONCE).map(|number| if number % 5 == 2 { Err(number) } else { Ok(number) }).collect();
        assert_eq!(items, expected);
    }

    #[test]
    fn not_more_is_fetched_than_there_is_room_for() {
        let same = |&number: &usize| Ok::<usize, ()>(number);
        let mut ahead = FetchAhead::new((0..100).collect(), same, |_| 1);
        assert_eq!(ahead.next(), Some(Ok(0)));
        assert_eq!(quiet(&ahead), (1 + AHEAD, AHEAD as u64));
        assert_eq!(ahead.next(), Some(Ok(1)));
        assert_eq!(quiet(&ahead).0, 2 + AHEAD);
        // Large ones: three of them have room, once it is known that they are large.
        let mut ahead = FetchAhead::new((0..100).collect(), same, |_| BYTES / 3);
        for number in 0..AT_ONCE {
            assert_eq!(ahead.next(), Some(Ok(number)));
        }
        assert!(quiet(&ahead).1 <= BYTES);
        assert_eq!(ahead.next(), Some(Ok(AT_ONCE)));
        let (begun, bytes) = quiet(&ahead);
        assert!(begun <= AT_ONCE + 1 + AT_ONCE && bytes <= BYTES, "{begun} {bytes}");
        // One that is larger than all that may wait still comes.
        let all: Vec<_> =
            FetchAhead::new((0..30).collect(), same, |_| 2 * BYTES).map(Result::unwrap).collect();
        assert_eq!(all, (0..30).collect::<Vec<_>>());
    }

    #[test]
    fn stopping_early_leaves_no_thread() {
        let alive = Arc::new(AtomicUsize::new(0));
        let (count, begun) = (Arc::clone(&alive), Arc::new(AtomicUsize::new(0)));
        let begun_of_threads = Arc::clone(&begun);
        let fetch = move |&number: &usize| {
            count.fetch_add(1, Ordering::SeqCst);
            begun_of_threads.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            count.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, ()>(number)
        };
        let mut ahead = FetchAhead::new((0..1000).collect(), fetch, |_| 1);
        assert_eq!(ahead.next(), Some(Ok(0)));
        let shared = Arc::downgrade(&ahead.shared);
        drop(ahead);
        // The threads hold the other references.
        assert_eq!((alive.load(Ordering::SeqCst), shared.strong_count()), (0, 0));
        assert!(begun.load(Ordering::SeqCst) <= 1 + AHEAD);
    }

    #[test]
    fn another_thread_ends_the_waiting() {
        let (release, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let fetch = move |(): &()| wait.lock().unwrap().recv().map_err(|_| ());
        let mut ahead = FetchAhead::new(vec![(); 10], fetch, |()| 0);
        let stopper = ahead.stopper();
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| ahead.next());
            stopper.stop();
            assert_eq!(taker.join().unwrap(), None);
            drop(release);
        });
        assert_eq!(ahead.next(), None);
    }

    #[test]
    fn a_panic_goes_on_in_the_taker() {
        let fetch = |&number: &usize| if number == 2 { panic!("two") } else { Ok::<_, ()>(number) };
        let taken = std::panic::catch_unwind(|| FetchAhead::new((0..1000).collect(), fetch, |_| 1).count());
        assert_eq!(taken.unwrap_err().downcast_ref::<&str>(), Some(&"two"));
    }
}
