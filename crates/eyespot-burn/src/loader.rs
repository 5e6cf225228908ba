//! Builds the layers of a model from weights.

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::{Device, Tensor, TensorData};
use burn_store::bridge;

use crate::weights::{GraphLayer, RawTensor};
use crate::{LayerNorm, WeightError, Weights};

/// Shape of a convolution with a square, odd kernel; the padding keeps the size at stride 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    input: usize,
    output: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
    bias: bool,
    /// Less padding above and left.
    lead: usize,
}

impl Conv {
    /// Input channels, output channels (0 takes what the weights have) and side of the kernel.
    #[must_use]
    pub const fn new(input: usize, output: usize, kernel: usize) -> Self {
        Self { input, output, kernel, stride: 1, groups: 1, bias: true, lead: 0 }
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

    /// With a stride of 2 as TensorFlow does it: an even size is padded one pixel less above and left, so that each
    /// kernel lies one pixel further.
    #[must_use]
    pub const fn halving(mut self) -> Self {
        self.stride = 2;
        self.lead = 1;
        self
    }

    /// Without a bias, and without a normalisation that would give it one.
    #[must_use]
    pub const fn unbiased(mut self) -> Self {
        self.bias = false;
        self
    }

    /// The shape of its weight.
    fn shape(&self) -> [usize; 4] {
        [self.output, self.input / self.groups.max(1), self.kernel, self.kernel]
    }
}

/// The batch normalisation behind a layer.
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
/// A model asks for its layers in the order in which they first run: an ONNX graph, whose names may mean nothing, gives
/// them in that order. All other formats are read by name. At the end [`finish`](Self::finish) tells whether anything
/// was left over.
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

    /// Leaves out the weights below a name, such as `classifier`: a head that is only needed in training.
    pub fn ignore(&mut self, name: &str) {
        if let Source::Weights(weights) = &mut self.source {
            weights.ignore(name);
        }
    }

    /// A convolution.
    ///
    /// Where a normalisation is given and the weights have one, it is folded into the convolution; where they have
    /// none, it was folded before and the convolution must have a bias.
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn conv(&mut self, name: &str, conv: Conv, norm: Option<Norm<'_>>) -> Result<Conv2d, WeightError> {
        let Layer { shape, weight, bias } = self.layer(name, conv.shape(), conv.bias, norm)?;
        let padding = conv.kernel / 2;
        let lead = padding.saturating_sub(conv.lead);
        Ok(Conv2d {
            weight: self.param(weight, shape),
            bias: bias.map(|bias| self.param(bias, [shape[0]])),
            stride: [conv.stride; 2],
            kernel_size: [conv.kernel; 2],
            dilation: [1; 2],
            groups: conv.groups,
            padding: PaddingConfig2d::Explicit(lead, lead, padding, padding),
        })
    }

    /// A fully connected layer with bias as a convolution of a single pixel, from so many channels to so many.
    /// Normalisation as for [`conv`](Self::conv).
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn dense(
        &mut self,
        name: &str,
        [input, output]: [usize; 2],
        norm: Option<Norm<'_>>,
    ) -> Result<Conv2d, WeightError> {
        let Layer { shape: [output, input], weight, bias } = self.layer(name, [output, input], true, norm)?;
        Ok(Conv2d {
            weight: self.param(weight, [output, input, 1, 1]),
            bias: bias.map(|bias| self.param(bias, [output])),
            stride: [1; 2],
            kernel_size: [1; 2],
            dilation: [1; 2],
            groups: 1,
            padding: PaddingConfig2d::Explicit(0, 0, 0, 0),
        })
    }

    /// A fully connected layer with bias, from so many inputs to so many outputs. Normalisation as for
    /// [`conv`](Self::conv).
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn linear(
        &mut self,
        name: &str,
        [input, output]: [usize; 2],
        norm: Option<Norm<'_>>,
    ) -> Result<Linear, WeightError> {
        let Layer { shape: [output, input], weight, bias } = self.layer(name, [output, input], true, norm)?;
        // Burn has the inputs first.
        let transposed = (0..input).flat_map(|row| (0..output).map(move |column| column * input + row));
        let transposed = transposed.filter_map(|at| weight.get(at).copied()).collect();
        Ok(Linear {
            weight: self.param(transposed, [input, output]),
            bias: bias.map(|bias| self.param(bias, [output])),
        })
    }

    /// A normalisation of the last dimension, of `size` numbers.
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn layer_norm(&mut self, name: &str, size: usize) -> Result<LayerNorm, WeightError> {
        let mut part = |part: &str, value| {
            let values = self.values(&format!("{name}.{part}"), &[size], |_| value)?;
            Ok(self.param(values, [size]))
        };
        let norm = LayerNorm::new(part("weight", 1.0)?, part("bias", 0.0)?);
        self.parameters += 2 * size as u64;
        Ok(norm)
    }

    /// Parameters that are no layer: tokens, positions, scales.
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn parameter<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Tensor<D>, WeightError> {
        let fan_in: usize = shape.iter().skip(1).product();
        let scale = if D > 1 { (6.0 / fan_in.max(1) as f32).sqrt() } else { 0.1 };
        let values = self.values(name, &shape, |state| noise(state) * scale)?;
        self.parameters += values.len() as u64;
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// Numbers that belong to a model but were not trained; zeros where there are no weights.
    ///
    /// # Errors
    /// [`WeightError`], naming the tensor that is missing or does not fit.
    pub fn buffer(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightError> {
        self.values(name, shape, |_| 0.0)
    }

    /// The numbers of a tensor; where there are no weights `synthetic` makes each from the state of the noise.
    fn values(
        &mut self,
        name: &str,
        shape: &[usize],
        mut synthetic: impl FnMut(&mut u64) -> f32,
    ) -> Result<Vec<f32>, WeightError> {
        let values = match &mut self.source {
            Source::Weights(weights) => weights.take(name, shape)?.1,
            Source::Synthetic { state, .. } => {
                (0..shape.iter().product()).map(|_| synthetic(state)).collect()
            }
        };
        if let Some(recorded) = &mut self.recorded {
            let data = TensorData::new(values.clone(), shape.to_vec());
            recorded.push(bridge::from_data(data, name.to_owned(), None));
        }
        Ok(values)
    }

    /// The numbers of a layer, from wherever they come.
    fn layer<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
        has_bias: bool,
        norm: Option<Norm<'_>>,
    ) -> Result<Layer<D>, WeightError> {
        let layer = match &mut self.source {
            Source::Weights(weights) => {
                let names = match weights.next_layer(name) {
                    Some(names) => names?,
                    None => names(weights, name, has_bias, norm),
                };
                take(weights, &names, shape, has_bias, norm)?
            }
            Source::Synthetic { state, free } => synthetic(state, *free, shape, has_bias),
        };
        let output = layer.shape.first().copied().unwrap_or_default();
        // Convolutions have no bias beside a normalisation, fully connected layers do.
        let per_output = match norm {
            Some(_) => 2 + usize::from(D == 2),
            None => usize::from(has_bias),
        };
        self.parameters += (layer.weight.len() + per_output * output) as u64;
        if let Some(recorded) = &mut self.recorded {
            let weight = TensorData::new(layer.weight.clone(), layer.shape);
            recorded.push(bridge::from_data(weight, format!("{name}.weight"), None));
            if let Some(bias) = &layer.bias {
                let bias = TensorData::new(bias.clone(), [output]);
                recorded.push(bridge::from_data(bias, format!("{name}.bias"), None));
            }
        }
        Ok(layer)
    }

    fn param<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
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

/// The numbers of a layer, normalisation folded.
struct Layer<const D: usize> {
    /// Of the weight, outputs first.
    shape: [usize; D],
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
}

/// The tensors of a layer in files that are read by name. Without a norm where it was folded.
fn names(weights: &Weights, name: &str, has_bias: bool, norm: Option<Norm<'_>>) -> GraphLayer {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    let bias_is_there = weights.shape(&bias).is_some();
    let norm = norm
        .map(|norm| {
            ["weight", "bias", "running_mean", "running_var"].map(|part| format!("{}.{part}", norm.name))
        })
        .filter(|[scale, ..]| !bias_is_there || weights.shape(scale).is_some());
    let bias = (bias_is_there || (has_bias && norm.is_none())).then_some(bias);
    GraphLayer { weight, bias, norm, output: String::new() }
}

fn take<const D: usize>(
    weights: &mut Weights,
    names: &GraphLayer,
    expected: [usize; D],
    has_bias: bool,
    norm: Option<Norm<'_>>,
) -> Result<Layer<D>, WeightError> {
    let (shape, mut weight) = weights.take(&names.weight, &expected)?;
    let shape: [usize; D] = shape.try_into().unwrap_or(expected);
    let channels = shape.get(..1).unwrap_or_default();
    let mut bias = match &names.bias {
        Some(bias) => Some(weights.take(bias, channels)?.1),
        None => None,
    };
    if let Some([gamma, beta, mean, variance]) = &names.norm {
        let mut part = |name| Ok::<_, WeightError>(weights.take(name, channels)?.1);
        let parts = [part(gamma)?, part(beta)?, part(mean)?, part(variance)?];
        let Some(Norm { epsilon, .. }) = norm else {
            return Err(WeightError::Unexpected { name: gamma.clone(), shape: channels.to_vec(), count: 4 });
        };
        let mut shift = bias.unwrap_or_else(|| vec![0.0; parts[0].len()]);
        fold(&mut weight, &mut shift, parts.each_ref().map(Vec::as_slice), epsilon);
        if !weight.iter().chain(&shift).all(|value| value.is_finite()) {
            // A negative variance, or one so small that the division overflows.
            return Err(WeightError::NonFinite { name: variance.clone() });
        }
        bias = Some(shift);
    }
    if has_bias && bias.is_none() {
        let name = format!("bias of {}", names.weight);
        return Err(WeightError::Missing { name, expected: channels.to_vec() });
    }
    Ok(Layer { shape, weight, bias })
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
fn synthetic<const D: usize>(
    state: &mut u64,
    free: usize,
    mut shape: [usize; D],
    has_bias: bool,
) -> Layer<D> {
    if let Some(output) = shape.first_mut().filter(|output| **output == 0) {
        *output = free;
    }
    let output = shape.first().copied().unwrap_or_default();
    let fan_in: usize = shape.iter().skip(1).product();
    let scale = (6.0 / fan_in.max(1) as f32).sqrt();
    let weight = (0..output * fan_in).map(|_| noise(state) * scale).collect();
    let bias = has_bias.then(|| (0..output).map(|_| noise(state) * 0.1).collect());
    Layer { shape, weight, bias }
}

/// -1..1: SplitMix64 (Steele et al., 2014).
fn noise(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}
