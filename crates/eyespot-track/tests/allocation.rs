//! No tracker touches the heap after it has been made, with camera motion and appearance and in overload.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::convert::Infallible;

use eyespot_core::{
    BBox, CameraMotion, ClassId, Detection, Embedder, ErrorType, Frame, ImageView, PixelFormat, Tracker,
};
use eyespot_flow::{FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use eyespot_track::{
    BotSort, BotSortConfig, ByteTrack, ByteTrackConfig, OcSort, OcSortConfig, OcSortStorage, Sort,
    SortConfig, TrackStorage,
};

const SIDE: usize = 160;

/// Describes a box by its place.
struct Place;

impl ErrorType for Place {
    type Error = Infallible;
}

impl Embedder for Place {
    fn dim(&self) -> usize {
        4
    }
    fn embed(
        &mut self,
        _: &Frame<'_>,
        boxes: &[BBox],
        out: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Infallible> {
        for (index, bbox) in boxes.iter().enumerate() {
            out(index, &bbox.xyxy());
        }
        Ok(())
    }
}

fn sparse() -> impl CameraMotion {
    SparseFlow::new(Box::new(FlowStorage::<{ 160 * 160 }, 200>::new()))
}

fn trackers() -> Vec<(&'static str, Box<dyn Tracker<Error = Infallible>>)> {
    let plain = || Box::new(TrackStorage::<16, 24>::new());
    let observed = || Box::new(OcSortStorage::<16, 24>::new());
    let config = BotSortConfig::default();
    let orb = OrbFlow::new(Box::new(OrbStorage::<{ 160 * 160 }, 200>::new()));
    let floats = Box::new(TrackStorage::<16, 24, [f32; 4]>::with_features());
    let bytes = Box::new(TrackStorage::<16, 24, [i8; 4]>::with_features());
    let flowing = |storage| BotSort::with_camera_motion(config, storage, sparse()).unwrap();
    vec![
        ("BoT-SORT", Box::new(BotSort::new(config, plain()).unwrap())),
        ("BoT-SORT, reference", Box::new(BotSort::new(BotSortConfig::reference(), plain()).unwrap())),
        ("BoT-SORT, sparse flow", Box::new(flowing(plain()))),
        ("BoT-SORT, ORB", Box::new(BotSort::with_camera_motion(config, plain(), orb).unwrap())),
        (
            "BoT-SORT, sparse flow, f32",
            Box::new(
                BotSort::with_camera_motion(config, floats, sparse()).unwrap().with_embedder(Place).unwrap(),
            ),
        ),
        ("BoT-SORT, i8", Box::new(BotSort::new(config, bytes).unwrap().with_embedder(Place).unwrap())),
        (
            "ByteTrack",
            Box::new(ByteTrack::with_camera_motion(ByteTrackConfig::default(), plain(), sparse()).unwrap()),
        ),
        (
            "OC-SORT",
            Box::new(OcSort::with_camera_motion(OcSortConfig::default(), observed(), sparse()).unwrap()),
        ),
        ("SORT", Box::new(Sort::with_camera_motion(SortConfig::default(), plain(), sparse()).unwrap())),
    ]
}

/// A texture that moves with the frames.
fn draw(pixels: &mut [u8], frame: usize) {
    for (index, pixel) in pixels.iter_mut().enumerate() {
        let (x, y) = (index % SIDE + 2 * frame, index / SIDE + frame);
        *pixel = ((x / 9 * 97) ^ (y / 7 * 57) ^ (x / 9 * (y / 7) * 31)) as u8;
    }
}

#[test]
fn no_tracker_allocates_after_construction() {
    // The test counts on the counter: it must see an allocation.
    assert!(allocation_counter::measure(|| drop(std::hint::black_box(vec![0u8; 9]))).count_total > 0);
    for (name, mut tracker) in trackers() {
        let mut pixels = vec![0u8; SIDE * SIDE];
        let mut detections = vec![Detection::default(); 40];
        let mut tracked = 0;
        let measured = allocation_counter::measure(|| {
            for frame in 0..80u64 {
                draw(&mut pixels, frame as usize);
                // More objects than there is room for, some of which come and go, some hide, some are broken.
                for (index, detection) in detections.iter_mut().enumerate() {
                    let hidden = (frame as usize / 7 + index).is_multiple_of(5);
                    let x = 17.0 * (index % 8) as f32 + 0.4 * frame as f32;
                    let y = 30.0 * (index / 8) as f32;
                    let width = if hidden && index % 2 == 0 { f32::NAN } else { 24.0 };
                    let score = if hidden { 0.3 } else { 0.7 + 0.007 * index as f32 };
                    *detection = Detection::new(BBox::from_xywh(x, y, width, 28.0), score, ClassId(0));
                }
                let image = ImageView::packed(&pixels, SIDE as u16, SIDE as u16, PixelFormat::Gray8).unwrap();
                let present = if frame == 40 { 0 } else { detections.len() };
                tracker.update(&Frame::new(image, frame, 0), &mut detections[..present]).unwrap();
                tracked += detections.iter().filter(|detection| detection.track.is_some()).count();
            }
            tracker.reset();
        });
        assert!(tracked > 100, "{name} tracks: {tracked}");
        assert_eq!(measured.count_total, 0, "{name}: {measured:?}");
    }
}
