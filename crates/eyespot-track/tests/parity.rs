//! The original implementations' result files, row by row.
#![allow(clippy::unwrap_used, reason = "a test")]

mod mot;

use eyespot_core::{Affine, BBox, ClassId, Detection};
use eyespot_track::{BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, TrackInfo, TrackStorage};
use mot::{Row, Rows, Sequence, agreement, read_rows};

const SEQUENCES: [&str; 7] = [
    "MOT15-TUD-Campus",
    "MOT17-02-val",
    "MOT17-05-first",
    "MOT17-05-val",
    "MOT17-10-val",
    "dancetrack0004-val",
    "dancetrack0019-val",
];

/// The original keeps lost tracks for 14 frames on this one.
fn track_buffer(name: &str) -> u32 {
    if name.starts_with("MOT17-05") { 14 } else { 30 }
}

fn written(reported: impl Iterator<Item = TrackInfo>) -> Vec<Row> {
    reported.map(|track| Row::new(track.id.get(), &track.bbox)).filter(Row::is_written).collect()
}

fn compare(peer: &str, track: impl Fn(&str, &Sequence) -> Rows) {
    let Some(data) = mot::data() else { return };
    for name in SEQUENCES {
        let ours = track(name, &Sequence::read(&data.join(name)));
        let theirs = read_rows(&data.join("peers").join(peer).join(name).with_extension("txt"));
        let share = agreement(&ours, &theirs, 0.5);
        println!("{peer} {name}: {:.3} %", 100.0 * share);
        assert!(share >= 0.999, "{peer} {name}: only {:.2} % of the rows agree", 100.0 * share);
    }
}

fn botsort(name: &str, sequence: &Sequence, camera_motion: bool) -> Rows {
    let config = BotSortConfig { track_buffer: track_buffer(name), ..BotSortConfig::reference() };
    let mut tracker = BotSort::new(config, Box::new(TrackStorage::<256, 256>::new())).unwrap();
    let mut rows = Rows::new();
    for (index, frame) in sequence.frames.iter().enumerate() {
        let motion = if camera_motion { sequence.motions[index] } else { Affine::IDENTITY };
        tracker.update_with_motion(&Sequence::info(index), &motion, &mut frame.clone());
        rows.insert(index as u32 + 1, written(tracker.reported()));
    }
    rows
}

#[test]
fn botsort_agrees_with_the_original() {
    compare("botsort_nogmc", |name, sequence| botsort(name, sequence, false));
}

#[test]
fn botsort_agrees_with_the_original_under_camera_motion() {
    compare("botsort_gmc", |name, sequence| botsort(name, sequence, true));
}

#[test]
fn bytetrack_agrees_with_the_original() {
    compare("bytetrack", |name, sequence| {
        let config = ByteTrackConfig { track_buffer: track_buffer(name), ..ByteTrackConfig::default() };
        let mut tracker = ByteTrack::new(config, Box::new(TrackStorage::<256, 256>::new())).unwrap();
        let mut rows = Rows::new();
        for (index, frame) in sequence.frames.iter().enumerate() {
            tracker.update_with_motion(&Sequence::info(index), &Affine::IDENTITY, &mut frame.clone());
            rows.insert(index as u32 + 1, written(tracker.reported()));
        }
        rows
    });
}

/// The values of one key, in their order: the files are flat lists of objects with text values.
fn values(text: &str, key: &str) -> Vec<f32> {
    let key = format!("\"{key}\": \"");
    text.split(&key).skip(1).map(|rest| rest.split('"').next().unwrap().parse().unwrap()).collect()
}

/// Frame number, box and one more value of each row of a file of the C++ implementation.
fn palace(path: &std::path::Path, last: &str) -> Vec<(usize, [f32; 5])> {
    let text = std::fs::read_to_string(path).unwrap();
    let columns = ["frame_id", "x", "y", "width", "height", last].map(|key| values(&text, key));
    let row = |row: usize| (columns[0][row] as usize, std::array::from_fn(|column| columns[column + 1][row]));
    (0..columns[0].len()).map(row).collect()
}

/// ByteTrack-cpp measures overlaps with the boxes of the latest update and never with the predicted ones: its filter
/// predicts, but the box that the matching looks at is not refreshed. That is `match_last_seen`; without it 83 % of the
/// rows agree.
#[test]
fn bytetrack_agrees_with_the_implementation_in_cpp() {
    let Some(data) = mot::data() else { return };
    let folder = data.join("palace_bytetrack_cpp");
    let mut frames = vec![Vec::new(); 314];
    for (frame, [x, y, width, height, score]) in palace(&folder.join("detection_results.json"), "prob") {
        if let Some(detections) = frames.get_mut(frame) {
            detections.push(Detection::new(BBox::from_xywh(x, y, width, height), score, ClassId(0)));
        }
    }
    let config = ByteTrackConfig {
        track_thresh: 0.5,
        high_thresh: 0.6,
        match_thresh: 0.8,
        fuse_score: false,
        match_last_seen: true,
        ..ByteTrackConfig::default()
    };
    let mut tracker = ByteTrack::new(config, Box::new(TrackStorage::<64, 64>::new())).unwrap();
    let (mut ours, mut theirs) = (Rows::new(), Rows::new());
    for (index, mut frame) in frames.into_iter().enumerate() {
        tracker.update_with_motion(&Sequence::info(index), &Affine::IDENTITY, &mut frame);
        let rows = tracker.reported().map(|track| Row::new(track.id.get(), &track.bbox));
        ours.insert(index as u32, rows.collect());
    }
    for (frame, [x, y, width, height, id]) in palace(&folder.join("tracking_results.json"), "track_id") {
        let row = Row { id: id as u32, tlwh: [x, y, width, height] };
        theirs.entry(frame as u32).or_default().push(row);
    }
    assert_eq!(theirs.values().map(Vec::len).sum::<usize>(), 6_008);
    let share = agreement(&ours, &theirs, 0.5);
    println!("palace: {:.3} %", 100.0 * share);
    assert!(share >= 0.999, "only {:.2} % of the rows agree", 100.0 * share);
}
