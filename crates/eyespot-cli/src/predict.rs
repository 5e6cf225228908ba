//! `predict INPUT..`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use eyespot_core::{Boxed, Losses, SourceId, TrackId};
use eyespot_decode::{Merge, Overlap};
use eyespot_media::{Input, VideoOptions, Zones};
use eyespot_outbox::{Found, UploadInput};
use eyespot_runtime::{Model, Session, Settings, StageTimes, Tracking, WindowSettings};
use eyespot_supervisely::project::{Project, ProjectSink};
use eyespot_supervisely::{Converter, SourceKind};
use eyespot_window::Tiles;
use eyespot_zones::{Anchor, ZoneConfig};
use indicatif::ProgressBar;

use crate::args::{self, Predict};
use crate::output::Output;
use crate::{Board, Failure, Outcome, load, progress, settings, upload};

/// Messages about broken frames that are shown one by one; further ones are only counted.
const SHOWN_FAILURES: u64 = 10;

pub(crate) fn run(predict: &Predict, board: &Board, quiet: bool) -> Result<Outcome, Failure> {
    // Whatever is wrong with the arguments is said before weights are fetched or anything is written.
    let mut settings = settings(predict)?;
    let own = settings::common(&predict.model.set, &mut settings)?;
    let zones = zones(&predict.places)?;
    let platform = predict.platform.input();
    let kind = platform.as_ref().map_or(SourceKind::Local, UploadInput::kind);
    let upload = predict.upload.plan(kind, &predict.model.model)?;
    let mut project = predict.output.save_project.as_ref().map(ProjectSink::new);
    let found = match platform {
        Some(platform) => platform.find(&upload::client()?.0)?,
        None => Found::Local(input(&predict.input, &mut project)?),
    };
    if let Some(upload) = &upload {
        upload.check(&found)?;
    }
    let loaded = load::model(&predict.model, own, settings.tracking.as_ref(), board, quiet)?;
    let model = &loaded.model;
    let start = Instant::now();
    let mut session = found.predict(model, &settings)?;
    let mut output = Output::new(predict, model, session.sources(), zones)?;
    if let (Some(project), Some(folder)) = (project, &predict.output.save_project) {
        let project = project.with_converter(Converter::of_model(model)).with_sources(session.sources());
        output.add(folder, Boxed(project));
    }
    let upload = upload.map(upload::Plan::start).transpose()?;
    if let Some(upload) = &upload {
        output.also(upload.sink(Converter::of_model(model), session.sources()));
    }
    let mut total = Total::default();
    let name = match predict.input.as_slice() {
        [one] => one.to_string_lossy().rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
        [] => "items of the platform".to_owned(),
        all => format!("{} inputs", all.len()),
    };
    let bar = progress::frames(quiet, &name);
    let ran = take_all(&mut session, &mut output, &mut total, &bar);
    bar.finish_and_clear();
    // What was written before stays valid, also in the video of an input that was broken off.
    output.end()?;
    ran?;
    total.times = session.times();
    if !quiet {
        summary(model, &total, &output, start.elapsed());
        if let Some(fallback) = &loaded.fallback {
            eprintln!(
                "{} frames elsewhere, {} here: the other side was lost {} times",
                fallback.remote(),
                fallback.local(),
                fallback.lost()
            );
        }
    }
    // Results wait on the disk by now, also those of a run that failed in the end.
    let uploaded = upload.map_or(Ok(Outcome::Done), |upload| upload.finish(quiet))?;
    output.wait_for_window(quiet);
    match (total.failed, total.times.frames) {
        (0, _) => Ok(uploaded),
        (failed, 0) => Err(format!("none of {failed} frames or files could be processed").into()),
        _ => Ok(Outcome::Partial),
    }
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

/// Takes all results. Broken items are reported and counted; only what ends everything is an error.
fn take_all(
    session: &mut Session,
    output: &mut Output,
    total: &mut Total,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    loop {
        match session.step(output) {
            Ok(Some(info)) => {
                let Some(results) = session.results() else { continue };
                total.objects += results.len() as u64;
                let tracks = results.track_ids().flatten();
                total.tracks.extend(tracks.map(|track| (info.source, track)));
                total.losses += results.losses();
            }
            Ok(None) => return Ok(()),
            Err(error) if error.is_fatal() => return Err(error.into()),
            Err(error) => {
                total.failed += 1;
                if total.failed <= SHOWN_FAILURES {
                    bar.suspend(|| eprintln!("skipped: {error}"));
                }
            }
        }
        bar.inc(1);
        if let Some(total) = session.progress().total {
            bar.set_length(total);
        }
    }
}

/// The inputs of this computer; a Supervisely project is the list of its files. Their places there are told to `results`.
fn input(inputs: &[OsString], results: &mut Option<ProjectSink>) -> Result<Input, Failure> {
    let mut all = Vec::new();
    for input in inputs {
        let path = Path::new(input);
        if Project::is_one(path) {
            let project = Project::open(path)?;
            if project.items.is_empty() {
                return Err(format!("{}: there is nothing in this project", path.display()).into());
            }
            if let Some(sink) = results.take() {
                *results = Some(sink.with_project(&project)?);
            }
            all.push(Input::from(project.files()));
            continue;
        }
        // A name that is no Unicode can only be a path.
        all.push(input.to_str().map_or_else(|| Input::from(path), Input::from));
    }
    let input = Input::from(all);
    input.check()?;
    Ok(input)
}

/// The arguments as settings of the runtime.
fn settings(predict: &Predict) -> Result<Settings, Failure> {
    let tracking = predict.tracking.then(|| Tracking::parse(&predict.tracking_config)).transpose()?;
    let sliding_window = predict.window.sliding_window.then(|| window(predict)).transpose()?;
    let video = &predict.video;
    Ok(Settings {
        conf: predict.conf,
        iou: predict.iou,
        batch_size: predict.batch_size,
        img_size: predict.img_size.map(|size| size.0),
        classes: (!predict.classes.is_empty()).then(|| predict.classes.clone()),
        recursive: predict.recursive,
        video: VideoOptions {
            stride: Some(video.stride),
            start_frame: video.start_frame,
            end_frame: video.end_frame,
            num_frames: video.num_frames,
            duration_s: video.duration,
        },
        decoder: video.decoder.clone(),
        sliding_window,
        tracking,
    })
}

/// The zones and lines that are counted.
fn zones(places: &args::Places) -> Result<Zones, Failure> {
    let anchor = match places.anchor {
        args::Anchor::Bottom => Anchor::Bottom,
        args::Anchor::Center => Anchor::Center,
        args::Anchor::Top => Anchor::Top,
    };
    let mut zones = Zones::new(ZoneConfig { anchor, ..ZoneConfig::default() });
    for zone in &places.zone {
        zones.add_zone(&zone.name, &zone.points)?;
    }
    for line in &places.line {
        let [start, end] = line.points[..] else {
            let count = line.points.len();
            return Err(format!("`{}`: a line has 2 points, not {count}", line.name).into());
        };
        zones.add_line(&line.name, start, end)?;
    }
    Ok(zones)
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
    if output.unsent() > 0 {
        eprintln!("{} lines could not be sent", output.unsent());
    }
    for zone in output.zones().zones() {
        let (counts, inside) = (zone.total(), zone.inside().count());
        let stay = zone.mean_stay_us().unwrap_or(0) as f64 / 1e6;
        let (name, entered, left) = (zone.name(), counts.entered, counts.left);
        eprintln!("zone {name}: {entered} came, {left} left, {inside} inside, {stay:.1} s on average");
    }
    for line in output.zones().lines() {
        let counts = line.total();
        eprintln!("line {}: {} to the right, {} to the left", line.name(), counts.to_right, counts.to_left);
    }
    if total.failed > 0 {
        eprintln!("{} frames or files failed and were skipped", total.failed);
    }
    for path in output.written() {
        eprintln!("wrote {}", path.display());
    }
}
