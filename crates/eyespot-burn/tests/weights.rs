//! Files of weights: what fits is loaded, what does not is an error that names it, and nothing panics.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{Conv, Loader, Norm, WeightError, WeightFormat, Weights};
use eyespot_core::{Error, ErrorKind};
use proptest::prelude::*;
use tempfile::TempDir;

const NORM: Norm<'static> = Norm { name: "bn", epsilon: 1e-3 };

/// A convolution of one channel into two, its norm behind it.
fn tensors() -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    vec![
        ("conv.weight", vec![2, 1, 1, 1], vec![1.0, 1.25]),
        ("bn.weight", vec![2], vec![2.0, 2.25]),
        ("bn.bias", vec![2], vec![-1.0, -0.75]),
        ("bn.running_mean", vec![2], vec![0.5, 0.75]),
        ("bn.running_var", vec![2], vec![4.0, 4.25]),
    ]
}

/// Safetensors: the length of a JSON header, the header, the values.
fn safetensors(folder: &TempDir, tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> PathBuf {
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        entries.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{}]}}"#,
            data.len()
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat())
        .unwrap();
    path
}

fn load(path: &Path) -> Result<Conv2d, WeightError> {
    let mut loader = Loader::new(Weights::open(path)?, &Device::flex());
    let conv = loader.conv("conv", Conv::new(1, 2, 1), Some(NORM))?;
    loader.finish()?;
    Ok(conv)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

/// `(x * weight - mean) / sqrt(variance + epsilon) * gamma + beta` at x = 3.
fn expected() -> Vec<f32> {
    let formula = |w: f32, gamma: f32, beta: f32, mean: f32, variance: f32| {
        (3.0 * w - mean) / (variance + 1e-3).sqrt() * gamma + beta
    };
    vec![formula(1.0, 2.0, -1.0, 0.5, 4.0), formula(1.25, 2.25, -0.75, 0.75, 4.25)]
}

fn assert_computes(conv: &Conv2d) {
    let x = Tensor::from_data(TensorData::new(vec![3.0f32], [1, 1, 1, 1]), &Device::flex());
    for (y, expected) in values(conv.forward(x)).into_iter().zip(expected()) {
        assert!((y - expected).abs() < 1e-5, "{y} {expected}");
    }
}

/// As a checkpoint of a training: the model beside an optimiser.
fn checkpoint() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoint.pth")
}

#[test]
fn the_norm_is_folded() {
    let folder = TempDir::new().unwrap();
    assert_computes(&load(&safetensors(&folder, &tensors())).unwrap());
    assert_computes(&load(&checkpoint()).unwrap());
}

#[test]
fn a_bias_in_front_of_the_norm_is_folded_too() {
    let folder = TempDir::new().unwrap();
    let mut tensors = tensors();
    tensors.push(("conv.bias", vec![2], vec![0.5, 0.75]));
    // It shifts the mean.
    tensors[3].2 = vec![1.0, 1.5];
    assert_computes(&load(&safetensors(&folder, &tensors)).unwrap());
}

#[test]
fn formats_are_told_by_content() {
    let folder = TempDir::new().unwrap();
    let path = safetensors(&folder, &tensors());
    let renamed = folder.path().join("weights.pth");
    std::fs::rename(path, &renamed).unwrap();
    assert_eq!(WeightFormat::of(&renamed).unwrap(), WeightFormat::Safetensors);
    assert_eq!(WeightFormat::of(&checkpoint()).unwrap(), WeightFormat::PyTorch);
    assert_computes(&load(&renamed).unwrap());
    for junk in [&b""[..], b"hello", &[0; 64]] {
        std::fs::write(&renamed, junk).unwrap();
        let error = load(&renamed).unwrap_err();
        assert!(matches!(error, WeightError::UnknownFormat { .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let error = load(Path::new("no/such/file.pth")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn what_does_not_fit_is_named() {
    let folder = TempDir::new().unwrap();
    let fails = |tensors: &[(&str, Vec<usize>, Vec<f32>)]| load(&safetensors(&folder, tensors)).unwrap_err();

    let error = fails(&tensors()[..4]);
    assert_eq!(
        error.to_string(),
        "the weights have no tensor bn.running_var [2]: these are weights of another model"
    );
    let mut wrong = tensors();
    wrong[0].1 = vec![1, 2, 1, 1];
    assert_eq!(
        fails(&wrong).to_string(),
        "conv.weight has the shape [1, 2, 1, 1] instead of [2, 1, 1, 1]: these are weights of another model"
    );
    let mut more = tensors();
    more.push(("other.weight", vec![1], vec![0.0]));
    assert!(matches!(fails(&more), WeightError::Unexpected { name, count: 1, .. } if name == "other.weight"));
    for bad in [f32::NAN, f32::INFINITY] {
        let mut diverged = tensors();
        diverged[0].2[1] = bad;
        assert!(matches!(fails(&diverged), WeightError::NonFinite { name } if name == "conv.weight"));
    }
    let mut negative = tensors();
    negative[4].2[0] = -1.0;
    assert!(matches!(fails(&negative), WeightError::NonFinite { name } if name == "bn.running_var"));
}

/// A saved model and its bytes.
fn saved(folder: &TempDir) -> (PathBuf, Vec<u8>) {
    let mut loader = Loader::new(Weights::open(checkpoint()).unwrap(), &Device::flex()).recording();
    loader.conv("conv", Conv::new(1, 2, 1), Some(NORM)).unwrap();
    loader.finish().unwrap();
    let path = folder.path().join("model.bpk");
    loader.save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_saved_model_is_the_same_model() {
    let folder = TempDir::new().unwrap();
    let (path, _) = saved(&folder);
    let (before, after) = (load(&checkpoint()).unwrap(), load(&path).unwrap());
    assert_eq!(values(before.weight.val()), values(after.weight.val()));
    assert_eq!(values(before.bias.unwrap().val()), values(after.bias.unwrap().val()));
}

#[test]
fn a_damaged_saved_model_is_noticed() {
    let folder = TempDir::new().unwrap();
    let (path, bytes) = saved(&folder);
    // The tensors lie at the end.
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&path, damaged).unwrap();
    assert!(matches!(load(&path).unwrap_err(), WeightError::Checksum { .. }));

    let key = b"eyespot.version";
    let at = bytes.windows(key.len()).position(|window| window == key).unwrap();
    let mut newer = bytes;
    // The value is a text of one character, with a byte for its length before it.
    newer[at + key.len() + 1] = b'2';
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(load(&path).unwrap_err(), WeightError::Version { found, .. } if found == "2"));
}

#[test]
fn every_truncation_is_an_error() {
    let folder = TempDir::new().unwrap();
    let (path, saved) = saved(&folder);
    let safetensors = std::fs::read(safetensors(&folder, &tensors())).unwrap();
    let checkpoint = std::fs::read(checkpoint()).unwrap();
    for bytes in [saved, safetensors, checkpoint] {
        for len in (0..bytes.len()).step_by(7) {
            std::fs::write(&path, &bytes[..len]).unwrap();
            assert!(load(&path).is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn synthetic_layers_are_reproducible() {
    let layer = |seed| {
        let mut loader = Loader::synthetic(seed, 7, &Device::flex());
        let conv = loader.conv("any", Conv::new(3, 0, 3), None).unwrap();
        assert_eq!(loader.parameters(), 7 * 27 + 7);
        values(conv.weight.val())
    };
    assert_eq!(layer(1), layer(1));
    assert_ne!(layer(1), layer(2));
    assert!(layer(1).iter().all(|weight| weight.abs() < 1.0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One wrong byte anywhere: an error or other numbers, never a panic.
    #[test]
    fn no_damage_makes_it_panic(file in 0usize..3, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let folder = TempDir::new().unwrap();
        let (path, saved) = saved(&folder);
        let mut bytes = match file {
            0 => saved,
            1 => std::fs::read(safetensors(&folder, &tensors())).unwrap(),
            _ => std::fs::read(checkpoint()).unwrap(),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        std::fs::write(&path, bytes).unwrap();
        let _ = load(&path);
    }
}
