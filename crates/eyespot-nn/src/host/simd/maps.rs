//! Functions of single values, over slices.

use super::vector::Simd;
use crate::graph::{Activation, BinaryKind};

/// 1 + exp(-x), for x of at least -40: what a sigmoid is then, 4e-18, is as good as zero, and its products with weights
/// are not denormal.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn one_and_exp<S: Simd>(x: S::F32) -> S::F32 {
    // SAFETY: the caller has the instructions.
    unsafe {
        let negative = S::sub(S::splat(0.0), x);
        S::add(S::splat(1.0), S::exp(S::min(S::splat(40.0), negative)))
    }
}

/// A function of vectors. A trait and not a closure: only functions can ask to be inlined where the instructions are on.
trait Map<S: Simd> {
    /// # Safety
    /// The CPU has the instructions of `S`.
    unsafe fn of(self, x: S::F32) -> S::F32;
}

/// A function of two vectors.
trait Zip<S: Simd> {
    /// # Safety
    /// The CPU has the instructions of `S`.
    unsafe fn of(a: S::F32, b: S::F32) -> S::F32;
}

/// max(low, min(high, x)); not a number where x is not.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn clamp<S: Simd>(low: f32, high: f32, x: S::F32) -> S::F32 {
    // SAFETY: the caller has the instructions.
    unsafe { S::min(S::splat(high), S::max(S::splat(low), x)) }
}

/// Types that are functions of vectors.
macro_rules! maps {
    ($($self:ident: $name:ty, $x:ident => $body:expr;)+) => {$(
        impl<S: Simd> Map<S> for $name {
            #[inline(always)]
            unsafe fn of($self, $x: S::F32) -> S::F32 {
                // SAFETY: the caller has the instructions.
                unsafe { $body }
            }
        }
    )+};
}

#[derive(Clone, Copy)]
struct Clamp(f32, f32);
#[derive(Clone, Copy)]
struct LeakyRelu(f32);
#[derive(Clone, Copy)]
struct Sigmoid;
#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct HardSigmoid(f32, f32);
#[derive(Clone, Copy)]
struct HardSwish;
#[derive(Clone, Copy)]
struct Tanh;
#[derive(Clone, Copy)]
struct Scale(f32);

maps! {
    self: Scale, x => S::mul(x, S::splat(self.0));
    self: Clamp, x => clamp::<S>(self.0, self.1, x);
    self: LeakyRelu, x => {
        let zero = S::splat(0.0);
        S::fma(S::min(zero, x), S::splat(self.0), S::max(zero, x))
    };
    self: Sigmoid, x => S::recip(one_and_exp::<S>(x));
    self: Silu, x => S::mul(x, S::recip(one_and_exp::<S>(x)));
    // tanh(x) = 2 sigmoid(2x) - 1; near 0 that loses the relative precision, not the absolute one.
    self: Tanh, x => {
        let two = S::splat(2.0);
        S::fma(two, S::recip(one_and_exp::<S>(S::mul(two, x))), S::splat(-1.0))
    };
    self: HardSigmoid, x => clamp::<S>(0.0, 1.0, S::fma(x, S::splat(self.0), S::splat(self.1)));
    self: HardSwish, x => {
        S::mul(x, clamp::<S>(0.0, 1.0, S::fma(x, S::splat(1.0 / 6.0), S::splat(0.5))))
    };
}

/// Types that are functions of two vectors.
macro_rules! zips {
    ($($name:ident($a:ident, $b:ident) => $body:expr;)+) => {$(
        struct $name;
        impl<S: Simd> Zip<S> for $name {
            #[inline(always)]
            unsafe fn of($a: S::F32, $b: S::F32) -> S::F32 {
                // SAFETY: the caller has the instructions.
                unsafe { $body }
            }
        }
    )+};
}

zips! {
    Add(a, b) => S::add(a, b);
    Sub(a, b) => S::sub(a, b);
    Mul(a, b) => S::mul(a, b);
    Raise(a, b) => S::max(b, a);
}

/// Maps a slice in place.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn map<S: Simd>(values: &mut [f32], function: impl Map<S> + Copy) {
    let (mut at, len) = (0, values.len());
    let values = values.as_mut_ptr();
    // SAFETY: all places lie in the slice.
    unsafe {
        while at + S::LANES <= len {
            S::store(values.add(at), function.of(S::load(values.add(at))));
            at += S::LANES;
        }
        if at < len {
            let value = function.of(S::load_some(values.add(at), len - at));
            S::store_some(values.add(at), value, len - at);
        }
    }
}

/// Calls a macro with the type of an activation's map.
macro_rules! with_map {
    ($activation:expr, $map:ident => $body:expr) => {
        match $activation {
            Activation::None => {}
            Activation::Clamp(low, high) => {
                let $map = Clamp(low, high);
                $body
            }
            Activation::LeakyRelu(slope) => {
                let $map = LeakyRelu(slope);
                $body
            }
            Activation::Sigmoid => {
                let $map = Sigmoid;
                $body
            }
            Activation::Silu => {
                let $map = Silu;
                $body
            }
            Activation::Tanh => {
                let $map = Tanh;
                $body
            }
            Activation::HardSigmoid(factor, summand) => {
                let $map = HardSigmoid(factor, summand);
                $body
            }
            Activation::HardSwish => {
                let $map = HardSwish;
                $body
            }
        }
    };
}

/// Applies an activation.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(activation: Activation, values: &mut [f32]) {
    // SAFETY: the caller has the instructions.
    unsafe { with_map!(activation, function => map::<S>(values, function)) }
}

/// Applies an activation to the first `columns` values of some rows: how many, and values from one to the next.
///
/// # Safety
/// The CPU has the instructions of `S`, and the values are there.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd>(
    activation: Activation,
    values: *mut f32,
    [rows, stride]: [usize; 2],
    columns: usize,
) {
    // SAFETY: the caller has the instructions, and vouches for the rows.
    unsafe {
        // In one go where nothing lies between them.
        let (rows, columns) = if stride == columns { (1, rows * columns) } else { (rows, columns) };
        with_map!(activation, function => for row in 0..rows {
            map::<S>(core::slice::from_raw_parts_mut(values.add(row * stride), columns), function);
        });
    }
}

/// Combines two slices, the first in place; the length is that of the shorter.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn zip<S: Simd, F: Zip<S>>(a: &mut [f32], b: &[f32]) {
    let (mut at, len) = (0, a.len().min(b.len()));
    let (a, b) = (a.as_mut_ptr(), b.as_ptr());
    // SAFETY: all places lie in both slices.
    unsafe {
        while at + S::LANES <= len {
            S::store(a.add(at), F::of(S::load(a.add(at)), S::load(b.add(at))));
            at += S::LANES;
        }
        let rest = len - at;
        if rest > 0 {
            let result = F::of(S::load_some(a.add(at), rest), S::load_some(b.add(at), rest));
            S::store_some(a.add(at), result, rest);
        }
    }
}

/// Arithmetic of two slices, the first in place.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn binary<S: Simd>(kind: BinaryKind, a: &mut [f32], b: &[f32]) {
    // SAFETY: the caller has the instructions.
    unsafe {
        match kind {
            BinaryKind::Add => zip::<S, Add>(a, b),
            BinaryKind::Sub => zip::<S, Sub>(a, b),
            BinaryKind::Mul => zip::<S, Mul>(a, b),
        }
    }
}

/// Raises values to those of another slice where they are larger.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn raise<S: Simd>(a: &mut [f32], b: &[f32]) {
    // SAFETY: the caller has the instructions.
    unsafe { zip::<S, Raise>(a, b) }
}

/// A value of each lane.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn lanes<S: Simd>(vector: S::F32) -> impl Iterator<Item = f32> {
    const MOST: usize = 16;
    const { assert!(S::LANES <= MOST) };
    let mut values = [0.0; MOST];
    // SAFETY: the caller has the instructions; there is room for all lanes.
    unsafe { S::store(values.as_mut_ptr(), vector) };
    values.into_iter().take(S::LANES)
}

/// Softmax of some values: exponentials of the differences to the largest, divided by their sum.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn softmax<S: Simd>(values: &mut [f32]) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let (mut at, len) = (0, values.len());
    let start = values.as_mut_ptr();
    // SAFETY: the caller has the instructions; all places lie in the slice.
    unsafe {
        let mut sums = S::splat(0.0);
        while at + S::LANES <= len {
            let value = S::exp(S::sub(S::load(start.add(at)), S::splat(largest)));
            S::store(start.add(at), value);
            sums = S::add(sums, value);
            at += S::LANES;
        }
        let mut sum: f32 = lanes::<S>(sums).sum();
        if at < len {
            let rest = len - at;
            let value = S::exp(S::sub(S::load_some(start.add(at), rest), S::splat(largest)));
            S::store_some(start.add(at), value, rest);
            sum += values[at..].iter().sum::<f32>();
        }
        map::<S>(values, Scale(1.0 / sum));
    }
}
