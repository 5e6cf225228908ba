//! Vector instructions: the unsafe code of the kernels, behind functions that check what it relies on.
//!
//! The kernels are written once, over [`vector::Simd`], and compiled for each instruction set; a [`Level`] is proof that
//! the CPU has one.

#![allow(unsafe_code, reason = "vector instructions; every public function checks its slices")]

mod depthwise;
mod gemm;
pub(crate) mod int8;
mod maps;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
mod vector;
mod winograd;
#[cfg(target_arch = "x86_64")]
mod x86;

use core::ops::Range;
use std::vec::Vec;

pub(crate) use gemm::{Part, Run, Taps};

use self::vector::Simd;
use crate::graph::{Activation, BinaryKind, Shape, Window};
use crate::host::aligned::Aligned;

/// The kernels compiled for an instruction set.
macro_rules! compile {
    ($name:ident, $S:ty, [$($vectors:literal: [$($rows:literal)+])+] $(, $feature:literal)?) => {
        mod $name {
            use super::depthwise::Depthwise;
            use super::gemm::{Block, Run, Sums, tiles};
            use super::vector::Simd;
            use crate::graph::{Activation, BinaryKind};

            $(#[target_feature(enable = $feature)])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize, const LOW: bool>(
                run: &Run,
                input: *const f32,
                weights: *const f32,
                sums: &Sums,
                output: *mut f32,
                last: usize,
            ) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::gemm::tile::<$S, ROWS, VECTORS, LOW>(run, input, weights, sums, output, last) }
            }

            $(#[target_feature(enable = $feature)])?
            unsafe fn finish(activation: Activation, values: *mut f32, rows: [usize; 2], columns: usize) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::maps::finish::<$S>(activation, values, rows, columns) }
            }

            /// # Safety
            /// As for `gemm::tile`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn product(block: &Block) {
                // SAFETY: tiles cover the block and nothing else.
                unsafe { tiles!($S, block, tile, finish, [$($vectors: [$($rows)+])+]) }
            }

            /// # Safety
            /// As for `depthwise::row`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn depthwise(conv: &Depthwise, y: usize, out: *mut f32) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::depthwise::row::<$S>(conv, y, out) }
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn activate(activation: Activation, values: &mut [f32]) {
                // SAFETY: the features are on.
                unsafe { super::maps::activate::<$S>(activation, values) }
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn softmax(values: &mut [f32]) {
                // SAFETY: the features are on.
                unsafe { super::maps::softmax::<$S>(values) }
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn binary(kind: BinaryKind, a: &mut [f32], b: &[f32]) {
                // SAFETY: the features are on.
                unsafe { super::maps::binary::<$S>(kind, a, b) }
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn winograd_lines(lines: [&[f32]; 4], to: [&mut [f32]; 4]) {
                super::winograd::lines(lines, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn winograd_pixels(line: &[f32], channels: usize, to: [&mut [f32]; 4]) {
                super::winograd::pixels(line, channels, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn winograd_sums(lines: [&[f32]; 4], to: [&mut [f32]; 2]) {
                super::winograd::sums(lines, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn winograd_outputs(lines: [&[f32]; 4], bias: &[f32], to: &mut [f32]) {
                super::winograd::outputs(lines, bias, to);
            }

            /// # Safety
            /// The CPU has the instructions.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn raise(a: &mut [f32], b: &[f32]) {
                // SAFETY: the features are on.
                unsafe { super::maps::raise::<$S>(a, b) }
            }
        }
    };
}

compile!(on_any, super::portable::Portable, [1: [1 2 3 4] 2: [1 2 3 4]]);
#[cfg(target_arch = "x86_64")]
compile!(
    on_avx512,
    super::x86::Avx512,
    [
        1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]
        2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]
        3: [1 2 3 4 5 6 7 8 9]
        4: [1 2 3 4 5 6]
    ],
    "avx512f,avx512vl"
);
#[cfg(target_arch = "x86_64")]
compile!(on_avx2, super::x86::Avx2, [1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]], "avx2,fma");
#[cfg(target_arch = "aarch64")]
compile!(on_neon, super::neon::Neon, [1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]], "neon");

/// Calls a function compiled for a level.
macro_rules! call {
    ($level:expr, $function:ident($($argument:expr),*)) => {
        match $level.0 {
            Set::Any => on_any::$function($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => on_avx512::$function($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => on_avx2::$function($($argument),*),
            #[cfg(target_arch = "aarch64")]
            Set::Neon | Set::NeonDot => on_neon::$function($($argument),*),
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX2 and the dot products of bytes.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// With half vectors in all registers (AVX-512VL).
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX-512 with bytes and their dot products.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "aarch64")]
    Neon,
    /// NEON and the dot products of bytes.
    #[cfg(target_arch = "aarch64")]
    NeonDot,
}

/// An instruction set that this CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(Set);

impl Level {
    /// The fastest that this CPU has.
    #[must_use]
    pub fn best() -> Self {
        Self::all().last().unwrap_or(Self(Set::Any))
    }

    /// All that this CPU has, the fastest last.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut found = [Some(Set::Any), None, None, None, None];
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            found[1] = Some(Set::Avx2);
            if std::is_x86_feature_detected!("avxvnni") {
                found[2] = Some(Set::AvxVnni);
            }
            if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl") {
                found[3] = Some(Set::Avx512);
                let bytes = std::is_x86_feature_detected!("avx512bw");
                if bytes && std::is_x86_feature_detected!("avx512vnni") {
                    found[4] = Some(Set::Avx512Vnni);
                }
            }
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found[1] = Some(Set::Neon);
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                found[2] = Some(Set::NeonDot);
            }
        }
        found.into_iter().flatten().map(Self)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Set::Any => "plain",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Set::AvxVnni => "AVX-VNNI",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => "AVX-512 VNNI",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
            #[cfg(target_arch = "aarch64")]
            Set::NeonDot => "NEON dot product",
        }
    }

    const fn lanes(self) -> usize {
        match self.0 {
            Set::Any => portable::Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => x86::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => x86::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Set::Neon | Set::NeonDot => neon::Neon::LANES,
        }
    }

    /// Most rows of a tile, for each number of vectors in a panel of columns.
    const fn rows(self) -> &'static [usize] {
        match self.0 {
            Set::Any => portable::Portable::ROWS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 | Set::Avx512Vnni => x86::Avx512::ROWS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 | Set::AvxVnni => x86::Avx2::ROWS,
            #[cfg(target_arch = "aarch64")]
            Set::Neon | Set::NeonDot => neon::Neon::ROWS,
        }
    }

    /// Applies an activation to every value.
    pub(crate) fn activate(self, activation: Activation, values: &mut [f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, activate(activation, values)) }
    }

    /// Softmax of some values.
    pub(crate) fn softmax(self, values: &mut [f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, softmax(values)) }
    }

    /// Arithmetic of two slices of one length, the first in place.
    pub(crate) fn binary(self, kind: BinaryKind, a: &mut [f32], b: &[f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, binary(kind, a, b)) }
    }

    /// Four lines of an image to their combinations, of the length of the first.
    pub(crate) fn winograd_lines(self, lines: [&[f32]; 4], to: [&mut [f32]; 4]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, winograd_lines(lines, to)) }
    }

    /// A combined line to the combinations of its tiles.
    pub(crate) fn winograd_pixels(self, line: &[f32], channels: usize, to: [&mut [f32]; 4]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, winograd_pixels(line, channels, to)) }
    }

    /// Four lines of products to two lines of sums, of the length of the first.
    pub(crate) fn winograd_sums(self, lines: [&[f32]; 4], to: [&mut [f32]; 2]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, winograd_sums(lines, to)) }
    }

    /// Four lines of sums, and a bias for each channel, to a line of the output.
    pub(crate) fn winograd_outputs(self, lines: [&[f32]; 4], bias: &[f32], to: &mut [f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, winograd_outputs(lines, bias, to)) }
    }

    /// Raises values to those of another slice of the same length.
    pub(crate) fn raise(self, a: &mut [f32], b: &[f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, raise(a, b)) }
    }
}

/// Numbers below are as good as zero in a sum of floats. They must not become denormal products, each of which would
/// take a CPU a hundred times as long as another; networks that were trained with weight decay have whole dead channels
/// of them.
const TINY: f32 = 1e-20;

/// A weight or a bias.
pub(super) fn constant(bytes: [u8; 4]) -> f32 {
    let value = f32::from_le_bytes(bytes);
    if value.abs() < TINY { 0.0 } else { value }
}

/// Weights of a convolution, as the kernels of a level read them, in panels of some output channels.
#[derive(Debug)]
pub(crate) struct Panels {
    level: Level,
    weights: Aligned,
    bias: Vec<f32>,
    depth: usize,
    columns: usize,
    activation: Activation,
}

impl Panels {
    /// Packs weights of `[depth, columns]` and a bias per column.
    pub(crate) fn new(level: Level, weights: &[[u8; 4]], bias: &[[u8; 4]], activation: Activation) -> Self {
        let (lanes, columns) = (level.lanes(), bias.len());
        let depth = weights.len() / columns.max(1);
        let packed = Aligned::new(columns.next_multiple_of(lanes) * depth);
        let mut bias: Vec<f32> = bias.iter().map(|&bias| constant(bias)).collect();
        bias.resize(columns.next_multiple_of(lanes), 0.0);
        let mut panels = Self { level, weights: packed, bias, depth, columns, activation };
        for number in 0..panels.count() {
            let Range { start, end } = panels.panel(number);
            let room = (end - start).next_multiple_of(lanes);
            let panel = panels.weights[start * depth..].chunks_exact_mut(room.max(1));
            for (to, from) in panel.zip(weights.chunks_exact(columns)) {
                for (to, from) in to.iter_mut().zip(&from[start..end]) {
                    *to = constant(*from);
                }
            }
        }
        panels
    }

    /// The columns of a panel: whole vectors but for the last.
    fn panel(&self, number: usize) -> Range<usize> {
        let lanes = self.level.lanes();
        let (vectors, count) = (self.columns.div_ceil(lanes), self.count());
        let [start, end] = [number, number + 1].map(|number| number * vectors / count * lanes);
        start..end.min(self.columns)
    }

    /// Most pixels of a tile of the widest panel.
    pub(crate) fn rows(&self) -> usize {
        let vectors = self.columns.div_ceil(self.level.lanes()).div_ceil(self.count().max(1));
        self.level.rows().get(vectors - 1).copied().unwrap_or(1)
    }

    /// Bytes of all columns of the widest panel, for a value of a window.
    pub(crate) fn width(&self) -> usize {
        let lanes = self.level.lanes();
        self.columns.div_ceil(lanes).div_ceil(self.count().max(1)) * lanes * size_of::<f32>()
    }

    /// Values of a window.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// Output channels.
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// Number of panels.
    pub(crate) fn count(&self) -> usize {
        self.columns.div_ceil(self.level.lanes()).div_ceil(self.level.rows().len())
    }

    /// A panel's output channels of some pixels, or a part of their sums. `input` starts with the first value of the first
    /// window, `output` with the first channel of the first pixel.
    ///
    /// # Panics
    /// Where a slice is too short for the run, or the run does not fit the weights.
    pub(crate) fn product(&self, panel: usize, run: &Run, part: Part, input: &[f32], output: &mut [f32]) {
        let [values, weights] = run.reach();
        assert!(run.count > 0 && panel < self.count());
        let Range { start: column, end } = self.panel(panel);
        assert!(input.len() >= values && weights <= self.depth);
        assert!(run.stride >= self.columns && output.len() >= (run.count - 1) * run.stride + self.columns);
        let block = gemm::Block {
            run: *run,
            input: input.as_ptr(),
            weights: self.weights[column * self.depth..].as_ptr(),
            bias: part.first.then_some(self.bias[column..].as_ptr()),
            columns: end - column,
            output: output[column..].as_mut_ptr(),
            activation: if part.last { self.activation } else { Activation::None },
        };
        // SAFETY: a level is proof that the CPU has its instructions. Image and output are as long as the assertions say;
        // the packed weights have `depth` values for each column, and columns and bias are padded to whole vectors.
        unsafe { call!(self.level, product(&block)) }
    }
}

/// A convolution of each channel for itself, with as many outputs as inputs.
#[derive(Debug)]
pub(crate) struct Depthwise {
    level: Level,
    window: Window,
    input: Shape,
    output: Shape,
    /// `[taps, channels]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Depthwise {
    /// `None` where an input channel has several outputs, or where the numbers don't fit.
    pub(crate) fn new(
        level: Level,
        window: Window,
        (input, output): (Shape, Shape),
        weights: &[[u8; 4]],
        bias: &[[u8; 4]],
    ) -> Option<Self> {
        let channels = output.c as usize;
        let fits = input.c == output.c
            && bias.len() == channels
            && weights.len() == window.taps() * channels
            && !window.dilation.contains(&0);
        let floats = |bytes: &[[u8; 4]]| bytes.iter().map(|&value| constant(value)).collect();
        fits.then(|| Self { level, window, input, output, weights: floats(weights), bias: floats(bias) })
    }

    /// Rows of the output from `first` on.
    ///
    /// # Panics
    /// Where a slice has another length than the shapes say.
    pub(crate) fn rows(&self, input: &[f32], first: usize, output: &mut [f32]) {
        let channels = self.output.c as usize;
        let row = self.output.w as usize * channels;
        assert!(input.len() >= self.input.len());
        assert!(first + output.len() / row <= self.output.h as usize);
        let Window { kernel, stride, dilation, pad } = self.window;
        let conv = depthwise::Depthwise {
            input: input.as_ptr(),
            size: [self.input.h as usize, self.input.w as usize],
            channels,
            kernel: kernel.map(usize::from),
            stride: stride.map(usize::from),
            dilation: dilation.map(usize::from),
            pad: pad.map(usize::from),
            width: self.output.w as usize,
            weights: self.weights.as_ptr(),
            bias: self.bias.as_ptr(),
        };
        for (y, out) in output.chunks_exact_mut(row).enumerate() {
            // SAFETY: a level is proof that the CPU has its instructions. The input is as long as its shape says, the
            // output row too; weights and bias were checked when they were packed.
            unsafe { call!(self.level, depthwise(&conv, first + y, out.as_mut_ptr())) }
        }
    }
}
