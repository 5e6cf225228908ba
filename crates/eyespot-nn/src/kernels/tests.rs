//! The fast kernels against the plain ones.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::{ConvI8, Fast, Kernels, Plain, copy};
use crate::check::scratch_bytes;
use crate::graph::{Axis, Element, Shape, Window};

/// A convolution with room for its constants.
#[derive(Debug, Clone)]
struct Case {
    depthwise: bool,
    window: Window,
    input: Shape,
    output: Shape,
    weight_zero: i16,
    zeros: [i8; 2],
    clamp: [i8; 2],
    seed: u32,
}

/// Numbers from a seed.
fn bytes(seed: u32, len: usize) -> Vec<u8> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 11) as u8
        })
        .collect()
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (1u32..8, 1u32..8, 1u32..40, 1u32..20);
    let window = (1u16..6, 1u16..6, 1u16..4, 1u16..3, 0u16..3, 0u16..3);
    let numbers = (-3i16..3, any::<[i8; 2]>(), any::<[i8; 2]>(), any::<u32>());
    (any::<bool>(), sizes, window, numbers).prop_filter_map(
        "the window does not fit",
        |(depthwise, sizes, window, numbers)| {
            let (h, w, c, out) = sizes;
            let (kh, kw, stride, dilation, top, left) = window;
            let window = Window {
                kernel: [kh, kw],
                stride: [stride, stride],
                dilation: [dilation, dilation],
                pad: [top, left],
            };
            let side = |size: u32, kernel: u16, pad: u16| {
                let reach = (u32::from(kernel) - 1) * u32::from(dilation) + 1;
                (pad < kernel * dilation).then_some(())?;
                // Padding behind as wide as in front.
                Some((size + 2 * u32::from(pad)).checked_sub(reach)? / u32::from(stride) + 1)
            };
            let output = Shape::new(side(h, kh, top)?, side(w, kw, left)?, if depthwise { c } else { out });
            let fits = u32::from(stride) * (output.h - 1) < h + u32::from(top)
                && u32::from(stride) * (output.w - 1) < w + u32::from(left);
            let (weight_zero, zeros, [a, b], seed) = numbers;
            let clamp = [a.min(b), a.max(b)];
            fits.then_some(Case {
                depthwise,
                window,
                input: Shape::new(h, w, c),
                output,
                weight_zero,
                zeros,
                clamp,
                seed,
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn fast_convolutions_equal_the_plain_ones(case in case()) {
        let signed = |seed, len| bytes(seed, len).iter().map(|&byte| byte as i8).collect::<Vec<i8>>();
        let channels = case.output.c as usize;
        let depth = if case.depthwise { 1 } else { case.input.c as usize };
        let weights = signed(case.seed, case.window.taps() * depth * channels);
        let (biases, factors) = (bytes(!case.seed, 4 * channels), bytes(case.seed ^ 0x5555, 4 * channels));
        let bias: Vec<[u8; 4]> = biases.as_chunks().0.iter().map(|&[a, b, _, sign]| [a, b, sign % 2 * 255, sign % 2 * 255]).collect();
        // Between 2^30 and 2^31.
        let multipliers: Vec<[u8; 4]> = factors.as_chunks().0.iter().map(|&[a, b, c, d]| [a, b, c, d & 0x3f | 0x40]).collect();
        let shifts: Vec<i8> = factors.iter().take(channels).map(|byte| -((byte % 12) as i8)).collect();
        let conv = ConvI8 {
            window: case.window,
            input: case.input,
            output: case.output,
            weights: &weights,
            bias: &bias,
            multipliers: &multipliers,
            shifts: &shifts,
            input_zero: case.zeros[0],
            output_zero: case.zeros[1],
            weight_zero: case.weight_zero,
            clamp: case.clamp,
        };
        let input = signed(case.seed.rotate_left(7), case.input.len());
        let (mut plain, mut fast) = (vec![0; case.output.len()], vec![1; case.output.len()]);
        if case.depthwise {
            Plain::depthwise_i8(&conv, &input, 0, &mut plain);
            Fast::depthwise_i8(&conv, &input, 0, &mut fast);
        } else {
            let len = scratch_bytes(false, &case.window, depth, Element::I8);
            let mut scratch = vec![[0x55; 4]; len / 8];
            Plain::conv_i8(&conv, &input, 0, &mut plain, &mut []);
            Fast::conv_i8(&conv, &input, 0, &mut fast, &mut scratch);
        }
        prop_assert_eq!(&plain, &fast);
        // Row by row it is the same.
        let row = case.output.w as usize * channels;
        for (y, expected) in plain.chunks_exact(row).enumerate() {
            let mut line = vec![2; row];
            if case.depthwise {
                Fast::depthwise_i8(&conv, &input, y, &mut line);
            } else {
                let len = scratch_bytes(false, &case.window, depth, Element::I8);
                Fast::conv_i8(&conv, &input, y, &mut line, &mut vec![[0; 4]; len / 8]);
            }
            prop_assert_eq!(&line, expected);
        }
    }
}

/// Any distance between values of four bytes, the input as short as it can be.
#[test]
fn strided_copies_take_the_right_values() {
    let one = Axis { count: 1, from: 1, to: 1 };
    for count in 1..=40 {
        for (from, to) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)] {
            let reach = |step: usize| (count - 1) * step + 1;
            let input: Vec<u8> = bytes(count as u32, 4 * reach(from));
            let mut output = vec![0; 4 * reach(to)];
            let along = Axis { count: count as u32, from: from as u32, to: to as u32 };
            copy(&[one, one, one, one, along], 4, None, &input, &mut output);
            for at in 0..count {
                assert_eq!(output[4 * at * to..][..4], input[4 * at * from..][..4], "{count}, {from}, {to}");
            }
        }
    }
}
