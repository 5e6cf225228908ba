//! All requests: who waits, who runs, who is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::HttpError;
use crate::job::{Job, Plan};
use crate::options::Limits;

/// How long a request that was cleared is still known: clients stop and clear what they are done with, some twice.
const CLEARED: Duration = Duration::from_secs(60);

/// The requests of a server.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    all: HashMap<String, Arc<Job>>,
    waiting: VecDeque<Arc<Job>>,
    /// Long ones that are being worked on.
    long: usize,
    running: usize,
    closed: bool,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    pub(crate) known: usize,
}

impl Jobs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a request on.
    pub(crate) fn add(&self, plan: Plan, limits: &Limits) -> Result<Arc<Job>, HttpError> {
        let job = Arc::new(Job::new(plan, limits.pending));
        let mut state = self.state();
        if state.closed {
            return Err(HttpError::busy("the server is stopping"));
        }
        let open = state.all.values().filter(|job| !job.is_over()).count();
        if open >= limits.requests {
            return Err(HttpError::busy(format!("{open} requests are under way: try again in a moment")));
        }
        state.all.insert(job.id.clone(), Arc::clone(&job));
        state.waiting.push_back(Arc::clone(&job));
        drop(state);
        self.changed.notify_all();
        Ok(job)
    }

    /// Work can go on with it.
    pub(crate) fn resume(&self, job: &Arc<Job>) {
        self.state().waiting.push_back(Arc::clone(job));
        self.changed.notify_all();
    }

    /// The request of this id.
    pub(crate) fn get(&self, id: &str) -> Result<Arc<Job>, HttpError> {
        self.state().all.get(id).cloned().ok_or_else(HttpError::unknown_request)
    }

    /// Waits for a request to work on: the first that came, but long ones only while they take at most half of all
    /// places. `None` is the end.
    pub(crate) fn next(&self, places: usize) -> Option<Arc<Job>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let long_may = state.long < (places / 2).max(1);
            if let Some(at) = state.waiting.iter().position(|job| !job.long || long_may) {
                let job = state.waiting.remove(at)?;
                state.long += usize::from(job.long);
                state.running += 1;
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A place is free again.
    pub(crate) fn release(&self, job: &Job) {
        let mut state = self.state();
        state.long -= usize::from(job.long);
        state.running -= 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Forgets a request that nobody follows: it was answered at once.
    pub(crate) fn forget(&self, id: &str) {
        self.state().all.remove(id);
    }

    /// Clears what nobody has asked for too long. May wait for an item that is being predicted.
    pub(crate) fn sweep(&self, ttl: Duration) -> usize {
        let mut stale = Vec::new();
        self.state().all.retain(|_, job| {
            let keep = !job.is_stale(ttl, CLEARED);
            if !keep {
                stale.push(Arc::clone(job));
            }
            keep
        });
        stale.iter().for_each(|job| job.clear());
        stale.len()
    }

    pub(crate) fn counts(&self) -> Counts {
        let state = self.state();
        Counts { waiting: state.waiting.len(), running: state.running, known: state.all.len() }
    }

    /// Ends all work.
    pub(crate) fn close(&self) {
        let all: Vec<_> = {
            let mut state = self.state();
            state.closed = true;
            state.waiting.clear();
            state.all.values().cloned().collect()
        };
        self.changed.notify_all();
        all.iter().for_each(|job| job.stop());
    }
}
