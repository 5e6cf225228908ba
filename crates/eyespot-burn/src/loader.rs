//! Builds the layers of a model from weights.

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use burn_store::bridge;

use crate::weights::RawTensor;
use crate::{WeightError, Weights};

/// Shape of a convolution with a square, odd kernel; the padding keeps the size at stride 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
}

impl Conv {
    /// Input channels, output channels (0 takes what the weights have) and side of the kernel.
    #[must_use]
    pub const fn new(input: usize, output: usize, kernel: usize) -> Self {
        Self { input, output, kernel, stride: 1, groups: 1 }
    }

    /// One kernel for each channel.
    #[must_use]
    pub const fn depthwise(channels: usize, kernel: usize) -> Self {
        Self { groups: channels, ..Self::new(channels, channels, kernel) }
    }

    /// With a stride.
    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The shape of its weight.
    fn shape(&self) -> [usize; 4] {
        [self.output, self.input / self.groups.max(1), self.kernel, self.kernel]
    }
}

/// The batch normalisation behind a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm<'a> {
    /// Name of the layer: `weight`, `bias`, `running_mean` and `running_var` lie below it.
    pub name: &'a str,
    /// What is added to the variance.
    pub epsilon: f32,
}

#[derive(Debug)]
enum Source {
    Weights(Weights),
    /// Reproducible noise; any size that is free becomes the given one.
    Synthetic {
        state: u64,
        free: usize,
    },
}

/// Builds the layers of a model from weights, one call for each layer.
///
/// A model asks for its layers in the order of execution: an ONNX graph, whose names may mean nothing, gives its
/// convolutions in that order. All other formats are read by name. At the end [`finish`](Self::finish) tells whether
/// anything was left over.
#[derive(Debug)]
pub struct Loader {
    source: Source,
    device: Device,
    parameters: u64,
    recorded: Option<Vec<RawTensor>>,
}

impl Loader {
    /// A loader that puts the layers on a device.
    #[must_use]
    pub fn new(weights: Weights, device: &Device) -> Self {
        Self { source: Source::Weights(weights), device: device.clone(), parameters: 0, recorded: None }
    }

    /// Reproducible noise in place of weights, to test and measure a model without any. `classes` is the size where
    /// the model takes what the weights have.
    #[must_use]
    pub fn synthetic(seed: u64, classes: usize, device: &Device) -> Self {
        let source = Source::Synthetic { state: seed, free: classes };
        Self { source, device: device.clone(), parameters: 0, recorded: None }
    }

    /// Keeps a copy of all layers for [`save`](Self::save).
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.recorded = Some(Vec::new());
        self
    }

    /// Trainable parameters of the layers so far, as the model is published: with normalisation unfolded.
    #[must_use]
    pub const fn parameters(&self) -> u64 {
        self.parameters
    }

    /// A convolution with bias.
    ///
    /// Where a normalisation is given and the weights have one, it is folded into the convolution; where they have
    /// none, it was folded before and the convolution must have a bias.
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn conv(&mut self, name: &str, conv: Conv, norm: Option<Norm<'_>>) -> Result<Conv2d, WeightError> {
        let (shape, weight, bias) = match &mut self.source {
            Source::Weights(weights) => match weights.next_convolution(name) {
                Some(names) => {
                    let (weight, bias) = names?;
                    take(weights, &weight, &bias, conv)?
                }
                None => take_named(weights, name, conv, norm)?,
            },
            Source::Synthetic { state, free } => synthetic(state, *free, conv),
        };
        let output = shape[0];
        let affine = if norm.is_some() { 2 } else { 1 };
        self.parameters += (weight.len() + affine * output) as u64;
        let weight = TensorData::new(weight, shape);
        let bias = TensorData::new(bias, [output]);
        if let Some(recorded) = &mut self.recorded {
            recorded.push(bridge::from_data(weight.clone(), format!("{name}.weight"), None));
            recorded.push(bridge::from_data(bias.clone(), format!("{name}.bias"), None));
        }
        let padding = conv.kernel / 2;
        Ok(Conv2d {
            weight: Param::from_tensor(Tensor::from_data(weight, &self.device)),
            bias: Some(Param::from_tensor(Tensor::from_data(bias, &self.device))),
            stride: [conv.stride; 2],
            kernel_size: [conv.kernel; 2],
            dilation: [1; 2],
            groups: conv.groups,
            padding: PaddingConfig2d::Explicit(padding, padding, padding, padding),
        })
    }

    /// Checks that the model used all weights.
    ///
    /// # Errors
    /// [`WeightError::Unexpected`].
    pub fn finish(&mut self) -> Result<(), WeightError> {
        match &mut self.source {
            Source::Weights(weights) => std::mem::take(weights).finish(),
            Source::Synthetic { .. } => Ok(()),
        }
    }

    /// Writes the layers that it [recorded](Self::recording), normalisation folded, as burnpack with a checksum.
    ///
    /// # Errors
    /// [`WeightError::Io`].
    pub fn save(self, path: impl AsRef<std::path::Path>) -> Result<(), WeightError> {
        crate::weights::write_burnpack(path.as_ref(), self.recorded.unwrap_or_default())
    }
}

type Layer = ([usize; 4], Vec<f32>, Vec<f32>);

fn take(weights: &mut Weights, weight: &str, bias: &str, conv: Conv) -> Result<Layer, WeightError> {
    let (shape, weight) = take_weight(weights, weight, conv)?;
    let (_, bias) = weights.take(bias, &[shape[0]])?;
    Ok((shape, weight, bias))
}

fn take_weight(weights: &mut Weights, name: &str, conv: Conv) -> Result<([usize; 4], Vec<f32>), WeightError> {
    let [output, ..] = conv.shape();
    let (shape, values) = weights.take(name, &conv.shape())?;
    let output = shape.first().copied().unwrap_or(output);
    Ok(([output, conv.shape()[1], conv.kernel, conv.kernel], values))
}

fn take_named(
    weights: &mut Weights,
    name: &str,
    conv: Conv,
    norm: Option<Norm<'_>>,
) -> Result<Layer, WeightError> {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let has_bias = weights.shape(&bias).is_some();
    let scale = norm.map(|norm| (norm, format!("{}.weight", norm.name)));
    match scale {
        Some((norm, scale)) if !has_bias || weights.shape(&scale).is_some() => {
            let (shape, mut weight) = take_weight(weights, &weight, conv)?;
            let channels = [shape[0]];
            let mut bias = if has_bias { weights.take(&bias, &channels)?.1 } else { vec![0.0; shape[0]] };
            let mut part = |part| weights.take(&format!("{}.{part}", norm.name), &channels);
            let (_, gamma) = part("weight")?;
            let (_, beta) = part("bias")?;
            let (_, mean) = part("running_mean")?;
            let (_, variance) = part("running_var")?;
            fold(&mut weight, &mut bias, [&gamma, &beta, &mean, &variance], norm.epsilon);
            if weight.iter().chain(&bias).all(|value| value.is_finite()) {
                Ok((shape, weight, bias))
            } else {
                // A negative variance, or one so small that the division overflows.
                Err(WeightError::NonFinite { name: format!("{}.running_var", norm.name) })
            }
        }
        _ => take(weights, &weight, &bias, conv),
    }
}

/// Folds `y = (conv(x) - mean) / sqrt(variance + epsilon) * gamma + beta` into the convolution (Jacob et al.,
/// arXiv:1712.05877, section 3.2).
fn fold(weight: &mut [f32], bias: &mut [f32], [gamma, beta, mean, variance]: [&[f32]; 4], epsilon: f32) {
    let kernel = weight.len() / bias.len().max(1);
    for (channel, (kernel, bias)) in weight.chunks_exact_mut(kernel.max(1)).zip(bias).enumerate() {
        let scale = f64::from(gamma[channel]) / (f64::from(variance[channel]) + f64::from(epsilon)).sqrt();
        for value in kernel {
            *value = (f64::from(*value) * scale) as f32;
        }
        *bias = (f64::from(beta[channel]) + (f64::from(*bias) - f64::from(mean[channel])) * scale) as f32;
    }
}

/// Weights of about the size that training starts from, so that activations neither vanish nor grow.
fn synthetic(state: &mut u64, free: usize, conv: Conv) -> Layer {
    let [output, input, kernel, _] = conv.shape();
    let output = if output == 0 { free } else { output };
    let fan_in = input * kernel * kernel;
    let scale = (6.0 / fan_in.max(1) as f32).sqrt();
    let mut noise = || {
        // SplitMix64 (Steele et al., 2014).
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let weight = (0..output * fan_in).map(|_| noise() * scale).collect();
    let bias = (0..output).map(|_| noise() * 0.1).collect();
    ([output, input, kernel, kernel], weight, bias)
}
