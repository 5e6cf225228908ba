//! Time of each stage per frame for YOLOX-nano at 416 on a video, beside ONNX Runtime's forward pass on the same model in
//! the same run: `cargo bench -p eyespot-tests --bench stages`.
//!
//! The peer needs `python3` with `onnxruntime` and `numpy`; without them its line is left out.

use std::process::Command;
use std::time::{Duration, Instant};

use eyespot_burn::{CpuPredictor, Host};
use eyespot_core::{
    FrameSource as _, PredictOptions, PredictionsBuf, PredictionsStorage as _, Record, Tracker as _,
};
use eyespot_media::{Annotator, DrawOptions, VideoOptions, VideoSource};
use eyespot_tests::data;
use eyespot_track::{BotSort, BotSortConfig, TrackStorage};
use yolox::{Yolox, YoloxHead};

const ROUNDS: usize = 4;
const FRAMES: u64 = 30;

/// Names of the stages, in the order of their times.
const STAGES: [&str; 7] = ["decode H.264", "letterbox", "forward", "decode head", "NMS", "BoT-SORT", "draw"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths =
        ["models/yolox_nano.onnx", "videos/cars_1280x720.mp4", "golden/yolox_nano_bus.jpg.input_u8.npy"];
    let [Some(weights), Some(video), Some(tensor)] = paths.map(data) else { return Ok(()) };
    let host = Host::default();
    let mut predictor = CpuPredictor::load::<Yolox>(&weights, None, host)?;

    let mut times: [Vec<Duration>; STAGES.len()] = Default::default();
    for round in 0..ROUNDS {
        // The two take turns, so that whatever else the computer does meets both.
        let peer = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/onnx_runtime.py"))
            .args([&weights, &tensor])
            .arg("30")
            .output();
        match peer {
            Ok(peer) if peer.status.success() => {
                println!(
                    "round {round}: ONNX Runtime, version and median ms on 1 and 2 threads: {}",
                    String::from_utf8_lossy(&peer.stdout).trim()
                );
            }
            _ => println!("round {round}: no ONNX Runtime here (pip install onnxruntime numpy)"),
        }
        run(&video, &mut predictor, &mut times)?;
    }
    println!(
        "cars_1280x720.mp4, YOLOX-nano at 416, {}, {} threads, median of {} frames:",
        host.level.name(),
        host.threads,
        ROUNDS as u64 * FRAMES
    );
    for (stage, times) in STAGES.iter().zip(&mut times) {
        times.sort_unstable();
        println!("  {stage:<14} {:8.3} ms", times[times.len() / 2].as_secs_f64() * 1e3);
    }
    Ok(())
}

fn run(
    video: &std::path::Path,
    predictor: &mut CpuPredictor<YoloxHead>,
    times: &mut [Vec<Duration>; STAGES.len()],
) -> Result<(), Box<dyn std::error::Error>> {
    use eyespot_core::Predictor as _;
    let options = VideoOptions { num_frames: Some(FRAMES), ..VideoOptions::default() };
    let mut source = VideoSource::open(video, options)?;
    let mut tracker = BotSort::new(BotSortConfig::default(), Box::new(TrackStorage::<64, 128>::new()))?;
    let mut annotator =
        Annotator::new(predictor.spec().labels, DrawOptions { draw_tags: true, ..DrawOptions::default() });
    let mut results = PredictionsBuf::new(128, 0, 0);
    loop {
        let start = Instant::now();
        let Some(frame) = source.next_frame()? else { return Ok(()) };
        let decoded = start.elapsed();
        results.view_mut().clear();
        predictor.predict(&frame, &PredictOptions::new(), results.view_mut())?;
        let timings = predictor.timings();
        let start = Instant::now();
        tracker.update(&frame, results.view_mut().detections_mut())?;
        let tracked = start.elapsed();
        let start = Instant::now();
        let record = Record {
            info: frame.info,
            name: frame.name,
            image: Some(frame.image),
            predictions: results.view(),
        };
        std::hint::black_box(annotator.annotate(&record));
        let drawn = start.elapsed();
        let frame_times =
            [decoded, timings.letterbox, timings.forward, timings.decode, timings.nms, tracked, drawn];
        for (times, time) in times.iter_mut().zip(frame_times) {
            times.push(time);
        }
    }
}
