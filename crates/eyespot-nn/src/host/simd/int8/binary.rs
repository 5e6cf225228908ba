//! Arithmetic of two tensors.
//!
//! Sums have their sides scaled to one common step first, then the result to the step of the output. Where all those
//! multipliers have few bits, no scaling before the last rounding loses any, and the sum is `a * p + b * q + r`, shifted to
//! the right.

use super::scale::{How, Limits, Scales, Scaling, Short, Whole};
use super::vector::Int;
use crate::graph::{BinaryKind, Rescale};
use crate::kernels::BinaryQuant;

/// Numbers of the arithmetic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Binary {
    form: Form,
    /// Zero points of both sides.
    zeros: [i8; 2],
    limits: Limits,
}

/// What is done with two values, less their zero points.
#[derive(Debug, Clone, Copy)]
enum Form {
    Product { how: How, scale: *const i32 },
    Sum(Sum),
    Weighted(Weighted),
}

#[derive(Debug, Clone, Copy)]
struct Sum {
    minus: bool,
    /// Bits that both sides are shifted to the left.
    lift: u32,
    /// Sides whose scale is 1/2: one bit less is all.
    halved: [bool; 2],
    /// Scales of both sides and of the result, the same in all lanes.
    scales: [*const i32; 3],
}

/// A sum whose sides have factors, shifted to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weighted {
    factors: [i32; 2],
    right: u32,
}

impl Weighted {
    /// `None` where scaling would round before the end.
    pub(super) fn new(kind: BinaryKind, quant: &BinaryQuant) -> Option<Self> {
        let right = |scale: &Rescale| (scale.shift <= 0).then_some(-i32::from(scale.shift));
        let output = i64::from(quant.output.multiplier);
        let factor = |side: &Rescale| {
            // The scaled side, for a value of one: 2^lift * multiplier / 2^(31 + right).
            let shift = 31 + right(side)? - i32::from(quant.left_shift);
            let multiplier = i64::from(side.multiplier);
            let whole = (0..63).contains(&shift) && multiplier & ((1 << shift) - 1) == 0;
            let scaled = whole.then(|| multiplier >> shift)? * output;
            // The result's multiplier is one of 2^31.
            (scaled & ((1 << 31) - 1) == 0).then_some(scaled >> 31)
        };
        let (a, b, right) = (factor(&quant.a)?, factor(&quant.b)?, right(&quant.output)? as u32);
        // Rounding adds half of what is shifted out.
        let fits = right < 31 && a.min(b) >= 0 && 255 * (a + b) + (1 << right) < 1 << 31;
        let b = if kind == BinaryKind::Sub { -b } else { b };
        (fits && kind != BinaryKind::Mul).then_some(Self { factors: [a as i32, b as i32], right })
    }
}

impl Binary {
    /// The scales are those of both sides and of the result.
    pub(super) fn new(
        kind: BinaryKind,
        quant: &BinaryQuant,
        weighted: Option<Weighted>,
        scales: &[Scales; 3],
    ) -> Self {
        let BinaryQuant { a, b, output, left_shift, clamp } = *quant;
        let [_, _, result] = scales;
        let packed = scales.each_ref().map(|scale| scale.from(0).as_ptr());
        let form = match (kind, weighted) {
            (BinaryKind::Mul, _) => Form::Product { how: result.how, scale: packed[2] },
            (_, Some(weighted)) => Form::Weighted(weighted),
            (BinaryKind::Add | BinaryKind::Sub, None) => Form::Sum(Sum {
                minus: kind == BinaryKind::Sub,
                lift: left_shift.into(),
                halved: [a, b].map(|side| side.multiplier == 1 << 30 && side.shift == 0 && left_shift > 0),
                scales: packed,
            }),
        };
        Self { form, zeros: [a.zero, b.zero], limits: Limits::after(result, output.zero, clamp) }
    }
}

/// Arithmetic of two slices of one length, the first in place.
///
/// # Safety
/// The CPU has the instructions of `S`; the scales are there, and none shifts to the left.
#[inline(always)]
pub(super) unsafe fn binary<S: Int>(binary: &Binary, a: &mut [i8], b: &[i8]) {
    // SAFETY: as the caller says.
    unsafe {
        let zeros = binary.zeros.map(|zero| S::splat(zero.into()));
        match binary.form {
            Form::Product { how: How::Short, scale } => {
                let scale = <Short as Scaling<S>>::load(scale);
                all::<S, _>(&Product::<S, Short> { zeros, scale }, &binary.limits, a, b);
            }
            Form::Product { scale, .. } => {
                let scale = <Whole<false> as Scaling<S>>::load(scale);
                all::<S, _>(&Product::<S, Whole<false>> { zeros, scale }, &binary.limits, a, b);
            }
            Form::Sum(sum) => {
                let [x, y, result] = sum.scales;
                let scales = [S::load_scale(x), S::load_scale(y), S::load_scale(result)];
                all::<S, _>(&LoadedSum::<S> { sum, zeros, scales }, &binary.limits, a, b);
            }
            Form::Weighted(Weighted { factors: [p, q], right }) => {
                let zeros = binary.zeros.map(i32::from);
                let weighted = LoadedWeighted::<S> {
                    factors: [S::splat(p), S::splat(q)],
                    start: S::splat(-(zeros[0] * p + zeros[1] * q)),
                    half: S::splat((1 << right) >> 1),
                    right,
                };
                all::<S, _>(&weighted, &binary.limits, a, b);
            }
        }
    }
}

/// Arithmetic with its constants in registers.
trait Combine<S: Int> {
    /// The results, less their zero point.
    ///
    /// # Safety
    /// As for [`binary`].
    unsafe fn values(&self, a: S::I32, b: S::I32) -> S::I32;
}

/// # Safety
/// As for [`binary`].
#[inline(always)]
unsafe fn all<S: Int, C: Combine<S>>(combine: &C, limits: &Limits, a: &mut [i8], b: &[i8]) {
    let len = a.len().min(b.len());
    let (a, b) = (a.as_mut_ptr(), b.as_ptr());
    let mut at = 0;
    // SAFETY: all places lie in both slices.
    unsafe {
        while at + 4 * S::LANES <= len {
            let (to, b) = (a.add(at), b.add(at));
            let places = [to, to.add(S::LANES), to.add(2 * S::LANES), to.add(3 * S::LANES)];
            let values = [
                one(combine, places[0], b, S::LANES),
                one(combine, places[1], b.add(S::LANES), S::LANES),
                one(combine, places[2], b.add(2 * S::LANES), S::LANES),
                one(combine, places[3], b.add(3 * S::LANES), S::LANES),
            ];
            S::store_four(places, values, limits, S::LANES);
            at += 4 * S::LANES;
        }
        while at < len {
            let n = S::LANES.min(len - at);
            let values = one(combine, a.add(at), b.add(at), n);
            S::store_bytes(a.add(at), values, limits, n);
            at += n;
        }
    }
}

/// # Safety
/// As for [`binary`].
#[inline(always)]
unsafe fn one<S: Int, C: Combine<S>>(combine: &C, a: *const i8, b: *const i8, n: usize) -> S::I32 {
    // SAFETY: as the caller says.
    unsafe { combine.values(S::load_bytes(a, n), S::load_bytes(b, n)) }
}

struct Product<S: Int, By: Scaling<S>> {
    zeros: [S::I32; 2],
    scale: By::Numbers,
}

impl<S: Int, By: Scaling<S>> Combine<S> for Product<S, By> {
    #[inline(always)]
    unsafe fn values(&self, a: S::I32, b: S::I32) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe { By::scale(S::mul(S::sub(a, self.zeros[0]), S::sub(b, self.zeros[1])), &self.scale) }
    }
}

struct LoadedSum<S: Int> {
    sum: Sum,
    zeros: [S::I32; 2],
    scales: [S::Scale; 3],
}

impl<S: Int> LoadedSum<S> {
    /// A side in the common scale.
    ///
    /// # Safety
    /// As for [`binary`].
    #[inline(always)]
    unsafe fn lifted(&self, value: S::I32, side: usize) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe {
            let value = S::sub(value, self.zeros[side]);
            if self.sum.halved[side] {
                return S::shift_left(value, self.sum.lift - 1);
            }
            S::rescale::<false>(S::shift_left(value, self.sum.lift), &self.scales[side])
        }
    }
}

impl<S: Int> Combine<S> for LoadedSum<S> {
    #[inline(always)]
    unsafe fn values(&self, a: S::I32, b: S::I32) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe {
            let (a, b) = (self.lifted(a, 0), self.lifted(b, 1));
            let sum = if self.sum.minus { S::sub(a, b) } else { S::add(a, b) };
            S::rescale::<false>(sum, &self.scales[2])
        }
    }
}

struct LoadedWeighted<S: Int> {
    factors: [S::I32; 2],
    /// What the zero points amount to.
    start: S::I32,
    half: S::I32,
    right: u32,
}

impl<S: Int> Combine<S> for LoadedWeighted<S> {
    #[inline(always)]
    unsafe fn values(&self, a: S::I32, b: S::I32) -> S::I32 {
        // SAFETY: as the caller says.
        unsafe {
            let sum = S::add(S::mul(a, self.factors[0]), S::mul(b, self.factors[1]));
            let sum = S::add(sum, self.start);
            if self.right == 0 {
                return sum;
            }
            // Halves go away from zero: one less for negative sums.
            let rounded = S::add(S::add(sum, self.half), S::shift_right(sum, 31));
            S::shift_right(rounded, self.right)
        }
    }
}
