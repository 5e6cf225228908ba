//! FastestDet and YOLOX as detectors: in floating point and as int8.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod common;

use std::path::Path;

use common::data;
use eyespot_convert::{ColorOrder, Graph, ImageFit, ImageInput, Task};
use eyespot_core::{
    Detection, Frame, ImageView, PixelFormat, PredictOptions, Predictions, PredictionsStorage, Predictor,
};
use eyespot_eval::coco;
use eyespot_nn::host::{Arena, Host};
use eyespot_nn::{Model, Network, NnPredictor, NnStorage};

/// A published detector.
struct Published {
    name: &'static str,
    image: ImageInput,
    task: Task,
}

const FASTESTDET: Published = Published {
    name: "fastestdet_352",
    image: ImageInput {
        order: ColorOrder::Bgr,
        fit: ImageFit::Stretch,
        pad: 114,
        mean: [0.0; 3],
        std: [255.0; 3],
    },
    task: Task::FastestDet { trained: [352, 352] },
};

const YOLOX: Published = Published {
    name: "yolox_nano",
    image: ImageInput {
        order: ColorOrder::Bgr,
        fit: ImageFit::TopLeft,
        pad: 114,
        mean: [0.0; 3],
        std: [1.0; 3],
    },
    task: Task::Yolox,
};

impl Published {
    fn graph(&self, data: &Path, side: usize) -> Graph {
        let bytes = std::fs::read(data.join(format!("models/{}.onnx", self.name))).unwrap();
        let graph = Graph::from_onnx(&bytes, Some([side, side])).unwrap();
        graph.with_name(self.name).with_image(self.image).with_task(self.task)
    }

    /// With ranges from the calibration photos.
    fn quantized(&self, data: &Path, side: usize) -> Graph {
        let mut paths: Vec<_> =
            std::fs::read_dir(data.join("calibration")).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        // A third of them is enough.
        let samples = paths.into_iter().step_by(3).map(|path| {
            let photo = image::open(path).unwrap().into_rgb8();
            eyespot_convert::sample(&view(&photo), &self.image, [side, side]).unwrap()
        });
        self.graph(data, side).quantized(samples).unwrap()
    }
}

fn view(photo: &image::RgbImage) -> ImageView<'_> {
    ImageView::packed(photo, photo.width() as u16, photo.height() as u16, PixelFormat::Rgb8).unwrap()
}

type Detector<'m> = NnPredictor<'m, Arena, Box<NnStorage<416, 4096>>, 416, 4096>;

fn detector<'m>(bytes: &'m [u8], labels: &'m [&'m str]) -> Detector<'m> {
    let model = Model::load(bytes).unwrap();
    let network = Network::on_host(model, Host::default());
    NnPredictor::new(network, Box::new(NnStorage::new()), labels).unwrap()
}

fn detect(detector: &mut Detector<'_>, photo: &Path, conf: f32) -> Vec<Detection> {
    let photo = image::open(photo).unwrap().into_rgb8();
    let mut results = Box::new(Predictions::<300>::new());
    let options = PredictOptions::new().with_conf(conf).unwrap();
    detector.predict(&Frame::still(view(&photo)), &options, results.view_mut()).unwrap();
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
    let converted = FASTESTDET.graph(&data, 352).build().unwrap();
    let found = detect(&mut detector(&converted.bytes, &labels), &data.join("images/dog.jpg"), 0.65);
    let found: Vec<_> =
        found.iter().map(|found| (labels[found.class.index()], (found.score * 100.0).round())).collect();
    assert_eq!(found, [("dog", 81.0), ("car", 76.0), ("bicycle", 74.0)]);
}

/// What quantisation costs: the average precision before and after it.
fn cost(published: &Published, data: &Path, side: usize) -> [f64; 2] {
    let labels = labels(data);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let float = published.graph(data, side).build().unwrap();
    let int8 = published.quantized(data, side).build().unwrap();
    let ap = [ap(data, &float.bytes, &labels), ap(data, &int8.bytes, &labels)];
    let arenas = [float.report.arena, int8.report.arena];
    eprintln!("{} {side}: AP {ap:.4?}, arena {arenas:?} in floating point and as int8", published.name);
    assert!(arenas[1] * 3 < arenas[0], "{arenas:?}");
    ap
}

/// What the original is sure of, the quantised one finds too.
#[test]
fn what_is_sure_stays() {
    let Some(data) = data() else { return };
    let labels = labels(&data);
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let float = FASTESTDET.graph(&data, 352).build().unwrap();
    let int8 = FASTESTDET.quantized(&data, 352).build().unwrap();
    for photo in ["dog", "bus"] {
        let path = data.join(format!("images/{photo}.jpg"));
        let originals = detect(&mut detector(&float.bytes, &labels), &path, 0.7);
        let found = detect(&mut detector(&int8.bytes, &labels), &path, 0.5);
        assert!(!originals.is_empty());
        for original in originals {
            let same =
                |other: &&Detection| other.class == original.class && other.bbox.iou(&original.bbox) > 0.75;
            assert!(found.iter().any(|other| same(&other)), "{photo} {original:?}");
        }
    }
}

/// Quantisation costs little: at the file's own size and at those of microcontrollers.
#[test]
fn fastestdet_finds_as_int8_what_the_original_finds() {
    let Some(data) = data() else { return };
    for side in [352, 256] {
        let [before, after] = cost(&FASTESTDET, &data, side);
        assert!(before - after < 0.02, "{side}: {before:.4} in floating point, {after:.4} as int8");
    }
}

#[test]
fn yolox_finds_as_int8_what_the_original_finds() {
    let Some(data) = data() else { return };
    let [before, after] = cost(&YOLOX, &data, 416);
    assert!(before > 0.29, "{before}");
    assert!(before - after < 0.01, "{before:.4} in floating point, {after:.4} as int8");
}
