//! A value that threads use in the order in which they asked.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A lock that is fair. With a plain mutex the thread that gives it back gets it again before those that sleep, and a
/// session with a long video would keep the model from all others.
#[derive(Debug, Default)]
pub(crate) struct Turns<T> {
    queue: Mutex<Queue>,
    changed: Condvar,
    value: Mutex<T>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The number of whoever asks next.
    next: u64,
    /// The number whose turn it is.
    turn: u64,
}

/// The value for as long as it is held.
#[derive(Debug)]
pub(crate) struct Turn<'a, T> {
    value: MutexGuard<'a, T>,
    // Dropped after the value.
    end: End<'a, T>,
}

/// Gives the turn to the next one, also after a panic.
#[derive(Debug)]
struct End<'a, T>(&'a Turns<T>);

impl<T> Turns<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new(), value: Mutex::new(value) }
    }

    /// Waits for its turn.
    pub(crate) fn take(&self) -> Turn<'_, T> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let number = queue.next;
        queue.next += 1;
        while queue.turn != number {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        let end = End(self);
        Turn { value: self.value.lock().unwrap_or_else(PoisonError::into_inner), end }
    }
}

impl<T> Turn<'_, T> {
    /// Does another one wait for its turn?
    pub(crate) fn is_wanted(&self) -> bool {
        let queue = self.end.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.next > queue.turn + 1
    }
}

impl<T> Drop for End<'_, T> {
    fn drop(&mut self) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).turn += 1;
        self.0.changed.notify_all();
    }
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn who_asked_first_is_served_first() {
        let turns = Arc::new(Turns::new(Vec::new()));
        let held = turns.take();
        assert!(!held.is_wanted());
        let mut threads = Vec::new();
        for number in 1..=8 {
            let theirs = Arc::clone(&turns);
            threads.push(thread::spawn(move || theirs.take().push(number)));
            while turns.queue.lock().unwrap().next <= number {
                thread::yield_now();
            }
        }
        assert!(held.is_wanted());
        drop(held);
        // It asks after them, although it was quicker than those that sleep.
        turns.take().push(9);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*turns.take(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_panic_gives_the_turn_on() {
        let turns = Arc::new(Turns::new(0));
        let theirs = Arc::clone(&turns);
        let panicked = thread::spawn(move || {
            let mut value = theirs.take();
            *value += 1;
            panic!("as asked");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*turns.take(), 1);
    }
}
