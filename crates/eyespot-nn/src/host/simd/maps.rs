//! Functions of single values, over slices.

use super::vector::Simd;
use crate::graph::{Activation, BinaryKind};

/// exp(x), within 2 units in the last place; x outside -87.3 to 88.3 gives the end's value.
///
/// The polynomial is that of Cephes (S. Moshier, `expf`).
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn exp<S: Simd>(x: S::F32) -> S::F32 {
    // SAFETY: the caller has the instructions.
    unsafe {
        let x = S::max(S::splat(-87.3), S::min(S::splat(88.3), x));
        let n = S::round(S::mul(x, S::splat(core::f32::consts::LOG2_E)));
        // ln 2 in two parts, the first with few bits, so that the products are exact.
        let r = S::fma(n, S::splat(-355.0 / 512.0), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        for factor in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1] {
            p = S::fma(p, r, S::splat(factor));
        }
        let y = S::add(S::fma(p, S::mul(r, r), r), S::splat(1.0));
        S::mul(y, S::exp2(n))
    }
}

/// 1 + exp(-x).
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
unsafe fn one_and_exp<S: Simd>(x: S::F32) -> S::F32 {
    // SAFETY: the caller has the instructions.
    unsafe { S::add(S::splat(1.0), exp::<S>(S::sub(S::splat(0.0), x))) }
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

maps! {
    self: Clamp, x => clamp::<S>(self.0, self.1, x);
    self: LeakyRelu, x => {
        let zero = S::splat(0.0);
        S::fma(S::min(zero, x), S::splat(self.0), S::max(zero, x))
    };
    self: Sigmoid, x => S::div(S::splat(1.0), one_and_exp::<S>(x));
    self: Silu, x => S::div(x, one_and_exp::<S>(x));
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

/// Applies an activation; `false` where it has no vector form.
///
/// # Safety
/// The CPU has the instructions of `S`.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(activation: Activation, values: &mut [f32]) -> bool {
    // SAFETY: the caller has the instructions.
    unsafe {
        match activation {
            Activation::None => {}
            Activation::Clamp(low, high) => map::<S>(values, Clamp(low, high)),
            Activation::LeakyRelu(slope) => map::<S>(values, LeakyRelu(slope)),
            Activation::Sigmoid => map::<S>(values, Sigmoid),
            Activation::Silu => map::<S>(values, Silu),
            Activation::HardSigmoid(factor, summand) => map::<S>(values, HardSigmoid(factor, summand)),
            Activation::HardSwish => map::<S>(values, HardSwish),
            Activation::Tanh => return false,
        }
        true
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
