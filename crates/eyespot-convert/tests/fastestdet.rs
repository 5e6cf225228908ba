//! FastestDet as a detector: in floating point and as int8.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::{arena, data};
use eyespot_convert::{ColorOrder, Graph, ImageFit, ImageInput, Task};
use eyespot_core::{
    Detection, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use eyespot_eval::coco;
use eyespot_nn::{Model, Network, NnPredictor, NnStorage};

const INPUT: ImageInput =
    ImageInput { order: ColorOrder::Bgr, fit: ImageFit::Stretch, pad: 114, mean: [0.0; 3], std: [255.0; 3] };

fn graph(data: &Path, side: usize) -> Graph {
    let bytes = std::fs::read(data.join("models/fastestdet_352.onnx")).unwrap();
    let graph = Graph::from_onnx(&bytes, Some([side, side])).unwrap();
    graph.with_name("fastestdet").with_image(INPUT).with_task(Task::FastestDet { trained: [352, 352] })
}

/// The calibration photos as inputs.
fn samples(data: &Path, side: u32) -> impl Iterator<Item = Vec<f32>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(data.join("calibration")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(move |path| {
        let photo = image::open(path).unwrap().into_rgb8();
        let view = ImageView::packed(&photo, photo.width() as u16, photo.height() as u16, PixelFormat::Rgb8)
            .unwrap();
        eyespot_convert::sample(&view, &INPUT, [side as usize, side as usize]).unwrap()
    })
}

fn quantized(data: &Path, side: usize) -> Graph {
    graph(data, side).quantized(samples(data, side as u32)).unwrap()
}

type Detector<'m> = NnPredictor<'m, Vec<u64>, Box<NnStorage<352, 1024>>, 352, 1024>;

fn detector<'m>(bytes: &'m [u8], labels: &'m [&'m str]) -> Detector<'m> {
    let model = Model::load(bytes).unwrap();
    let network = Network::new(model, arena(model.arena_bytes())).unwrap();
    NnPredictor::new(network, Box::new(NnStorage::new()), labels).unwrap()
}

fn detect(detector: &mut Detector<'_>, photo: &Path, conf: f32) -> Vec<Detection> {
    let photo = image::open(photo).unwrap().into_rgb8();
    let view =
        ImageView::packed(&photo, photo.width() as u16, photo.height() as u16, PixelFormat::Rgb8).unwrap();
    let mut results = Box::new(Predictions::<300>::new());
    let options = PredictOptions::new().with_conf(conf).unwrap();
    detector.predict(&Frame::still(view), &options, results.view_mut()).unwrap();
    results.view().detections().to_vec()
}

fn labels(data: &Path) -> Vec<String> {
    std::fs::read_to_string(data.join("models/coco_classes.txt"))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Average precision on the COCO photos.
fn ap(data: &Path, bytes: &[u8], labels: &[&str]) -> f64 {
    let dataset = coco::Dataset::read(data.join("coco/instances.json")).unwrap();
    let mut detector = detector(bytes, labels);
    let mut results = coco::Results::default();
    for image in &dataset.images {
        let found = detect(&mut detector, &data.join("coco/images").join(&image.file_name), 0.01);
        results.push(&dataset, image.id, &found).unwrap();
    }
    coco::evaluate(&dataset, &results, &coco::Params::default()).unwrap().metrics.ap.unwrap()
}

#[test]
fn the_photo_of_the_dog() {
    let Some(data) = data() else { return };
    let labels = labels(&data);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let converted = graph(&data, 352).build().unwrap();
    let found = detect(&mut detector(&converted.bytes, &labels), &data.join("images/dog.jpg"), 0.65);
    let found: Vec<_> =
        found.iter().map(|found| (labels[found.class.index()], (found.score * 100.0).round())).collect();
    assert_eq!(found, [("dog", 81.0), ("car", 76.0), ("bicycle", 74.0)]);
}

/// Quantisation costs little: at the file's own size and at those of microcontrollers.
#[test]
fn int8_finds_what_the_original_finds() {
    let Some(data) = data() else { return };
    let labels = labels(&data);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    for side in [352, 256] {
        let float = graph(&data, side).build().unwrap();
        let int8 = quantized(&data, side).build().unwrap();
        // What the original is sure of, the quantised one finds too.
        for photo in ["dog", "bus"] {
            let path = data.join(format!("images/{photo}.jpg"));
            let originals = detect(&mut detector(&float.bytes, &labels), &path, 0.7);
            let found = detect(&mut detector(&int8.bytes, &labels), &path, 0.5);
            for original in originals {
                let same = |other: &&Detection| {
                    other.class == original.class && other.bbox.iou(&original.bbox) > 0.75
                };
                assert!(found.iter().any(|other| same(&other)), "{side} {photo} {original:?}");
            }
        }
        let (before, after) = (ap(&data, &float.bytes, &labels), ap(&data, &int8.bytes, &labels));
        eprintln!("{side}: AP {before:.4} in floating point, {after:.4} as int8");
        assert!(int8.report.arena < 600_000, "{:?}", int8.report);
        assert!(before - after < 0.02, "{side}: {before:.4} in floating point, {after:.4} as int8");
    }
}
