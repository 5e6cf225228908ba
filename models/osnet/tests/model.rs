//! The four widths, files of weights, and boxes to features.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{
    BurnEmbedder, BurnModel, CpuEmbedder, DeviceChoice, FromWeights, Host, Loader, WeightError, record,
};
use eyespot_core::{BBox, Embedder, Frame, ImageView, PixelFormat};
use eyespot_tests::{
    data, engine, noise,
    tensors::{checkpoint, safetensors},
};
use osnet::{MANIFEST, Osnet, Variant};
use serde_json::Value;
use tempfile::TempDir;

const CHANNELS: [[usize; 4]; 4] =
    [[16, 64, 96, 128], [32, 128, 192, 256], [48, 192, 288, 384], [64, 256, 384, 512]];

/// What ONNX Runtime computes, by the name of the width.
fn golden(variant: Variant) -> Value {
    let mut golden: Value = serde_json::from_str(include_str!("golden/osnet.json")).unwrap();
    golden[variant.name().strip_prefix("osnet/osnet-").unwrap()].take()
}

fn features(model: &Osnet, input: Tensor<4>) -> Vec<f32> {
    model.forward(input).remove(0).into_data().try_into_vec().unwrap()
}

fn input(device: &Device) -> Tensor<4> {
    let values: Vec<f32> = noise::noise("input", 3 * 256 * 128).map(|noise| (2.0 * noise) as f32).collect();
    Tensor::from_data(TensorData::new(values, [1, 3, 256, 128]), device)
}

/// Compares with ONNX Runtime.
fn assert_golden(model: &Osnet, device: &Device) {
    assert_features(model, &features(model, input(device)));
}

fn assert_features(model: &Osnet, features: &[f32]) {
    assert_eq!(features.len(), model.head().dim);
    let golden = golden(model.variant());
    let expected = golden["feature"].as_array().unwrap();
    assert_eq!(expected.len(), 64);
    for (found, expected) in features.iter().step_by(8).zip(expected) {
        let error = (f64::from(*found) - expected.as_f64().unwrap()).abs();
        assert!(error < 1e-4, "{}: {found} {expected}", model.head().name);
    }
}

#[test]
fn the_widths_have_their_published_size() {
    // In millions; counted exactly by the reference.
    let published = [0.2, 0.6, 1.3, 2.2];
    for (variant, published) in Variant::ALL.into_iter().zip(published) {
        let mut loader = Loader::synthetic(1, 1, &Device::flex());
        let model = Osnet::build(variant.config(), &mut loader).unwrap();
        assert_eq!(loader.parameters(), golden(variant)["parameters"].as_u64().unwrap());
        assert!((loader.parameters() as f64 / 1e6 - published).abs() < 0.05, "{}", loader.parameters());
        assert_eq!((model.variant(), model.head().name), (variant, variant.name()));
        assert_eq!(variant.name().parse(), Ok(variant));
    }
    assert_eq!("osnet_x0_75".parse(), Ok(Variant::X0_75));
    assert!("osnet/osnet-x2-0".parse::<Variant>().is_err());
}

#[test]
fn files_of_torchreid_give_the_features_of_the_reference() {
    let (device, folder) = (Device::flex(), TempDir::new().unwrap());
    for (variant, channels) in Variant::ALL.into_iter().zip(CHANNELS) {
        let tensors = common::torchreid(channels);
        let path = folder.path().join("osnet.safetensors");
        std::fs::write(&path, safetensors(&tensors)).unwrap();
        let model = Osnet::load(&path, &device).unwrap();
        assert_eq!(model.variant(), variant);
        assert_golden(&model, &device);
        let planes: Vec<f32> = input(&device).into_data().try_into_vec().unwrap();
        assert_features(&model, &engine::outputs(&record(&model), [256, 128], &planes).remove(0));
    }
}

#[test]
fn a_checkpoint_of_a_training_is_read() {
    let (device, folder) = (Device::flex(), TempDir::new().unwrap());
    let path = folder.path().join("osnet.pth");
    std::fs::write(&path, checkpoint(&common::torchreid(CHANNELS[0]))).unwrap();
    assert_golden(&Osnet::load(&path, &device).unwrap(), &device);
    let saved = folder.path().join("osnet.bpk");
    Osnet::convert(&path, &saved, &device).unwrap();
    assert_golden(&Osnet::load(&saved, &device).unwrap(), &device);
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_gives_the_features_of_the_reference() {
    let folder = TempDir::new().unwrap();
    let device = DeviceChoice::Gpu(None).open().unwrap();
    eprintln!("{device}");
    let path = folder.path().join("osnet.safetensors");
    std::fs::write(&path, safetensors(&common::torchreid(CHANNELS[0]))).unwrap();
    assert_golden(&Osnet::load(&path, device.device()).unwrap(), device.device());
}

#[test]
fn what_does_not_fit_is_named() {
    let (device, folder) = (Device::flex(), TempDir::new().unwrap());
    let path = folder.path().join("osnet.safetensors");
    let load = |tensors: &[eyespot_tests::tensors::Tensor]| {
        std::fs::write(&path, safetensors(tensors)).unwrap();
        Osnet::load(&path, &device).unwrap_err()
    };
    let mut tensors = common::torchreid(CHANNELS[0]);
    let at = tensors.iter().position(|(name, ..)| name == "conv3.1.conv2c.2.bn.running_var").unwrap();
    let (name, ..) = tensors.remove(at);
    assert!(matches!(load(&tensors), WeightError::Missing { name: missing, .. } if missing == name));
    let mut tensors = common::torchreid(CHANNELS[0]);
    // The normalised instances of the IBN variants are another network.
    tensors.push(("conv2.0.IN.weight".to_owned(), vec![64], vec![1.0; 64]));
    assert!(matches!(load(&tensors), WeightError::Unexpected { name, .. } if name == "conv2.0.IN.weight"));
    tensors[0].1 = vec![8, 6, 7, 7];
    assert!(matches!(load(&tensors), WeightError::Shape { name, .. } if name == "conv1.conv.weight"));
    let Some(data) = data("") else { return };
    for file in ["fastestdet.pth", "yolox_nano.onnx", "nanodet_m_320.onnx"] {
        let error = Osnet::load(data.join("models").join(file), &device).unwrap_err();
        let typed = matches!(error, WeightError::Missing { .. } | WeightError::Shape { .. });
        assert!(typed, "{file}: {error}");
    }
}

/// A picture of gradients.
fn picture(width: u16, height: u16) -> Vec<u8> {
    let pixel = |x: u16, y: u16| [(x * 3) as u8, (y * 5) as u8, (x + y) as u8];
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

#[test]
fn boxes_are_described_in_one_batch_or_several() {
    let mut noise = Loader::synthetic(3, 1, &Device::flex());
    let model = Osnet::build(Variant::X0_25.config(), &mut noise).unwrap();
    let embedder =
        |batch| BurnEmbedder::new(model.clone(), DeviceChoice::Cpu.open().unwrap()).with_batch(batch);
    let pixels = picture(200, 150);
    let frame = Frame::still(ImageView::packed(&pixels, 200, 150, PixelFormat::Rgb8).unwrap());
    let boxes = [
        BBox::new(10.0, 10.0, 50.0, 120.0),
        // Outside, empty, and not a number.
        BBox::new(300.0, 10.0, 350.0, 120.0),
        BBox::new(60.5, 20.2, 99.1, 140.8),
        BBox::new(60.0, 20.0, 60.0, 140.0),
        BBox::new(f32::NAN, 20.0, 99.0, 140.0),
        BBox::new(-30.0, -30.0, 400.0, 400.0),
        BBox::new(150.0, 50.0, 152.0, 50.5),
    ];
    let describe = |embedder: &mut BurnEmbedder<Osnet>, boxes: &[BBox]| {
        let mut found: Vec<(usize, Vec<f32>)> = Vec::new();
        embedder.embed(&frame, boxes, &mut |index, feature| found.push((index, feature.to_vec()))).unwrap();
        found
    };
    let mut whole = embedder(32);
    assert_eq!(whole.dim(), 512);
    let all = describe(&mut whole, &boxes);
    assert_eq!(all.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 2, 5, 6]);
    assert!(all.iter().all(|(_, feature)| feature.len() == 512));
    assert!(!whole.timings().forward.is_zero());
    // One by one, in pieces, and again in the same memory.
    for (index, feature) in &all {
        let alone = describe(&mut whole, &boxes[*index..=*index]);
        for other in [&alone, &describe(&mut embedder(3), &boxes), &describe(&mut embedder(0), &boxes)] {
            let near = |other: &[f32]| {
                feature.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0))
            };
            assert!(other.iter().any(|(_, other)| near(other)));
        }
    }
    assert!(describe(&mut whole, &[]).is_empty());

    // The same on the engine of the CPU.
    let mut engine = CpuEmbedder::new(&model, Host::default()).unwrap();
    let mut found = Vec::new();
    engine.embed(&frame, &boxes, &mut |index, feature| found.push((index, feature.to_vec()))).unwrap();
    assert_eq!(found.len(), all.len());
    for ((index, feature), (other, expected)) in found.iter().zip(&all) {
        assert_eq!(index, other);
        assert!(feature.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4 * b.abs().max(1.0)));
    }
}

#[test]
fn the_manifest_lists_the_variants() {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    assert_eq!((manifest["family"].as_str(), manifest["licence"].as_str()), (Some("osnet"), Some("MIT")));
    let models = manifest["models"].as_array().unwrap();
    assert_eq!(models.len(), Variant::ALL.len());
    for (model, variant) in models.iter().zip(Variant::ALL) {
        assert_eq!(model["name"], variant.name());
        assert_eq!(model["params"], golden(variant)["parameters"]);
        assert_eq!(model["input"], serde_json::json!([256, 128]));
    }
}
