//! The database: every function is one transaction.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eyespot_supervisely::{Delivery, Item, Pixels, Source};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::status::{LaneStatus, Parked, Status};
use crate::{Committed, Limits, OutboxError, WhenFull};

/// Marks the file as an outbox: `EyOb`.
const APPLICATION: i64 = 0x4579_4f62;
/// The format of the tables.
const VERSION: i64 = 1;
/// How many names of delivered results are remembered.
const REMEMBERED: i64 = 200_000;
/// Pages of the log at which a commit moves them into the file by itself; else a [`Mover`] has done it long before.
const LONGEST_LOG: i64 = 8192;
/// Pages of 4 KiB that are given back to the disk after a delivery.
const GIVEN_BACK: i64 = 512;

/// What is known of a result in the outbox.
enum State {
    /// It was never sent.
    Waiting = 0,
    /// It was sent, the answer is not known.
    Sent = 1,
    /// The platform does not take it.
    Parked = 2,
}

/// A result, ready to be written.
pub(crate) struct Row {
    id: [u8; 16],
    lane: String,
    score: f64,
    body: Vec<u8>,
    pixels: Option<Vec<u8>>,
}

impl Row {
    pub(crate) fn new(mut item: Item) -> Result<Self, OutboxError> {
        // Base64 in JSON would be a third more; the pixels have a column of their own.
        let pixels = match std::mem::take(&mut item.pixels) {
            Pixels::Encoded(bytes) => Some(bytes),
            other => {
                item.pixels = other;
                None
            }
        };
        let scores = item.annotation.objects.iter().filter_map(eyespot_supervisely::format::Object::score);
        let score = scores.fold(0.0, f64::max);
        let failed =
            |error: serde_json::Error| OutboxError::Item { key: item.key.clone(), reason: error.to_string() };
        let body = serde_json::to_vec(&item).map_err(failed)?;
        Ok(Self { id: id_of(&item.key), lane: lane_of(&item.source), score, body, pixels })
    }

    pub(crate) fn bytes(&self) -> u64 {
        (self.body.len() + self.pixels.as_ref().map_or(0, Vec::len)) as u64
    }
}

fn id_of(key: &str) -> [u8; 16] {
    let mut id = [0; 16];
    let digest = Sha256::digest(key);
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// Results of one lane are delivered in their order: those of a camera, of a video, of an image. Images of the platform
/// are spread over a few lanes, so that they can be delivered side by side.
fn lane_of(source: &Source) -> String {
    match source {
        Source::Image { id } => format!("images {}", id % 8),
        Source::Video { id, .. } => format!("video {id}"),
        Source::LocalVideo { name, dataset, .. } => format!("file {}/{name}", dataset.join("/")),
        Source::Local { dataset, .. } => dataset.join("/"),
    }
}

/// Results of one lane that are being delivered.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lane: String,
    pub(crate) seqs: Vec<i64>,
    pub(crate) items: Vec<Item>,
    /// They may have arrived before.
    pub(crate) again: bool,
}

#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
}

type Sql<T> = Result<T, rusqlite::Error>;

impl Store {
    pub(crate) fn open(path: &Path) -> Result<Self, OutboxError> {
        let failed = |reason: String| OutboxError::Open { path: path.to_path_buf(), reason };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let connection = Connection::open(path).map_err(|error| failed(error.to_string()))?;
        let mut store = Self { connection, path: path.to_path_buf() };
        store.prepare().map_err(|error| OutboxError::database(path, &error))??;
        Ok(store)
    }

    fn prepare(&mut self) -> Sql<Result<(), OutboxError>> {
        let connection = &mut self.connection;
        connection.busy_timeout(Duration::from_secs(60))?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit is on the disk when it returns, also where the power fails a moment later.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
        connection.pragma_update(None, "wal_autocheckpoint", LONGEST_LOG)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        let tables: i64 =
            transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        match (application, version) {
            (0, 0) if tables == 0 => {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "application_id", APPLICATION)?;
                transaction.pragma_update(None, "user_version", VERSION)?;
                transaction.commit()?;
            }
            (APPLICATION, VERSION) => {}
            (APPLICATION, found) => {
                return Ok(Err(OutboxError::Version { path: self.path.clone(), found, known: VERSION }));
            }
            _ => return Ok(Err(OutboxError::NotAnOutbox { path: self.path.clone() })),
        }
        Ok(Ok(()))
    }

    fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Sql<T>) -> Result<T, OutboxError> {
        let run = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run(&mut self.connection).map_err(|error: rusqlite::Error| OutboxError::database(&self.path, &error))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> Sql<T>) -> Result<T, OutboxError> {
        work(&self.connection).map_err(|error| OutboxError::database(&self.path, &error))
    }

    /// Commits results; what is there or was delivered is not taken again.
    pub(crate) fn commit(&mut self, rows: &[Row], limits: Limits) -> Result<Vec<Committed>, OutboxError> {
        self.write(|transaction| {
            let (mut items, mut bytes) = total(transaction)?;
            let mut counts =
                [("committed", 0), ("known", 0), ("refused", 0), ("dropped_oldest", 0), ("dropped_worst", 0)];
            let mut count = |name: &str, by: u64| {
                counts.iter_mut().filter(|(of, _)| *of == name).for_each(|(_, value)| *value += by);
            };
            let mut results = Vec::with_capacity(rows.len());
            for row in rows {
                let known =
                    "SELECT 1 FROM item WHERE id = ?1 UNION ALL SELECT 1 FROM delivered WHERE id = ?1";
                if transaction.prepare_cached(known)?.exists([row.id])? {
                    count("known", 1);
                    results.push(Committed::Known);
                    continue;
                }
                let mut fits = row.bytes() <= limits.bytes && limits.items > 0;
                while fits && (items >= limits.items || bytes + row.bytes() > limits.bytes) {
                    let (order, name) = match limits.when_full {
                        WhenFull::Refuse => {
                            fits = false;
                            break;
                        }
                        WhenFull::DropOldest => ("seq", "dropped_oldest"),
                        WhenFull::KeepBest => ("score, seq", "dropped_worst"),
                    };
                    // What is being sent is left alone.
                    let select = format!(
                        "SELECT seq, score, bytes FROM item WHERE state <> 1 ORDER BY {order} LIMIT 1"
                    );
                    let victim = transaction
                        .prepare_cached(&select)?
                        .query_row([], |row| {
                            Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?, row.get::<_, u64>(2)?))
                        })
                        .optional()?;
                    let worse = |score: f64| limits.when_full == WhenFull::DropOldest || score < row.score;
                    let Some((seq, _, freed)) = victim.filter(|(_, score, _)| worse(*score)) else {
                        fits = false;
                        break;
                    };
                    transaction.prepare_cached("DELETE FROM item WHERE seq = ?1")?.execute([seq])?;
                    (items, bytes) = (items - 1, bytes - freed);
                    count(name, 1);
                }
                if !fits {
                    count(
                        if limits.when_full == WhenFull::KeepBest { "dropped_worst" } else { "refused" },
                        1,
                    );
                    results.push(Committed::Refused);
                    continue;
                }
                let insert =
                    "INSERT INTO item (id, lane, score, bytes, body, pixels) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let values = params![row.id, row.lane, row.score, row.bytes(), row.body, row.pixels];
                transaction.prepare_cached(insert)?.execute(values)?;
                (items, bytes) = (items + 1, bytes + row.bytes());
                count("committed", 1);
                results.push(Committed::Stored);
            }
            for (name, by) in counts {
                add(transaction, name, by)?;
            }
            Ok(results)
        })
    }

    /// The next results of a lane that is not busy, the one whose results wait longest. They are marked as sent before
    /// they are, so that a crash in between is known.
    pub(crate) fn lease(
        &mut self,
        busy: &HashSet<String>,
        most: impl FnOnce(&str) -> usize,
        most_bytes: u64,
    ) -> Result<Option<Batch>, OutboxError> {
        let next = self.read(|connection| {
            let mut lanes = connection.prepare_cached(LANES)?;
            let mut lanes = lanes.query([])?;
            let mut best: Option<(i64, String)> = None;
            while let Some(row) = lanes.next()? {
                let (lane, seq): (String, i64) = (row.get(0)?, row.get(1)?);
                if !busy.contains(&lane) && best.as_ref().is_none_or(|(first, _)| seq < *first) {
                    best = Some((seq, lane));
                }
            }
            Ok(best)
        })?;
        let Some((_, lane)) = next else { return Ok(None) };
        let most = most(&lane);
        let taken = self.write(|transaction| {
            let select = "SELECT seq, state, body, pixels FROM item WHERE state < 2 AND lane = ?1 ORDER BY seq LIMIT ?2";
            let mut select = transaction.prepare_cached(select)?;
            let mut rows = select.query(params![lane, most])?;
            let (mut seqs, mut items, mut state, mut bytes) = (Vec::new(), Vec::new(), None, 0);
            while let Some(row) = rows.next()? {
                let (seq, this): (i64, i64) = (row.get(0)?, row.get(1)?);
                let (body, pixels): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
                // What may be there already needs another way than what is new.
                bytes += (body.len() + pixels.as_ref().map_or(0, Vec::len)) as u64;
                if state.is_some_and(|state| state != this) || (bytes > most_bytes && !seqs.is_empty()) {
                    break;
                }
                match read_item(&body, pixels) {
                    Ok(item) => {
                        seqs.push(seq);
                        items.push(item);
                        state = Some(this);
                    }
                    Err(error) => park(transaction, seq, &format!("the outbox can't read it: {error}"))?,
                }
            }
            if state == Some(State::Waiting as i64) {
                let mut mark = transaction.prepare_cached("UPDATE item SET state = 1 WHERE seq = ?1")?;
                for seq in &seqs {
                    mark.execute([seq])?;
                }
            }
            Ok((seqs, items, state == Some(State::Sent as i64)))
        })?;
        let (seqs, items, again) = taken;
        Ok(Some(Batch { lane, seqs, items, again }))
    }

    /// What the platform has is forgotten, but for its name; what it refuses is parked.
    pub(crate) fn settle(&mut self, batch: &Batch, deliveries: &[Delivery]) -> Result<(), OutboxError> {
        self.write(|transaction| {
            let mut delivered = 0;
            for (&seq, delivery) in batch.seqs.iter().zip(deliveries) {
                match delivery {
                    Delivery::Done => {
                        let name = "INSERT OR IGNORE INTO delivered (id) SELECT id FROM item WHERE seq = ?1";
                        transaction.prepare_cached(name)?.execute([seq])?;
                        delivered += transaction
                            .prepare_cached("DELETE FROM item WHERE seq = ?1")?
                            .execute([seq])? as u64;
                    }
                    Delivery::Refused { reason } => park(transaction, seq, reason)?,
                }
            }
            let forget = "DELETE FROM delivered WHERE number <= (SELECT max(number) FROM delivered) - ?1";
            transaction.prepare_cached(forget)?.execute([REMEMBERED])?;
            add(transaction, "delivered", delivered)?;
            add(transaction, "batches", 1)?;
            transaction.prepare_cached("DELETE FROM setting WHERE name = 'trouble'")?.execute([])?;
            Ok(())
        })?;
        // A file that grew while the network was gone shrinks again.
        self.read(|connection| connection.execute_batch(&format!("PRAGMA incremental_vacuum({GIVEN_BACK})")))
    }

    /// A batch that failed.
    pub(crate) fn failed(&mut self, reason: &str) -> Result<(), OutboxError> {
        self.write(|transaction| {
            add(transaction, "failures", 1)?;
            set(transaction, "trouble", reason)
        })
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), OutboxError> {
        self.write(|transaction| match value {
            Some(value) => set(transaction, name, value),
            None => transaction.execute("DELETE FROM setting WHERE name = ?1", [name]).map(|_| ()),
        })
    }

    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>, OutboxError> {
        self.read(|connection| {
            connection
                .query_row("SELECT value FROM setting WHERE name = ?1", [name], |row| row.get(0))
                .optional()
        })
    }

    /// Results that can be delivered.
    pub(crate) fn deliverable(&self) -> Result<u64, OutboxError> {
        let text = "SELECT (SELECT items FROM total) - (SELECT count(*) FROM item WHERE state = 2)";
        self.read(|connection| connection.prepare_cached(text)?.query_row([], |row| row.get(0)))
    }

    pub(crate) fn status(&self) -> Result<Status, OutboxError> {
        let mut status = self.read(|connection| {
            let (items, bytes) = total(connection)?;
            let of = |state: State| {
                connection
                    .query_row("SELECT count(*) FROM item WHERE state = ?1", [state as i64], |row| row.get(0))
            };
            let mut status = Status {
                items,
                bytes,
                unsure: of(State::Sent)?,
                parked: of(State::Parked)?,
                ..Status::default()
            };
            let mut counters = connection.prepare("SELECT name, value FROM counter")?;
            let mut rows = counters.query([])?;
            while let Some(row) = rows.next()? {
                status.counts.set(&row.get::<_, String>(0)?, row.get(1)?);
            }
            Ok(status)
        })?;
        status.trouble = self.setting("trouble")?;
        status.halted = self.setting("halted")?;
        Ok(status)
    }

    pub(crate) fn lanes(&self) -> Result<Vec<LaneStatus>, OutboxError> {
        let text = "SELECT lane, count(*) FROM item WHERE state < 2 GROUP BY lane ORDER BY lane";
        self.read(|connection| {
            let lane = |row: &rusqlite::Row<'_>| Ok(LaneStatus { lane: row.get(0)?, waiting: row.get(1)? });
            connection.prepare(text)?.query_map([], lane)?.collect()
        })
    }

    pub(crate) fn parked(&self) -> Result<Vec<Parked>, OutboxError> {
        let text = "SELECT seq, lane, coalesce(reason, '') FROM item WHERE state = 2 ORDER BY seq";
        self.read(|connection| {
            let parked = |row: &rusqlite::Row<'_>| {
                Ok(Parked { seq: row.get(0)?, lane: row.get(1)?, reason: row.get(2)? })
            };
            connection.prepare(text)?.query_map([], parked)?.collect()
        })
    }

    /// Parked results wait again. They may have arrived in part, so they count as sent.
    pub(crate) fn retry(&mut self) -> Result<u64, OutboxError> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM setting WHERE name IN ('halted', 'trouble')", [])?;
            let retried =
                transaction.execute("UPDATE item SET state = 1, reason = NULL WHERE state = 2", [])?;
            Ok(retried as u64)
        })
    }

    /// Forgets results: the parked ones, or all.
    pub(crate) fn discard(&mut self, all: bool) -> Result<u64, OutboxError> {
        self.write(|transaction| {
            let condition = if all { "" } else { " WHERE state = 2" };
            let dropped = transaction.execute(&format!("DELETE FROM item{condition}"), [])? as u64;
            add(transaction, "dropped", dropped)?;
            Ok(dropped)
        })
    }

    /// The results behind a number, in their order.
    pub(crate) fn page(&self, after: i64, most: usize) -> Result<Vec<Stored>, OutboxError> {
        type Columns = (i64, Option<String>, Vec<u8>, Option<Vec<u8>>);
        let rows: Vec<Columns> = self.read(|connection| {
            let text = "SELECT seq, reason, body, pixels FROM item WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            connection.prepare_cached(text)?.query_map(params![after, most], row)?.collect()
        })?;
        let stored = |(seq, reason, body, pixels): Columns| {
            let failed = |error: serde_json::Error| OutboxError::Item {
                key: seq.to_string(),
                reason: error.to_string(),
            };
            Ok(Stored { seq, reason, item: read_item(&body, pixels).map_err(failed)? })
        };
        rows.into_iter().map(stored).collect()
    }
}

/// A second connection that moves what was committed from the log into the file, beside the commits.
#[derive(Debug)]
pub(crate) struct Mover(Connection);

impl Mover {
    pub(crate) fn open(path: &Path) -> Sql<Self> {
        let connection = Connection::open(path)?;
        // The log is on the disk before the file is written, and the file before the log is begun anew.
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self(connection))
    }

    /// Moves what is in the log now; gives the length of the log in pages.
    pub(crate) fn pass(&self) -> Sql<u64> {
        let pages = |row: &rusqlite::Row<'_>| row.get::<_, i64>(1);
        // Below zero where somebody else does it.
        self.0.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages).map(|pages| pages.max(0) as u64)
    }
}

/// A result as it lies in the outbox.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) seq: i64,
    /// Why it is parked, if it is.
    pub(crate) reason: Option<String>,
    pub(crate) item: Item,
}

fn read_item(body: &[u8], pixels: Option<Vec<u8>>) -> Result<Item, serde_json::Error> {
    let mut item: Item = serde_json::from_slice(body)?;
    if let Some(pixels) = pixels {
        item.pixels = Pixels::Encoded(pixels);
    }
    Ok(item)
}

/// The lanes with results to deliver and the first of each. A plain GROUP BY would look at every result; this jumps from
/// lane to lane in the index.
const LANES: &str = "
    WITH RECURSIVE lane(name) AS (
        SELECT min(lane) FROM item WHERE state < 2
        UNION ALL
        SELECT (SELECT min(lane) FROM item WHERE state < 2 AND item.lane > lane.name) FROM lane WHERE lane.name NOT NULL
    )
    SELECT name, (SELECT min(seq) FROM item WHERE state < 2 AND item.lane = name) FROM lane WHERE name NOT NULL";

fn total(connection: &Connection) -> Sql<(u64, u64)> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    connection.prepare_cached("SELECT items, bytes FROM total")?.query_row([], row)
}

fn add(transaction: &Transaction<'_>, name: &str, by: u64) -> Sql<()> {
    if by > 0 {
        let text = "INSERT INTO counter VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2";
        transaction.prepare_cached(text)?.execute(params![name, by])?;
    }
    Ok(())
}

fn set(transaction: &Transaction<'_>, name: &str, value: &str) -> Sql<()> {
    let text = "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    transaction.prepare_cached(text)?.execute(params![name, value]).map(|_| ())
}

fn park(transaction: &Transaction<'_>, seq: i64, reason: &str) -> Sql<()> {
    let parked = transaction
        .prepare_cached("UPDATE item SET state = 2, reason = ?2 WHERE seq = ?1")?
        .execute(params![seq, reason])?;
    add(transaction, "parked", parked as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use eyespot_supervisely::format::{Annotation, ProjectMeta};

    use super::*;

    fn row(number: u32) -> Row {
        Row::new(Item {
            key: number.to_string(),
            source: Source::Local { name: format!("{number}.jpg"), dataset: vec!["a".into()] },
            pixels: Pixels::Encoded(vec![7; 10_000]),
            annotation: Annotation::new(64, 48),
            meta: ProjectMeta::default(),
        })
        .unwrap()
    }

    /// A disk that has no more room costs the results that find none, and nothing else.
    #[test]
    fn a_full_disk_takes_nothing_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.db");
        let mut store = Store::open(&path).unwrap();
        store.connection.pragma_update(None, "max_page_count", 100).unwrap();
        let mut stored = 0;
        let error = loop {
            match store.commit(&[row(stored)], Limits::default()) {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, OutboxError::DiskFull { .. }), "{error:?}");
        assert!(stored > 10, "{stored}");
        let status = store.status().unwrap();
        assert_eq!((status.items, status.counts.committed), (u64::from(stored), u64::from(stored)));
        // A group is taken as a whole or not at all.
        assert!(store.commit(&[row(stored), row(stored + 1)], Limits::default()).is_err());
        assert_eq!(store.status().unwrap().items, u64::from(stored));
        // A delivery makes room.
        let batch = store.lease(&HashSet::new(), |_| 5, u64::MAX).unwrap().unwrap();
        assert_eq!((batch.items.len(), batch.again, batch.items[0].key.as_str()), (5, false, "0"));
        store.settle(&batch, &vec![Delivery::Done; 5]).unwrap();
        assert_eq!(store.commit(&[row(stored)], Limits::default()).unwrap(), [Committed::Stored]);
        drop(store);
        assert_eq!(Store::open(&path).unwrap().status().unwrap().items, u64::from(stored) - 4);
    }

    /// Hundreds of sources must not make a delivery slow: the next one is found by jumps, not by reading everything.
    #[test]
    fn the_source_that_waits_longest_is_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("outbox.db")).unwrap();
        let of = |camera: u32, number: u32| {
            let mut row = row(camera * 1000 + number);
            row.lane = format!("camera {camera:03}");
            row.pixels = None;
            row
        };
        let rows: Vec<Row> =
            (0..10).flat_map(|number| (0..300).rev().map(move |camera| of(camera, number))).collect();
        store.commit(&rows, Limits::default()).unwrap();
        let mut busy = HashSet::new();
        for camera in (290..300).rev() {
            let batch = store.lease(&busy, |_| 3, u64::MAX).unwrap().unwrap();
            assert_eq!((batch.lane.clone(), batch.items.len()), (format!("camera {camera:03}"), 3));
            busy.insert(batch.lane);
        }
        // What was sent and not answered comes first again, by itself.
        let batch = store.lease(&HashSet::new(), |_| 10, u64::MAX).unwrap().unwrap();
        assert_eq!((batch.lane.as_str(), batch.items.len(), batch.again), ("camera 299", 3, true));
    }
}
