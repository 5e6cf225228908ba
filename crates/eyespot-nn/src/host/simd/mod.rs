//! Vector instructions: the unsafe code of the kernels, behind functions that check what it relies on.
//!
//! The kernels are written once, over [`vector::Simd`], and compiled for each instruction set; a [`Level`] is proof that
//! the CPU has one.

#![allow(unsafe_code, reason = "vector instructions; every public function checks its slices")]

mod depthwise;
mod gemm;
mod maps;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(test)]
mod tests;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::vec::Vec;

pub(crate) use gemm::{DEPTH, PITCH};

use self::vector::Simd;
use crate::graph::{Activation, BinaryKind, Shape, Window};
use crate::host::aligned::Aligned;

/// The kernels compiled for an instruction set.
macro_rules! compile {
    ($name:ident, $S:ty, [$($rows:literal)+] $(, $feature:literal)?) => {
        mod $name {
            use super::depthwise::Depthwise;
            use super::gemm::{Block, PANEL, PITCH, tiles};
            use super::vector::Simd;
            use crate::graph::{Activation, BinaryKind};

            $(#[target_feature(enable = $feature)])?
            unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
                block: &Block,
                rows: *const f32,
                weights: *const f32,
                bias: Option<*const f32>,
                sums: *mut f32,
                last: usize,
            ) {
                // SAFETY: as for the generic function; the features are on.
                unsafe { super::gemm::tile::<$S, ROWS, VECTORS>(block, rows, weights, bias, sums, last) }
            }

            /// # Safety
            /// As for `gemm::tile`.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn product(block: &Block) {
                // SAFETY: tiles cover the block and nothing else.
                unsafe { tiles!($S, block, tile, [$($rows)+]) }
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
            pub(super) unsafe fn activate(activation: Activation, values: &mut [f32]) -> bool {
                // SAFETY: the features are on.
                unsafe { super::maps::activate::<$S>(activation, values) }
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
            pub(super) unsafe fn raise(a: &mut [f32], b: &[f32]) {
                // SAFETY: the features are on.
                unsafe { super::maps::raise::<$S>(a, b) }
            }
        }
    };
}

compile!(on_any, super::portable::Portable, [1 2 3 4]);
#[cfg(target_arch = "x86_64")]
compile!(on_avx512, super::x86::Avx512, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], "avx512f");
#[cfg(target_arch = "x86_64")]
compile!(on_avx2, super::x86::Avx2, [1 2 3 4 5 6], "avx2,fma");
#[cfg(target_arch = "aarch64")]
compile!(on_neon, super::neon::Neon, [1 2 3 4 5 6], "neon");

/// Calls a function compiled for a level.
macro_rules! call {
    ($level:expr, $function:ident($($argument:expr),*)) => {
        match $level.0 {
            Set::Any => on_any::$function($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => on_avx512::$function($($argument),*),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => on_avx2::$function($($argument),*),
            #[cfg(target_arch = "aarch64")]
            Set::Neon => on_neon::$function($($argument),*),
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Any,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
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
        let mut found = [Some(Set::Any), None, None];
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                found[1] = Some(Set::Avx2);
            }
            if std::is_x86_feature_detected!("avx512f") {
                found[2] = Some(Set::Avx512);
            }
        }
        #[cfg(all(target_arch = "aarch64", not(miri)))]
        if std::arch::is_aarch64_feature_detected!("neon") {
            found[1] = Some(Set::Neon);
        }
        found.into_iter().flatten().map(Self)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Set::Any => "plain",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "NEON",
        }
    }

    const fn lanes(self) -> usize {
        match self.0 {
            Set::Any => portable::Portable::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => x86::Avx512::LANES,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => x86::Avx2::LANES,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => neon::Neon::LANES,
        }
    }

    /// Most rows of a tile.
    pub(crate) const fn rows(self) -> usize {
        match self.0 {
            Set::Any => portable::Portable::ROWS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => x86::Avx512::ROWS,
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => x86::Avx2::ROWS,
            #[cfg(target_arch = "aarch64")]
            Set::Neon => neon::Neon::ROWS,
        }
    }

    /// Applies an activation to every value.
    pub(crate) fn activate(self, activation: Activation, values: &mut [f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        if !unsafe { call!(self, activate(activation, values)) } {
            crate::kernels::activate(activation, values);
        }
    }

    /// Arithmetic of two slices of one length, the first in place.
    pub(crate) fn binary(self, kind: BinaryKind, a: &mut [f32], b: &[f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, binary(kind, a, b)) }
    }

    /// Raises values to those of another slice of the same length.
    pub(crate) fn raise(self, a: &mut [f32], b: &[f32]) {
        // SAFETY: a level is proof that the CPU has its instructions.
        unsafe { call!(self, raise(a, b)) }
    }
}

/// Weights of a matrix product, as the kernels of a level read them.
#[derive(Debug)]
pub(crate) struct Panels {
    level: Level,
    weights: Aligned,
    bias: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl Panels {
    /// Packs weights of `[depth, columns]` and a bias per column.
    pub(crate) fn new(level: Level, weights: &[[u8; 4]], bias: &[[u8; 4]]) -> Self {
        let (lanes, columns) = (level.lanes(), bias.len());
        let depth = weights.len() / columns.max(1);
        let mut packed = Aligned::new(columns.next_multiple_of(lanes) * depth);
        let mut column = 0;
        while column < columns {
            let width = (columns - column).min(gemm::PANEL * lanes);
            let room = width.next_multiple_of(lanes);
            let panel = packed[column * depth..].chunks_exact_mut(room);
            for (to, from) in panel.zip(weights.chunks_exact(columns)) {
                for (to, from) in to.iter_mut().zip(&from[column..column + width]) {
                    *to = f32::from_le_bytes(*from);
                }
            }
            column += width;
        }
        let mut bias: Vec<f32> = bias.iter().map(|bias| f32::from_le_bytes(*bias)).collect();
        bias.resize(columns.next_multiple_of(lanes), 0.0);
        Self { level, weights: packed, bias, depth, columns }
    }

    /// Values of a row of the left side.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of the result.
    pub(crate) const fn columns(&self) -> usize {
        self.columns
    }

    /// Multiplies values `from` to `from + depth` of some rows, which lie [`PITCH`] apart, with the weights. The sums of a
    /// row start `stride` apart. Values from 0 on set the sums, bias included; later ones are added.
    ///
    /// # Panics
    /// Where a slice is too short for the numbers.
    pub(crate) fn product(&self, rows: &[f32], [from, depth]: [usize; 2], sums: &mut [f32], stride: usize) {
        let count = sums.len().saturating_sub(self.columns) / stride + 1;
        assert!(stride >= self.columns && sums.len() >= self.columns && self.columns > 0);
        assert!(depth <= DEPTH && from + depth <= self.depth);
        assert!(rows.len() >= (count - 1) * PITCH + depth);
        let block = gemm::Block {
            rows: rows.as_ptr(),
            count,
            depth,
            weights: self.weights.as_ptr(),
            column: self.depth,
            start: from,
            bias: (from == 0).then_some(self.bias.as_ptr()),
            columns: self.columns,
            sums: sums.as_mut_ptr(),
            stride,
        };
        // SAFETY: a level is proof that the CPU has its instructions. Rows and sums are as long as the assertions say;
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
        let floats = |bytes: &[[u8; 4]]| bytes.iter().map(|&value| f32::from_le_bytes(value)).collect();
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
