//! `predict INPUT..`.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use eyespot_core::{Losses, SourceId, TrackId};
use eyespot_decode::{Merge, Overlap};
use eyespot_media::{ImageOptions, Source, SourceNames, SourceOptions, VideoOptions};
use eyespot_runtime::{
    LoadOptions, Loader, Model, Session, Settings, StageTimes, Tracking, WindowSettings, is_fatal,
};
use eyespot_window::Tiles;

use crate::args::{self, Predict};
use crate::output::Output;
use crate::progress::{self, Download};
use crate::{Board, Failure, Outcome};

/// Messages about broken frames that are shown one by one; further ones are only counted.
const SHOWN_FAILURES: u64 = 10;

pub(crate) fn run(predict: &Predict, board: &Board, quiet: bool) -> Result<Outcome, Failure> {
    // Whatever is wrong with the arguments is said before weights are fetched or anything is written.
    let settings = settings(predict)?;
    let mut total = Total::default();
    let (sources, names) = open(predict, &settings, &mut total)?;
    let mut model = load(&predict.model, settings.tracking.as_ref(), board, quiet)?;
    let mut output = Output::new(&predict.output, &model.spec(), &names, settings.tracking.is_some())?;
    let start = Instant::now();
    for (name, source) in sources {
        let ran = run_source(&mut model, &name, source, &settings, &mut output, &mut total, quiet);
        // What was written before stays valid, also in the video of an input that was broken off.
        output.end()?;
        ran?;
    }
    if !quiet {
        summary(&model, &total, &output, start.elapsed());
    }
    match (total.failed, total.times.frames) {
        (0, _) => Ok(Outcome::Done),
        (failed, 0) => Err(format!("none of {failed} frames or files could be processed").into()),
        _ => Ok(Outcome::Partial),
    }
}

/// Opens all inputs. One that can't be opened is reported and counted; the others go on.
fn open(
    predict: &Predict,
    settings: &Settings,
    total: &mut Total,
) -> Result<(Vec<(String, Source)>, SourceNames), Failure> {
    let images = ImageOptions { recursive: settings.recursive, ..ImageOptions::default() };
    let options = SourceOptions { images, video: settings.video };
    let (mut sources, mut names) = (Vec::new(), SourceNames::new());
    for (number, input) in predict.input.iter().enumerate() {
        let id = SourceId(u16::try_from(number).map_err(|_| "more than 65536 inputs: give their directory")?);
        match eyespot_media::open(input, &options) {
            Ok(source) => {
                names.add_source(id, &source);
                let name = input.file_name().unwrap_or(input.as_os_str()).to_string_lossy().into_owned();
                sources.push((name, source.with_id(id)));
            }
            Err(error) => {
                total.failed += 1;
                eprintln!("error: {error}");
            }
        }
    }
    if sources.is_empty() { Err("no input could be opened".into()) } else { Ok((sources, names)) }
}

/// What a run did.
#[derive(Debug, Default)]
struct Total {
    times: StageTimes,
    objects: u64,
    tracks: HashSet<(SourceId, TrackId)>,
    failed: u64,
    losses: Losses,
}

/// Runs one input through the model. Broken frames are reported and counted; only what ends everything is an error.
fn run_source(
    model: &mut Model,
    name: &str,
    source: Source,
    settings: &Settings,
    output: &mut Output,
    total: &mut Total,
    quiet: bool,
) -> Result<(), Failure> {
    output.begin(&source)?;
    let bar = progress::frames(quiet, name, source.frame_count());
    let mut session = Session::new(model, source, settings)?;
    let ended = loop {
        match session.step(output) {
            Ok(Some(info)) => {
                let results = session.results();
                total.objects += results.len() as u64;
                let tracks = results.track_ids().flatten();
                total.tracks.extend(tracks.map(|track| (info.source, track)));
                total.losses += results.losses();
            }
            Ok(None) => break Ok(()),
            Err(error) if is_fatal(&error) => break Err(error.into()),
            Err(error) => {
                total.failed += 1;
                if total.failed <= SHOWN_FAILURES {
                    bar.suspend(|| eprintln!("skipped: {error}"));
                }
            }
        }
        bar.inc(1);
    };
    bar.finish_and_clear();
    total.times += session.times();
    ended
}

/// The arguments as settings of the runtime.
fn settings(predict: &Predict) -> Result<Settings, Failure> {
    let tracking = predict.tracking.then(|| Tracking::parse(&predict.tracking_config)).transpose()?;
    let sliding_window = predict.window.sliding_window.then(|| window(predict)).transpose()?;
    let video = &predict.video;
    Ok(Settings {
        conf: predict.conf,
        iou: predict.iou,
        classes: (!predict.classes.is_empty()).then(|| predict.classes.clone()),
        recursive: predict.recursive,
        video: VideoOptions {
            stride: Some(video.stride),
            start_frame: video.start_frame,
            end_frame: video.end_frame,
            num_frames: video.num_frames,
            duration_s: video.duration,
        },
        sliding_window,
        tracking,
    })
}

/// The arguments of the sliding window.
fn window(predict: &Predict) -> Result<WindowSettings, Failure> {
    let args = &predict.window;
    let mut tiles = args.window_size.map_or_else(Tiles::of_model, |size| Tiles::new(size.0));
    match args.overlap {
        Some(args::Overlap::Fraction(fraction)) => tiles = tiles.with_overlap(fraction)?,
        Some(args::Overlap::Pixels(pixels)) => tiles = tiles.with_overlap_px(pixels),
        None => {}
    }
    let merge = match args.merge {
        args::Merge::Nms => Merge::nms(args.merge_threshold),
        args::Merge::Nmm => Merge::nmm(args.merge_threshold),
    };
    let overlap = match args.merge_metric {
        args::Metric::Iou => Overlap::Iou,
        args::Metric::Ios => Overlap::Ios,
    };
    Ok(WindowSettings { tiles, merge: merge.with_overlap(overlap), whole_frame: args.whole_frame })
}

/// Loads the model, and what describes objects for the tracker, with a progress bar where weights must be fetched.
fn load(
    args: &args::ModelArgs,
    tracking: Option<&Tracking>,
    board: &Board,
    quiet: bool,
) -> Result<Model, Failure> {
    let mut loader = Loader::from_env()?;
    loader.pull.offline = args.offline;
    let options = LoadOptions {
        device: args.device.clone().unwrap_or_else(|| board.device.to_owned()),
        img_size: args.img_size.map(|size| size.0),
    };
    let model = loader.load(&args.model, &options, &mut Download::new(quiet, &args.model))?;
    let Some(name) = tracking.filter(|tracking| tracking.with_reid).map(|tracking| &tracking.reid_model)
    else {
        return Ok(model);
    };
    Ok(model.with_embedder(loader.load_embedder(name, &options, &mut Download::new(quiet, name))?))
}

/// What was done and how fast, on standard error: standard output may carry JSON.
fn summary(model: &Model, total: &Total, output: &Output, elapsed: Duration) {
    let frames = total.times.frames;
    let per_frame = |time: Duration| time.as_secs_f64() * 1e3 / frames.max(1) as f64;
    eprintln!("{} on {}", model.name(), model.device());
    let tracks =
        if total.tracks.is_empty() { String::new() } else { format!(", {} tracks", total.tracks.len()) };
    eprintln!(
        "{frames} frames, {} objects{tracks} in {:.1} s: {:.1} frames per second",
        total.objects,
        elapsed.as_secs_f64(),
        frames as f64 / elapsed.as_secs_f64().max(1e-9),
    );
    eprintln!(
        "per frame: read {:.1} ms, predict {:.1} ms, track {:.2} ms, write {:.1} ms",
        per_frame(total.times.source),
        per_frame(total.times.predict),
        per_frame(total.times.track),
        per_frame(total.times.sink),
    );
    let Losses { detections, masks, keypoints, invalid } = total.losses;
    if !total.losses.is_none() {
        eprintln!(
            "lost: {detections} detections and {masks} masks and {keypoints} sets of keypoints for lack of room, {invalid} invalid"
        );
    }
    if total.failed > 0 {
        eprintln!("{} frames or files failed and were skipped", total.failed);
    }
    for path in output.written() {
        eprintln!("wrote {}", path.display());
    }
}
