//! Parity with Hugging Face's implementation on weights of noise, and the published shapes.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{BurnModel, DetectorHead, DeviceChoice, FromWeights, Loader, WeightError};
use eyespot_tests::noise::{noise, weight};
use eyespot_tests::tensors::{Tensor as Named, checkpoint, safetensors};
use rtdetr::{MANIFEST, RtDetr, Variant};
use serde_json::Value;
use tempfile::TempDir;

/// What `golden/rtdetr.py` wrote of a network.
struct Golden(Value);

impl Golden {
    fn new(json: &str) -> Self {
        Self(serde_json::from_str(json).unwrap())
    }

    fn small() -> Self {
        Self::new(include_str!("golden/small-basic.json"))
    }

    fn tensors(&self) -> Vec<Named> {
        let tensors = self.0["tensors"].as_object().unwrap().iter();
        tensors.map(|(name, shape)| weight(name, &self.integers(shape))).collect()
    }

    fn integers(&self, value: &Value) -> Vec<usize> {
        value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
    }

    fn numbers(&self, key: &str) -> Vec<f32> {
        self.0[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
    }

    /// The largest difference of boxes and logits.
    fn difference(&self, model: &RtDetr, device: &Device) -> f32 {
        let size = self.integers(&self.0["input"]);
        let [height, width] = size.try_into().unwrap();
        let values: Vec<f32> = noise("input", 3 * height * width).map(|noise| noise as f32).collect();
        let input = Tensor::from_data(TensorData::new(values, [1, 3, height, width]), device);
        let [logits, boxes] = model.forward(input).try_into().unwrap();
        let [_, queries, classes] = logits.dims();
        assert_eq!((queries, boxes.dims()), (300, [1, 300, 4]));
        let values = |tensor: Tensor<3>| tensor.into_data().try_into_vec::<f32>().unwrap();
        let (logits, boxes) = (values(logits), values(boxes));
        let (expected_boxes, expected_logits) = (self.numbers("boxes"), self.numbers("logits"));
        let largest = |a: &[f32], b: &[f32]| {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let distance = |query: usize, other: usize| {
            largest(&boxes[query * 4..query * 4 + 4], &expected_boxes[other * 4..other * 4 + 4])
        };
        // Queries are sorted by scores; where two are as good as equal, rounding decides which comes first.
        let other_of = |query: usize| {
            let near = query.saturating_sub(3)..(query + 4).min(300);
            near.min_by(|a, b| distance(query, *a).total_cmp(&distance(query, *b))).unwrap()
        };
        let mut worst: f32 = 0.0;
        let rows = self.integers(&self.0["rows"]);
        for query in 0..300 {
            let other = other_of(query);
            worst = worst.max(distance(query, other));
            if let Some(row) = rows.iter().position(|row| *row == other) {
                let expected = &expected_logits[row * classes..(row + 1) * classes];
                worst = worst.max(largest(&logits[query * classes..(query + 1) * classes], expected));
            }
        }
        worst
    }
}

fn load(bytes: Vec<u8>, device: &Device) -> Result<RtDetr, WeightError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    RtDetr::load(&path, device)
}

fn parity(json: &str, choice: DeviceChoice) -> RtDetr {
    let (golden, device) = (Golden::new(json), choice.open().unwrap());
    let model = load(safetensors(&golden.tensors()), device.device()).unwrap();
    let difference = golden.difference(&model, device.device());
    eprintln!("{device}: largest difference {difference:e}");
    assert!(difference < 2e-3, "{difference}");
    model
}

#[test]
fn networks_of_hugging_face_give_the_output_of_the_reference() {
    for json in [include_str!("golden/small-basic.json"), include_str!("golden/small-bottleneck.json")] {
        assert_eq!(parity(json, DeviceChoice::Cpu).variant(), None);
    }
}

#[test]
fn the_published_shape_gives_the_output_of_the_reference() {
    let model = parity(include_str!("golden/r18.json"), DeviceChoice::Cpu);
    assert_eq!((model.variant(), model.head().spec().name), (Some(Variant::R18), "rtdetr/v2-r18"));
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_gives_the_output_of_the_reference() {
    parity(include_str!("golden/small-basic.json"), DeviceChoice::Gpu(None));
}

#[test]
fn checkpoints_saved_models_and_heads_beside_the_model_are_read() {
    let (golden, device, folder) = (Golden::small(), Device::flex(), TempDir::new().unwrap());
    let file = folder.path().join("model.pth");
    std::fs::write(&file, checkpoint(&golden.tensors())).unwrap();
    let saved = folder.path().join("model.bpk");
    eyespot_burn::convert::<RtDetr>(&file, &saved, &device).unwrap();
    assert!(golden.difference(&RtDetr::load(&saved, &device).unwrap(), &device) < 2e-3);
    let outer = golden.tensors().into_iter().map(|(name, shape, values)| {
        let head = name.strip_prefix("model.decoder.").filter(|name| name.contains("_embed."));
        (head.map_or(name.clone(), str::to_owned), shape, values)
    });
    let outer: Vec<Named> = outer.collect();
    assert!(outer.iter().any(|(name, ..)| name == "class_embed.1.weight"));
    assert!(golden.difference(&load(safetensors(&outer), &device).unwrap(), &device) < 2e-3);
}

#[test]
fn what_does_not_fit_is_named() {
    let (golden, device) = (Golden::small(), Device::flex());
    let mut tensors = golden.tensors();
    tensors.push(("model.decoder.layers.0.gate.weight".to_owned(), vec![2], vec![0.0; 2]));
    let error = load(safetensors(&tensors), &device).unwrap_err();
    assert!(matches!(error, WeightError::Unexpected { name, .. } if name == "decoder.layers.0.gate.weight"));
    let name = "model.decoder.layers.1.encoder_attn.value_proj.bias";
    let tensors: Vec<Named> = golden.tensors().into_iter().filter(|(other, ..)| other != name).collect();
    let error = load(safetensors(&tensors), &device).unwrap_err();
    assert!(matches!(&error, WeightError::Missing { name, .. } if name.contains("value_proj")), "{error}");
}

#[test]
fn the_manifest_lists_the_variants() {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    let models = manifest["models"].as_array().unwrap();
    assert_eq!(models.len(), Variant::ALL.len());
    for (model, variant) in models.iter().zip(Variant::ALL) {
        assert_eq!(model["name"], variant.name());
        let mut loader = Loader::synthetic(1, 80, &Device::flex());
        RtDetr::build(variant.config(), &mut loader).unwrap();
        assert_eq!(model["params"], loader.parameters(), "{variant:?}");
    }
}
