//! Every option of every tracker has an effect, and a score exactly on a threshold has a defined one.
#![allow(clippy::unwrap_used, reason = "a test")]

use eyespot_core::{Affine, BBox, ClassId, Detection, FrameInfo, TrackId};
use eyespot_track::{
    BotSort, BotSortConfig, BoxFilter, ByteTrack, ByteTrackConfig, ClassPolicy, Clock, OcSort, OcSortConfig,
    OcSortStorage, Sort, SortConfig, TrackStorage,
};

fn frame(index: u64) -> FrameInfo {
    // The clock runs at 20 frames per second, not at the 30 of the default.
    FrameInfo { index, timestamp_us: index * 50_000, ..FrameInfo::default() }
}

fn at(x: f32, score: f32) -> Detection {
    Detection::new(BBox::from_xywh(x, 50.0, 20.0, 40.0), score, ClassId(0))
}

/// A generator of numbers from 0 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// A busy scene: people and cars, most of them of known looks, that cross, hide, change their scores and now and then their
/// class.
fn scene() -> Vec<(Vec<Detection>, Vec<Vec<f32>>)> {
    let mut noise = Noise(5);
    let mut frames = Vec::new();
    for index in 0..150u64 {
        let time = index as f32;
        let (mut detections, mut looks) = (Vec::new(), Vec::new());
        for n in 0..14 {
            let own = n as f32;
            let (x, y) = (
                150.0 + 120.0 * (0.05 * time + own).sin() + 4.0 * noise.next(),
                100.0 + 20.0 * (0.03 * time * own).cos() + 3.0 * noise.next(),
            );
            let score = 0.1 * (noise.next() * 10.0).ceil();
            if (index / 40 + n) % 9 == 0 || noise.next() < 0.1 {
                continue;
            }
            let (width, height) = if n % 4 == 0 { (70.0, 30.0) } else { (22.0 + own, 60.0 + 2.0 * own) };
            let class = ClassId(u16::from(n % 4 == 0) + u16::from(noise.next() < 0.05));
            detections.push(Detection::new(BBox::from_xywh(x, y, width, height), score, class));
            let look = [own.cos(), own.sin(), 0.3 * noise.next(), 0.3 * noise.next()];
            looks.push(if n % 3 == 0 { Vec::new() } else { look.to_vec() });
        }
        frames.push((detections, looks));
    }
    frames
}

/// A camera that turns a little from frame to frame.
const TURN: Affine = Affine::from_rows([0.9998, -0.02, 2.0], [0.02, 0.9998, -1.0]);

type Outcome = Vec<(Option<TrackId>, [f32; 4])>;

/// Everything that can be seen of BoT-SORT over the scene.
fn outcome(config: BotSortConfig) -> Outcome {
    let storage = Box::new(TrackStorage::<64, 64, [f32; 4]>::with_features());
    let mut tracker = BotSort::new(config, storage).unwrap();
    let mut seen = Vec::new();
    for (index, (mut detections, looks)) in scene().into_iter().enumerate() {
        tracker.update_with_features(&frame(index as u64), &TURN, &mut detections, &looks);
        seen.extend(detections.iter().map(|detection| (detection.track, detection.bbox.xyxy())));
        seen.extend(tracker.reported().map(|track| (Some(track.id), track.bbox.xyxy())));
    }
    seen
}

/// The ids that any tracker gives over the scene.
fn ids_of(mut update: impl FnMut(&FrameInfo, &mut [Detection])) -> Vec<Option<TrackId>> {
    let mut seen = Vec::new();
    for (index, (mut detections, _)) in scene().into_iter().enumerate() {
        update(&frame(index as u64), &mut detections);
        seen.extend(detections.iter().map(|detection| detection.track));
    }
    seen
}

#[test]
fn every_option_of_the_other_trackers_has_an_effect() {
    let byte = |config| {
        let mut tracker = ByteTrack::new(config, TrackStorage::<64, 64>::new()).unwrap();
        ids_of(move |info, detections| tracker.update_with_motion(info, &TURN, detections))
    };
    let base = ByteTrackConfig::default();
    for (name, config) in [
        ("track_thresh", ByteTrackConfig { track_thresh: 0.45, ..base }),
        ("high_thresh", ByteTrackConfig { high_thresh: 0.85, ..base }),
        ("match_thresh", ByteTrackConfig { match_thresh: 0.5, ..base }),
        ("track_buffer", ByteTrackConfig { track_buffer: 5, ..base }),
        ("fuse_score", ByteTrackConfig { fuse_score: false, ..base }),
        ("match_last_seen", ByteTrackConfig { match_last_seen: true, ..base }),
        ("min_box_area", ByteTrackConfig { min_box_area: 1600.0, ..base }),
        ("fps", ByteTrackConfig { fps: 5.0, ..base }),
        ("clock", ByteTrackConfig { clock: Clock::Timestamp, ..base }),
        ("class_policy", ByteTrackConfig { class_policy: ClassPolicy::Gated, ..base }),
    ] {
        assert_ne!(byte(config), byte(base), "{name} of ByteTrack has no effect");
    }
    let observed = |config| {
        let mut tracker = OcSort::new(config, OcSortStorage::<64, 64>::new()).unwrap();
        ids_of(move |info, detections| tracker.update_with_motion(info, &TURN, detections))
    };
    let plain = |sort| {
        let mut tracker = Sort::new(sort, TrackStorage::<64, 64>::new()).unwrap();
        ids_of(move |info, detections| tracker.update_with_motion(info, &TURN, detections))
    };
    let oc = OcSortConfig::default();
    for (name, config) in
        [("delta_t", OcSortConfig { delta_t: 1, ..oc }), ("inertia", OcSortConfig { inertia: 0.9, ..oc })]
    {
        assert_ne!(observed(config), observed(oc), "{name} of OC-SORT has no effect");
    }
    for (name, change) in [
        ("det_thresh", &(|sort| SortConfig { det_thresh: 0.3, ..sort }) as &dyn Fn(SortConfig) -> SortConfig),
        ("iou_threshold", &|sort| SortConfig { iou_threshold: 0.6, ..sort }),
        ("max_age", &|sort| SortConfig { max_age: 5, ..sort }),
        ("min_hits", &|sort| SortConfig { min_hits: 1, ..sort }),
    ] {
        let changed = OcSortConfig { sort: change(oc.sort), ..oc };
        assert_ne!(observed(changed), observed(oc), "{name} of OC-SORT has no effect");
        assert_ne!(plain(change(SortConfig::default())), plain(SortConfig::default()), "{name} of SORT");
    }
}

#[test]
fn every_option_has_an_effect() {
    let base = BotSortConfig::default();
    // A new option is missing here until it is listed.
    let BotSortConfig {
        track_high_thresh: _,
        track_low_thresh: _,
        new_track_thresh: _,
        track_buffer: _,
        match_thresh: _,
        second_match_thresh: _,
        unconfirmed_match_thresh: _,
        with_reid: _,
        proximity_thresh: _,
        appearance_thresh: _,
        fuse_score: _,
        height_iou: _,
        score_change_weight: _,
        second_match_lost: _,
        new_track_iou: _,
        box_filter: _,
        match_last_seen: _,
        std_weight_position: _,
        std_weight_velocity: _,
        duplicate_iou: _,
        min_box_area: _,
        aspect_ratio_thresh: _,
        fps: _,
        clock: _,
        class_policy: _,
        report_unconfirmed: _,
        inclusive_pixels: _,
        original_oddities: _,
    } = base;
    let variants = [
        ("track_high_thresh", BotSortConfig { track_high_thresh: 0.45, ..base }),
        ("track_low_thresh", BotSortConfig { track_low_thresh: 0.45, ..base }),
        ("new_track_thresh", BotSortConfig { new_track_thresh: 0.85, ..base }),
        ("track_buffer", BotSortConfig { track_buffer: 10, ..base }),
        ("match_thresh", BotSortConfig { match_thresh: 0.4, ..base }),
        ("second_match_thresh", BotSortConfig { second_match_thresh: 0.2, ..base }),
        ("unconfirmed_match_thresh", BotSortConfig { unconfirmed_match_thresh: 0.3, ..base }),
        ("with_reid", BotSortConfig { with_reid: false, ..base }),
        ("proximity_thresh", BotSortConfig { proximity_thresh: 0.9, ..base }),
        ("appearance_thresh", BotSortConfig { appearance_thresh: 0.01, ..base }),
        ("fuse_score", BotSortConfig { fuse_score: false, ..base }),
        ("height_iou", BotSortConfig { height_iou: false, ..base }),
        ("score_change_weight", BotSortConfig { score_change_weight: 0.5, ..base }),
        ("second_match_lost", BotSortConfig { second_match_lost: 8, ..base }),
        ("new_track_iou", BotSortConfig { new_track_iou: 0.1, ..base }),
        ("box_filter", BotSortConfig { box_filter: BoxFilter::Aspect, ..base }),
        ("match_last_seen", BotSortConfig { match_last_seen: true, ..base }),
        ("std_weight_position", BotSortConfig { std_weight_position: 0.2, ..base }),
        ("std_weight_velocity", BotSortConfig { std_weight_velocity: 0.1, ..base }),
        ("duplicate_iou", BotSortConfig { duplicate_iou: 0.3, ..base }),
        ("min_box_area", BotSortConfig { min_box_area: 1600.0, ..base }),
        ("aspect_ratio_thresh", BotSortConfig { aspect_ratio_thresh: 1.6, ..base }),
        ("fps", BotSortConfig { fps: 10.0, ..base }),
        ("clock", BotSortConfig { clock: Clock::Timestamp, ..base }),
        ("class_policy, gated", BotSortConfig { class_policy: ClassPolicy::Gated, ..base }),
        ("class_policy, isolated", BotSortConfig { class_policy: ClassPolicy::Isolated, ..base }),
        ("report_unconfirmed", BotSortConfig { report_unconfirmed: true, ..base }),
        ("inclusive_pixels", BotSortConfig { inclusive_pixels: true, ..base }),
        ("original_oddities", BotSortConfig { original_oddities: true, ..base }),
    ];
    // Each has its chapter and its picture.
    let book =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tracking.md")).unwrap();
    for (name, _) in variants {
        let name = name.split(',').next().unwrap();
        assert!(book.contains(&format!("(tracking/{name}.svg)")), "docs/tracking.md does not show {name}");
    }
    let usual = outcome(base);
    assert_eq!(usual, outcome(base), "the scene is the same each time");
    for (name, config) in variants {
        assert!(config != base && outcome(config) != usual, "{name} has no effect");
    }
}

/// The ids of one frame after another.
fn ids(config: BotSortConfig, frames: &[&[Detection]]) -> Vec<Vec<Option<u32>>> {
    let mut tracker = BotSort::new(config, TrackStorage::<8, 8>::new()).unwrap();
    let mut all = Vec::new();
    for (index, detections) in frames.iter().enumerate() {
        let mut detections = detections.to_vec();
        tracker.update_with_motion(&frame(index as u64), &Affine::IDENTITY, &mut detections);
        all.push(detections.iter().map(|detection| detection.track.map(TrackId::get)).collect());
    }
    all
}

#[test]
fn match_thresh_says_how_far_a_box_may_jump() {
    // Shifted by 8 of 20 pixels the IoU is 12 / 28.
    let jump: [&[Detection]; 2] = [&[at(0.0, 1.0)], &[at(8.0, 1.0)]];
    let second = |match_thresh| {
        let config = BotSortConfig { match_thresh, new_track_iou: 1.0, ..BotSortConfig::default() };
        ids(config, &jump)[1][0]
    };
    assert_eq!((second(0.6), second(0.5)), (Some(1), None));
}

#[test]
fn fuse_score_makes_a_weak_detection_count_less() {
    let jump: [&[Detection]; 2] = [&[at(0.0, 0.7)], &[at(8.0, 0.7)]];
    let second = |fuse_score| {
        let config = BotSortConfig { match_thresh: 0.6, fuse_score, ..BotSortConfig::default() };
        ids(config, &jump)[1][0]
    };
    // 1 - .43 is below .6, 1 - .43 * .7 is not. `fuse_score: false` is what the original calls `mot20`.
    assert_eq!((second(false), second(true)), (Some(1), None));
}

#[test]
fn second_match_thresh_is_for_low_scores() {
    let jump: [&[Detection]; 2] = [&[at(0.0, 0.9)], &[at(4.0, 0.3)]];
    let second = |second_match_thresh| {
        ids(BotSortConfig { second_match_thresh, ..BotSortConfig::default() }, &jump)[1][0]
    };
    assert_eq!((second(0.5), second(0.2)), (Some(1), None));
}

#[test]
fn wide_boxes_are_not_reported_if_so_wished() {
    let wide = Detection::new(BBox::from_xywh(0.0, 0.0, 90.0, 50.0), 0.9, ClassId(0));
    let first = |aspect_ratio_thresh| {
        ids(BotSortConfig { aspect_ratio_thresh, ..BotSortConfig::default() }, &[&[wide, at(200.0, 0.9)]])
    };
    assert_eq!(first(1.6)[0].iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    assert!(first(1.8)[0].iter().all(Option::is_some));
}

/// `new_track_thresh` is reached by a score that equals it, in the default as in the original.
#[test]
fn a_score_on_new_track_thresh_starts_a_track() {
    for base in [BotSortConfig::default(), BotSortConfig::reference()] {
        let config = BotSortConfig { new_track_thresh: 0.75, ..base };
        assert_eq!(ids(config, &[&[at(0.0, 0.75)]]), [[Some(1)]]);
        assert_eq!(ids(config, &[&[at(0.0, 0.749)]]), [[None]]);
    }
}

/// The other trackers have the strict comparisons of their originals.
#[test]
fn a_score_on_the_threshold_of_the_other_trackers_is_below_it() {
    let first = |score| {
        let mut detections = [at(0.0, score)];
        let config = SortConfig { det_thresh: 0.5, ..SortConfig::default() };
        let mut sort = Sort::new(config, TrackStorage::<8, 8>::new()).unwrap();
        sort.update_with_motion(&frame(0), &Affine::IDENTITY, &mut detections);
        let sort = detections[0].track.is_some();
        let config = ByteTrackConfig { track_thresh: 0.5, high_thresh: 0.5, ..ByteTrackConfig::default() };
        let mut byte = ByteTrack::new(config, TrackStorage::<8, 8>::new()).unwrap();
        byte.update_with_motion(&frame(0), &Affine::IDENTITY, &mut detections);
        (sort, detections[0].track.is_some())
    };
    assert_eq!((first(0.5), first(0.501)), ((false, false), (true, true)));
}
