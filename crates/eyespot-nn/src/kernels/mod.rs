//! The arithmetic. `Plain` says what every operator means, as directly as it can be written; [`Fast`] gives the
//! same bits sooner. More sets can be added: a set is a type that implements [`Kernels`].

mod conv;
mod depthwise;
mod dot;
#[cfg(dsp)]
mod dsp;
mod float;
mod pool;
pub(crate) mod requant;
mod simple;
mod softmax;
#[cfg(test)]
mod tests;

pub(crate) use conv::ConvI8;
pub(crate) use float::{ConvF32, activate, conv_f32, depthwise_f32, through_ring};
pub(crate) use pool::{average_f32, average_i8, max_f32, max_i8, max_ring_row, mean_i8};
#[cfg(feature = "host")]
pub(crate) use pool::{mean_of, taps as pool_taps};
pub(crate) use simple::{
    BinaryQuant, Sampling, binary_f32, binary_i8, channel_tables, copy, dequantize, quantize, resize_f32,
    resize_i8, table,
};
#[cfg(feature = "host")]
pub(crate) use softmax::{Division, exp_of_difference, summand};
pub(crate) use softmax::{softmax_f32, softmax_i8};

/// The operators that are worth more than one implementation. Outputs hold whole rows, from row `first`.
pub(crate) trait Kernels {
    /// A convolution that looks at all input channels, in the scratch memory that the plan has for it.
    fn conv_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8], scratch: &mut [[i16; 4]]);
    /// A convolution of each channel for itself.
    fn depthwise_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8]);
}

/// Written to be read.
#[cfg(any(test, feature = "host"))]
#[derive(Debug)]
pub(crate) struct Plain;

#[cfg(any(test, feature = "host"))]
impl Kernels for Plain {
    fn conv_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8], _: &mut [[i16; 4]]) {
        conv::conv_plain(conv, false, input, first, output);
    }
    fn depthwise_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8]) {
        conv::conv_plain(conv, true, input, first, output);
    }
}

/// Blocked so that each value is loaded once for several products.
#[derive(Debug)]
pub(crate) struct Fast;

impl Kernels for Fast {
    fn conv_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8], scratch: &mut [[i16; 4]]) {
        conv::conv_fast(conv, input, first, output, scratch);
    }
    fn depthwise_i8(conv: &ConvI8<'_>, input: &[i8], first: usize, output: &mut [i8]) {
        depthwise::depthwise_fast(conv, input, first, output);
    }
}
