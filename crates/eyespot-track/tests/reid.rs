//! Appearance through an embedder: what is asked of it, what its answers do, and what its errors cost.
#![allow(clippy::unwrap_used, reason = "a test")]

use eyespot_core::{
    Affine, BBox, ClassId, Detection, Embedder, Error, ErrorKind, ErrorType, Frame, FrameInfo, ImageView,
    NoMotion, PixelFormat, TrackId, Tracker,
};
use eyespot_track::{BotSort, BotSortConfig, Feature, TrackStorage};

/// Knows the colour of the people in each frame by the top edge of their boxes, and fails in some frames after the
/// first answer.
struct Colours {
    fails: fn(u64) -> bool,
    /// The number of boxes of each call.
    calls: Vec<usize>,
}

#[derive(Debug, PartialEq)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the embedder is broken")
    }
}

impl std::error::Error for Broken {}

impl Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Device
    }
}

impl ErrorType for Colours {
    type Error = Broken;
}

impl Embedder for Colours {
    fn dim(&self) -> usize {
        3
    }
    fn embed(
        &mut self,
        frame: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Broken> {
        self.calls.push(boxes.len());
        for (index, bbox) in boxes.iter().enumerate() {
            out(index, if bbox.y1 == 50.0 { &[5.0, 0.1, 0.0] } else { &[0.0, 0.1, 3.0] });
            if (self.fails)(frame.info.index) {
                return Err(Broken);
            }
        }
        // An index that there is no box for is not a reason to panic.
        out(boxes.len() + 1000, &[1.0; 3]);
        Ok(())
    }
}

fn person(x: f32, y: f32, score: f32) -> Detection {
    Detection::new(BBox::new(x, y, x + 20.0, 90.0), score, ClassId(0))
}

fn update<T: Tracker>(
    tracker: &mut T,
    index: u64,
    detections: &[Detection],
) -> (Vec<Option<u32>>, Result<(), T::Error>) {
    let image = ImageView::packed(&[0], 1, 1, PixelFormat::Gray8).unwrap();
    let mut detections = detections.to_vec();
    let result = tracker.update(&Frame::new(image, index, 0), &mut detections);
    (detections.iter().map(|detection| detection.track.map(TrackId::get)).collect(), result)
}

type Small<F> = BotSort<TrackStorage<8, 8, F>, 8, 8, NoMotion, Colours, F>;

/// Two people stand close together and change places between two frames: the ids of the left and the right one after
/// that, and the tracker.
fn swap<F: Feature>(config: BotSortConfig, fails: fn(u64) -> bool) -> (Vec<Option<u32>>, Small<F>) {
    let embedder = Colours { fails, calls: Vec::new() };
    let storage = TrackStorage::<8, 8, F>::with_features();
    let mut tracker = BotSort::new(config, storage).unwrap().with_embedder(embedder).unwrap();
    let mut last = Vec::new();
    for index in 0..12 {
        let (left, right) = if index < 6 { (50.0, 50.5) } else { (50.5, 50.0) };
        let (ids, result) = update(&mut tracker, index, &[person(0.0, left, 0.9), person(4.0, right, 0.9)]);
        assert_eq!(result, if fails(index) { Err(Broken) } else { Ok(()) });
        last = ids;
    }
    (last, tracker)
}

#[test]
fn people_who_change_places_are_known_again() {
    let config = BotSortConfig::default();
    for preset in [config, BotSortConfig::reference()] {
        assert_eq!(swap::<[f32; 3]>(preset, |_| false).0, [Some(2), Some(1)]);
        assert_eq!(swap::<[i8; 3]>(preset, |_| false).0, [Some(2), Some(1)]);
    }
    let off = BotSortConfig { with_reid: false, ..config };
    assert_eq!(swap::<[f32; 3]>(off, |_| false).0, [Some(1), Some(2)], "with_reid: by boxes alone");
    let far = BotSortConfig { proximity_thresh: 0.1, ..config };
    assert_eq!(swap::<[f32; 3]>(far, |_| false).0, [Some(1), Some(2)], "proximity_thresh: too far apart");
}

/// The table closes its gaps; features must move with their tracks.
#[test]
fn looks_stay_with_their_tracks_when_others_are_forgotten() {
    let config = BotSortConfig { track_buffer: 2, ..BotSortConfig::default() };
    let embedder = Colours { fails: |_| false, calls: Vec::new() };
    let storage = TrackStorage::<3, 8, [f32; 3]>::with_features();
    let mut tracker = BotSort::new(config, storage).unwrap().with_embedder(embedder).unwrap();
    let mut last = Vec::new();
    for index in 0..20 {
        // They change places as soon as the first of all, who looks like the right one, is forgotten.
        let (left, right) = if index < 8 { (50.0, 50.5) } else { (50.5, 50.0) };
        let gone = (index < 5).then(|| person(-300.0, 50.5, 0.95));
        let pair = [person(0.0, left, 0.9), person(4.0, right, 0.9)];
        let seen: Vec<_> = gone.into_iter().chain(pair).collect();
        last = update(&mut tracker, index, &seen).0;
        assert_eq!(tracker.tracks().count(), if index < 7 { 3 } else { 2 }, "frame {index}");
    }
    // Ids are given from left to right.
    assert_eq!(last, [Some(3), Some(2)]);
    // In a full table the place of a lost track goes to a new one, with its own look.
    let crowd = [person(0.0, 50.5, 0.9), person(4.0, 50.0, 0.9)];
    update(&mut tracker, 20, &[crowd[0], crowd[1], person(500.0, 50.0, 0.9)]).1.unwrap();
    update(&mut tracker, 21, &[crowd[0], person(500.0, 50.0, 0.9)]).1.unwrap();
    update(&mut tracker, 22, &[crowd[0], person(500.0, 50.0, 0.9), person(700.0, 50.5, 0.9)]).1.unwrap();
    assert_eq!(tracker.losses().evicted, 1);
    let pair = [crowd[0], person(4.0, 50.0, 0.9), person(700.0, 50.5, 0.9)];
    let ids = update(&mut tracker, 23, &pair).0;
    assert_eq!((ids[0], ids[1]), (Some(3), None), "the one that went is no longer known");
    assert!(ids[2].is_some());
}

/// A person whose look changes a little, on another one's box.
#[test]
fn appearance_thresh_says_how_different_the_same_may_look() {
    let run = |appearance_thresh| {
        let config = BotSortConfig { appearance_thresh, match_thresh: 0.4, ..BotSortConfig::default() };
        let storage = TrackStorage::<8, 8, [f32; 2]>::with_features();
        let mut tracker = BotSort::new(config, storage).unwrap();
        let mut ids = Vec::new();
        for index in 0..8u64 {
            let changed = index >= 6;
            // A cosine of .6 is a distance of .2.
            let own = if changed { [0.6, 0.8] } else { [1.0, 0.0] };
            let mut detections = [person(if changed { 6.0 } else { 0.0 }, 50.0, 0.7)];
            let info = FrameInfo { index, ..FrameInfo::default() };
            tracker.update_with_features(&info, &Affine::IDENTITY, &mut detections, &[own]);
            ids.push(detections[0].track.map(TrackId::get));
        }
        ids[6]
    };
    // The boxes overlap by .54, too little to be matched; the looks decide.
    assert_eq!((run(0.25), run(0.1)), (Some(1), None));
}

#[test]
fn the_embedder_is_asked_once_per_frame_for_all_high_scores() {
    let embedder = Colours { fails: |_| false, calls: Vec::new() };
    let storage = TrackStorage::<8, 8, [f32; 3]>::with_features();
    let mut embedder = embedder;
    let mut tracker =
        BotSort::new(BotSortConfig::default(), storage).unwrap().with_embedder(&mut embedder).unwrap();
    let crowd: Vec<_> = (0..6).map(|n| person(100.0 * n as f32, 50.0, 0.2 + 0.15 * n as f32)).collect();
    for index in 0..3 {
        update(&mut tracker, index, &crowd).1.unwrap();
    }
    update(&mut tracker, 3, &[]).1.unwrap();
    update(&mut tracker, 4, &crowd[..2]).1.unwrap();
    assert_eq!(tracker.losses().features, 0);
    // Scores .65, .8 and .95 are high; without any there is nothing to ask.
    assert_eq!(embedder.calls, [3, 3, 3]);
}

#[test]
fn a_failed_embedding_costs_no_identity() {
    let (ids, tracker) = swap::<[f32; 3]>(BotSortConfig::default(), |index| index % 3 == 1);
    // In frame 6, when they change places, it works.
    assert_eq!(ids, [Some(2), Some(1)]);
    assert_eq!(tracker.tracks().count(), 2);
    // Always broken: boxes alone.
    let (ids, _) =
        swap::<[f32; 3]>(BotSortConfig { appearance_thresh: 0.0, ..BotSortConfig::default() }, |_| true);
    assert_eq!(ids, [Some(1), Some(2)]);
}

#[test]
fn a_dimension_that_does_not_fit_is_refused_at_once() {
    let embedder = || Colours { fails: |_| false, calls: Vec::new() };
    let storage = TrackStorage::<8, 8, [f32; 512]>::with_features();
    let tracker = BotSort::new(BotSortConfig::default(), storage).unwrap();
    let error = tracker.with_embedder(embedder()).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "dimension of the embedder must be 512, but is 3");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // A storage without features has no use for an embedder.
    let tracker = BotSort::new(BotSortConfig::default(), TrackStorage::<8, 8>::new()).unwrap();
    assert!(tracker.with_embedder(embedder()).is_err());
}

#[test]
fn features_of_no_use_are_counted_and_count_as_none() {
    let config = BotSortConfig::default();
    let mut tracker = BotSort::new(config, TrackStorage::<8, 8, [f32; 2]>::with_features()).unwrap();
    let mut plain = BotSort::new(config, TrackStorage::<8, 8>::new()).unwrap();
    let bad: [&[f32]; 4] = [&[f32::NAN, 1.0], &[0.0, 0.0], &[f32::INFINITY, 0.0], &[1.0]];
    for index in 0..6u64 {
        let info = FrameInfo { index, ..FrameInfo::default() };
        let still = Affine::IDENTITY;
        // The last one has no feature at all.
        let people = [0.0, 6.0, 90.0, 95.0, 300.0].map(|x| person(x, 50.0, 0.9));
        let (mut ours, mut expected) = (people, people);
        tracker.update_with_features(&info, &still, &mut ours, &bad);
        plain.update_with_motion(&info, &still, &mut expected);
        assert_eq!(ours.map(|detection| detection.track), expected.map(|detection| detection.track));
    }
    assert_eq!(tracker.losses().features, 24);
}

/// How often a person of a crowd gets another id, in 300 frames: without appearance, in floats and in bytes.
#[test]
fn bytes_keep_ids_as_floats_do() {
    const DIM: usize = 128;
    const PEOPLE: usize = 12;
    let mut state = 1u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let looks: [[f32; DIM]; PEOPLE] = std::array::from_fn(|_| std::array::from_fn(|_| noise()));
    let config = BotSortConfig { proximity_thresh: 1.0, ..BotSortConfig::default() };
    let mut plain = BotSort::new(config, Box::new(TrackStorage::<32, 32>::new())).unwrap();
    let mut floats =
        BotSort::new(config, Box::new(TrackStorage::<32, 32, [f32; DIM]>::with_features())).unwrap();
    let mut bytes =
        BotSort::new(config, Box::new(TrackStorage::<32, 32, [i8; DIM]>::with_features())).unwrap();
    let (mut latest, mut switches) = ([[None; PEOPLE]; 3], [0; 3]);
    for index in 0..300u64 {
        let info = FrameInfo { index, ..FrameInfo::default() };
        let people: [Detection; PEOPLE] = std::array::from_fn(|n| {
            let phase = 0.12 * index as f32 + n as f32;
            let (x, y) = (100.0 + 90.0 * phase.sin(), 80.0 + 30.0 * (1.3 * phase).cos());
            Detection::new(BBox::from_xywh(x, y, 30.0, 60.0), 0.7 + 0.5 * noise().abs(), ClassId(0))
        });
        let views = looks.map(|look| look.map(|number| number + noise()));
        let mut seen = [people; 3];
        plain.update_with_motion(&info, &Affine::IDENTITY, &mut seen[0]);
        floats.update_with_features(&info, &Affine::IDENTITY, &mut seen[1], &views);
        bytes.update_with_features(&info, &Affine::IDENTITY, &mut seen[2], &views);
        for (seen, (latest, switches)) in seen.iter().zip(latest.iter_mut().zip(&mut switches)) {
            for (detection, latest) in seen.iter().zip(latest) {
                if let Some(id) = detection.track {
                    *switches += usize::from(latest.replace(id).is_some_and(|latest| latest != id));
                }
            }
        }
    }
    let [plain, floats, bytes] = switches;
    println!("switches: {plain} by boxes, {floats} with floats, {bytes} with bytes");
    assert!(5 * floats < plain, "{switches:?}");
    assert!(bytes.abs_diff(floats) * 10 <= floats.max(10), "{switches:?}");
}
