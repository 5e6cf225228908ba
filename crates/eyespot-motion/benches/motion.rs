//! Time per frame of the predictors on a rendered scene.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use eyespot_core::{Frame, ImageView, PredictOptions, Predictions, PredictionsStorage, Predictor};
use eyespot_motion::{
    ColorBlobConfig, ColorBlobPredictor, ColorBlobStorage, ColorClass, MotionConfig, MotionPredictor,
    MotionStorage,
};
use eyespot_scene::{Scene, SceneConfig, SceneFormat};

fn run(criterion: &mut Criterion, name: &str, format: SceneFormat, predictor: &mut impl Predictor) {
    let config = SceneConfig { format, ..SceneConfig::new(640, 360) };
    let scene = Scene::new(config).unwrap();
    let mut pixels = vec![vec![0; config.frame_bytes()]; 16];
    for (index, pixels) in pixels.iter_mut().enumerate() {
        scene.render(index as u64, pixels).unwrap();
    }
    let mut results = Predictions::<64>::new();
    let mut index = 0;
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let pixels = &pixels[index as usize % 16];
            let image = ImageView::packed(pixels, 640, 360, config.format.pixel_format()).unwrap();
            results.view_mut().clear();
            let frame = Frame::new(image, index, index * 33_333);
            assert!(predictor.predict(black_box(&frame), &PredictOptions::new(), results.view_mut()).is_ok());
            index += 1;
        });
    });
}

fn benches(criterion: &mut Criterion) {
    let motion =
        || MotionPredictor::new(MotionConfig::default(), Box::new(MotionStorage::<160, 120>::new())).unwrap();
    run(criterion, "motion gray 640x360", SceneFormat::Gray8, &mut motion());
    run(criterion, "motion rgb 640x360", SceneFormat::Rgb8, &mut motion());
    let classes = [ColorClass::vivid(340, 20), ColorClass::vivid(210, 260)];
    let config = ColorBlobConfig::new(&classes, &["red", "blue"]);
    let mut colors = ColorBlobPredictor::new(config, ColorBlobStorage::<160>::new()).unwrap();
    run(criterion, "colour blobs rgb 640x360", SceneFormat::Rgb8, &mut colors);
}

criterion_group!(all, benches);
criterion_main!(all);
