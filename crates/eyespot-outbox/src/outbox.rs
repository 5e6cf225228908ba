//! The outbox as its users see it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eyespot_supervisely::Item;
use serde::Serialize;

use crate::checkpoint::Log;
use crate::status::{LaneStatus, Parked, Status};
use crate::store::{Row, Store};
use crate::target::PROJECTS;
use crate::{Limits, OutboxError, Target};

/// What became of a result that was handed to the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is on the disk.
    Stored,
    /// It was there or delivered before.
    Known,
    /// There is no room for it, by the policy of the outbox.
    Refused,
}

/// Results on a disk, on their way to the platform. Clones are the same outbox.
///
/// Any number of threads and processes may add results to the same file; one process delivers them.
#[derive(Debug, Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

/// Requests that wait for the thread that commits; a producer that is faster than the disk waits here.
const QUEUE: usize = 64;
/// Pause between tries on a full disk.
const DISK_PAUSE: Duration = Duration::from_millis(100);
/// Results of one commit.
const GROUP: usize = 512;

/// What all handles share. The last one ends the threads.
#[derive(Debug)]
struct Shared {
    core: Arc<Core>,
    /// `None` while it is dropped.
    requests: Option<SyncSender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

/// What the threads need as well.
#[derive(Debug)]
struct Core {
    path: PathBuf,
    store: Mutex<Store>,
    /// Workers wait here for results.
    news: (Mutex<u64>, Condvar),
    log: Log,
}

type Answer = Result<Vec<Committed>, OutboxError>;

struct Request {
    rows: Vec<Row>,
    answer: Sender<Answer>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({} rows)", self.rows.len())
    }
}

/// Results that are being committed.
#[derive(Debug)]
#[must_use = "nobody gets to know whether the results are on the disk"]
pub struct Pending {
    answer: Receiver<Answer>,
    path: PathBuf,
}

impl Pending {
    /// Waits until the results are on the disk.
    ///
    /// # Errors
    /// [`OutboxError`]; none of these results was committed then.
    pub fn wait(self) -> Result<Vec<Committed>, OutboxError> {
        self.answer.recv().unwrap_or(Err(OutboxError::Closed { path: self.path }))
    }

    /// What became of them, if it is known already.
    pub(crate) fn poll(&self) -> Option<Result<Vec<Committed>, OutboxError>> {
        use std::sync::mpsc::TryRecvError;
        match self.answer.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(OutboxError::Closed { path: self.path.clone() })),
        }
    }
}

impl Outbox {
    /// Opens an outbox, or makes one.
    ///
    /// # Errors
    /// [`OutboxError::Open`], [`OutboxError::NotAnOutbox`], [`OutboxError::Version`], [`OutboxError::Database`].
    pub fn open(path: impl AsRef<Path>, limits: Limits) -> Result<Self, OutboxError> {
        let path = path.as_ref().to_path_buf();
        let store = Mutex::new(Store::open(&path)?);
        let (news, log) = ((Mutex::new(0), Condvar::new()), Log::default());
        let core = Arc::new(Core { path: path.clone(), store, news, log });
        let (requests, queue) = sync_channel(QUEUE);
        let mut shared = Shared { core: Arc::clone(&core), requests: Some(requests), threads: Vec::new() };
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.into()).spawn(work);
            thread.map_err(|error| OutboxError::Open { path: path.clone(), reason: error.to_string() })
        };
        let committing = Arc::clone(&core);
        let commit = move || {
            while let Some(group) = next_group(&queue) {
                committing.commit(group, limits);
            }
        };
        shared.threads.push(spawn("eyespot-outbox", Box::new(commit))?);
        let moving = move || core.log.run(&core.path, &core.store);
        shared.threads.push(spawn("eyespot-outbox-log", Box::new(moving))?);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.core.path
    }

    /// Commits results. When it returns they are on the disk, also where the power fails a moment later.
    ///
    /// Results of several callers are committed together.
    ///
    /// # Errors
    /// [`OutboxError::DiskFull`], [`OutboxError::Database`], [`OutboxError::Item`], [`OutboxError::Closed`]; then none of
    /// these results was committed, and they can be handed in again.
    pub fn commit(&self, items: Vec<Item>) -> Result<Vec<Committed>, OutboxError> {
        self.submit(items)?.wait()
    }

    /// Like [`commit`](Self::commit), but does not wait for the disk.
    ///
    /// # Errors
    /// [`OutboxError::Item`], [`OutboxError::Closed`].
    pub fn submit(&self, items: Vec<Item>) -> Result<Pending, OutboxError> {
        let rows = items.into_iter().map(Row::new).collect::<Result<Vec<_>, _>>()?;
        let (answer, pending) = channel();
        let path = self.path().to_path_buf();
        match self.shared.requests.as_ref().map(|requests| requests.send(Request { rows, answer })) {
            Some(Ok(())) => Ok(Pending { answer: pending, path }),
            _ => Err(OutboxError::Closed { path }),
        }
    }

    /// Says where the results go. As long as results wait, all go to the same target.
    ///
    /// # Errors
    /// [`OutboxError::OtherTarget`], [`OutboxError::Database`].
    pub fn bind(&self, target: &Target) -> Result<(), OutboxError> {
        let mut store = self.store();
        match target_of(&store)? {
            Some(there) if there == *target => Ok(()),
            Some(there) if store.status()?.items > 0 => Err(OutboxError::OtherTarget {
                path: self.path().to_path_buf(),
                there: there.to_string(),
                wanted: target.to_string(),
            }),
            _ => {
                let text = serde_json::to_string(target).map_err(|error| OutboxError::Database {
                    path: self.path().to_path_buf(),
                    reason: error.to_string(),
                })?;
                // What was made for another target is none of this one's.
                for of in PROJECTS {
                    store.set(of, None)?;
                }
                store.set("target", Some(&text))
            }
        }
    }

    /// What [`bind`](Self::bind) said.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn target(&self) -> Result<Option<Target>, OutboxError> {
        target_of(&self.store())
    }

    /// A name of this outbox that no other has.
    pub(crate) fn id(&self) -> Result<String, OutboxError> {
        let mut store = self.store();
        if let Some(id) = store.setting("id")? {
            return Ok(id);
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        store.set("id", Some(&id))?;
        Ok(id)
    }

    /// What it holds and has done.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn status(&self) -> Result<Status, OutboxError> {
        self.store().status()
    }

    /// The sources with results that wait.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn lanes(&self) -> Result<Vec<LaneStatus>, OutboxError> {
        self.store().lanes()
    }

    /// The results that the platform does not take, and why.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn parked(&self) -> Result<Vec<Parked>, OutboxError> {
        self.store().parked()
    }

    /// Parked results are delivered again, and a delivery that was halted may go on. Gives their number. They come after
    /// results of their source that were delivered meanwhile.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn retry(&self) -> Result<u64, OutboxError> {
        let retried = self.store().retry()?;
        self.shared.core.wake();
        Ok(retried)
    }

    /// Forgets the parked results, or all; gives their number.
    ///
    /// # Errors
    /// [`OutboxError::Database`].
    pub fn discard(&self, all: bool) -> Result<u64, OutboxError> {
        self.store().discard(all)
    }

    /// Writes all results, one line of JSON each: an [`Item`] with the reason where it is parked. Gives their number.
    ///
    /// # Errors
    /// [`OutboxError::Database`], [`OutboxError::Item`]; [`OutboxError::Open`] where `output` can't be written.
    pub fn export(&self, output: &mut dyn Write) -> Result<u64, OutboxError> {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            item: &'a Item,
            #[serde(skip_serializing_if = "Option::is_none")]
            parked: Option<&'a str>,
        }
        let failed = |reason: String| OutboxError::Open { path: PathBuf::from("output"), reason };
        let (mut after, mut written) = (0, 0);
        loop {
            let page = self.store().page(after, 100)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for stored in &page {
                let line = Line { item: &stored.item, parked: stored.reason.as_deref() };
                let mut line = serde_json::to_vec(&line).map_err(|error| failed(error.to_string()))?;
                line.push(b'\n');
                output.write_all(&line).map_err(|error| failed(error.to_string()))?;
                written += 1;
            }
        }
        output.flush().map_err(|error| failed(error.to_string()))?;
        Ok(written)
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.shared.core.store)
    }

    /// Waits for news, but not longer than this.
    pub(crate) fn wait_for_news(&self, seen: &mut u64, most: Duration) {
        let (number, condition) = &self.shared.core.news;
        let end = Instant::now() + most;
        let mut number = lock(number);
        while *number == *seen {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            number = condition.wait_timeout(number, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *seen = *number;
    }

    pub(crate) fn wake(&self) {
        self.shared.core.wake();
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What was submitted is committed before the thread ends.
        self.requests = None;
        self.core.log.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told its callers by its silence.
            let _ = thread.join();
        }
    }
}

impl Core {
    fn commit(&self, requests: Vec<Request>, limits: Limits) {
        let mut sizes = Vec::new();
        let mut rows = Vec::new();
        let mut answers = Vec::new();
        for request in requests {
            sizes.push(request.rows.len());
            rows.extend(request.rows);
            answers.push(request.answer);
        }
        let end = Instant::now() + limits.disk_patience;
        let committed = loop {
            // The lock is free between two tries: a worker may make room.
            let committed = lock(&self.store).commit(&rows, limits);
            match committed {
                Err(OutboxError::DiskFull { .. }) if Instant::now() < end => std::thread::sleep(DISK_PAUSE),
                committed => break committed,
            }
        };
        if committed.is_ok() {
            self.log.add(rows.iter().map(Row::bytes).sum());
        }
        self.wake();
        let mut all = committed.as_ref().map(|committed| committed.iter().copied());
        for (size, answer) in sizes.into_iter().zip(answers) {
            let part = match &mut all {
                Ok(all) => Ok(all.take(size).collect()),
                Err(error) => Err((*error).clone()),
            };
            // Nobody may wait for it.
            let _ = answer.send(part);
        }
    }

    fn wake(&self) {
        let (number, condition) = &self.news;
        *lock(number) += 1;
        condition.notify_all();
    }
}

/// What waits to be committed, as one group; `None` when the outbox is closed.
fn next_group(queue: &Receiver<Request>) -> Option<Vec<Request>> {
    let first = queue.recv().ok()?;
    let mut rows = first.rows.len();
    let mut group = vec![first];
    while rows < GROUP
        && let Ok(next) = queue.try_recv()
    {
        rows += next.rows.len();
        group.push(next);
    }
    Some(group)
}

/// A thread that panicked while it held the lock has left a transaction that was rolled back.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One that a newer Eyespot has written is none.
fn target_of(store: &Store) -> Result<Option<Target>, OutboxError> {
    Ok(store.setting("target")?.and_then(|text| serde_json::from_str(&text).ok()))
}
