//! Accuracy on the development sequences, with the pedestrian filter of the reference's writer and the camera motion
//! from the files. One configuration for all; the frame rate is that of the sequence.
#![allow(clippy::unwrap_used, reason = "a test")]

mod mot;

use eyespot_core::{Affine, Detection, FrameInfo};
use eyespot_eval::mot as eval;
use eyespot_track::{
    BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, OcSort, OcSortConfig, OcSortStorage, Sort,
    SortConfig, TrackInfo, TrackStorage,
};
use mot::{Row, Sequence};

type Group = (&'static str, &'static [&'static str]);

const GROUPS: [Group; 3] = [
    ("MOT17 val", &["MOT17-02-val", "MOT17-05-val", "MOT17-10-val"]),
    ("MOT17 first", &["MOT17-02-first", "MOT17-05-first", "MOT17-10-first"]),
    (
        "Dance",
        &[
            "dancetrack0004-val",
            "dancetrack0007-val",
            "dancetrack0014-val",
            "dancetrack0019-val",
            "dancetrack0026-val",
            "dancetrack0035-val",
            "dancetrack0043-val",
            "dancetrack0058-val",
        ],
    ),
];

/// HOTA, MOTA and IDF1 in percent of each group.
type Figures = [[f64; 3]; 3];

/// Runs a tracker, made anew for every sequence from its name and frame rate, over all groups.
fn evaluate<F>(label: &str, make: impl Fn(&str, f32) -> F) -> Option<Figures>
where
    F: FnMut(&FrameInfo, &Affine, &mut [Detection]) -> Vec<Row>,
{
    let data = mot::data()?;
    let mut line = format!("{label:28}");
    let figures = GROUPS.map(|(_, names)| {
        let scores: Vec<_> = names
            .iter()
            .map(|name| {
                let folder = data.join(name);
                let sequence = Sequence::read(&folder);
                let mut track = make(name, sequence.fps);
                let mut rows = Vec::new();
                for (index, frame) in sequence.frames.iter().enumerate() {
                    let found = track(&Sequence::info(index), &sequence.motions[index], &mut frame.clone());
                    rows.extend(found.iter().filter(|row| row.is_written()).map(|row| eval::Row {
                        frame: index as u32 + 1,
                        id: row.id.into(),
                        bbox: row.tlwh.map(f64::from),
                        score: 1.0,
                        class: None,
                        visibility: None,
                    }));
                }
                let truth = eval::Sequence::read(folder.join("gt/gt.txt")).unwrap();
                eval::evaluate(&truth, &eval::Sequence::from_rows(rows)).unwrap()
            })
            .collect();
        let all = eval::combine(&scores);
        let figures = [all.hota.hota, all.clear.mota, all.identity.idf1].map(|share| 100.0 * share);
        let [hota, mota, idf1] = figures;
        line += &format!(" | {hota:.2} / {mota:.2} / {idf1:.2} / {}", all.clear.id_switches);
        figures
    });
    println!("{line}");
    Some(figures)
}

fn filtered(reported: impl Iterator<Item = TrackInfo>) -> Vec<Row> {
    reported.map(|track| Row::new(track.id.get(), &track.bbox)).collect()
}

fn detected(detections: &[Detection]) -> Vec<Row> {
    let row = |detection: &Detection| Some(Row::new(detection.track?.get(), &detection.bbox));
    detections.iter().filter_map(row).collect()
}

fn botsort(config: BotSortConfig) -> BotSort<Box<TrackStorage<256, 256>>, 256, 256> {
    BotSort::new(config, Box::new(TrackStorage::new())).unwrap()
}

/// Every figure is at least this.
fn at_least(figures: &Figures, least: &Figures) {
    for ((name, _), (figures, least)) in GROUPS.iter().zip(figures.iter().zip(least)) {
        for (kind, (figure, least)) in ["HOTA", "MOTA", "IDF1"].iter().zip(figures.iter().zip(least)) {
            assert!(figure >= least, "{name}: {kind} {figure:.2} is below {least:.2}");
        }
    }
}

/// Better than the best figure of any peer on every group; MOTA as the original's.
#[test]
fn the_default_is_ahead_of_every_peer() {
    let least = [[53.7, 64.8, 67.8], [65.5, 81.5, 78.2], [47.7, 91.6, 45.0]];
    let run = |label: &str, posterior: bool| {
        evaluate(label, |_, fps| {
            let mut tracker = botsort(BotSortConfig { fps, ..BotSortConfig::default() });
            move |info: &FrameInfo, motion: &Affine, detections: &mut [Detection]| {
                tracker.update_with_motion(info, motion, detections);
                if posterior { filtered(tracker.reported()) } else { detected(detections) }
            }
        })
    };
    if let Some(figures) = run("default", true) {
        at_least(&figures, &least);
    }
    // The boxes of the detections, which is what a user sees, serve as well.
    if let Some(figures) = run("default, detected boxes", false) {
        at_least(&figures, &least);
    }
}

/// Every option that the default changes has an effect and earns its place on average over the groups.
#[test]
fn every_change_of_the_default_earns_its_place() {
    let run = |label: &str, config: BotSortConfig| {
        evaluate(label, |_, fps| {
            let mut tracker = botsort(BotSortConfig { fps, ..config });
            move |info: &FrameInfo, motion: &Affine, detections: &mut [Detection]| {
                tracker.update_with_motion(info, motion, detections);
                filtered(tracker.reported())
            }
        })
    };
    let best = BotSortConfig::default();
    let plain = BotSortConfig::reference();
    let mean = |figures: Figures| figures.iter().map(|[hota, _, idf1]| hota + idf1).sum::<f64>() / 6.0;
    let Some(full) = run("default", best).map(mean) else { return };
    let without = [
        ("without height_iou", BotSortConfig { height_iou: false, ..best }),
        ("without score_change_weight", BotSortConfig { score_change_weight: 0.0, ..best }),
        ("without second_match_lost", BotSortConfig { second_match_lost: 0, ..best }),
        ("without new_track_iou", BotSortConfig { new_track_iou: 1.0, ..best }),
        (
            "without std_weight_velocity",
            BotSortConfig { std_weight_velocity: plain.std_weight_velocity, ..best },
        ),
        ("without match_thresh", BotSortConfig { match_thresh: plain.match_thresh, ..best }),
        ("without new_track_thresh", BotSortConfig { new_track_thresh: plain.new_track_thresh, ..best }),
    ];
    for (label, config) in without {
        let Some(less) = run(label, config).map(mean) else { return };
        assert!(less < full, "{label}: {less:.2} instead of {full:.2}");
    }
}

/// The figures that TrackEval gives for the original implementations' result files.
#[test]
fn the_presets_score_like_the_originals() {
    let close = |figures: Option<Figures>, expected: Figures, tolerance: f64| {
        for (figure, expected) in figures.iter().flatten().flatten().zip(expected.as_flattened()) {
            assert!((figure - expected).abs() <= tolerance, "{figure:.2} instead of {expected:.2}");
        }
    };
    // The original keeps lost tracks for 14 frames on these, and for 30 on all others, whatever their frame rate.
    let buffer = |name: &str| if name.starts_with("MOT17-05") { 14 } else { 30 };
    for camera_motion in [true, false] {
        let figures = evaluate("BoT-SORT reference", |name, _| {
            let config = BotSortConfig { track_buffer: buffer(name), ..BotSortConfig::reference() };
            let mut tracker = botsort(config);
            move |info: &FrameInfo, motion: &Affine, detections: &mut [Detection]| {
                let motion = if camera_motion { motion } else { &Affine::IDENTITY };
                tracker.update_with_motion(info, motion, detections);
                filtered(tracker.reported())
            }
        });
        let expected = if camera_motion {
            [[53.59, 64.82, 67.15], [65.37, 81.54, 78.05], [45.37, 91.66, 44.46]]
        } else {
            [[52.04, 63.97, 63.80], [60.32, 79.20, 69.70], [45.76, 91.67, 43.72]]
        };
        close(figures, expected, 0.05);
    }
    let figures = evaluate("ByteTrack", |name, _| {
        let config = ByteTrackConfig { track_buffer: buffer(name), ..ByteTrackConfig::default() };
        let mut tracker = ByteTrack::new(config, Box::new(TrackStorage::<256, 256>::new())).unwrap();
        move |info: &FrameInfo, _: &Affine, detections: &mut [Detection]| {
            tracker.update_with_motion(info, &Affine::IDENTITY, detections);
            filtered(tracker.reported())
        }
    });
    close(figures, [[52.57, 64.16, 65.64], [58.87, 78.35, 68.91], [39.26, 90.11, 43.09]], 0.05);
    // The original also weighs pairs that do not overlap, and skips the assignment where nothing is in conflict.
    let figures = evaluate("OC-SORT", |_, _| {
        let mut tracker =
            OcSort::new(OcSortConfig::default(), Box::new(OcSortStorage::<256, 256>::new())).unwrap();
        move |info: &FrameInfo, _: &Affine, detections: &mut [Detection]| {
            tracker.update_with_motion(info, &Affine::IDENTITY, detections);
            detected(detections)
        }
    });
    close(figures, [[49.42, 59.39, 61.88], [59.40, 72.99, 68.80], [44.40, 88.97, 42.50]], 0.7);
    let figures = evaluate("SORT", |_, _| {
        let mut tracker =
            Sort::new(SortConfig::default(), Box::new(TrackStorage::<256, 256>::new())).unwrap();
        move |info: &FrameInfo, _: &Affine, detections: &mut [Detection]| {
            tracker.update_with_motion(info, &Affine::IDENTITY, detections);
            detected(detections)
        }
    });
    if let Some(figures) = figures {
        at_least(&figures, &[[44.0, 57.5, 52.0], [55.0, 72.0, 62.0], [40.0, 88.0, 33.0]]);
    }
}
