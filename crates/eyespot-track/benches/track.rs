//! Time per frame of the tracker alone, beside the published `trackforge` crate, on the same detections.
//!
//! Each iteration is one frame; the sequence starts again, with a fresh tracker, when it ends.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "../tests/mot/mod.rs"]
mod mot;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use eyespot_core::{Affine, Detection};
use eyespot_track::{BotSort, BotSortConfig, TrackStorage};
use mot::Sequence;
use trackforge::trackers::botsort::BotSort as Trackforge;

/// The sequence `times` times side by side.
fn tiled(sequence: &Sequence, times: usize) -> Sequence {
    let frames = sequence.frames.iter().map(|frame| {
        let copy = |n: usize| {
            frame.iter().map(move |detection| {
                let bbox = detection.bbox.translated(1920.0 * n as f32, 0.0);
                Detection::new(bbox, detection.score, detection.class)
            })
        };
        (0..times).flat_map(copy).collect()
    });
    Sequence { frames: frames.collect(), motions: sequence.motions.clone(), fps: sequence.fps }
}

fn eyespot(sequence: &Sequence, config: BotSortConfig, iterations: u64) -> Duration {
    let mut tracker = BotSort::new(config, Box::new(TrackStorage::<2048, 2048>::new())).unwrap();
    let mut detections = Vec::with_capacity(2048);
    let start = Instant::now();
    for iteration in 0..iterations as usize {
        let index = iteration % sequence.frames.len();
        if index == 0 {
            eyespot_core::Tracker::reset(&mut tracker);
        }
        detections.clear();
        detections.extend_from_slice(&sequence.frames[index]);
        tracker.update_with_motion(&Sequence::info(index), &Affine::IDENTITY, &mut detections);
        black_box(&detections);
    }
    start.elapsed()
}

fn trackforge(sequence: &Sequence, iterations: u64) -> Duration {
    let frames: Vec<Vec<([f32; 4], f32, i64)>> = sequence
        .frames
        .iter()
        .map(|frame| {
            let convert = |detection: &Detection| {
                let bbox = detection.bbox;
                ([bbox.x1, bbox.y1, bbox.width(), bbox.height()], detection.score, 0)
            };
            frame.iter().map(convert).collect()
        })
        .collect();
    let new = || Trackforge::new(0.6, 30, 0.8, 0.7, 0.5, 0.25);
    let mut tracker = new();
    let start = Instant::now();
    for iteration in 0..iterations as usize {
        let index = iteration % frames.len();
        if index == 0 {
            tracker = new();
        }
        black_box(tracker.update(frames[index].clone(), &[]));
    }
    start.elapsed()
}

fn bench(criterion: &mut Criterion) {
    let Some(data) = mot::data() else { return };
    let mut group = criterion.benchmark_group("track");
    let crowd = Sequence::read(&data.join("MOT17-02-val"));
    let sequences = [
        ("05-val", Sequence::read(&data.join("MOT17-05-val"))),
        ("02-val", tiled(&crowd, 1)),
        ("02-val-x4", tiled(&crowd, 4)),
        ("02-val-x20", tiled(&crowd, 20)),
    ];
    for (name, sequence) in &sequences {
        let detections: usize = sequence.frames.iter().map(Vec::len).sum();
        println!("{name}: {:.1} detections per frame", detections as f64 / sequence.frames.len() as f64);
        for (preset, config) in
            [("default", BotSortConfig::default()), ("reference", BotSortConfig::reference())]
        {
            group.bench_function(BenchmarkId::new(preset, name), |bencher| {
                bencher.iter_custom(|iterations| eyespot(sequence, config, iterations));
            });
        }
        group.bench_function(BenchmarkId::new("trackforge", name), |bencher| {
            bencher.iter_custom(|iterations| trackforge(sequence, iterations));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
