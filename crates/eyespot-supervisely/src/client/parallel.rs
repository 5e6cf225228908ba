//! Several requests at a time, so that a long line is not empty while each is answered.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

/// Requests of one call that are under way at the same time.
pub(crate) const SIDE_BY_SIDE: usize = 4;

/// Does some work for each of these parts, a few of them at a time, and gives the outcomes in their order. For what may be
/// done in any order. After an error nothing more is begun.
pub(crate) fn side_by_side<T: Sync, R: Send, E: Send>(
    parts: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    if let [one] = parts {
        return work(one).map(|done| vec![done]);
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || {
        let mut done = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(place) else { break };
            let outcome = work(part);
            failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            done.push((place, outcome));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..parts.len().min(SIDE_BY_SIDE)).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(ended).collect::<Vec<_>>()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

/// The outcome of a thread; a panic goes on in the caller.
pub(crate) fn ended<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Cuts entries into parts of at most so many, and of at most so much, by a measure of each. A larger one is a part of its
/// own.
pub(crate) fn parts_of<T>(entries: &[T], most: usize, limit: u64, size: impl Fn(&T) -> u64) -> Vec<&[T]> {
    let (mut parts, mut rest) = (Vec::new(), entries);
    while !rest.is_empty() {
        let mut sum = 0_u64;
        let fits = |entry: &&T| {
            sum = sum.saturating_add(size(entry));
            sum <= limit
        };
        let count = rest.iter().take(most.max(1)).take_while(fits).count().max(1);
        let (part, after) = rest.split_at(count);
        parts.push(part);
        rest = after;
    }
    parts
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn outcomes_come_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..40).collect();
        let most = AtomicUsize::new(0);
        let now = AtomicUsize::new(0);
        let work = |&part: &u64| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(part % 3));
            now.fetch_sub(1, Ordering::SeqCst);
            if part == 99 { Err(part) } else { Ok(part * 2) }
        };
        let done = side_by_side(&parts, work).unwrap();
        assert_eq!(done, parts.iter().map(|part| part * 2).collect::<Vec<_>>());
        assert!((2..=SIDE_BY_SIDE).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(side_by_side(&[1, 99, 3], work), Err(99));
        assert_eq!(side_by_side(&[0_u64; 0], work), Ok(vec![]));
    }

    #[test]
    fn an_error_stops_what_has_not_begun() {
        let begun = AtomicUsize::new(0);
        let work = |_: &u32| -> Result<(), &str> {
            begun.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            Err("no")
        };
        assert_eq!(side_by_side(&[0; 1000], work), Err("no"));
        assert!(begun.into_inner() <= SIDE_BY_SIDE);
    }

    #[test]
    fn parts_are_neither_too_many_nor_too_large() {
        let entries = [1, 1, 1, 9, 2, 2, 40, 1];
        let sizes = |most, limit| {
            parts_of(&entries, most, limit, |&size| size).iter().map(|part| part.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(3, 100), [3, 3, 2]);
        assert_eq!(sizes(3, 10), [3, 1, 2, 1, 1]);
        assert_eq!(sizes(0, 100), [1; 8]);
    }
}
