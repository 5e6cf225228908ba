//! What the shipped network finds in rendered streets that it was not trained on.
#![allow(clippy::unwrap_used)]

use eyespot_core::{
    Frame, ImageView, Losses, PixelFormat, PredictOptions, Predictions, PredictionsStorage as _,
    Predictor as _,
};
use eyespot_eval::coco::{self, Dataset, Metrics, Params, Results};
use eyespot_nn::{Network, NnPredictor, NnStorage};
use eyespot_scene::{CameraMotion, Scene, SceneConfig, SceneFormat, Truth};
use eyespot_window::{SlidingWindow, Tiles};
use spotter::{ARENA_WORDS, LABELS, SIDE};

/// Objects that are smaller or hidden further may be found or not.
fn wanted(truth: &Truth) -> bool {
    truth.visibility >= 0.5 && truth.bbox.area() >= 96.0
}

/// Runs it in windows over four frames of each of 25 scenes of this size.
fn measure(width: u16, height: u16) -> Metrics {
    let network = Network::new(spotter::model().unwrap(), vec![0u64; ARENA_WORDS]).unwrap();
    let storage = Box::new(NnStorage::<SIDE, 36>::new());
    let predictor = NnPredictor::new(network, storage, LABELS).unwrap();
    let mut predictor = SlidingWindow::new(predictor, Tiles::of_model());
    let options = PredictOptions::new().with_conf(0.05).unwrap();

    let mut dataset = Dataset::with_classes(LABELS.iter().copied());
    let mut results = Results::default();
    for seed in 1..=25 {
        let config = SceneConfig {
            format: SceneFormat::Gray8,
            objects: 10,
            seed,
            camera: CameraMotion { shake: 0.5, ..CameraMotion::FIXED },
            ..SceneConfig::new(width, height)
        };
        let scene = Scene::new(config).unwrap();
        let mut pixels = vec![0; config.frame_bytes()];
        for frame in [100, 400, 700, 1000] {
            scene.render(frame, &mut pixels).unwrap();
            let truths: Vec<Truth> = scene.truth(frame).collect();
            let image = dataset.push_image(truths.iter().map(|truth| (truth.bbox, truth.class))).unwrap();
            let first = dataset.annotations.len() - truths.len();
            for (annotation, truth) in dataset.annotations[first..].iter_mut().zip(&truths) {
                annotation.iscrowd = u8::from(!wanted(truth));
            }
            let view = ImageView::packed(&pixels, width, height, PixelFormat::Gray8).unwrap();
            let mut found = Predictions::<256>::new();
            predictor.predict(&Frame::still(view), &options, found.view_mut()).unwrap();
            assert_eq!(found.view().losses(), Losses::default());
            results.push(&dataset, image, found.view().detections()).unwrap();
        }
    }
    let summary = coco::evaluate(&dataset, &results, &Params::default()).unwrap();
    let part = |ap: Option<f64>| format!("{:.3}", ap.unwrap_or(f64::NAN));
    let classes: Vec<String> = summary.classes.iter().map(|class| part(class.metrics.ap)).collect();
    let Metrics { ap, ap50, .. } = summary.metrics;
    println!("| {width} x {height} | {} | {} | {} |", part(ap), part(ap50), classes.join(" | "));
    summary.metrics
}

#[test]
fn labels_are_those_of_the_scene() {
    assert_eq!(LABELS, eyespot_scene::LABELS);
}

#[test]
fn average_precision_on_streets_that_it_never_saw() {
    // README.md has the figures, also those of frames that are too large.
    for (width, height, ap50) in [(160, 120, 0.910), (240, 180, 0.925), (320, 240, 0.247)] {
        let found = measure(width, height).ap50.unwrap();
        assert!((found - ap50).abs() <= 0.01, "{width} x {height}: {found}");
    }
}
