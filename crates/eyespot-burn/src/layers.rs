//! Functions between convolutions, for inference.

use burn::module::Param;
use burn::tensor::module::{avg_pool2d, interpolate, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation};

/// `x * sigmoid(x)`.
///
/// On the CPU in place and with a vectorised exponential: Burn's own needs two passes and one scalar `expf` per
/// element, which is a quarter of YOLOX-nano's time.
#[must_use]
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    map(x, |x| x * fast_sigmoid(x), activation::silu)
}

/// `1 / (1 + exp(-x))`, as fast as [`silu`].
#[must_use]
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    map(x, fast_sigmoid, activation::sigmoid)
}

/// `max(x, 0)`.
#[must_use]
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    map(x, |x| x.max(0.0), activation::relu)
}

/// `min(max(x, 0), 6)`.
pub(crate) fn relu6<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    map(x, |x| x.clamp(0.0, 6.0), |x| x.clamp(0.0, 6.0))
}

/// Normalises the last dimension to a mean of 0 and a variance of 1, then scales and shifts it (Ba et al.,
/// arXiv:1607.06450).
#[derive(Debug, Clone)]
pub struct LayerNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    epsilon: f32,
}

impl LayerNorm {
    pub(crate) const fn new(weight: Param<Tensor<1>>, bias: Param<Tensor<1>>) -> Self {
        Self { weight, bias, epsilon: 1e-5 }
    }

    /// With another number that is added to the variance; usually it is 1e-5.
    #[must_use]
    pub const fn with_epsilon(mut self, epsilon: f32) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// The same shape, normalised.
    #[must_use]
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let centred = x.clone() - x.mean_dim(D - 1);
        let variance = (centred.clone() * centred.clone()).mean_dim(D - 1);
        let normal = centred / (variance + self.epsilon).sqrt();
        normal * self.weight.val().unsqueeze() + self.bias.val().unsqueeze()
    }
}

/// Max pooling with an odd kernel and a stride by which the size shrinks.
pub(crate) fn max_pool_by(x: Tensor<4>, kernel: usize, stride: usize) -> Tensor<4> {
    let options = MaxPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([kernel / 2; 2]);
    max_pool2d(x, options)
}

/// The mean of each square of pixels.
pub(crate) fn average_pool(x: Tensor<4>, side: usize) -> Tensor<4> {
    avg_pool2d(x, AvgPoolOptions::new([side; 2]).with_stride([side; 2]))
}

/// The mean of an odd square around each pixel, zeros beyond the edge; a stride shrinks the size.
pub(crate) fn average_pool_by(x: Tensor<4>, kernel: usize, stride: usize) -> Tensor<4> {
    let options = AvgPoolOptions::new([kernel; 2]).with_stride([stride; 2]).with_padding([kernel / 2; 2]);
    avg_pool2d(x, options)
}

/// The mean of each channel: height and width become 1.
pub(crate) fn mean(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let pixels = x.reshape([batch, channels, height * width]);
    pixels.mean_dim(2).reshape([batch, channels, 1, 1])
}

/// Twice the height and width, each value repeated.
pub(crate) fn upsample2(x: Tensor<4>) -> Tensor<4> {
    interpolate(x, InterpolateOptions::new(InterpolateMode::Nearest).with_scale_factor([2.0; 2]))
}

/// Another size, with values between the pixels' centres interpolated linearly.
pub(crate) fn resize(x: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(x, options.with_output_size([height, width]))
}

/// The tensors one after the other along the channels.
pub(crate) fn concat<const N: usize>(tensors: [Tensor<4>; N]) -> Tensor<4> {
    Tensor::cat(tensors.into(), 1)
}

/// Applies `f` where the tensor lies in host memory, otherwise `on_device`.
fn map<const D: usize>(
    x: Tensor<D>,
    f: impl Fn(f32) -> f32,
    on_device: impl Fn(Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let device = x.device();
    if !crate::device::is_host(&device) {
        return on_device(x);
    }
    // No copy unless another tensor shares the memory.
    let mut data = x.into_data();
    match data.as_mut_slice::<f32>() {
        Ok(values) => values.iter_mut().for_each(|value| *value = f(*value)),
        // Half precision.
        Err(_) => return on_device(Tensor::from_data(data, &device)),
    }
    Tensor::from_data(data, &device)
}

/// The sigmoid within 3e-7, written so that compilers vectorise it. NaN stays NaN.
#[inline]
fn fast_sigmoid(x: f32) -> f32 {
    // exp(-x) = 2^n * exp(r) with r in -ln(2)/2..=ln(2)/2; the polynomial is that of Cephes' `expf`.
    const MAGIC: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
    let shifted = MAGIC - x * core::f32::consts::LOG2_E;
    let n = shifted - MAGIC;
    let r = -x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    let exp = p * r * r + r + 1.0;
    let exp = f32::from_bits(exp.to_bits().wrapping_add(shifted.to_bits() << 23));
    // The last term is 0, or NaN for NaN.
    1.0 / (1.0 + exp) + x * 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sigmoid_is_exact_to_3e_7() {
        for step in -2_000_000..2_000_000 {
            let x = step as f32 * 5e-5;
            let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(fast_sigmoid(x)) - exact).abs();
            assert!(error < 3e-7, "{x}: off by {error}");
        }
        assert_eq!(fast_sigmoid(f32::INFINITY), 1.0);
        assert!(fast_sigmoid(f32::NEG_INFINITY) < 1e-37);
        assert!(fast_sigmoid(f32::NAN).is_nan());
        assert_eq!(fast_sigmoid(0.0), 0.5);
    }

    #[cfg(feature = "flex")]
    #[test]
    fn shared_tensors_stay_as_they_are() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_data([-1.0f32, 0.0, 2.0], &device);
        let y = silu(x.clone()).into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(x.into_data().try_into_vec::<f32>().unwrap(), [-1.0, 0.0, 2.0]);
        let exact = activation::silu(Tensor::<1>::from_data([-1.0f32, 0.0, 2.0], &device));
        for (y, exact) in y.into_iter().zip(exact.into_data().try_into_vec::<f32>().unwrap()) {
            assert!((y - exact).abs() < 1e-6);
        }
    }
}
