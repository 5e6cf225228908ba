//! What holds for every tracker of the crate, through the trait that pipelines use.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;

use eyespot_core::{Affine, BBox, CameraMotion, ClassId, Detection, Frame, ImageView, PixelFormat, Tracker};
use eyespot_track::{
    BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, KnownMotion, OcSort, OcSortConfig, OcSortStorage,
    Sort, SortConfig, TrackStorage,
};
use proptest::prelude::*;

type AnyTracker = Box<dyn Tracker<Error = Infallible>>;

/// All trackers on a camera that moves in the same way.
fn trackers_with<M: CameraMotion + Clone + 'static>(motion: &M) -> [(&'static str, AnyTracker); 5] {
    let storage = TrackStorage::<6, 8>::new;
    let (config, original) = (BotSortConfig::default(), BotSortConfig::reference());
    let (byte, oc, sort) = (ByteTrackConfig::default(), OcSortConfig::default(), SortConfig::default());
    let observed = OcSortStorage::<6, 8>::new();
    [
        ("BoT-SORT", Box::new(BotSort::with_camera_motion(config, storage(), motion.clone()).unwrap())),
        ("reference", Box::new(BotSort::with_camera_motion(original, storage(), motion.clone()).unwrap())),
        ("ByteTrack", Box::new(ByteTrack::with_camera_motion(byte, storage(), motion.clone()).unwrap())),
        ("OC-SORT", Box::new(OcSort::with_camera_motion(oc, observed, motion.clone()).unwrap())),
        ("SORT", Box::new(Sort::with_camera_motion(sort, storage(), motion.clone()).unwrap())),
    ]
}

fn trackers() -> [(&'static str, AnyTracker); 5] {
    let storage = TrackStorage::<6, 8>::new;
    [
        ("BoT-SORT", Box::new(BotSort::new(BotSortConfig::default(), storage()).unwrap())),
        ("BoT-SORT reference", Box::new(BotSort::new(BotSortConfig::reference(), storage()).unwrap())),
        ("ByteTrack", Box::new(ByteTrack::new(ByteTrackConfig::default(), storage()).unwrap())),
        ("OC-SORT", Box::new(OcSort::new(OcSortConfig::default(), OcSortStorage::<6, 8>::new()).unwrap())),
        ("SORT", Box::new(Sort::new(SortConfig::default(), storage()).unwrap())),
    ]
}

/// Updates and returns the ids of the detections.
fn ids(tracker: &mut AnyTracker, index: u64, detections: &[Detection]) -> Vec<Option<u32>> {
    let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8).unwrap();
    let mut detections = detections.to_vec();
    tracker.update(&Frame::new(image, index, 33_333 * index), &mut detections).unwrap();
    detections.iter().map(|detection| detection.track.map(eyespot_core::TrackId::get)).collect()
}

fn at(x: f32, y: f32) -> Detection {
    Detection::new(BBox::from_xywh(x, y, 30.0, 60.0), 0.9, ClassId(0))
}

#[test]
fn two_people_who_pass_one_another_keep_their_ids() {
    for (name, mut tracker) in trackers() {
        for index in 0..60u64 {
            let step = 4.0 * index as f32;
            let found = ids(&mut tracker, index, &[at(step, 100.0), at(240.0 - step, 130.0)]);
            assert_eq!(found, [Some(1), Some(2)], "{name} in frame {index}");
        }
        tracker.reset();
        assert_eq!(ids(&mut tracker, 0, &[at(0.0, 100.0)]), [Some(1)], "{name} starts afresh");
    }
}

#[test]
fn an_object_that_hides_for_a_while_comes_back_as_the_same() {
    for (name, mut tracker) in trackers() {
        let walk = |index: u64| at(2.0 * index as f32, 100.0);
        for index in 0..20 {
            ids(&mut tracker, index, &[walk(index)]);
        }
        for index in 20..30 {
            assert_eq!(ids(&mut tracker, index, &[]), []);
        }
        for index in 30..33 {
            ids(&mut tracker, index, &[walk(index)]);
        }
        // SORT forgets at once; the new track has been seen often enough in the fourth frame.
        let expected = if name == "SORT" { Some(2) } else { Some(1) };
        assert_eq!(ids(&mut tracker, 33, &[walk(33)]), [expected], "{name}");
    }
}

#[test]
fn oc_sort_finds_an_object_that_stopped_while_it_was_hidden() {
    let run = |mut tracker: AnyTracker| {
        for index in 0..20 {
            ids(&mut tracker, index, &[at(5.0 * index as f32, 100.0)]);
        }
        for index in 20..34 {
            ids(&mut tracker, index, &[]);
        }
        // The prediction is two widths further on.
        let seen: BTreeSet<_> =
            (34..40).flat_map(|index| ids(&mut tracker, index, &[at(97.0, 100.0)])).collect();
        seen.into_iter().flatten().collect::<Vec<_>>()
    };
    let config = OcSortConfig::default();
    assert_eq!(run(Box::new(OcSort::new(config, OcSortStorage::<4, 4>::new()).unwrap())), [1]);
    let sort = SortConfig { max_age: 30, ..SortConfig::default() };
    assert_eq!(run(Box::new(Sort::new(sort, TrackStorage::<4, 4>::new()).unwrap())), [2]);
}

#[test]
fn bad_options_are_refused_by_name() {
    let bad = ByteTrackConfig { track_thresh: 2.0, ..ByteTrackConfig::default() };
    let error = ByteTrack::new(bad, TrackStorage::<1, 1>::new()).unwrap_err();
    assert_eq!(error.option, "track_thresh");
    let bad = SortConfig { iou_threshold: -0.1, ..SortConfig::default() };
    assert_eq!(Sort::new(bad, TrackStorage::<1, 1>::new()).unwrap_err().option, "iou_threshold");
    let bad = OcSortConfig { delta_t: 4, ..OcSortConfig::default() };
    assert_eq!(OcSort::new(bad, OcSortStorage::<1, 1>::new()).unwrap_err().option, "delta_t");
}

/// The picture turns about a corner and shifts by 70 pixels per frame, which is more than a box is wide; the objects
/// stand still in the world. One of them hides for a while.
#[test]
fn every_tracker_follows_the_camera() {
    let step = Affine::from_rows([0.9998, -0.02, 70.0], [0.02, 0.9998, 3.0]);
    let mut world = Affine::IDENTITY;
    let mut trackers = trackers_with(&KnownMotion::new([step; 40]));
    for index in 0..40 {
        if index > 0 {
            world = world.then(&step);
        }
        let still = |x: f32, y: f32| {
            let (x, y) = world.apply(x, y);
            Detection::new(BBox::from_cxcywh(x, y, 30.0, 60.0), 0.9, ClassId(0))
        };
        let both = [still(300.0, 100.0), still(300.0, 300.0)];
        let hidden = (20..30).contains(&index);
        for (name, tracker) in &mut trackers {
            let found = ids(tracker, index, if hidden { &both[..1] } else { &both });
            // SORT forgets what hides at once; OC-SORT reports what comes back from its fourth detection on.
            if (*name == "SORT" && index >= 30) || (*name == "OC-SORT" && (30..33).contains(&index)) {
                continue;
            }
            assert_eq!(found, if hidden { vec![Some(1)] } else { vec![Some(1), Some(2)] }, "{name}, {index}");
        }
    }
}

/// Anything at all for a camera motion.
#[derive(Clone)]
struct Shake(u64);

impl CameraMotion for Shake {
    fn estimate(&mut self, _: &Frame<'_>, _: &[Detection]) -> Affine {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (self.0 >> 40) as f32 / (1u64 << 24) as f32;
        match self.0 >> 33 & 7 {
            0 => Affine::from_rows([f32::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]),
            1 => Affine::from_rows([9.9, 0.0, 9e5], [0.0, 9.9, -9e5]),
            2 => Affine::from_rows([0.0, -1.0, 0.0], [1.0, 0.0, 0.0]),
            3 => Affine::from_rows([0.11, 0.0, 0.0], [0.0, 0.11, 0.0]),
            _ => Affine::from_rows([1.0 - number, number, 90.0], [-number, 1.0 - number, -50.0]),
        }
    }
    fn reset(&mut self) {}
}

fn detection() -> impl Strategy<Value = Detection> {
    let side =
        prop_oneof![6 => 1.0f32..80.0, 1 => Just(1e-6), 1 => Just(1e6), 1 => Just(f32::NAN), 1 => Just(-5.0)];
    let place = prop_oneof![6 => 0.0f32..200.0, 1 => Just(-1e6), 1 => Just(f32::INFINITY)];
    (place.clone(), place, side.clone(), side, 0.0f32..=1.0).prop_map(|(x, y, width, height, score)| {
        Detection::new(BBox { x1: x, y1: y, x2: x + width, y2: y + height }, score, ClassId(0))
    })
}

proptest! {
    /// Nothing panics, no id is given twice in a frame, and no id that was gone for good comes back.
    #[test]
    fn every_tracker_survives_anything(
        frames in prop::collection::vec((prop::collection::vec(detection(), 0..12), 1u64..50), 1..40),
        seed in any::<u64>(),
    ) {
        let shaken = trackers_with(&Shake(seed));
        let all = trackers().into_iter().map(|tracker| (true, tracker));
        for (steady, (name, mut tracker)) in all.chain(shaken.into_iter().map(|tracker| (false, tracker))) {
            let (mut index, mut largest) = (0, 0);
            for (detections, step) in &frames {
                let given: Vec<u32> = ids(&mut tracker, index, detections).into_iter().flatten().collect();
                prop_assert_eq!(given.iter().collect::<HashSet<_>>().len(), given.len(), "{}", name);
                // Beyond the longest memory all ids are new.
                if *step > 40 {
                    largest = largest.max(given.iter().copied().max().unwrap_or(0));
                }
                index += step;
            }
            let clean: Vec<_> = (0..8).flat_map(|n| ids(&mut tracker, index + 100 + n, &[at(0.0, 0.0)])).flatten().collect();
            prop_assert!((!steady || !clean.is_empty()) && clean.iter().all(|&id| id > largest), "{}: {:?}", name, clean);
        }
    }
}
