//! Parity with Hugging Face's implementation and post-processing on weights of noise, and the published shapes.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use eomt::{Eomt, EomtHead, MANIFEST, Variant};
use eyespot_burn::{
    BurnModel, BurnPredictor, DetectorHead, DeviceChoice, FromWeights, Loader, WeightError, Weights,
};
use eyespot_core::{
    Frame, ImageView, InputSize, PixelFormat, PredictOptions, Predictions, PredictionsRef,
    PredictionsStorage, Predictor,
};
use eyespot_decode::{Candidate, Candidates, DecodeOptions};
use eyespot_image::{Fit, Letterbox};
use eyespot_tests::noise::{noise, weight};
use eyespot_tests::tensors::{Tensor as Named, checkpoint, safetensors};
use serde_json::Value;
use tempfile::TempDir;

/// What `golden/eomt.py` wrote of a network.
struct Golden(Value);

fn integers(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

impl Golden {
    fn plain() -> Self {
        Self(serde_json::from_str(include_str!("golden/plain.json")).unwrap())
    }

    /// With gates between its layers, and an input of another size than the one that its positions were made for.
    fn gated() -> Self {
        Self(serde_json::from_str(include_str!("golden/gated.json")).unwrap())
    }

    fn tensors(&self) -> Vec<Named> {
        let tensors = self.0["tensors"].as_object().unwrap().iter();
        let tensors = tensors.map(|(name, shape)| weight(name, &integers(shape)));
        let annealed = tensors.map(|(name, shape, values)| {
            let values = if name == "attn_mask_probs" { vec![0.0; values.len()] } else { values };
            (name, shape, values)
        });
        annealed.collect()
    }

    fn numbers(&self, key: &str) -> Vec<f32> {
        self.0[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
    }

    fn input(&self) -> [usize; 2] {
        integers(&self.0["input"]).try_into().unwrap()
    }

    /// The largest difference of the logits of classes and masks.
    fn difference(&self, model: &Eomt, device: &Device) -> f32 {
        let [height, width] = self.input();
        let values: Vec<f32> = noise("input", 3 * height * width).map(|noise| noise as f32).collect();
        let input = Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device);
        let found = model.forward(input);
        assert_eq!(found.len(), 2);
        let mut worst: f32 = 0.0;
        for (tensor, key) in found.into_iter().zip(["classes", "masks"]) {
            let (found, expected) = (tensor.into_data().try_into_vec::<f32>().unwrap(), self.numbers(key));
            assert_eq!(found.len(), expected.len(), "{key}");
            worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
        }
        worst
    }

    /// What a head makes of the logits of the reference is what the reference makes of them.
    fn instances(&self, head: &EomtHead) -> usize {
        let results = [self.numbers("classes"), self.numbers("masks")];
        let [input_height, input_width] = self.input();
        let input = InputSize::new(input_width as u16, input_height as u16);
        let mut count = 0;
        for image in self.0["images"].as_array().unwrap() {
            let [height, width] = integers(&image["size"]).try_into().unwrap();
            let size = InputSize::new(width as u16, height as u16);
            let letterbox = Letterbox::new(size, input, Fit::TopLeft).unwrap();
            let options = DecodeOptions::new(image["threshold"].as_f64().unwrap() as f32);
            let mut found = Predictions::<16, 16384>::new();
            decode(head, &results, &letterbox, &options, &mut found);
            let mut expected: Vec<&Value> = image["instances"].as_array().unwrap().iter().collect();
            expected.sort_by(|a, b| b["score"].as_f64().unwrap().total_cmp(&a["score"].as_f64().unwrap()));
            assert!(expected.len() > 1);
            count += expected.len();
            check(found.view(), &expected, [width, height]);
        }
        count
    }
}

/// From logits to predictions, as a predictor does it.
fn decode(
    head: &EomtHead,
    results: &[Vec<f32>; 2],
    letterbox: &Letterbox,
    options: &DecodeOptions<'_>,
    found: &mut impl PredictionsStorage,
) {
    let results = results.each_ref().map(Vec::as_slice);
    let mut slots = [Candidate::EMPTY; 32];
    let mut candidates = Candidates::new(&mut slots);
    head.decode(&results, letterbox, options, &mut candidates).unwrap();
    head.push(&results, letterbox, &candidates, &mut found.view_mut());
}

/// Labels, scores, boxes and each pixel of the masks. Pixels whose probability is as good as one half may be either.
fn check(found: PredictionsRef<'_>, expected: &[&Value], [width, height]: [usize; 2]) {
    assert_eq!((found.len(), found.losses().is_none()), (expected.len(), true));
    for ((detection, mask), expected) in found.detections().iter().zip(found.masks()).zip(expected) {
        assert_eq!(u64::from(detection.class.0), expected["class"].as_u64().unwrap());
        let score = expected["score"].as_f64().unwrap();
        assert!((f64::from(detection.score) - score).abs() < 1e-4, "{} and {score}", detection.score);
        let (mask, hex) = (mask.unwrap(), expected["mask"].as_str().unwrap());
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        let is_set = |x: usize, y: usize| byte(y * width.div_ceil(8) + x / 8) << (x % 8) & 0x80 != 0;
        let pixels = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let differs = |&(x, y): &(usize, usize)| mask.contains(x as u16, y as u16) != is_set(x, y);
        let different = pixels().filter(differs).count() as u64;
        assert!(different <= expected["near"].as_u64().unwrap(), "{different} of {} pixels", mask.area());
        if different == 0 {
            let inside = || pixels().filter(|&(x, y)| is_set(x, y));
            let around = [
                inside().map(|(x, _)| x).min().unwrap(),
                inside().map(|(_, y)| y).min().unwrap(),
                inside().map(|(x, _)| x + 1).max().unwrap(),
                inside().map(|(_, y)| y + 1).max().unwrap(),
            ];
            assert_eq!(detection.bbox.xyxy(), around.map(|edge| edge as f32));
        }
    }
}

fn load(tensors: &[Named], device: &Device) -> Result<Eomt, WeightError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, safetensors(tensors)).unwrap();
    Eomt::load(&path, device)
}

fn parity(golden: &Golden, choice: DeviceChoice) -> Eomt {
    let device = choice.open().unwrap();
    let model = load(&golden.tensors(), device.device()).unwrap();
    let difference = golden.difference(&model, device.device());
    eprintln!("{device}: largest difference {difference:e}");
    assert!(difference < 2e-3, "{difference}");
    model
}

#[test]
fn networks_of_hugging_face_give_the_output_of_the_reference() {
    for (golden, side) in [(Golden::plain(), 32), (Golden::gated(), 48)] {
        let model = parity(&golden, DeviceChoice::Cpu);
        assert_eq!(model.variant(), None);
        let spec = model.head().spec();
        assert_eq!((spec.input, spec.labels.len()), (Some(InputSize::square(side)), 5));
        assert!(spec.outputs.masks);
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_gives_the_output_of_the_reference() {
    for golden in [Golden::plain(), Golden::gated()] {
        parity(&golden, DeviceChoice::Gpu(None));
    }
}

#[test]
fn instances_are_those_of_the_reference() {
    let device = Device::flex();
    let [plain, gated] = [Golden::plain(), Golden::gated()].map(|golden| {
        let model = load(&golden.tensors(), &device).unwrap();
        golden.instances(model.head())
    });
    assert!(plain > 4 && gated > 2, "{plain} {gated}");
}

#[test]
fn the_best_are_kept_and_losses_counted() {
    let (golden, device) = (Golden::plain(), Device::flex());
    let head = *load(&golden.tensors(), &device).unwrap().head();
    let results = [golden.numbers("classes"), golden.numbers("masks")];
    let letterbox = Letterbox::new(InputSize::new(88, 66), InputSize::square(32), Fit::TopLeft).unwrap();
    let options = DecodeOptions::new(0.0);
    let mut all = Predictions::<16, 16384>::new();
    decode(&head, &results, &letterbox, &options, &mut all);
    let scores: Vec<f32> = all.view().scores().collect();
    assert!(scores.len() > 3 && scores.is_sorted_by(|a, b| a >= b));
    // Room for two objects, and for the mask of one: 88 x 66 pixels take 726 bytes.
    let mut few = Predictions::<2, 740>::new();
    decode(&head, &results, &letterbox, &options, &mut few);
    assert_eq!(few.view().scores().collect::<Vec<_>>(), scores[..2]);
    let losses = few.view().losses();
    assert_eq!((losses.detections as usize, losses.masks), (scores.len() - 2, 1));
    assert!(few.view().masks().next().unwrap().is_some());
    // Numbers that are not finite are counted, the other queries stay.
    let mut broken = results.clone();
    broken[1][0] = f32::NAN;
    let mut found = Predictions::<16, 16384>::new();
    decode(&head, &broken, &letterbox, &options, &mut found);
    assert_eq!((found.view().losses().invalid, found.view().len() + 1), (1, scores.len()));
}

#[test]
fn a_predictor_gives_masks_in_the_pixels_of_the_image() {
    let (golden, choice) = (Golden::plain(), DeviceChoice::Cpu.open().unwrap());
    let model = load(&golden.tensors(), choice.device()).unwrap();
    let mut predictor = BurnPredictor::new(model, choice).unwrap();
    let pixels: Vec<u8> = noise("image", 88 * 66 * 3).map(|noise| (noise * 127.0 + 128.0) as u8).collect();
    let frame = Frame::still(ImageView::packed(&pixels, 88, 66, PixelFormat::Rgb8).unwrap());
    let mut found = Predictions::<16, 16384>::new();
    predictor.predict(&frame, &PredictOptions::new().with_conf(0.05).unwrap(), found.view_mut()).unwrap();
    assert!(found.view().len() > 1 && found.view().losses().is_none());
    for (detection, mask) in found.view().detections().iter().zip(found.view().masks()) {
        let (mask, [x1, y1, x2, y2]) = (mask.unwrap(), detection.bbox.xyxy());
        assert_eq!((f32::from(mask.x()), f32::from(mask.y())), (x1, y1));
        assert!(x2 <= 88.0 && y2 <= 66.0 && mask.area() > 0);
    }
    // Another size of the input, and none in half patches.
    assert!(predictor.with_input_size(InputSize::new(40, 20)).is_err());
}

#[test]
fn checkpoints_saved_models_and_older_names_are_read() {
    let (golden, device, folder) = (Golden::gated(), Device::flex(), TempDir::new().unwrap());
    let file = folder.path().join("model.pth");
    std::fs::write(&file, checkpoint(&golden.tensors())).unwrap();
    let saved = folder.path().join("model.bpk");
    eyespot_burn::convert::<Eomt>(&file, &saved, &device).unwrap();
    assert!(golden.difference(&Eomt::load(&saved, &device).unwrap(), &device) < 2e-3);
    // Gate and value in one tensor.
    let mut older: Vec<Named> = Vec::new();
    let tensors = golden.tensors();
    for (name, shape, values) in &tensors {
        if name.contains(".up_proj.") {
            continue;
        }
        let (mut shape, mut values) = (shape.clone(), values.clone());
        if name.contains(".gate_proj.") {
            let other = name.replace("gate_proj", "up_proj");
            values.extend(&tensors.iter().find(|(name, ..)| *name == other).unwrap().2);
            shape[0] *= 2;
        }
        let name = name.replace("gate_proj", "weights_in").replace("down_proj", "weights_out");
        older.push((name, shape, values));
    }
    assert!(older.len() < tensors.len());
    assert!(golden.difference(&load(&older, &device).unwrap(), &device) < 2e-3);
}

#[test]
fn what_does_not_fit_is_named() {
    let (golden, device) = (Golden::plain(), Device::flex());
    let mut tensors = golden.tensors();
    tensors.push(("layers.0.gate.weight".to_owned(), vec![2], vec![0.0; 2]));
    let error = load(&tensors, &device).unwrap_err();
    assert!(matches!(error, WeightError::Unexpected { name, .. } if name == "layers.0.gate.weight"));
    let name = "layers.1.attention.v_proj.bias";
    let tensors: Vec<Named> = golden.tensors().into_iter().filter(|(other, ..)| other != name).collect();
    let error = load(&tensors, &device).unwrap_err();
    assert!(matches!(&error, WeightError::Missing { name, .. } if name.contains("v_proj")), "{error}");
    // In the middle of a training.
    let mut tensors = golden.tensors();
    let masked = tensors.iter_mut().find(|(name, ..)| name == "attn_mask_probs").unwrap();
    masked.2[1] = 0.5;
    let error = load(&tensors, &device).unwrap_err();
    assert!(matches!(&error, WeightError::Values { name, .. } if name == "attn_mask_probs"), "{error}");
    // Positions that are no square.
    let mut tensors = golden.tensors();
    let positions = tensors.iter_mut().find(|(name, ..)| name.contains("position")).unwrap();
    positions.1[0] -= 1;
    positions.2.truncate(positions.1.iter().product());
    let error = load(&tensors, &device).unwrap_err();
    assert!(matches!(&error, WeightError::Shape { name, .. } if name.contains("position")), "{error}");
}

#[test]
fn the_manifest_lists_the_variants() {
    // The number of parameters that a shape is said to have is the one that a loader counts.
    let (device, folder) = (Device::flex(), TempDir::new().unwrap());
    for golden in [Golden::plain(), Golden::gated()] {
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, safetensors(&golden.tensors())).unwrap();
        let config = Eomt::detect(&Weights::open(&path).unwrap()).unwrap();
        let mut loader = Loader::synthetic(1, 6, &device);
        Eomt::build(config, &mut loader).unwrap();
        assert_eq!(golden.0["parameters"], config.parameters(5));
        assert_eq!(loader.parameters(), config.parameters(5) as u64);
    }
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    let models = manifest["models"].as_array().unwrap();
    assert_eq!(models.len(), Variant::ALL.len());
    for (model, variant) in models.iter().zip(Variant::ALL) {
        assert_eq!(model["name"], variant.name());
        assert_eq!(Eomt::named(variant.name()), Some(variant.config()));
        assert_eq!(model["params"], variant.config().parameters(80), "{variant:?}");
    }
}
