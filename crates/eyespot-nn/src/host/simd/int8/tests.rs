//! Every instruction set that this CPU has, against the plain kernels, bit for bit.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::graph::{Axis, Pool, PoolKind, PoolNumbers, PoolQuant, Rescale, Shape, Slot, Window};
use crate::host::{int8, int8_maps, pool};
use crate::kernels::{self, Kernels, Plain};

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

/// Every third number is one of the extremes.
fn signed(seed: u32, len: usize) -> Vec<i8> {
    let value = |byte: u8| match byte % 6 {
        0 => -128,
        1 => 127,
        _ => (byte ^ 0x35) as i8,
    };
    bytes(seed, len).into_iter().map(value).collect()
}

/// A convolution that is not empty.
#[derive(Debug, Clone)]
struct Case {
    depthwise: bool,
    window: Window,
    input: Shape,
    output: Shape,
    weight_zero: i16,
    zeros: [i8; 2],
    clamp: [i8; 2],
    /// The largest shift to the left.
    left: i8,
    /// Multipliers of few bits.
    short: bool,
    seed: u32,
}

fn cases(depthwise: bool) -> impl Strategy<Value = Case> {
    let window = (1u16..=6, 1u16..=6, 1u16..=3, 1u16..=3, 1u16..=2, 1u16..=2, 0u16..=2, 0u16..=2);
    let most = if cfg!(miri) { 6u32 } else { 90 };
    let weight_zero = prop_oneof![3 => Just(0i16), 1 => -128i16..=127];
    let clamps = prop_oneof![Just([-128i8, 127]), any::<[i8; 2]>()];
    let numbers = (weight_zero, any::<[i8; 2]>(), clamps, -2i8..=2, any::<bool>(), any::<u32>());
    (window, 1u32..=11, 1u32..=24, 1..=most, 1..=most, numbers).prop_filter_map(
        "the window has no place",
        move |((kh, kw, sy, sx, dy, dx, py, px), h, w, depth, channels, numbers)| {
            let (weight_zero, zeros, [a, b], left, short, seed) = numbers;
            let window = Window {
                kernel: [kh, kw],
                stride: [sy, sx],
                dilation: [dy, dx],
                pad: [py.min(kh - 1), px.min(kw - 1)],
            };
            // Padding behind, which the shape of the output says, as wide as in front or less.
            let side = |size: u32, axis: usize| -> Option<u32> {
                let [k, s, d, p] =
                    [window.kernel, window.stride, window.dilation, window.pad].map(|v| u32::from(v[axis]));
                Some((size + 2 * p).checked_sub((k - 1) * d + 1)? / s + 1)
            };
            let channels = if depthwise { depth } else { channels };
            let output = Shape::new(side(h, 0)?, side(w, 1)?, channels);
            let clamp = [a.min(b), a.max(b)];
            let input = Shape::new(h, w, depth);
            Some(Case { depthwise, window, input, output, weight_zero, zeros, clamp, left, short, seed })
        },
    )
}

/// The same bits from whole images and from any row on, or nothing: then the common kernels run. Gives how many levels
/// took it.
fn check(case: &Case) -> Result<usize, TestCaseError> {
    let depth = if case.depthwise { 1 } else { case.input.c as usize };
    let channels = case.output.c as usize;
    let weights = signed(case.seed, case.window.taps() * depth * channels);
    let bias: Vec<[u8; 4]> = bytes(!case.seed, 4 * channels)
        .as_chunks()
        .0
        .iter()
        .map(|&[a, b, c, sign]| {
            // Now and then as large as can be.
            let top = if c % 16 == 0 && !case.short { 0x7f } else { 0 };
            [a, b, c & 1, top].map(|byte: u8| byte ^ (sign % 2 * 255))
        })
        .collect();
    // Between 2^30 and 2^31; some channels are dead.
    let factors = bytes(case.seed ^ 0x5555, 4 * channels);
    let multipliers: Vec<[u8; 4]> = factors
        .as_chunks()
        .0
        .iter()
        .map(|&[a, b, c, d]| match d & 0x3f | 0x40 {
            _ if d % 16 == 0 => [0; 4],
            top if case.short => [0, 0, 0, top],
            top => [a, b, c, top],
        })
        .collect();
    let shift = |byte: u8| match byte % 11 {
        small if case.short => -((small % 10) as i8),
        0 => -31,
        1 => case.left,
        other => -(other as i8) - 4,
    };
    let shifts: Vec<i8> = bytes(case.seed ^ 0x77, channels).into_iter().map(shift).collect();
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
    let mut expected = vec![0; case.output.len()];
    if case.depthwise {
        Plain::depthwise_i8(&conv, &input, 0, &mut expected);
    } else {
        Plain::conv_i8(&conv, &input, 0, &mut expected, &mut []);
    }
    let mut taken = 0;
    for level in Level::all() {
        if case.short {
            let (_, scales) = constants(level, &conv, &vec![0; channels]).unwrap();
            prop_assert_eq!(scales.how == How::Short, level.abilities().short);
        }
        // From some row on, as a thread gets it.
        let first = case.seed as usize % case.output.h as usize;
        let mut found = vec![0x55; case.output.len()];
        let (before, after) = found.split_at_mut(first * case.output.w as usize * channels);
        if case.depthwise && case.input.c > 1 {
            let Some(conv) = int8::Separate::new(level, &conv) else { continue };
            let mut band = Aligned::new(conv.band().div_ceil(4));
            conv.rows(&input, first, after, cast_slice_mut(&mut band));
            conv.rows(&input, 0, before, cast_slice_mut(&mut band));
        } else {
            let Some(conv) = int8::Conv::new(level, &conv, case.depthwise) else { continue };
            let mut band = Aligned::new(conv.band().div_ceil(4));
            let units = case.output.w as usize / conv.unit();
            conv.compute(&input, first * units, after, cast_slice_mut(&mut band));
            conv.compute(&input, 0, before, cast_slice_mut(&mut band));
        }
        taken += 1;
        prop_assert!(found == expected, "{}", level.name());
    }
    Ok(taken)
}

fn rescales() -> impl Strategy<Value = Rescale> {
    let numbers = prop_oneof![(1 << 30..=i32::MAX, -12i8..=0), Just((1 << 30, 0i8))];
    (any::<i8>(), numbers).prop_map(|(zero, (multiplier, shift))| Rescale { zero, multiplier, shift })
}

/// Sums around each at which the output becomes another one.
#[test]
fn short_scales_round_as_long_ones() {
    for (fraction, bits) in [(1, 1), (3, 2), (9, 4), (21, 5), (63, 6), (77, 7), (255, 8), (2049, 12)] {
        for right in 0..=16 - bits {
            let multiplier: i32 = fraction << (31 - bits);
            let factor = f64::from(fraction) / 2f64.powi(bits + right);
            for zero in [-128, -7, 0, 127] {
                let around = |half: i32| {
                    let sum = ((f64::from(half) - 0.5) / factor).round() as i32;
                    sum - 2..=sum + 2
                };
                let sums: Vec<i32> = (-260..260).flat_map(around).chain([1 << 24, -(1 << 24)]).collect();
                let channels = sums.len();
                let conv = ConvI8 {
                    window: Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], pad: [0; 2] },
                    input: Shape::new(1, 1, 1),
                    output: Shape::new(1, 1, channels as u32),
                    weights: &vec![1; channels],
                    bias: &sums.iter().map(|sum| sum.to_le_bytes()).collect::<Vec<_>>(),
                    multipliers: &vec![multiplier.to_le_bytes(); channels],
                    shifts: &vec![-right as i8; channels],
                    input_zero: 0,
                    output_zero: zero,
                    weight_zero: 0,
                    clamp: [-128, 127],
                };
                let mut expected = vec![0; channels];
                Plain::conv_i8(&conv, &[0], 0, &mut expected, &mut []);
                for level in Level::all() {
                    let panels = int8::Conv::new(level, &conv, false).unwrap();
                    let mut band = Aligned::new(panels.band().div_ceil(4));
                    let mut found = vec![0; channels];
                    panels.compute(&[0], 0, &mut found, cast_slice_mut(&mut band));
                    assert!(
                        found == expected,
                        "{fraction} / 2^{} with {zero}, {}",
                        bits + right,
                        level.name()
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 4 } else { 400 }, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(case in cases(false)) {
        prop_assert!(check(&case)? > 0);
    }

    #[test]
    fn depthwise_convolutions(case in cases(true)) {
        prop_assert!(check(&case)? > 0);
    }

    /// One input channel and several outputs.
    #[test]
    fn multiplied_channels(case in cases(false)) {
        let input = Shape { c: 1, ..case.input };
        let taken = check(&Case { depthwise: true, input, ..case })?;
        prop_assert!(taken > 0);
    }

    #[test]
    fn arithmetic(sides in [rescales(), rescales(), rescales()], kind in 0..3, short: bool, clamp: [i8; 2], len in 0usize..100, seed: u32) {
        let kind = [BinaryKind::Add, BinaryKind::Sub, BinaryKind::Mul][kind as usize];
        let clamp = [clamp[0].min(clamp[1]), clamp[0].max(clamp[1])];
        let [mut a, mut b, mut output] = sides;
        if short {
            // Sides in steps of 1/2^10, and as many bits for the result.
            for side in [&mut a, &mut b] {
                side.multiplier &= -1 << (21 - i32::from(side.shift)).min(30);
            }
            output.multiplier &= -1 << 21;
            output.shift = output.shift.max(-6);
        }
        let quant = BinaryQuant { a, b, output, left_shift: 20, clamp };
        let (x, y) = (signed(seed, len), signed(!seed, len));
        let shape = Shape::new(1, 1, len as u32);
        let mut expected = x.clone();
        kernels::binary_i8(kind, &quant, (shape, shape), &mut expected, &y);
        for level in Level::all() {
            let mut found = x.clone();
            let binary = Binary::new(level, kind, quant).unwrap();
            if short && kind == BinaryKind::Mul {
                prop_assert_eq!(binary.scales[2].how == How::Short, level.abilities().short);
            } else if short && [a, b].iter().all(|side| side.shift > -10) {
                prop_assert!(binary.weighted.is_some());
            }
            binary.apply(&mut found, &y);
            prop_assert!(found == expected, "{}", level.name());
        }
    }

    #[test]
    fn tables(table in prop::array::uniform32(any::<[i8; 8]>()), len in 0usize..300, seed: u32) {
        let table: &[i8] = table.as_flattened();
        let values = bytes(seed, len).into_iter().map(|byte| byte as i8).collect::<Vec<i8>>();
        let mut expected = values.clone();
        kernels::table(table, &mut expected);
        for level in Level::all() {
            let mut found = values.clone();
            level.table(table.first_chunk().unwrap(), &mut found);
            prop_assert!(found == expected, "{}", level.name());
        }
    }

    #[test]
    fn copies(axes in prop::array::uniform3((1u32..9, 0u32..4)), inner in (1u32..40, 1u32..4, 1u32..3), mapped: bool, seed: u32) {
        let inner = Axis { count: inner.0, from: inner.1, to: inner.2 };
        // Outputs don't overlap; inputs may.
        let mut reach = inner.count * inner.to;
        let mut all = [Axis { count: 1, from: 1, to: 1 }; 5];
        all[4] = inner;
        for (at, &(count, gap)) in axes.iter().enumerate() {
            let from = if gap == 0 { inner.count * inner.from } else { gap * 7 };
            all[3 - at] = Axis { count, from, to: reach + gap };
            reach = count * (reach + gap);
        }
        let input = signed(seed, all.iter().map(|axis| ((axis.count - 1) * axis.from) as usize).sum::<usize>() + 1);
        let table = signed(!seed, 256);
        let table = mapped.then_some(&table[..]);
        let mut expected = vec![0x55u8; reach as usize];
        kernels::copy(&all, 1, table, cast_slice(&input), &mut expected);
        for level in Level::all() {
            for room in [8, 100, 1 << 13] {
                let mut found = vec![0x55; reach as usize];
                let table = table.and_then(<[i8]>::first_chunk);
                int8_maps::copy(level, &all, table, &input, &mut found, &mut vec![0; room]);
                prop_assert!(found == cast_slice::<u8, i8>(&expected), "{}", level.name());
            }
        }
    }

    #[test]
    fn softmax(len in 1usize..40, pixels in 1usize..4, scale in 1i32 << 30..=i32::MAX, shift in 15i8..28, spread in 0u32..8, seed: u32) {
        let values: Vec<i8> = signed(seed, len * pixels).into_iter().map(|value| value >> spread).collect();
        let diff_min = -(((31i64 << 26) >> shift) as i32);
        let mut expected = values.clone();
        kernels::softmax_i8(scale, shift, diff_min, &mut expected, len);
        for level in Level::all() {
            let mut found = values.clone();
            int8_maps::Softmax::new(scale, shift, diff_min).apply(level, &mut found, len);
            prop_assert!(found == expected, "{}", level.name());
        }
    }

    #[test]
    fn pooling(case in cases(true), kind in 0..3, half_up: bool) {
        let window = Window { dilation: [1, 1], ..case.window };
        let kind = [PoolKind::Max, PoolKind::Average, PoolKind::AverageWithPadding][kind as usize];
        let slot = |shape: Shape| Slot { offset: 0, shape };
        let quant = PoolQuant { zero: case.zeros[0], clamp: case.clamp, half_up };
        let (input, output) = (slot(case.input), slot(case.output));
        let pool = Pool { kind, window, input, output, numbers: PoolNumbers::I8(quant) };
        let values = signed(case.seed, case.input.len());
        let mut expected = vec![0; case.output.len()];
        if kind == PoolKind::Max {
            kernels::max_i8(&pool, &quant, &values, &mut expected);
        } else {
            kernels::average_i8(&pool, &quant, &values, &mut expected);
        }
        let line = case.input.w as usize * case.input.c as usize;
        let first = case.seed as usize % case.output.h as usize;
        for level in Level::all() {
            let mut found = vec![0x55; case.output.len()];
            let parts = found.split_at_mut(first * case.output.w as usize * case.output.c as usize);
            for (first, output) in [(first, parts.1), (0, parts.0)] {
                if kind == PoolKind::Max {
                    let finish = |out: &mut [i8]| out.iter_mut().for_each(|out| *out = (*out).min(quant.clamp[1]));
                    let max = pool::Max { level, pool: &pool, least: quant.clamp[0], finish };
                    let row = |y: usize| &values[y * line..(y + 1) * line];
                    pool::rows(&max, row, first, output, &mut Aligned::new(line.div_ceil(4)));
                } else {
                    let mut sums = vec![0; int8_maps::means_room(case.input)];
                    int8_maps::means(level, (&pool, &quant), &values, first, output, &mut sums);
                }
            }
            prop_assert!(found == expected, "{}", level.name());
        }
    }

    #[test]
    fn maxima_and_sums(len in 0usize..100, seed: u32) {
        let (a, b) = (signed(seed, len), signed(!seed, len));
        let highest: Vec<i8> = a.iter().zip(&b).map(|(a, b)| *a.max(b)).collect();
        let sums: Vec<i32> = a.iter().zip(&b).map(|(a, b)| i32::from(*a) + i32::from(*b)).collect();
        for level in Level::all() {
            let mut found = a.clone();
            level.raise_i8(&mut found, &b);
            prop_assert_eq!(&found, &highest);
            let mut found = vec![0; len];
            level.accumulate(&mut found, &a);
            level.accumulate(&mut found, &b);
            prop_assert_eq!(&found, &sums);
        }
    }
}

/// More channels than a tile has and a window of several panels, all values extremes.
#[test]
fn the_largest_sums() {
    for (input, weight) in [(-128, -128), (127, -128), (-128, 127)] {
        let shape = Shape::new(3, 5, if cfg!(miri) { 8 } else { 200 });
        let output = Shape { c: if cfg!(miri) { 5 } else { 77 }, ..shape };
        let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pad: [1, 1] };
        let channels = output.c as usize;
        let conv = ConvI8 {
            window,
            input: shape,
            output,
            weights: &vec![weight; 9 * shape.c as usize * channels],
            bias: &vec![1_000_000i32.to_le_bytes(); channels],
            multipliers: &vec![[0xFF, 0xFF, 0xFF, 0x7F]; channels],
            shifts: &vec![-18; channels],
            input_zero: input,
            output_zero: 3,
            weight_zero: 0,
            clamp: [-128, 127],
        };
        let values = vec![input; shape.len()];
        let mut expected = vec![0; output.len()];
        Plain::conv_i8(&conv, &values, 0, &mut expected, &mut []);
        for level in Level::all() {
            let conv = int8::Conv::new(level, &conv, false).unwrap();
            let mut band = Aligned::new(conv.band().div_ceil(4));
            let mut found = vec![0; output.len()];
            conv.compute(&values, 0, &mut found, cast_slice_mut(&mut band));
            assert_eq!(found, expected, "{}", level.name());
        }
    }
}

/// Rescaling at the ends of what vectors take, and right at the halves, against the definition.
#[test]
fn rescaling_rounds_as_defined() {
    let multipliers = [1 << 30, (1 << 30) + 1, 1_518_500_250, i32::MAX, 0];
    for multiplier in multipliers {
        for shift in -31..=3i8 {
            let most = ((1i32 << 30) - 1) >> shift.max(0);
            let halves = (0..31).flat_map(|bit| [-1, 0, 1, 2].map(|off| (1i32 << bit).wrapping_add(off)));
            let sums: Vec<i32> = halves
                .chain([3, 5, 7, 11, 100, 255, 1000, 12_345])
                .flat_map(|sum| [sum, -sum, 3 * (sum / 2), -3 * (sum / 2)])
                .filter(|sum| (-most..=most).contains(sum))
                .collect();
            let bias: Vec<[u8; 4]> = sums.iter().map(|sum| sum.to_le_bytes()).collect();
            let shape = Shape::new(1, 1, 1);
            // The bias alone is the sum: the weights are zeros.
            let conv = ConvI8 {
                window: Window::POINT,
                input: shape,
                output: Shape { c: sums.len() as u32, ..shape },
                weights: &vec![0; sums.len()],
                bias: &bias,
                multipliers: &vec![multiplier.to_le_bytes(); sums.len()],
                shifts: &vec![shift; sums.len()],
                input_zero: 0,
                output_zero: -5,
                weight_zero: 0,
                clamp: [-128, 127],
            };
            let mut expected = vec![0; sums.len()];
            Plain::conv_i8(&conv, &[7], 0, &mut expected, &mut []);
            for level in Level::all() {
                let conv = int8::Conv::new(level, &conv, false).unwrap();
                let mut band = Aligned::new(conv.band().div_ceil(4));
                let mut found = vec![0; sums.len()];
                conv.compute(&[7], 0, &mut found, cast_slice_mut(&mut band));
                assert_eq!(found, expected, "{} {multiplier} {shift}", level.name());
            }
        }
    }
}

/// A dead channel has weights that say nothing and a bias that says all; it must not cost a layer its vectors.
#[test]
fn dead_channels_are_taken() {
    let shape = Shape::new(2, 3, 8);
    let biases = [
        i32::MAX - 9999,
        i32::MIN + 9999,
        1 << 30,
        -(1 << 30),
        2_000_000_001,
        -1_999_999_999,
        1_234_567_890,
        7,
    ];
    for shift in -31..=-1i8 {
        let conv = ConvI8 {
            window: Window::POINT,
            input: shape,
            output: shape,
            weights: &signed(9, 64).into_iter().map(|weight| weight % 4).collect::<Vec<i8>>(),
            bias: &biases.map(i32::to_le_bytes),
            multipliers: &[1_400_000_011i32.to_le_bytes(); 8],
            shifts: &[shift; 8],
            input_zero: 0,
            output_zero: -5,
            weight_zero: 0,
            clamp: [-128, 127],
        };
        let input = signed(3, shape.len());
        let mut expected = vec![0; shape.len()];
        Plain::conv_i8(&conv, &input, 0, &mut expected, &mut []);
        for level in Level::all() {
            let conv = int8::Conv::new(level, &conv, false).unwrap();
            let mut band = Aligned::new(conv.band().div_ceil(4));
            let mut found = vec![0; shape.len()];
            conv.compute(&input, 0, &mut found, cast_slice_mut(&mut band));
            assert_eq!(found, expected, "{} {shift}", level.name());
        }
    }
}

/// What vectors can't do is left to the common kernels.
#[test]
fn numbers_that_are_too_large_are_not_taken() {
    let shape = Shape::new(1, 1, 1);
    let conv = ConvI8 {
        window: Window::POINT,
        input: shape,
        output: shape,
        weights: &[1],
        bias: &[[0; 4]],
        multipliers: &[(1i32 << 30).to_le_bytes()],
        shifts: &[0],
        input_zero: 0,
        output_zero: 0,
        weight_zero: 0,
        clamp: [-128, 127],
    };
    for level in Level::all() {
        let taken = |conv: &ConvI8<'_>| int8::Conv::new(level, conv, false).is_some();
        assert!(taken(&conv));
        assert!(!taken(&ConvI8 { multipliers: &[(-1i32).to_le_bytes()], ..conv }));
        // The common kernels wrap.
        assert_eq!(taken(&ConvI8 { shifts: &[24], ..conv }), level.abilities().any_sum);
        assert!(!taken(&ConvI8 { weight_zero: i16::MIN, weights: &[127], ..conv }));
    }
}
