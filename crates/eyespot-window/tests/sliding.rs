//! A predictor that finds painted rectangles sees through the window what it sees in the whole frame.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use eyespot_core::{
    BBox, BatchOutput, ClassId, Detection, Error, ErrorKind, ErrorType, Frame, ImageView, InputSize,
    ModelSpec, PixelFormat, PredictOptions, Predictions, PredictionsBuf, PredictionsMut, PredictionsStorage,
    Predictor,
};
use eyespot_decode::Merge;
use eyespot_window::{SlidingWindow, SlidingWindowError, Tiles, WindowError};
use proptest::prelude::*;

/// Finds the box around each grey level above 0. The score grows with the box.
#[derive(Default)]
struct Painted {
    batches: Vec<usize>,
    views: Vec<(u16, u16)>,
    fails_after: Option<usize>,
}

#[derive(Debug, PartialEq)]
struct Broken;

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the accelerator is gone")
    }
}
impl core::error::Error for Broken {}
impl Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Device
    }
}
impl ErrorType for Painted {
    type Error = Broken;
}

impl Predictor for Painted {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("test/painted", Some(InputSize::square(16)), &["paint"])
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        _: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Broken> {
        if self.fails_after == Some(self.views.len()) {
            return Err(Broken);
        }
        let image = &frame.image;
        self.views.push((image.width(), image.height()));
        let mut found = [None::<BBox>; 256];
        for y in 0..image.height() {
            for x in 0..image.width() {
                let pixel = BBox::from_xywh(x.into(), y.into(), 1.0, 1.0);
                let slot = &mut found[usize::from(image.gray(x, y))];
                *slot = Some(slot.map_or(pixel, |bbox| bbox.union_box(&pixel)));
            }
        }
        for (class, bbox) in (0u16..).zip(found).skip(1) {
            let Some(bbox) = bbox else { continue };
            let score = bbox.area() / (f32::from(frame.info.width) * f32::from(frame.info.height));
            out.push(Detection::new(bbox, score, ClassId(class)));
        }
        Ok(())
    }

    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), Broken> {
        self.batches.push(frames.len());
        for (index, frame) in frames.iter().enumerate() {
            self.predict(frame, options, out.output(index))?;
        }
        Ok(())
    }
}

/// Works ahead: knows the results of a batch when it is submitted, and gives them when it is collected.
#[derive(Default)]
struct Ahead {
    painted: Painted,
    under_way: VecDeque<Vec<PredictionsBuf>>,
    /// How many batches were under way when one was submitted or collected.
    depths: Vec<usize>,
    fails_after: Option<usize>,
}

impl ErrorType for Ahead {
    type Error = Broken;
}

impl Predictor for Ahead {
    fn spec(&self) -> ModelSpec<'_> {
        self.painted.spec()
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        out: PredictionsMut<'_>,
    ) -> Result<(), Broken> {
        self.painted.predict(frame, options, out)
    }

    fn submit(&mut self, frames: &[Frame<'_>], options: &PredictOptions<'_>) -> Result<bool, Broken> {
        let mut results: Vec<_> = frames.iter().map(|_| PredictionsBuf::new(300, 0, 0)).collect();
        self.painted.predict_batch(frames, options, &mut &mut results[..])?;
        self.under_way.push_back(results);
        self.depths.push(self.under_way.len());
        Ok(true)
    }

    fn collect(&mut self, _: &PredictOptions<'_>, out: &mut dyn BatchOutput) -> Result<(), Broken> {
        self.depths.push(self.under_way.len());
        if self.fails_after == Some(self.depths.len()) {
            return Err(Broken);
        }
        for (index, results) in self.under_way.pop_front().unwrap().into_iter().enumerate() {
            for found in results.view().detections() {
                out.output(index).push(*found);
            }
        }
        Ok(())
    }

    fn discard(&mut self) {
        self.under_way.clear();
    }
}

const WIDTH: u16 = 60;
const HEIGHT: u16 = 44;

fn paint(rectangles: &[(u16, u16, u16, u16)]) -> Vec<u8> {
    let mut pixels = vec![0; usize::from(WIDTH) * usize::from(HEIGHT)];
    for (level, &(x, y, width, height)) in (1u8..).zip(rectangles) {
        for row in y..(y + height).min(HEIGHT) {
            for column in x..(x + width).min(WIDTH) {
                pixels[usize::from(row) * usize::from(WIDTH) + usize::from(column)] = level;
            }
        }
    }
    pixels
}

fn frame(pixels: &[u8]) -> Frame<'_> {
    Frame::still(ImageView::packed(pixels, WIDTH, HEIGHT, PixelFormat::Gray8).unwrap())
}

fn boxes(predictor: &mut impl Predictor, pixels: &[u8]) -> Vec<(ClassId, BBox)> {
    let mut storage = PredictionsBuf::new(2000, 0, 0);
    assert!(predictor.predict(&frame(pixels), &PredictOptions::new(), storage.view_mut()).is_ok());
    let mut found: Vec<_> = storage.view().detections().iter().map(|d| (d.class, d.bbox)).collect();
    found.sort_by_key(|(class, _)| *class);
    found
}

proptest! {
    /// Objects no larger than the overlap: what tiles see is merged to what the whole frame shows, whatever the batch.
    #[test]
    fn the_window_sees_what_the_whole_frame_shows(
        rectangles in prop::collection::vec((0u16..WIDTH, 0u16..HEIGHT, 1u16..=8, 1u16..=8), 0..6),
        window in 9u16..40,
        whole_frame: bool,
    ) {
        let pixels = paint(&rectangles);
        let expected = boxes(&mut Painted::default(), &pixels);
        let tiles = Tiles::square(window).with_overlap_px(8);
        let sliding = || SlidingWindow::new(Painted::default(), tiles).with_whole_frame(whole_frame);
        prop_assert_eq!(&boxes(&mut sliding(), &pixels), &expected);
        prop_assert_eq!(&boxes(&mut sliding().with_batch::<3>(), &pixels), &expected);
        prop_assert_eq!(&boxes(&mut sliding().with_batch::<64>(), &pixels), &expected);
        let mut ahead = SlidingWindow::new(Ahead::default(), tiles).with_whole_frame(whole_frame).with_batch::<3>();
        prop_assert_eq!(&boxes(&mut ahead, &pixels), &expected);
        prop_assert!(ahead.inner().under_way.is_empty());
        prop_assert!(ahead.inner().depths.iter().all(|&depth| depth <= 2));
    }
}

#[test]
fn the_next_batch_is_submitted_before_the_one_before_is_collected() {
    let pixels = paint(&[(2, 2, 5, 5)]);
    let tiles = Tiles::of_model().with_overlap(0.25).unwrap();
    let mut sliding = SlidingWindow::new(Ahead::default(), tiles).with_batch::<8>();
    assert_eq!(boxes(&mut sliding, &pixels).len(), 1);
    // 20 tiles in three batches: submit, then submit and collect, in the end the last one is collected.
    assert_eq!(sliding.inner().painted.batches, [8, 8, 4]);
    assert_eq!(sliding.inner().depths, [1, 2, 2, 2, 2, 1]);
    // After an error nothing is left under way.
    let predict = |sliding: &mut SlidingWindow<Ahead, 8>| {
        let mut storage = PredictionsBuf::new(2000, 0, 0);
        sliding.predict(&frame(&pixels), &PredictOptions::new(), storage.view_mut())
    };
    sliding.inner_mut().fails_after = Some(9);
    assert_eq!(predict(&mut sliding), Err(SlidingWindowError::Predictor(Broken)));
    assert!(sliding.inner().under_way.is_empty());
    assert_eq!(predict(&mut sliding), Ok(()));
    sliding.inner_mut().painted.fails_after = Some(sliding.inner().painted.views.len() + 10);
    assert_eq!(predict(&mut sliding), Err(SlidingWindowError::Predictor(Broken)));
    assert!(sliding.inner().under_way.is_empty());
}

/// Without the whole frame an object of three tiles stays in parts; with it the parts go into one.
#[test]
fn the_whole_frame_finds_what_no_tile_holds() {
    let pixels = paint(&[(2, 2, 50, 36)]);
    let tiles = Tiles::of_model().with_overlap(0.25).unwrap();
    assert!(boxes(&mut SlidingWindow::new(Painted::default(), tiles), &pixels).len() > 1);
    let mut sliding = SlidingWindow::new(Painted::default(), tiles).with_whole_frame(true);
    assert_eq!(boxes(&mut sliding, &pixels), [(ClassId(1), BBox::new(2.0, 2.0, 52.0, 38.0))]);
    // 60 x 44 in steps of 12: 5 x 4 tiles of the model's size, and the frame.
    assert_eq!(sliding.inner().views.len(), 21);
    assert_eq!(sliding.inner().views[..20], [(16, 16); 20]);
    assert_eq!(sliding.inner().views[20], (WIDTH, HEIGHT));
}

#[test]
fn tiles_go_to_the_predictor_in_batches() {
    let pixels = paint(&[]);
    let mut sliding = SlidingWindow::new(Painted::default(), Tiles::square(20)).with_batch::<4>();
    boxes(&mut sliding, &pixels);
    assert_eq!(sliding.inner().batches, [4, 4, 1]);
    assert_eq!(sliding.spec().input, None);
    assert_eq!(sliding.spec().name, "test/painted");
    assert_eq!(sliding.into_inner().views, [(20, 20); 9]);
}

/// Two places for four objects in four tiles: the two best stay, where they are.
#[test]
fn a_storage_of_two_holds_the_best_of_four_tiles() {
    let pixels = paint(&[(1, 1, 3, 3), (31, 1, 5, 5), (2, 23, 6, 6), (35, 23, 2, 2)]);
    let mut storage = Predictions::<2>::new();
    let mut sliding = SlidingWindow::new(Painted::default(), Tiles::new(InputSize::new(30, 22)));
    sliding.predict(&frame(&pixels), &PredictOptions::new(), storage.view_mut()).unwrap();
    let found: Vec<_> = storage.view().boxes().collect();
    assert_eq!(found, [BBox::from_xywh(2.0, 23.0, 6.0, 6.0), BBox::from_xywh(31.0, 1.0, 5.0, 5.0)]);
    assert_eq!(storage.view().losses().detections, 2);
}

/// A window inside a window, on a part of a frame: every origin counts once.
#[test]
fn origins_add_up() {
    let pixels = paint(&[(37, 30, 4, 5)]);
    let whole = frame(&pixels);
    let part = whole.with_image(whole.image.crop(10, 8, 50, 36).unwrap());
    let inner = SlidingWindow::new(Painted::default(), Tiles::square(12).with_overlap_px(6));
    let mut outer = SlidingWindow::new(inner, Tiles::square(24).with_overlap_px(8)).with_batch::<2>();
    let mut storage = Predictions::<64>::new();
    outer.predict(&part, &PredictOptions::new(), storage.view_mut().offset(10, 8)).unwrap();
    assert_eq!(storage.view().boxes().collect::<Vec<_>>(), [BBox::from_xywh(37.0, 30.0, 4.0, 5.0)]);
}

#[test]
fn suppression_keeps_the_best_part_only() {
    // 12 pixels wide, cut at 20: the tiles that start at 0 and at 16 see 10 and 6 pixels of it.
    let pixels = paint(&[(10, 2, 12, 4)]);
    let tiles = Tiles::square(20).with_overlap_px(4);
    let sliding = SlidingWindow::new(Painted::default(), tiles);
    let merged = boxes(&mut sliding.with_merge(Merge::nmm(0.5)), &pixels);
    assert_eq!(merged, [(ClassId(1), BBox::from_xywh(10.0, 2.0, 12.0, 4.0))]);
    let sliding = SlidingWindow::new(Painted::default(), tiles);
    let suppressed = boxes(&mut sliding.with_merge(Merge::nms(0.3)), &pixels);
    assert_eq!(suppressed, [(ClassId(1), BBox::from_xywh(10.0, 2.0, 10.0, 4.0))]);
}

#[test]
fn errors_of_the_tiles_and_of_the_predictor_keep_their_kind() {
    let pixels = paint(&[(1, 1, 3, 3)]);
    let mut storage = Predictions::<8>::new();
    let mut wrong = SlidingWindow::new(Painted::default(), Tiles::square(8).with_overlap_px(8));
    let error = wrong.predict(&frame(&pixels), &PredictOptions::new(), storage.view_mut()).unwrap_err();
    assert_eq!(error, SlidingWindowError::Window(WindowError::Pixels { overlap: 8, window: 8 }));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let broken = Painted { fails_after: Some(1), ..Painted::default() };
    let mut broken = SlidingWindow::new(broken, Tiles::square(20));
    let error = broken.predict(&frame(&pixels), &PredictOptions::new(), storage.view_mut()).unwrap_err();
    assert_eq!(error, SlidingWindowError::Predictor(Broken));
    assert_eq!(error.kind(), ErrorKind::Device);
    assert_eq!(storage.view().len(), 1);
}
