//! The bytes of this version, kept for good: what a device sends today must be understood by every later receiver of
//! the same version.
//!
//! Where this test fails, the schema has changed. Devices in the field still send the old one, so:
//! 1. raise `VERSION` in `src/schema.rs` by one, which makes old and new sides say clearly who is older;
//! 2. make the new file with `EYESPOT_BLESS=1 cargo test -p eyespot-wire --features std --test golden`;
//! 3. keep the old files: the last test reads their version and sees that a mismatch is named.
//!
//! Never bless a changed file under the same version once it was released.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;

use eyespot_core::{PredictionsBuf, PredictionsStorage, Record, Sink};
use eyespot_wire::{Event, Stream, StreamError, VERSION, WireSink};
use serde::{Deserialize, Serialize};
use support::{HELLO, LABELS, Random, results, seen};

fn file(version: u16) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/v{version}.bin"))
}

fn content() -> Vec<(eyespot_core::FrameInfo, PredictionsBuf)> {
    let mut random = Random(2026);
    (0..12).map(|index| results(&mut random, index * index * 1000, 10)).collect()
}

fn bytes() -> Vec<u8> {
    let mut sink = WireSink::new(Vec::new()).with_hello(HELLO, 5);
    for (info, predictions) in content() {
        sink.write(&Record { info, name: None, image: None, predictions: predictions.view() })
            .expect("a vector takes everything");
    }
    sink.into_inner()
}

#[test]
fn the_bytes_of_this_version_are_as_they_were() {
    if std::env::var_os("EYESPOT_BLESS").is_some() {
        std::fs::write(file(VERSION), bytes()).unwrap();
    }
    let golden =
        std::fs::read(file(VERSION)).expect("the golden file of this version; see the top of this file");
    assert!(golden == bytes(), "the bytes of version {VERSION} changed; see the top of this file");
    let mut expected = content().into_iter();
    for event in Stream::new(&golden[..]) {
        match event.unwrap() {
            Event::Hello(info) => assert_eq!(
                (info.device.as_str(), &info.labels[..]),
                ("gate-3", &LABELS.map(String::from)[..])
            ),
            Event::Results { info, predictions } => {
                let (sent, results) = expected.next().unwrap();
                assert_eq!(seen(info, predictions.view()), seen(sent, results.view()));
            }
        }
    }
    assert!(expected.next().is_none());
}

#[test]
fn older_versions_are_named() {
    let older = std::ops::Range { start: 1, end: VERSION };
    for version in older {
        let golden = std::fs::read(file(version)).unwrap();
        let first = Stream::new(&golden[..]).next();
        assert!(
            matches!(&first, Some(Err(StreamError::Version(mismatch))) if mismatch.sender == version),
            "{first:?}"
        );
    }
}

/// The message as nested structs with vectors: a reader that knows nothing of this crate but the schema.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    version: u16,
    sequence: u32,
    message: PlainMessage,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum PlainMessage {
    Hello {
        device: String,
        model: String,
        labels: Vec<String>,
    },
    Results {
        index: u64,
        timestamp_us: u64,
        source: u16,
        width: u16,
        height: u16,
        losses: [u32; 4],
        detections: Vec<PlainDetection>,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct PlainDetection {
    bbox: [f32; 4],
    score: f32,
    class: u16,
    track: u32,
    angle: Option<i16>,
    mask: PlainMask,
    keypoints: Vec<[f32; 3]>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum PlainMask {
    None,
    Bits([u16; 4], Vec<u8>),
    Runs([u16; 4], Vec<u32>),
}

#[test]
fn the_schema_is_plain_postcard() {
    let mut plain = Vec::new();
    for frame in bytes().split(|&byte| byte == 0).filter(|frame| !frame.is_empty()) {
        let mut message = Vec::new();
        let mut rest = frame;
        while let Some((&code, after)) = rest.split_first() {
            let (block, after) = after.split_at(usize::from(code) - 1);
            message.extend(block);
            if code != 255 && !after.is_empty() {
                message.push(0);
            }
            rest = after;
        }
        let (message, _) = message.split_last_chunk::<4>().unwrap();
        let value: Plain = postcard::from_bytes(message).unwrap();
        let mut again = vec![0; message.len() + 8];
        assert_eq!(postcard::to_slice(&value, &mut again).unwrap(), message);
        plain.push(value);
    }
    assert!(plain.iter().enumerate().all(|(at, one)| (one.version, one.sequence) == (VERSION, at as u32)));
    let hellos = plain
        .iter()
        .filter(|one| matches!(&one.message, PlainMessage::Hello { labels, .. } if *labels == LABELS));
    assert_eq!(hellos.count(), 3);
    let detections: Vec<_> = plain
        .iter()
        .filter_map(|one| {
            if let PlainMessage::Results { detections, .. } = &one.message { Some(detections) } else { None }
        })
        .collect();
    for (sent, (_, results)) in detections.iter().zip(content()) {
        let view = results.view();
        assert_eq!(sent.len(), view.len());
        for (plain, detection) in sent.iter().zip(view.detections()) {
            assert_eq!((plain.bbox, plain.score), (detection.bbox.xyxy(), detection.score));
            assert_eq!(plain.keypoints.len(), view.keypoints_of(detection).len());
            let ones = match &plain.mask {
                PlainMask::None => None,
                // Padding bits may be set.
                PlainMask::Bits(..) => view.mask(detection).map(|mask| mask.area()),
                PlainMask::Runs(_, runs) => Some(runs.iter().skip(1).step_by(2).sum()),
            };
            assert_eq!(ones, view.mask(detection).map(|mask| mask.area()));
        }
    }
    // All kinds of masks are in it.
    let masks = || detections.iter().flat_map(|frame| frame.iter().map(|one| &one.mask));
    assert!(masks().any(|mask| matches!(mask, PlainMask::Bits(..))));
    assert!(masks().any(|mask| matches!(mask, PlainMask::Runs(..))));
}
