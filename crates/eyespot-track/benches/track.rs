//! Time per frame of the tracker alone, beside the published `trackforge` crate, on the same detections.
//!
//! Each iteration is one pass over the sequence with a fresh tracker; the throughput is in frames.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "../tests/mot/mod.rs"]
mod mot;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
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

fn eyespot(sequence: &Sequence, config: BotSortConfig, camera: bool, iterations: u64) -> Duration {
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
        let motion = if camera { sequence.motions[index] } else { Affine::IDENTITY };
        tracker.update_with_motion(&Sequence::info(index), &motion, &mut detections);
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

/// What a round measures: how long so many frames take. `camera` carries the tracks along by the motions of the file.
type Run<'a> = (&'static str, Box<dyn Fn(u64) -> Duration + 'a>);

fn runs(sequence: &Sequence) -> [Run<'_>; 4] {
    let (default, reference) = (BotSortConfig::default(), BotSortConfig::reference());
    [
        ("default", Box::new(move |frames| eyespot(sequence, default, false, frames))),
        ("camera", Box::new(move |frames| eyespot(sequence, default, true, frames))),
        ("reference", Box::new(move |frames| eyespot(sequence, reference, false, frames))),
        ("trackforge", Box::new(|frames| trackforge(sequence, frames))),
    ]
}

/// Times that do not depend on what else the machine does: the trackers take turns, one pass over the sequence each,
/// and the least and the median time of a round count.
fn take_turns(name: &str, sequence: &Sequence, rounds: usize) {
    let frames = sequence.frames.len() as u64;
    let runs = runs(sequence);
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        for ((_, run), times) in runs.iter().zip(&mut times) {
            times.push(run(frames).as_secs_f64() * 1e6 / frames as f64);
        }
    }
    let figures = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        (times[0], times[times.len() / 2])
    });
    let (least, median) = figures[3];
    for ((tracker, _), figure) in runs.iter().zip(figures) {
        println!(
            "{name:>9} {tracker:10} least {:8.2} us ({:5.1} x)   median {:8.2} us ({:5.1} x)",
            figure.0,
            least / figure.0,
            figure.1,
            median / figure.1
        );
    }
}

fn bench(criterion: &mut Criterion) {
    let Some(data) = mot::data() else { return };
    let crowd = Sequence::read(&data.join("MOT17-02-val"));
    let sequences = [
        ("05-val", Sequence::read(&data.join("MOT17-05-val")), 200),
        ("02-val", tiled(&crowd, 1), 100),
        ("02-val-x4", tiled(&crowd, 4), 40),
        ("02-val-x12", tiled(&crowd, 12), 12),
    ];
    for (name, sequence, rounds) in &sequences {
        let scores = sequence.frames.iter().flatten().map(|detection| detection.score);
        let frames = sequence.frames.len() as f64;
        let [all, good] =
            [0.0, 0.6].map(|least| scores.clone().filter(|&s| s > least).count() as f64 / frames);
        println!("{name}: {all:.1} detections per frame, {good:.1} with a high score");
        take_turns(name, sequence, *rounds);
    }
    let mut group = criterion.benchmark_group("track");
    for (name, sequence, rounds) in &sequences {
        let frames = sequence.frames.len() as u64;
        group.throughput(Throughput::Elements(frames)).sample_size(if *rounds < 50 { 10 } else { 50 });
        for (tracker, run) in &runs(sequence) {
            group.bench_function(BenchmarkId::new(*tracker, name), |bencher| {
                bencher.iter_custom(|passes| run(passes * frames));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
