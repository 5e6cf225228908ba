//! Parity with ONNX Runtime on the published weights of YOLOX-nano.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{BurnModel, CpuPredictor, DeviceChoice, Host, record};
use eyespot_core::{
    BBox, ClassId, Detection, Frame, ImageView, PixelFormat, PredictOptions, PredictionsBuf,
    PredictionsStorage, Predictor,
};
use eyespot_tests::tensors::{npy_f32, npy_u8};
use eyespot_tests::{data, engine};
use image::RgbImage;
use yolox::Yolox;

#[test]
fn raw_output_equals_onnx_runtime_in_burn_on_the_cpu() {
    raw_output(DeviceChoice::Flex);
}

#[cfg(feature = "wgpu")]
#[test]
fn raw_output_equals_onnx_runtime_through_wgpu() {
    raw_output(DeviceChoice::Gpu(None));
}

#[test]
fn raw_output_equals_onnx_runtime_on_the_cpu() {
    let Some(data) = data("") else { return };
    let model = Yolox::load(data.join("models/yolox_nano.onnx"), &Device::flex()).unwrap();
    let recording = record(&model);
    compare_outputs(&data, |[_, _, height, width], input| {
        engine::outputs(&recording, [height, width], &input).remove(0)
    });
}

fn raw_output(choice: DeviceChoice) {
    let Some(data) = data("") else { return };
    let device = choice.open().unwrap();
    eprintln!("{device}");
    let model = Yolox::load(data.join("models/yolox_nano.onnx"), device.device()).unwrap();
    compare_outputs(&data, |shape, input| {
        let input = Tensor::<4>::from_data(TensorData::new(input, shape), device.device());
        let [output] = model.forward(input).try_into().unwrap();
        assert_eq!(output.dims(), [1, 3549, 85]);
        output.into_data().try_into_vec::<f32>().unwrap()
    });
}

/// Runs a network on what ONNX Runtime saw, and compares what it gives.
fn compare_outputs(data: &Path, run: impl Fn([usize; 4], Vec<f32>) -> Vec<f32>) {
    for image in ["bus", "dog"] {
        let (shape, input) = npy_u8(&data.join(format!("golden/yolox_nano_{image}.jpg.input_u8.npy")));
        let (_, expected) = npy_f32(&data.join(format!("golden/yolox_nano_{image}.jpg.output_raw_f32.npy")));
        let input: Vec<f32> = input.into_iter().map(f32::from).collect();
        let output = run(shape.try_into().unwrap(), input);
        let error = output.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        eprintln!("{image}: largest difference {error:e}");
        assert_eq!(output.len(), expected.len());
        assert!(error < 2e-3, "{image}: {error}");
    }
}

/// Boxes, scores and classes of an image, as [`CpuPredictor`] and as the reference finds them.
struct Compared {
    found: Vec<Detection>,
    expected: Vec<Detection>,
}

impl Compared {
    /// Each detection of one side has its like on the other, but for those whose score is near the threshold of 0.3.
    fn assert(&self, name: &str, score: f32, pixels: f32) {
        let like = |a: &Detection, b: &Detection| {
            let mut sides = a.bbox.xyxy().into_iter().zip(b.bbox.xyxy());
            a.class == b.class
                && (a.score - b.score).abs() < score
                && sides.all(|(a, b)| (a - b).abs() < pixels)
        };
        for (these, those) in [(&self.found, &self.expected), (&self.expected, &self.found)] {
            for detection in these.iter().filter(|detection| detection.score > 0.3 + score) {
                assert!(
                    those.iter().any(|other| like(detection, other)),
                    "{name}: {detection:?} not in {those:?}"
                );
            }
        }
    }
}

/// Runs the images of the reference; `open` gives the image that stands for one, and its scale.
fn compare(open: impl Fn(&str, &Path) -> Option<(RgbImage, f32)>, check: impl Fn(&str, &Compared)) -> usize {
    let Some(data) = data("") else { return usize::MAX };
    let weights = data.join("models/yolox_nano.onnx");
    let mut predictor = CpuPredictor::load::<Yolox>(weights, None, Host::default()).unwrap();
    let golden = std::fs::read(data.join("golden/yolox_nano_detections.json")).unwrap();
    let golden: serde_json::Value = serde_json::from_slice(&golden).unwrap();
    let options = PredictOptions::new().with_conf(0.3).unwrap().with_iou(0.45).unwrap();
    let number = |value: &serde_json::Value| value.as_f64().unwrap() as f32;
    let mut out = PredictionsBuf::new(100, 0, 0);
    let mut images = 0;
    for (name, expected) in golden["images"].as_object().unwrap() {
        let Some((image, scale)) = open(name, &data) else { continue };
        images += 1;
        let (width, height) = (image.width() as u16, image.height() as u16);
        let view = ImageView::packed(image.as_raw(), width, height, PixelFormat::Rgb8).unwrap();
        out.view_mut().clear();
        predictor.predict(&Frame::still(view), &options, out.view_mut()).unwrap();
        assert!(out.view().losses().is_none());
        let (width, height) = (number(&expected["width"]) * scale, number(&expected["height"]) * scale);
        let clipped = |detection: &Detection| {
            Detection::new(detection.bbox.clipped(width, height), detection.score, detection.class)
        };
        let expected = expected["detections"].as_array().unwrap().iter().map(|detection| {
            let side = |index: usize| number(&detection["xyxy"][index]) * scale;
            let class = ClassId(detection["cls"].as_u64().unwrap() as u16);
            let bbox = BBox::new(side(0), side(1), side(2), side(3));
            clipped(&Detection::new(bbox, number(&detection["score"]), class))
        });
        let found = out.view().detections().iter().map(clipped).collect();
        check(name, &Compared { found, expected: expected.collect() });
    }
    images
}

/// From the very pixels that the reference saw: nothing but rounding differs.
#[test]
fn detections_equal_the_reference() {
    let open = |name: &str, data: &Path| {
        let file = name.strip_prefix("images/").unwrap_or(name);
        let path = data.join(format!("golden/yolox_nano_{file}.input_u8.npy"));
        let (shape, planes) = path.is_file().then(|| npy_u8(&path))?;
        let (height, width) = (shape[2], shape[3]);
        let rgb = (0..height * width)
            .flat_map(|at| [2, 1, 0].map(|plane| planes[plane * height * width + at]))
            .collect();
        let source = image::open(data.join(name)).unwrap();
        let scale = (width as f32 / source.width() as f32).min(height as f32 / source.height() as f32);
        Some((RgbImage::from_raw(width as u32, height as u32, rgb).unwrap(), scale))
    };
    assert!(compare(open, |name, both| both.assert(name, 1e-3, 0.1)) >= 2);
}

/// From the photos. Decoders of JPEG differ by some grey levels, which moves scores by up to 0.03.
#[test]
fn detections_in_photos_equal_the_reference() {
    let open = |name: &str, data: &Path| Some((image::open(data.join(name)).ok()?.to_rgb8(), 1.0));
    let images = compare(open, |name, both| {
        let extent = both.expected.iter().flat_map(|detection| detection.bbox.xyxy()).fold(0.0, f32::max);
        both.assert(name, 0.03, 2.0 + 0.01 * extent);
    });
    assert!(images >= 5, "only {images} images of the reference could be read");
}
