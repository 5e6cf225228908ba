//! Quantised kernels, with the arithmetic of `kernels` bit for bit.
//!
//! They are written once, over [`vector::Int`], and compiled for each instruction set.

mod binary;
mod depthwise;
mod gemm;
mod maps;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
mod scale;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use core::ops::Range;
use std::borrow::Cow;
use std::vec;
use std::vec::Vec;

use bytemuck::{cast_slice, cast_slice_mut};

pub(crate) use gemm::Run;
pub(crate) use maps::Means;
pub(crate) use vector::Format;

use self::binary::Weighted;
use self::scale::{Abilities, Channel, How, Limits, Scales};
use super::{Level, Set};
use crate::graph::{BinaryKind, Rescale};
use crate::host::aligned::Aligned;
use crate::kernels::{BinaryQuant, ConvI8};

/// The kernels compiled for an instruction set.
macro_rules! compile {
    ($name:ident, $S:ty, [$($vectors:literal: [$($rows:literal)+])+] $(, $feature:literal)?) => {
        mod $name {
            use super::depthwise::Row;
            use super::gemm::{Block, Run, tiles};
            use super::binary::Binary;
            use super::maps::Means;
            use super::vector::Int;

            $(#[target_feature(enable = $feature)])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
                run: &Run,
                input: *const u8,
                weights: *const u8,
                bias: *const i32,
                sums: *mut i32,
            ) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::gemm::tile::<$S, ROWS, VECTORS>(run, input, weights, bias, sums) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn finish(block: &Block, sums: *const i32, output: *mut i8, rows: usize) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::gemm::finish::<$S>(block, sums, output, rows) }
            }

            /// # Safety
            /// As for `gemm::tile` and `gemm::finish`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn product(block: &Block) {
                // SAFETY: tiles cover the block and nothing else.
                unsafe { tiles!($S, block, tile, finish, [$($vectors: [$($rows)+])+]) }
            }

            /// # Safety
            /// As for `depthwise::row`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn depthwise(row: &Row, out: *mut i8) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::depthwise::row::<$S>(row, out) }
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn interleave(rows: [&[i8]; 4], groups: &mut [u32]) {
                super::depthwise::interleave::<$S>(rows, groups);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn prepare(from: &[i8], to: &mut [u8]) {
                super::maps::prepare::<$S>(from, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn raise(a: &mut [i8], b: &[i8]) {
                super::maps::raise(a, b);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn raise_pixels(a: &mut [i8], b: &[i8], channels: usize, step: usize) {
                super::maps::raise_pixels(a, b, channels, step);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn accumulate(sums: &mut [i32], values: &[i8]) {
                super::maps::accumulate(sums, values);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn every_second(from: &[i8], to: &mut [i8]) {
                super::maps::every_second(from, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn means(how: &Means, columns: &[i32], sums: &mut [i32], to: &mut [i8]) {
                super::maps::means(how, columns, sums, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn table(table: &[i8; 256], values: &mut [i8]) {
                // SAFETY: the features are on.
                unsafe { super::maps::table::<$S>(table, values) }
            }

            /// # Safety
            /// As for `binary::binary`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn binary(binary: &Binary, a: &mut [i8], b: &[i8]) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::binary::binary::<$S>(binary, a, b) }
            }

            // There is room for the sums of every tile.
            const _: () = {
                let mut vectors = 1;
                while vectors <= ROWS.len() {
                    assert!(ROWS[vectors - 1] * vectors * LANES <= super::gemm::SUMS);
                    vectors += 1;
                }
            };

            pub(super) const LANES: usize = <$S as Int>::LANES;
            pub(super) const ROWS: &[usize] = <$S as Int>::ROWS;
            pub(super) const FORMAT: super::Format = <$S as Int>::FORMAT;
            pub(super) const CAN: super::Abilities = super::Abilities {
                lanes: LANES,
                any_sum: <$S as Int>::ANY_SUM,
                short: <$S as Int>::SHORT,
            };
        }
    };
}

compile!(on_any, super::portable::Portable, [1: [1 2 3 4] 2: [1 2 3 4]]);
#[cfg(target_arch = "x86_64")]
compile!(
    on_vnni512,
    super::x86::Vnni512,
    [1: [1 2 3 4 5 6 7 8 9 10 11 12] 2: [1 2 3 4 5 6 7 8 9 10 11 12] 3: [1 2 3 4 5 6 7 8]],
    "avx512f,avx512bw,avx512vl,avx512vnni"
);
#[cfg(target_arch = "x86_64")]
compile!(on_vnni256, super::x86::Avx<true>, [1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]], "avx2,fma,avxvnni");
#[cfg(target_arch = "x86_64")]
compile!(on_avx2, super::x86::Avx<false>, [1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]], "avx2,fma");
#[cfg(target_arch = "aarch64")]
compile!(
    on_neon,
    super::neon::Neon<false>,
    [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8] 4: [1 2 3 4 5 6]],
    "neon"
);
#[cfg(target_arch = "aarch64")]
compile!(
    on_neon_dot,
    super::neon::Neon<true>,
    [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8] 4: [1 2 3 4 5 6]],
    "neon"
);

/// Something that is compiled for a level.
macro_rules! of {
    ($level:expr, $($what:tt)+) => {
        match $level.0 {
            Set::Any => on_any::$($what)+,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => on_vnni512::$($what)+,
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => on_vnni256::$($what)+,
            // Without VNNI the wider vectors gain little.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::Avx512 => on_avx2::$($what)+,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => on_neon::$($what)+,
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => on_neon_dot::$($what)+,
        }
    };
}

impl Level {
    const fn sums(self) -> usize {
        of!(self, LANES)
    }

    const fn tile(self) -> &'static [usize] {
        of!(self, ROWS)
    }

    const fn abilities(self) -> Abilities {
        of!(self, CAN)
    }

    /// How inputs of products are stored.
    pub(crate) const fn format(self) -> Format {
        of!(self, FORMAT)
    }

    /// Writes inputs as products take them. `to` has [`Format::bytes`] for each.
    pub(crate) fn prepare(self, from: &[i8], to: &mut [u8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, prepare(from, to)) }
    }

    /// Makes groups of the values of rows, which must be as long; of the first two where groups are words.
    pub(crate) fn interleave(self, rows: [&[i8]; 4], groups: &mut [u32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, interleave(rows, groups)) }
    }

    /// Raises values to those of another slice of the same length.
    pub(crate) fn raise_i8(self, a: &mut [i8], b: &[i8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, raise(a, b)) }
    }

    /// Raises pixels of `channels` values to pixels of another slice, whose starts lie `step` values apart.
    pub(crate) fn raise_pixels(self, a: &mut [i8], b: &[i8], channels: usize, step: usize) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, raise_pixels(a, b, channels, step)) }
    }

    /// Adds values to sums.
    pub(crate) fn accumulate(self, sums: &mut [i32], values: &[i8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, accumulate(sums, values)) }
    }

    /// Copies every second value, the first included.
    pub(crate) fn every_second(self, from: &[i8], to: &mut [i8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, every_second(from, to)) }
    }

    /// Means of the sums of columns, each of as many values as `sums` has room for, rounded.
    pub(crate) fn means(self, how: &Means, columns: &[i32], sums: &mut [i32], to: &mut [i8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, means(how, columns, sums, to)) }
    }

    /// Maps every value by a table for -128 to 127.
    pub(crate) fn table(self, table: &[i8; 256], values: &mut [i8]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { of!(self, table(table, values)) }
    }
}

/// Bits of a multiplier and places that it is shifted to the right, together, with which sums are scaled as floats: with more,
/// floats can't tell all values from each other.
pub const SHORT_BITS: i32 = 16;

/// Most values of a mean.
pub(crate) const MOST: usize = 1 << 14;

/// Most passes over a window: each takes a weight of a byte.
const PASSES: usize = 3;

/// The part of a weight that a pass multiplies.
fn part(weight: i32, pass: usize, format: Format) -> i32 {
    if format == Format::Words {
        return weight;
    }
    let mut left = weight;
    for _ in 0..pass {
        left -= left.clamp(-128, 127);
    }
    left.clamp(-128, 127)
}

/// Passes for all weights of a convolution; `None` where they are too large.
fn passes(conv: &ConvI8<'_>, format: Format) -> Option<usize> {
    let weights = conv.weights.iter().copied();
    let ends = [weights.clone().min()?, weights.max()?];
    let ends = ends.map(|weight| i32::from(weight) - i32::from(conv.weight_zero));
    if format == Format::Words {
        return ends.iter().all(|&weight| i16::try_from(weight).is_ok()).then_some(1);
    }
    let of = |weight: i32| (1..=PASSES).find(|&pass| part(weight, pass, format) == 0);
    Some(of(ends[0])?.max(of(ends[1])?))
}

/// Writes a group of weights: their parts for a pass, less the zero point.
fn pack(weights: &[i8], zero: i32, pass: usize, format: Format, group: &mut [u8]) {
    if zero == 0
        && pass == 0
        && format != Format::Words
        && let ([a, b, c, d], [e, f, g, h]) = (weights, &mut *group)
    {
        // As nearly always.
        [*e, *f, *g, *h] = [*a as u8, *b as u8, *c as u8, *d as u8];
        return;
    }
    let parts = weights.iter().map(|&weight| part(i32::from(weight) - zero, pass, format));
    if format == Format::Words {
        for (to, part) in group.chunks_exact_mut(2).zip(parts) {
            to.copy_from_slice(&(part as i16).to_ne_bytes());
        }
    } else {
        for (to, part) in group.iter_mut().zip(parts) {
            *to = part as i8 as u8;
        }
    }
}

/// The weights of a convolution, those of an output channel together: they do lie so, or tap by tap.
fn rows<'a>(conv: &ConvI8<'a>, by_taps: bool) -> Cow<'a, [i8]> {
    let channels = conv.output.c as usize;
    if by_taps {
        let row = |channel: usize| conv.weights.iter().skip(channel).step_by(channels).copied();
        (0..channels).flat_map(row).collect()
    } else {
        conv.weights.into()
    }
}

/// Biases and scales of the channels of a convolution, in whole vectors, from its [`rows`].
fn constants(level: Level, conv: &ConvI8<'_>, rows: &[i8]) -> Option<(Vec<i32>, Scales)> {
    /// Values whose sums fit 32 bits.
    const PART: usize = 1 << 12;
    let channels = conv.output.c as usize;
    let zero = i32::from(conv.weight_zero);
    let word = |words: &[[u8; 4]], channel: usize| words.get(channel).map(|word| i32::from_le_bytes(*word));
    let (mut numbers, mut sums) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for (channel, row) in rows.chunks_exact((rows.len() / channels).max(1)).enumerate() {
        let (mut reach, mut sum) = (0, 0i32);
        for part in row.chunks(PART) {
            let weights = part.iter().map(|&weight| i32::from(weight) - zero);
            reach += 128 * u64::from(weights.clone().map(i32::unsigned_abs).sum::<u32>());
            sum = sum.wrapping_add(weights.sum());
        }
        numbers.push(Channel {
            multiplier: word(conv.multipliers, channel)?,
            shift: *conv.shifts.get(channel)?,
            bias: word(conv.bias, channel)?,
            reach,
        });
        sums.push(sum);
    }
    let (scales, mut bias) = Scales::new(level.abilities(), &numbers, conv.output_zero)?;
    if level.format() == Format::Raised {
        for (bias, sum) in bias.iter_mut().zip(sums) {
            *bias = bias.wrapping_sub(sum.wrapping_mul(128));
        }
    }
    bias.resize(channels.next_multiple_of(level.sums()), 0);
    Some((bias, scales))
}

/// Weights of a convolution over all input channels, as the kernels of a level read them, in panels of some output
/// channels.
#[derive(Debug)]
pub(crate) struct Panels {
    level: Level,
    weights: Aligned,
    bias: Vec<i32>,
    scales: Scales,
    limits: Limits,
    columns: usize,
    /// Lines of a window, taps in a line and groups in a tap; passes.
    depth: [usize; 4],
}

impl Panels {
    /// Packs the weights. `None` where numbers lie outside what the kernels can do.
    pub(crate) fn new(level: Level, conv: &ConvI8<'_>, depthwise: bool) -> Option<Self> {
        let (lanes, columns, format) = (level.sums(), conv.output.c as usize, level.format());
        let [kh, kw] = conv.window.kernel.map(usize::from);
        let inputs = conv.input.c as usize;
        if depthwise && inputs != 1 {
            return None;
        }
        // Neighbouring taps lie together.
        let (taps, len) = if conv.window.dilation[1] == 1 { (1, kw * inputs) } else { (kw, inputs) };
        let values = kh * kw * inputs;
        (conv.weights.len() == values * columns).then_some(())?;
        let zero = i32::from(conv.weight_zero);
        let rows = rows(conv, depthwise);
        let passes = passes(conv, format)?;
        let (bias, scales) = constants(level, conv, &rows)?;
        let groups = len.div_ceil(format.group());
        let depth = [kh, taps, groups, passes];
        let size = depth.iter().product::<usize>() * columns.next_multiple_of(lanes);
        let limits = Limits::after(&scales, conv.output_zero, conv.clamp);
        let mut panels = Self { level, weights: Aligned::new(size), bias, scales, limits, columns, depth };
        for number in 0..panels.count() {
            let Range { start, end } = panels.panel(number);
            let room = 4 * (end - start).next_multiple_of(lanes);
            let from = panels.offset(start);
            let bytes: &mut [u8] = cast_slice_mut(&mut panels.weights);
            let rows = rows[start * values..end * values].chunks_exact(values);
            for (column, row) in rows.enumerate() {
                let mut groups = bytes[from + 4 * column..].chunks_mut(room);
                for pass in 0..passes {
                    for tap in row.chunks_exact(len) {
                        for (group, to) in tap.chunks(format.group()).zip(&mut groups) {
                            pack(group, zero, pass, format, &mut to[..4]);
                        }
                    }
                }
            }
        }
        Some(panels)
    }

    /// Where the weights of the panel with a first column start.
    fn offset(&self, column: usize) -> usize {
        4 * column * self.depth.iter().product::<usize>()
    }

    /// The columns of a panel: whole vectors but for the last.
    fn panel(&self, number: usize) -> Range<usize> {
        let lanes = self.level.sums();
        let (vectors, count) = (self.columns.div_ceil(lanes), self.count());
        let [start, end] = [number, number + 1].map(|number| number * vectors / count * lanes);
        start..end.min(self.columns)
    }

    /// Most pixels of a tile of the widest panel.
    pub(crate) fn rows(&self) -> usize {
        let vectors = self.columns.div_ceil(self.level.sums()).div_ceil(self.count().max(1));
        self.level.tile().get(vectors - 1).copied().unwrap_or(1)
    }

    /// Lines of a window, taps in a line, groups in a tap, and passes.
    pub(crate) const fn depth(&self) -> [usize; 4] {
        self.depth
    }

    /// Output channels.
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.columns.div_ceil(self.level.sums()).div_ceil(self.level.tile().len())
    }

    /// A panel's output channels of some pixels. `input` starts with the first byte of the first window, `output` with the
    /// first channel of the first pixel.
    ///
    /// # Panics
    /// Where a slice is too short for the run, or the run does not fit the weights.
    pub(crate) fn product(&self, panel: usize, run: &Run, input: &[u8], output: &mut [i8]) {
        assert!(run.count > 0 && panel < self.count());
        assert!([run.lines[0], run.taps[0], run.groups, run.passes] == self.depth);
        assert!(input.len() >= run.reach() && output.len() >= run.count * self.columns);
        let Range { start: column, end } = self.panel(panel);
        let bytes: &[u8] = cast_slice(&self.weights);
        let (weights, bias, scales) =
            (&bytes[self.offset(column)..], &self.bias[column..], self.scales.from(column));
        let room = (end - column).next_multiple_of(self.level.sums());
        assert!(weights.len() >= 4 * room * run.depth() && bias.len() >= room);
        assert!(scales.len() >= scale::PER_LANE * room);
        let block = gemm::Block {
            run: *run,
            input: input.as_ptr(),
            weights: weights.as_ptr(),
            bias: bias.as_ptr(),
            scales: scales.as_ptr(),
            how: self.scales.how,
            columns: end - column,
            output: output[column..].as_mut_ptr(),
            stride: self.columns,
            limits: self.limits,
        };
        // SAFETY: a level is proof that the CPU has its instructions. All slices are as long as the assertions say.
        unsafe { of!(self.level, product(&block)) }
    }
}

/// A convolution of each channel for itself, with as many outputs as inputs.
#[derive(Debug)]
pub(crate) struct Depthwise {
    level: Level,
    weights: Aligned,
    bias: Vec<i32>,
    scales: Scales,
    limits: Limits,
    channels: usize,
    /// Columns of the window, from one to the next, and from one output to the next.
    columns: [usize; 3],
    /// Width of the output.
    width: usize,
    /// Planes and passes.
    counts: [usize; 2],
}

impl Depthwise {
    /// Packs the weights. `None` where an input channel has several outputs, or where numbers lie outside what the kernels
    /// can do.
    pub(crate) fn new(level: Level, conv: &ConvI8<'_>) -> Option<Self> {
        let (lanes, channels, format) = (level.sums(), conv.output.c as usize, level.format());
        let [kh, kw] = conv.window.kernel.map(usize::from);
        if conv.input.c != conv.output.c || conv.weights.len() != kh * kw * channels {
            return None;
        }
        let zero = i32::from(conv.weight_zero);
        let rows = rows(conv, true);
        let passes = passes(conv, format)?;
        let (bias, scales) = constants(level, conv, &rows)?;
        let planes = kh.div_ceil(format.group());
        let mut packed = Aligned::new(channels.next_multiple_of(lanes) * passes * planes * kw);
        let bytes: &mut [u8] = cast_slice_mut(&mut packed);
        let mut groups = bytes.chunks_exact_mut(4);
        for vector in 0..channels.div_ceil(lanes) {
            for pass in 0..passes {
                for plane in 0..planes {
                    for column in 0..kw {
                        for channel in vector * lanes..(vector + 1) * lanes {
                            let to = groups.next()?;
                            let Some(row) = rows.chunks_exact(kh * kw).nth(channel) else { continue };
                            let (mut group, mut len) = ([0; 4], 0);
                            let lines = row.chunks_exact(kw).skip(plane * format.group());
                            for (weight, line) in group.iter_mut().zip(lines.take(format.group())) {
                                (*weight, len) = (line[column], len + 1);
                            }
                            pack(&group[..len], zero, pass, format, to);
                        }
                    }
                }
            }
        }
        let limits = Limits::after(&scales, conv.output_zero, conv.clamp);
        let columns = [kw, usize::from(conv.window.dilation[1]), usize::from(conv.window.stride[1])];
        Some(Self {
            level,
            weights: packed,
            bias,
            scales,
            limits,
            channels,
            columns,
            width: conv.output.w as usize,
            counts: [planes, passes],
        })
    }

    /// Planes of groups.
    pub(crate) const fn planes(&self) -> usize {
        self.counts[0]
    }

    /// Columns of the input that a row of the output looks at, padding included.
    pub(crate) const fn reach(&self) -> usize {
        let [kernel, dilation, stride] = self.columns;
        (self.width - 1) * stride + (kernel - 1) * dilation + 1
    }

    /// Groups of a plane, with room for a vector that reaches over the end.
    pub(crate) const fn plane(&self) -> usize {
        self.reach() * self.channels + self.level.sums()
    }

    /// A row of the output from interleaved input rows: [`planes`](Self::planes) times [`plane`](Self::plane) groups.
    ///
    /// # Panics
    /// Where a slice has another length.
    pub(crate) fn row(&self, planes: &[u32], out: &mut [i8]) {
        let room = self.channels.next_multiple_of(self.level.sums());
        assert!(planes.len() == self.counts[0] * self.plane() && out.len() == self.width * self.channels);
        assert!(self.weights.len() >= room * self.counts[0] * self.counts[1] * self.columns[0]);
        assert!(self.bias.len() >= room && self.scales.from(0).len() >= scale::PER_LANE * room);
        let row = depthwise::Row {
            planes: planes.as_ptr().cast(),
            plane: 4 * self.plane(),
            counts: self.counts,
            channels: self.channels,
            columns: self.columns,
            width: self.width,
            weights: self.weights.as_ptr().cast(),
            bias: self.bias.as_ptr(),
            scales: self.scales.from(0).as_ptr(),
            how: self.scales.how,
            limits: self.limits,
        };
        // SAFETY: a level is proof that the CPU has its instructions. All slices are as long as the assertions say.
        unsafe { of!(self.level, depthwise(&row, out.as_mut_ptr())) }
    }
}

/// Arithmetic of two quantised tensors.
#[derive(Debug)]
pub(crate) struct Binary {
    level: Level,
    kind: BinaryKind,
    quant: BinaryQuant,
    weighted: Option<Weighted>,
    scales: [Scales; 3],
}

impl Binary {
    /// `None` where numbers lie outside what the kernels can do.
    pub(crate) fn new(level: Level, kind: BinaryKind, quant: BinaryQuant) -> Option<Self> {
        // Only the result of a product has the size of sums of a convolution.
        let can =
            Abilities { short: kind == BinaryKind::Mul && level.abilities().short, ..level.abilities() };
        let all = |multiplier: i32, shift: i8, reach: u64| {
            let channel = Channel { multiplier, shift, bias: 0, reach };
            Scales::new(can, &vec![channel; can.lanes], quant.output.zero).map(|(scales, _)| scales)
        };
        // A product does not scale its sides.
        let none = Rescale { zero: 0, multiplier: 0, shift: 0 };
        let [left, right] = if kind == BinaryKind::Mul { [none; 2] } else { [quant.a, quant.b] };
        // The sum of both sides fits 32 bits.
        let lifted = (quant.left_shift < 23).then(|| 255u64 << quant.left_shift)?;
        let (sides, result) = match kind {
            BinaryKind::Mul => (0, 255 * 255),
            // A side that is not shifted to the left does not grow when it is scaled.
            BinaryKind::Add | BinaryKind::Sub => (lifted, 2 * lifted),
        };
        let scales = [
            all(left.multiplier, left.shift, sides)?,
            all(right.multiplier, right.shift, sides)?,
            all(quant.output.multiplier, quant.output.shift, result)?,
        ];
        let weighted = Weighted::new(kind, &quant);
        scales.iter().all(|scale| scale.how != How::Left).then_some(Self {
            level,
            kind,
            quant,
            weighted,
            scales,
        })
    }

    /// Combines two slices of one length, the first in place.
    pub(crate) fn apply(&self, a: &mut [i8], b: &[i8]) {
        let binary = binary::Binary::new(self.kind, &self.quant, self.weighted, &self.scales);
        // SAFETY: a level is proof that the CPU has its instructions; the scales are a vector each.
        unsafe { of!(self.level, binary(&binary, a, b)) }
    }
}
