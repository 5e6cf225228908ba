//! Every instruction set that this CPU has, against the plain kernels.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::graph::{Activation, BinaryKind, Shape};
use crate::host::conv::Conv;
use crate::host::winograd::Winograd;
use crate::kernels::{self, ConvF32};

/// Numbers in -1 to 1, always the same for a seed.
fn numbers(seed: u32, len: usize) -> Vec<f32> {
    let mut state = seed | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn bytes(values: &[f32]) -> Vec<[u8; 4]> {
    values.iter().map(|value| value.to_le_bytes()).collect()
}

type Function = fn(f32, f32) -> f32;

/// A convolution that is not empty.
#[derive(Debug, Clone)]
struct Case {
    window: Window,
    input: Shape,
    output: Shape,
    activation: Activation,
    seed: u32,
}

fn activations() -> impl Strategy<Value = Activation> {
    prop_oneof![
        Just(Activation::None),
        Just(Activation::Clamp(0.0, f32::INFINITY)),
        Just(Activation::Clamp(-0.25, 0.5)),
        Just(Activation::LeakyRelu(0.1)),
        Just(Activation::Sigmoid),
        Just(Activation::Silu),
        Just(Activation::Tanh),
        Just(Activation::HardSigmoid(0.2, 0.5)),
        Just(Activation::HardSwish),
    ]
}

fn cases(depthwise: bool) -> impl Strategy<Value = Case> {
    let window = (1u16..=5, 1u16..=5, 1u16..=3, 1u16..=3, 1u16..=2, 1u16..=2, 0u16..=2, 0u16..=2);
    let most = if cfg!(miri) { 6u32 } else { 40 };
    (window, 1u32..=12, 1u32..=24, 1..=most, 1..=most, activations(), any::<u32>()).prop_filter_map(
        "the window has no place",
        move |((kh, kw, sy, sx, dy, dx, py, px), h, w, depth, channels, activation, seed): (
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        )| {
            let window = Window {
                kernel: [kh, kw],
                stride: [sy, sx],
                dilation: [dy, dx],
                pad: [py.min(kh - 1), px.min(kw - 1)],
            };
            let side = |size: u32, axis: usize| -> Option<u32> {
                let [k, s, d, p] =
                    [window.kernel, window.stride, window.dilation, window.pad].map(|v| u32::from(v[axis]));
                Some((size + 2 * p).checked_sub((k - 1) * d + 1)? / s + 1)
            };
            let channels = if depthwise { depth } else { channels };
            let output = Shape::new(side(h, 0)?, side(w, 1)?, channels);
            Some(Case { window, input: Shape::new(h, w, depth), output, activation, seed })
        },
    )
}

/// The same but for the rounding of sums of `terms` products of numbers in -1 to 1.
fn close(a: &[f32], b: &[f32], terms: usize) -> Result<(), TestCaseError> {
    let tolerance = 2e-5f32.max(4e-8 * terms as f32);
    prop_assert_eq!(a.len(), b.len());
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        prop_assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "value {}: {} instead of {}", at, a, b);
    }
    Ok(())
}

fn check(case: &Case, depthwise: bool) -> Result<(), TestCaseError> {
    let depth = if depthwise { 1 } else { case.input.c as usize };
    let channels = case.output.c as usize;
    let input = numbers(case.seed, case.input.len());
    let weights = bytes(&numbers(case.seed ^ 0x55, case.window.taps() * depth * channels));
    let bias = bytes(&numbers(case.seed ^ 0xAA, channels));
    let plain = ConvF32 {
        window: case.window,
        input: case.input,
        output: case.output,
        weights: &weights,
        bias: &bias,
        activation: case.activation,
    };
    let mut expected = vec![0.0; case.output.len()];
    let mut scratch = vec![0.0; 2 * case.window.taps() * case.input.c as usize];
    if depthwise {
        kernels::depthwise_f32(&plain, &input, 0, &mut expected);
    } else {
        kernels::conv_f32(&plain, &input, 0, &mut expected, &mut scratch);
    }
    let shapes = [case.input, case.output];
    for level in Level::all() {
        let mut found = vec![f32::NAN; case.output.len()];
        // From some row on, as a thread gets it.
        let first = case.seed as usize % case.output.h as usize;
        let row = case.output.w as usize * channels;
        let (before, after) = found.split_at_mut(first * row);
        if depthwise {
            let conv = Depthwise::new(level, case.window, (shapes[0], shapes[1]), &weights, &bias).unwrap();
            conv.rows(&input, first, after);
            conv.rows(&input, 0, before);
            level.activate(case.activation, &mut found);
        } else {
            let conv = Conv::new(level, case.window, shapes, [&weights, &bias], case.activation);
            let units = case.output.w as usize / conv.unit();
            conv.compute(&input, first * units, after);
            conv.compute(&input, 0, before);
        }
        close(&found, &expected, case.window.taps() * depth)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 300 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(case in cases(false)) {
        check(&case, false)?;
    }

    #[test]
    fn depthwise_convolutions(case in cases(true)) {
        check(&case, true)?;
    }

    #[test]
    fn tiles_of_two_by_two(
        size in [7u32..20, 7u32..24], channels in [16u32..40, 16u32..40], pad in [0u16..=2, 0u16..=2],
        activation in activations(), seed: u32,
    ) {
        let window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pad };
        let side = |axis: usize| size[axis] + 2 * u32::from(pad[axis]) - 2;
        let shapes = [Shape::new(size[0], size[1], channels[0]), Shape::new(side(0), side(1), channels[1])];
        let [input, output] = shapes;
        let tiles = output.h.div_ceil(2) * output.w.div_ceil(2);
        let values = numbers(seed, input.len());
        let weights = bytes(&numbers(seed ^ 0x55, 9 * (input.c * output.c) as usize));
        let bias = bytes(&numbers(seed ^ 0xAA, output.c as usize));
        let plain = ConvF32 { window, input, output, weights: &weights, bias: &bias, activation };
        let mut expected = vec![0.0; output.len()];
        kernels::conv_f32(&plain, &values, 0, &mut expected, &mut vec![0.0; 18 * input.c as usize]);
        for level in Level::all() {
            let conv = Winograd::new(level, window, shapes, [&weights, &bias], activation);
            prop_assert_eq!(conv.is_some(), tiles >= 16);
            let Some(conv) = conv else { continue };
            // What was there before does not matter.
            let mut band = vec![f32::NAN; conv.band()];
            let mut found = vec![f32::NAN; output.len()];
            conv.compute(&values, 0, &mut found, &mut band);
            close(&found, &expected, 18 * input.c as usize)?;
            // In two parts, as threads get them: the same bits.
            let row = (output.w * output.c) as usize;
            let first = 2 * (seed as usize % output.h.div_ceil(2) as usize);
            let mut parts = vec![f32::NAN; output.len()];
            let (before, after) = parts.split_at_mut(first * row);
            conv.compute(&values, first, after, &mut band);
            conv.compute(&values, 0, before, &mut band);
            prop_assert!(parts == found, "{}", level.name());
        }
    }

    #[test]
    fn functions(values in prop::collection::vec(-100f32..100.0, 0..50), activation in activations()) {
        let mut expected = values.clone();
        kernels::activate(activation, &mut expected);
        for level in Level::all() {
            let mut found = values.clone();
            level.activate(activation, &mut found);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() <= 1e-6 * expected.abs().max(1.0), "{} {}", found, expected);
            }
        }
    }

    #[test]
    fn softmax(values in prop::collection::vec(-100f32..100.0, 1..50)) {
        let mut expected = values.clone();
        kernels::softmax_f32(&mut expected, values.len());
        for level in Level::all() {
            let mut found = values.clone();
            level.softmax(&mut found);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() <= 1e-6, "{} {}", found, expected);
            }
        }
    }

    #[test]
    fn arithmetic(a in prop::collection::vec(-9f32..9.0, 0..50), seed: u32) {
        let b = numbers(seed, a.len());
        let kinds: [(BinaryKind, Function); 3] =
            [(BinaryKind::Add, |a, b| a + b), (BinaryKind::Sub, |a, b| a - b), (BinaryKind::Mul, |a, b| a * b)];
        for level in Level::all() {
            for (kind, function) in kinds {
                let mut found = a.clone();
                level.binary(kind, &mut found, &b);
                let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| function(*a, *b)).collect();
                prop_assert_eq!(found, expected);
            }
            let mut found = a.clone();
            level.raise(&mut found, &b);
            let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a.max(*b)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

/// A depth that is multiplied in several parts, and more pixels and columns than a block has.
#[test]
fn deep_convolutions() {
    let case = Case {
        window: Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1] },
        input: Shape::new(9, 9, if cfg!(miri) { 50 } else { 150 }),
        output: Shape::new(9, 9, if cfg!(miri) { 5 } else { 77 }),
        activation: Activation::None,
        seed: 5,
    };
    check(&case, false).unwrap();
}

/// What is no number stays none, so that a broken model is seen.
#[test]
fn not_a_number_stays_one() {
    for level in Level::all() {
        for activation in [
            Activation::Clamp(0.0, 6.0),
            Activation::LeakyRelu(0.1),
            Activation::Sigmoid,
            Activation::Silu,
            Activation::Tanh,
            Activation::HardSigmoid(0.2, 0.5),
            Activation::HardSwish,
        ] {
            let mut values = [f32::NAN; 19];
            level.activate(activation, &mut values);
            assert!(values.iter().all(|value| value.is_nan()), "{} {activation:?}", level.name());
        }
    }
}

/// A denormal number makes an instruction a hundred times as slow: no exponential gives one.
#[test]
fn exponentials_are_not_denormal() {
    for level in Level::all() {
        for step in 0..400 {
            let mut values = [0.0, -60.0 - 0.25 * step as f32, -200.0];
            level.softmax(&mut values);
            assert!(values.iter().all(|value| *value == 0.0 || value.is_normal()), "{} {step}", level.name());
        }
    }
}

/// Weights that are too small to matter must not make a run slow: they count as zeros.
#[test]
fn tiny_weights_are_zeros() {
    let shape = Shape::new(2, 3, 4);
    let (weights, bias) = (bytes(&[1e-39; 16]), bytes(&[-1e-30; 4]));
    for level in Level::all() {
        let conv = Conv::new(level, Window::POINT, [shape; 2], [&weights, &bias], Activation::None);
        let mut found = vec![f32::NAN; shape.len()];
        conv.compute(&vec![1e19; shape.len()], 0, &mut found);
        assert!(found.iter().all(|value| *value == 0.0), "{}", level.name());
    }
}
