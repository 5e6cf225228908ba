//! Predictions and the images that they were made of.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorType, Frame, FrameSource as _, ModelSpec, PredictOptions, PredictionsMut,
    Predictor,
};
use eyespot_media::{Canvas, DrawOptions, MediaError, VideoOptions, VideoSource};
use eyespot_runtime::{Model, Settings};
use eyespot_tests::data;

/// Finds one box in every frame.
struct One;

impl ErrorType for One {
    type Error = Infallible;
}

impl Predictor for One {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("one", None, &["thing"])
    }
    fn predict(
        &mut self,
        _: &Frame<'_>,
        _: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        out.push(Detection::new(BBox::new(10.0, 10.0, 50.0, 60.0), 0.9, ClassId(0)));
        Ok(())
    }
}

#[test]
fn a_prediction_finds_its_image_again_and_draws_on_it() {
    let (Some(photo), Some(video)) = (data("images/dog.jpg"), data("videos/cars_1280x720.mp4")) else {
        return;
    };
    let model = Model::from_predictor(One);
    let settings = Settings {
        video: VideoOptions {
            start_frame: 20,
            stride: Some(7),
            num_frames: Some(3),
            ..VideoOptions::default()
        },
        ..Settings::default()
    };
    let found: Vec<_> = model.predict([&photo, &video], &settings).unwrap().map(Result::unwrap).collect();
    let frames: Vec<_> = found.iter().map(|one| (one.name(), one.frame_index())).collect();
    let clip = "cars_1280x720.mp4";
    assert_eq!(frames, [("dog.jpg", None), (clip, Some(20)), (clip, Some(27)), (clip, Some(34))]);
    assert_eq!((found[0].path(), found[0].url()), (Some(photo.as_path()), None));

    let mut source = VideoSource::open(&video, VideoOptions::default()).unwrap();
    for _ in 0..27 {
        source.next_frame().unwrap();
    }
    let expected = Canvas::from_view(&source.next_frame().unwrap().unwrap().image);
    assert!(found[2].load_image().unwrap() == expected);

    let original = found[0].load_image().unwrap();
    let options = DrawOptions { color: Some([255, 0, 0]), opacity: 1.0, ..DrawOptions::default() };
    let drawn = found[0].visualize(&options).unwrap();
    let at = |canvas: &Canvas, x: usize, y: usize| canvas.pixels()[y * usize::from(canvas.width()) + x];
    assert_eq!(at(&drawn, 30, 30), [255, 0, 0]);
    assert_eq!(at(&drawn, 300, 300), at(&original, 300, 300));

    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new").join(found[0].name()).with_extension("png");
    found[0].save_visualization(&target, &options).unwrap();
    assert!(Canvas::from_view(&image_of(&target).view().unwrap()) == drawn);
    // The original is not overwritten.
    assert!(matches!(found[0].save_visualization(&photo, &options), Err(MediaError::WouldOverwrite { .. })));
}

fn image_of(path: &std::path::Path) -> Canvas {
    eyespot_media::read_frame(path, 0).unwrap()
}
