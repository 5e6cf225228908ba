//! The original implementations' result files, row by row.
#![allow(clippy::unwrap_used, reason = "a test")]

mod mot;

use eyespot_track::{Affine, BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, TrackInfo, TrackStorage};
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
            tracker.update_frame(&Sequence::info(index), &mut frame.clone());
            rows.insert(index as u32 + 1, written(tracker.reported()));
        }
        rows
    });
}
