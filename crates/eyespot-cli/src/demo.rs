//! `demo`: the whole chain on a rendered scene with known truth. No download, no GPU, no account.

use std::convert::Infallible;
use std::path::Path;
use std::time::Instant;

use eyespot_core::{ErrorType, Pipeline, Predictions, PredictionsBuf, Predictor as _, Record, Sink};
use eyespot_eval::mot::{self, Row, Sequence};
use eyespot_media::{Annotator, ColorBy, DrawOptions, JsonLines, VideoSink, VideoWriter};
use eyespot_motion::{MotionConfig, MotionPredictor, MotionStorage};
use eyespot_scene::{Scene, SceneConfig, SceneSource};
use eyespot_track::{BotSort, BotSortConfig, TrackStorage};

use crate::args::Demo;
use crate::{Failure, Outcome, progress};

const WIDTH: u16 = 960;
const HEIGHT: u16 = 540;
/// An object of which less can be seen is not held against the tracker.
const MIN_VISIBILITY: f32 = 0.3;

type Motion = MotionStorage<240, 135>;
type Tracks = TrackStorage<32, 64>;
type Results = Predictions<64>;

pub(crate) fn run(demo: &Demo, quiet: bool) -> Result<Outcome, Failure> {
    let config = SceneConfig { seed: demo.seed, objects: demo.objects, ..SceneConfig::new(WIDTH, HEIGHT) };
    let scene = Scene::new(config)?;
    let camera = SceneSource::new(scene.clone(), vec![0; config.frame_bytes()]).with_frames(demo.frames);
    let predictor = MotionPredictor::new(MotionConfig::default(), Box::new(Motion::new()))?;
    let tracker = BotSort::new(BotSortConfig::default(), Box::new(Tracks::new()))?;

    std::fs::create_dir_all(&demo.save_dir)
        .map_err(|error| format!("{}: {error}", demo.save_dir.display()))?;
    let path = |name: &str| demo.save_dir.join(name);
    let (video, results) = (path("demo.mp4"), path("demo.jsonl"));
    let sinks = (Tracked::default(), sinks(&video, &results, predictor.spec().labels, config.fps)?);
    let mut pipeline = Pipeline::new(camera, predictor, tracker, sinks, PredictionsBuf::new(64, 0, 0));

    let start = Instant::now();
    let bar = progress::frames(quiet, "demo");
    bar.set_length(demo.frames);
    while pipeline.step()?.is_some() {
        bar.inc(1);
    }
    bar.finish_and_clear();
    let elapsed = start.elapsed();
    let (tracked, (_, drawn)) = pipeline.sink;
    drawn.finish()?;

    let truth = truth(&scene, demo.frames);
    let tracks = Sequence::from_rows(tracked.0);
    let scores = mot::evaluate_with(&truth, &tracks, &[])?;
    let (truth_file, tracks_file) = (path("demo-truth.txt"), path("demo-tracks.txt"));
    truth.write(&truth_file)?;
    tracks.write(&tracks_file)?;
    println!("{}", mot::Table(&[("demo", &scores)]));
    if !quiet {
        eprintln!(
            "{} frames of {WIDTH} x {HEIGHT} in {:.1} s, rendering and encoding included: {:.0} frames per second",
            demo.frames,
            elapsed.as_secs_f64(),
            demo.frames as f64 / elapsed.as_secs_f64().max(1e-9),
        );
        eprintln!(
            "fixed memory: motion {} bytes, tracker {} bytes, results {} bytes",
            size_of::<Motion>(),
            size_of::<Tracks>(),
            Results::RAM,
        );
        for path in [&video, &results, &tracks_file, &truth_file] {
            eprintln!("wrote {}", path.display());
        }
    }
    Ok(Outcome::Done)
}

/// The results as JSON, and the video with boxes, ids and trails.
fn sinks(
    video: &Path,
    results: &Path,
    labels: &[&str],
    fps: u16,
) -> Result<(JsonLines<impl std::io::Write + use<>>, VideoSink), Failure> {
    let options = DrawOptions {
        draw_tags: true,
        fill_rectangles: false,
        color_by: ColorBy::Track,
        ..DrawOptions::default()
    };
    let annotator = Annotator::new(labels, options).with_trails(30);
    let writer = VideoWriter::create(video, None, f32::from(fps))?;
    Ok((JsonLines::create(results, labels)?, VideoSink::new(writer, annotator)))
}

/// What really is in the scene, as rows of ground truth. Objects that can hardly be seen are not evaluated.
fn truth(scene: &Scene, frames: u64) -> Sequence {
    let rows = (0..frames).flat_map(|frame| {
        scene.truth(frame).map(move |object| {
            let (bbox, visibility) = (object.bbox, object.visibility);
            Row {
                frame: frame as u32 + 1,
                id: object.id.into(),
                bbox: [bbox.x1, bbox.y1, bbox.width(), bbox.height()].map(f64::from),
                score: f64::from(u8::from(visibility >= MIN_VISIBILITY)),
                class: Some(1),
                visibility: Some(visibility.into()),
            }
        })
    });
    Sequence::from_rows(rows)
}

/// Collects tracks for the evaluation.
#[derive(Debug, Default)]
struct Tracked(Vec<Row>);

impl ErrorType for Tracked {
    type Error = Infallible;
}

impl Sink for Tracked {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        let frame = record.info.index as u32 + 1;
        self.0.extend(
            record.predictions.detections().iter().filter_map(|found| Row::from_detection(frame, found)),
        );
        Ok(())
    }
}
