//! Brings results to the platform.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eyespot_supervisely::Deliver;

use crate::gate::Gate;
use crate::outbox::lock;
use crate::store::Batch;
use crate::{Outbox, OutboxError};

/// How results are delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Results of one batch. 1000 by default: the requests of a batch overlap, and long ones keep a long line busy.
    pub batch: usize,
    /// Bytes of one batch; a larger result is a batch of its own. 32 MiB by default.
    pub batch_bytes: u64,
    /// The pause after a failure; doubled for each one that follows. One second by default.
    pub pause: Duration,
    /// The longest pause. Five minutes by default.
    pub longest_pause: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            batch: 1000,
            batch_bytes: 32 << 20,
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(300),
        }
    }
}

/// How a [`Worker::finish`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// Everything was delivered or parked.
    All,
    /// So many results still wait.
    Left {
        /// Results that wait.
        waiting: u64,
        /// The last failure.
        trouble: Option<String>,
    },
}

/// Delivers an outbox in the background: batches of different sources side by side, those of one source one after the
/// other. Dropping it stops it after the batches that are under way.
#[derive(Debug)]
pub struct Worker {
    outbox: Outbox,
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
    /// Held for as long as this process delivers.
    _lock: File,
}

#[derive(Debug)]
struct State {
    stop: AtomicBool,
    halted: AtomicBool,
    lanes: Mutex<Lanes>,
    options: WorkerOptions,
}

/// What the threads have agreed upon.
#[derive(Debug, Default)]
struct Lanes {
    busy: HashSet<String>,
    /// Of lanes whose last batch failed.
    gates: HashMap<String, Gate>,
    /// Of all: it closes when one batch after the other fails, whatever its lane.
    gate: Gate,
}

/// Results that other processes added are looked for this often.
const LOOK: Duration = Duration::from_secs(1);
/// How soon a stop is noticed during a pause.
const STOP: Duration = Duration::from_millis(100);

impl Worker {
    /// Starts one thread per deliverer.
    ///
    /// # Errors
    /// [`OutboxError::Delivering`] where another process delivers this outbox; [`OutboxError::Open`] where its lock file
    /// can't be made or the system gives no thread.
    pub fn start<D: Deliver + Send + 'static>(
        outbox: &Outbox,
        deliverers: Vec<D>,
        options: WorkerOptions,
    ) -> Result<Self, OutboxError> {
        let path = outbox.path().to_path_buf();
        let mut lock_path = path.clone().into_os_string();
        lock_path.push(".lock");
        let open =
            |reason: std::io::Error| OutboxError::Open { path: path.clone(), reason: reason.to_string() };
        // The system unlocks it when the process ends, however it does.
        let lock = File::options().create(true).truncate(false).write(true).open(lock_path).map_err(open)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OutboxError::Delivering { path }),
            Err(TryLockError::Error(error)) => return Err(open(error)),
        }
        // A start is a new attempt: a person may have mended what was wrong.
        outbox.store().set("halted", None)?;
        let state = Arc::new(State {
            stop: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            lanes: Mutex::default(),
            options,
        });
        let mut worker = Self { outbox: outbox.clone(), state, threads: Vec::new(), _lock: lock };
        for (number, deliverer) in deliverers.into_iter().enumerate() {
            let (outbox, state) = (outbox.clone(), Arc::clone(&worker.state));
            let thread = std::thread::Builder::new()
                .name(format!("eyespot-upload-{number}"))
                .spawn(move || state.run(&outbox, deliverer))
                .map_err(open)?;
            worker.threads.push(thread);
        }
        Ok(worker)
    }

    /// Waits until everything was delivered or parked, and stops; after `timeout` it stops anyway, as it does when
    /// nothing can be delivered until a person helps.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn finish(self, timeout: Duration) -> Result<Drained, OutboxError> {
        let end = Instant::now() + timeout;
        let mut seen = 0;
        loop {
            let waiting = self.outbox.store().deliverable()?;
            if waiting == 0 {
                return Ok(Drained::All);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_halted() {
                let status = self.outbox.status()?;
                return Ok(Drained::Left { waiting, trouble: status.halted.or(status.trouble) });
            }
            self.outbox.wait_for_news(&mut seen, left.min(STOP));
        }
    }

    /// Does it wait for a person to help? [`Status::halted`](crate::Status::halted) says with what.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.state.halted.load(Ordering::Relaxed)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::Relaxed);
        self.outbox.wake();
        for thread in self.threads.drain(..) {
            // A deliverer that panicked is dead; its batch counts as sent and is delivered again by the next start.
            let _ = thread.join();
        }
    }
}

impl State {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.halted.load(Ordering::Relaxed)
    }

    fn run(&self, outbox: &Outbox, mut deliverer: impl Deliver) {
        let mut seen = 0;
        while !self.stopped() {
            match self.lease(outbox) {
                Ok(Next::Batch(batch)) => {
                    let done = self.deliver(outbox, &mut deliverer, &batch);
                    self.release(&batch.lane, done);
                    outbox.wake();
                }
                Ok(Next::Nothing) => outbox.wait_for_news(&mut seen, LOOK),
                Ok(Next::Pause(pause)) => std::thread::sleep(pause.min(STOP)),
                // The disk is full or broken: what was not marked is not sent.
                Err(error) => {
                    let mut lanes = lock(&self.lanes);
                    self.close(&mut lanes.gate, None);
                    drop(lanes);
                    // It is the database that fails; saying so may fail too.
                    let _ = outbox.store().failed(&error.to_string());
                }
            }
        }
    }

    fn lease(&self, outbox: &Outbox) -> Result<Next, OutboxError> {
        let mut lanes = lock(&self.lanes);
        let now = Instant::now();
        let pause = lanes.gate.wait(now);
        if !pause.is_zero() {
            return Ok(Next::Pause(pause));
        }
        let closed = |(lane, gate): (&String, &Gate)| (!gate.wait(now).is_zero()).then(|| lane.clone());
        let busy: HashSet<String> =
            lanes.gates.iter().filter_map(closed).chain(lanes.busy.iter().cloned()).collect();
        // After a failure smaller batches find out whether one result is to blame.
        let most = |lane: &str| {
            let failures = lanes.gates.get(lane).map_or(0, Gate::failures);
            (self.options.batch >> failures.min(16)).max(1)
        };
        let batch = outbox.store().lease(&busy, most, self.options.batch_bytes)?;
        Ok(match batch {
            Some(batch) => {
                lanes.busy.insert(batch.lane.clone());
                Next::Batch(batch)
            }
            // Lanes that pause are looked at again soon.
            None if busy.len() > lanes.busy.len() => Next::Pause(STOP),
            None => Next::Nothing,
        })
    }

    /// Delivers a batch. An error says that it has to be delivered again, and when the platform asks for it.
    fn deliver(
        &self,
        outbox: &Outbox,
        deliverer: &mut impl Deliver,
        batch: &Batch,
    ) -> Result<(), Option<Duration>> {
        if batch.seqs.is_empty() {
            return Ok(());
        }
        match deliverer.deliver(&batch.items, batch.again) {
            Ok(deliveries) => outbox.store().settle(batch, &deliveries).map_err(|_| None),
            Err(error) => {
                let mut store = outbox.store();
                if error.lasting {
                    self.halted.store(true, Ordering::Relaxed);
                    // A mark that can't be written is only missing in the status.
                    let _ = store.set("halted", Some(&error.reason));
                }
                let _ = store.failed(&error.reason);
                Err(error.retry_after)
            }
        }
    }

    fn release(&self, lane: &str, done: Result<(), Option<Duration>>) {
        let mut lanes = lock(&self.lanes);
        lanes.busy.remove(lane);
        match done {
            Ok(()) => {
                lanes.gates.remove(lane);
                lanes.gate.open();
            }
            Err(asked) => {
                let mut gate = lanes.gates.get(lane).copied().unwrap_or_default();
                self.close(&mut gate, asked);
                lanes.gates.insert(lane.to_owned(), gate);
                self.close(&mut lanes.gate, asked);
            }
        }
    }

    fn close(&self, gate: &mut Gate, asked: Option<Duration>) {
        gate.close(Instant::now(), self.options.pause, self.options.longest_pause, asked, chance());
    }
}

enum Next {
    Batch(Batch),
    Nothing,
    Pause(Duration),
}

/// A number in `0..1` that differs from device to device and from call to call.
fn chance() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    (RandomState::new().hash_one(()) >> 11) as f64 / (1_u64 << 53) as f64
}
