//! Results through an outbox to a platform that loses requests and answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eyespot_outbox::{
    Committed, Destination, Drained, Limits, Outbox, OutboxError, Target, WhenFull, Worker, WorkerOptions,
};
use eyespot_supervisely::{Deliver, DeliverError, Delivery, Item, UploadMode};
use support::{Fault, Platform, error, item, items};

const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> WorkerOptions {
    let (pause, longest_pause) = (Duration::from_millis(1), Duration::from_millis(5));
    WorkerOptions { batch: 7, pause, longest_pause, ..WorkerOptions::default() }
}

fn fresh() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.db");
    (folder, path)
}

/// Cheap numbers that look random.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[test]
fn every_result_arrives_once_and_in_order_over_a_bad_line() {
    let (_folder, path) = fresh();
    let platform = Platform::default();
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    let deliverer = |seed: u64| {
        let mut state = seed;
        platform.deliverer(move |batch| {
            Ok(match random(&mut state) % 10 {
                0 | 1 => Fault::Lost,
                2..=4 => Fault::Unanswered(random(&mut state) as usize % (batch.len() + 1)),
                _ => Fault::None,
            })
        })
    };
    let worker = Worker::start(&outbox, vec![deliverer(1), deliverer(2), deliverer(3)], options()).unwrap();
    std::thread::scope(|scope| {
        for camera in ["a", "b", "c", "d", "e"] {
            let outbox = &outbox;
            scope.spawn(move || {
                for number in 0..100 {
                    assert_eq!(outbox.commit(vec![item(camera, number, 0.5)]).unwrap(), [Committed::Stored]);
                }
            });
        }
    });
    assert_eq!(worker.finish(PATIENCE).unwrap(), Drained::All);
    for camera in ["a", "b", "c", "d", "e"] {
        assert_eq!(platform.numbers(camera), (0..100).collect::<Vec<_>>(), "{camera}");
    }
    let status = outbox.status().unwrap();
    assert_eq!(
        (status.items, status.bytes, status.counts.committed, status.counts.delivered),
        (0, 0, 500, 500)
    );
    assert!(status.counts.failures > 10, "{status:?}");
    assert_eq!(status.trouble, None);
    // What is stored is what was committed, with its pixels.
    let stored = platform.stored.lock().unwrap();
    assert_eq!(*stored.iter().find(|stored| stored.key == "c/50").unwrap(), item("c", 50, 0.5));
}

#[test]
fn results_survive_a_restart_and_are_known_after_it() {
    let (_folder, path) = fresh();
    let platform = Platform::default();
    {
        let outbox = Outbox::open(&path, Limits::default()).unwrap();
        outbox.commit(items("a", 0..10)).unwrap();
        // The answer of the first batch is lost, and the process ends.
        let deliverer = platform.deliverer(|_| Ok(Fault::Unanswered(7)));
        let slow = WorkerOptions { pause: Duration::from_secs(100), ..options() };
        let worker = Worker::start(&outbox, vec![deliverer], slow).unwrap();
        while platform.keys().len() < 7 {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(worker);
    }
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    let status = outbox.status().unwrap();
    assert_eq!((status.items, status.unsure, status.counts.failures), (10, 7, 1));
    assert_eq!(status.trouble.as_deref(), Some("the line broke"));
    // A producer that does not know how far it came.
    let again = outbox.commit(items("a", 5..12)).unwrap();
    assert_eq!(again[..5], [Committed::Known; 5]);
    assert_eq!(again[5..], [Committed::Stored; 2]);
    let worker = Worker::start(&outbox, vec![platform.deliverer(|_| Ok(Fault::None))], options()).unwrap();
    assert_eq!(worker.finish(PATIENCE).unwrap(), Drained::All);
    assert_eq!(platform.numbers("a"), (0..12).collect::<Vec<_>>());
    // Delivered ones are known as well.
    assert_eq!(outbox.commit(items("a", 11..12)).unwrap(), [Committed::Known]);
    assert_eq!(outbox.status().unwrap().counts.known, 6);
}

#[test]
fn a_full_outbox_follows_its_policy_and_counts() {
    let scores = [0.9, 0.2, 0.8, 0.1, 0.7, 0.95, 0.05, 0.5];
    for (when_full, kept, expected) in [
        (WhenFull::Refuse, vec![0, 1, 2, 3], (4, 0, 0)),
        (WhenFull::DropOldest, vec![4, 5, 6, 7], (0, 4, 0)),
        (WhenFull::KeepBest, vec![0, 2, 4, 5], (0, 0, 4)),
    ] {
        let (_folder, path) = fresh();
        let outbox = Outbox::open(&path, Limits { items: 4, when_full, ..Limits::default() }).unwrap();
        for (number, score) in scores.into_iter().enumerate() {
            outbox.commit(vec![item("a", number, score)]).unwrap();
        }
        let platform = Platform::default();
        let worker =
            Worker::start(&outbox, vec![platform.deliverer(|_| Ok(Fault::None))], options()).unwrap();
        worker.finish(PATIENCE).unwrap();
        assert_eq!(platform.numbers("a"), kept, "{when_full:?}");
        let counts = outbox.status().unwrap().counts;
        assert_eq!((counts.refused, counts.dropped_oldest, counts.dropped_worst), expected, "{when_full:?}");
    }
    // Bytes count too, and one result that is larger than everything costs nothing else.
    let (_folder, path) = fresh();
    let limits = Limits { bytes: 3000, when_full: WhenFull::DropOldest, ..Limits::default() };
    let outbox = Outbox::open(&path, limits).unwrap();
    outbox.commit(items("a", 0..50)).unwrap();
    let before = outbox.status().unwrap();
    assert!(before.bytes <= 3000 && before.items >= 3, "{before:?}");
    let mut huge = item("a", 99, 0.5);
    huge.pixels = eyespot_supervisely::Pixels::Encoded(vec![0; 4000]);
    assert_eq!(outbox.commit(vec![huge]).unwrap(), [Committed::Refused]);
    assert_eq!(outbox.status().unwrap().items, before.items);
}

/// Refuses what has an odd number.
struct Picky(Platform);

impl Deliver for Picky {
    fn deliver(&mut self, batch: &[Item], _: bool) -> Result<Vec<Delivery>, DeliverError> {
        let refused = |item: &Item| item.key.ends_with(['1', '3', '5', '7', '9']);
        self.0.stored.lock().unwrap().extend(batch.iter().filter(|item| !refused(item)).cloned());
        let reason = || "project 9 is gone".to_owned();
        let delivery =
            |item| if refused(item) { Delivery::Refused { reason: reason() } } else { Delivery::Done };
        Ok(batch.iter().map(delivery).collect())
    }
}

#[test]
fn what_the_platform_refuses_is_parked_and_can_be_retried_exported_and_dropped() {
    let (_folder, path) = fresh();
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    outbox.commit(items("a", 0..6)).unwrap();
    let platform = Platform::default();
    let worker = Worker::start(&outbox, vec![Picky(platform.clone())], options()).unwrap();
    assert_eq!(worker.finish(PATIENCE).unwrap(), Drained::All);
    assert_eq!(platform.numbers("a"), [0, 2, 4]);
    let parked = outbox.parked().unwrap();
    assert_eq!(parked.len(), 3);
    assert_eq!((parked[0].lane.as_str(), parked[0].reason.as_str()), ("a", "project 9 is gone"));
    let mut text = Vec::new();
    assert_eq!(outbox.export(&mut text).unwrap(), 3);
    let first = text.split(|byte| *byte == b'\n').next().unwrap();
    let line: serde_json::Value = serde_json::from_slice(first).unwrap();
    assert_eq!(line["parked"], "project 9 is gone");
    assert_eq!(serde_json::from_slice::<Item>(first).unwrap(), item("a", 1, 0.5));
    assert!(outbox.status().unwrap().metrics().contains("\neyespot_outbox_parked 3\n"));

    assert_eq!(outbox.retry().unwrap(), 3);
    let worker = Worker::start(&outbox, vec![platform.deliverer(|_| Ok(Fault::None))], options()).unwrap();
    worker.finish(PATIENCE).unwrap();
    assert_eq!(platform.numbers("a"), [0, 2, 4, 1, 3, 5]);

    outbox.commit(items("b", 0..4)).unwrap();
    let worker = Worker::start(&outbox, vec![Picky(platform.clone())], options()).unwrap();
    worker.finish(PATIENCE).unwrap();
    outbox.commit(items("c", 0..4)).unwrap();
    assert_eq!((outbox.discard(false).unwrap(), outbox.status().unwrap().items), (2, 4));
    assert_eq!((outbox.discard(true).unwrap(), outbox.status().unwrap().items), (4, 0));
    assert_eq!(outbox.status().unwrap().counts.dropped, 6);
}

#[test]
fn a_wrong_token_halts_everything_until_the_next_start() {
    let (_folder, path) = fresh();
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    outbox.commit(items("a", 0..20)).unwrap();
    let platform = Platform::default();
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let denied = platform.deliverer(|_| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        Err(DeliverError { lasting: true, ..error("401: check API_TOKEN") })
    });
    let worker = Worker::start(&outbox, vec![denied], options()).unwrap();
    let trouble = Some("401: check API_TOKEN".to_owned());
    assert_eq!(worker.finish(PATIENCE).unwrap(), Drained::Left { waiting: 20, trouble: trouble.clone() });
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    assert_eq!(outbox.status().unwrap().halted, trouble);
    let worker = Worker::start(&outbox, vec![platform.deliverer(|_| Ok(Fault::None))], options()).unwrap();
    assert_eq!(worker.finish(PATIENCE).unwrap(), Drained::All);
    assert_eq!(platform.numbers("a"), (0..20).collect::<Vec<_>>());
    assert_eq!(outbox.status().unwrap().halted, None);
}

/// One result that the platform can't digest today must not hold up other sources, nor those before it.
#[test]
fn a_poisonous_result_holds_up_its_own_source_only() {
    let (_folder, path) = fresh();
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    outbox.commit(items("a", 0..10)).unwrap();
    outbox.commit(items("b", 0..40)).unwrap();
    let platform = Platform::default();
    let deliverer = platform.deliverer(|batch| {
        if batch.iter().any(|item| item.key == "a/5") { Err(error("500")) } else { Ok(Fault::None) }
    });
    let worker = Worker::start(&outbox, vec![deliverer], options()).unwrap();
    let left = worker.finish(Duration::from_millis(1500)).unwrap();
    assert_eq!(left, Drained::Left { waiting: 5, trouble: Some("500".into()) });
    assert_eq!(platform.numbers("a"), [0, 1, 2, 3, 4]);
    assert_eq!(platform.numbers("b"), (0..40).collect::<Vec<_>>());
}

#[test]
fn one_process_delivers_and_files_of_others_are_left_alone() {
    let (folder, path) = fresh();
    let outbox = Outbox::open(&path, Limits::default()).unwrap();
    let platform = Platform::default();
    let start = || Worker::start(&outbox, vec![platform.deliverer(|_| Ok(Fault::None))], options());
    let worker = start().unwrap();
    assert!(matches!(start(), Err(OutboxError::Delivering { .. })));
    // Another handle, as of another process, adds results; the worker finds them.
    Outbox::open(&path, Limits::default()).unwrap().commit(items("a", 0..3)).unwrap();
    while platform.keys().len() < 3 {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(worker);
    start().unwrap();

    let target = |id| Target {
        server: "https://app".into(),
        mode: UploadMode::Create,
        destination: Destination::Project { id },
    };
    outbox.bind(&target(1)).unwrap();
    outbox.commit(items("b", 0..1)).unwrap();
    outbox.bind(&target(1)).unwrap();
    let error = outbox.bind(&target(2)).unwrap_err();
    assert!(error.to_string().contains("project 1") && error.to_string().contains("another file"), "{error}");
    outbox.discard(true).unwrap();
    outbox.bind(&target(2)).unwrap();
    assert_eq!(outbox.target().unwrap(), Some(target(2)));

    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no database, but of some length: ".repeat(40)).unwrap();
    let error = Outbox::open(&text, Limits::default()).unwrap_err();
    assert!(matches!(error, OutboxError::NotAnOutbox { .. }), "{error:?}");
    assert!(std::fs::read_to_string(&text).unwrap().starts_with("no database"));
    let error = Outbox::open("/proc/none/outbox.db", Limits::default()).unwrap_err();
    assert!(matches!(error, OutboxError::Open { .. }), "{error:?}");
}
