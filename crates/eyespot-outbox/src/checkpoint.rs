//! What was committed moves from the database's log into its file, on a thread of its own, so that commits don't wait for it.
//!
//! A commit is safe as soon as it is in the log: this is about the length of the log alone.

use std::path::Path;
use std::sync::{Condvar, Mutex};

use crate::outbox::lock;
use crate::store::{Mover, Store};

/// Bytes that are committed between two passes.
const PASS: u64 = 4 << 20;
/// Pages of the log, 4 KiB each, at which commits wait until it is empty: as long as some go on beside a pass, it never is.
const LONG: u64 = 4096;

/// Tells the thread what was committed.
#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes since the last pass.
    bytes: u64,
    closed: bool,
}

impl Log {
    pub(crate) fn add(&self, bytes: u64) {
        let mut state = lock(&self.state);
        state.bytes = state.bytes.saturating_add(bytes);
        if state.bytes >= PASS {
            self.news.notify_one();
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.news.notify_one();
    }

    /// Waits for the next pass; `false` at the end.
    fn wait(&self) -> bool {
        let waits = |state: &mut State| state.bytes < PASS && !state.closed;
        let state = self.news.wait_while(lock(&self.state), waits);
        let mut state = state.unwrap_or_else(std::sync::PoisonError::into_inner);
        state.bytes = 0;
        !state.closed
    }

    /// What the thread does. Where it can't, commits do its work when the log is twice as long.
    pub(crate) fn run(&self, path: &Path, store: &Mutex<Store>) {
        let Ok(mover) = Mover::open(path) else { return };
        while self.wait() {
            // A disk that is full or broken is told to the next commit.
            if mover.pass().is_ok_and(|pages| pages > LONG) {
                let _commits_wait = lock(store);
                let _ = mover.pass();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::{Duration, Instant};

    use eyespot_supervisely::format::{Annotation, ProjectMeta};
    use eyespot_supervisely::{Item, Pixels, Source};

    use crate::{Limits, Outbox};

    fn item(number: usize) -> Item {
        Item {
            key: number.to_string(),
            source: Source::Local { name: format!("{number}.jpg"), dataset: vec!["a".into()] },
            pixels: Pixels::Encoded(vec![7; 100_000]),
            annotation: Annotation::new(64, 48),
            meta: ProjectMeta::default(),
        }
    }

    /// While it is open the file takes in what was committed, long before a commit would do it; and the log stays short
    /// however long commits go on.
    #[test]
    fn the_log_stays_short() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let size = |name: &str| std::fs::metadata(folder.path().join(name)).map_or(0, |file| file.len());
        let outbox = Outbox::open(&path, Limits::default()).unwrap();
        let mut longest = 0;
        for group in 0..100 {
            let _ = outbox.commit((0..10).map(|number| item(group * 10 + number)).collect()).unwrap();
            longest = longest.max(size("outbox.db-wal"));
            // 20 MB.
            let end = Instant::now() + Duration::from_secs(20);
            while group == 19 && size("outbox.db") < 8 << 20 {
                assert!(Instant::now() < end, "{}", size("outbox.db"));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(longest < 40 << 20, "{longest}");
        drop(outbox);
        assert_eq!(size("outbox.db-wal"), 0);
        assert_eq!(Outbox::open(&path, Limits::default()).unwrap().status().unwrap().items, 1000);
    }
}
