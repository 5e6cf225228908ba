//! Dot products: where the time goes.
//!
//! The inputs of two output pixels are a column of 16-bit numbers, widened once for all output channels: a group of
//! the first pixel, a group of the second, and so on, filled up with zeros to whole groups. Weights stay bytes.

#[cfg(dsp)]
use super::dsp::{dual, even, odd};

/// Inputs in a group.
#[cfg(dsp)]
pub(super) const GROUP: usize = 4;

/// Sums that are kept apart, so that they fill the lanes of a vector.
#[cfg(not(dsp))]
const LANES: usize = if cfg!(target_arch = "arm") { 2 } else { 8 };

/// Inputs in a group.
#[cfg(not(dsp))]
pub(super) const GROUP: usize = 2 * LANES;

/// A group of each of two output pixels. With DSP instructions numbers 0 and 2 of a group come first, then 1 and 3, as
/// the weights are unpacked.
pub(super) type Groups = [[i16; GROUP]; 2];

/// Widens the inputs of output pixel `which` (0 or 1) into a column.
#[inline]
pub(super) fn widen(bytes: &[i8], which: usize, column: &mut [Groups]) {
    let mut groups = column.iter_mut().map(|groups| &mut groups[which]);
    let (whole, rest) = bytes.as_chunks::<GROUP>();
    for (bytes, group) in whole.iter().zip(groups.by_ref()) {
        *group = ordered(bytes);
    }
    if let (false, Some(group)) = (rest.is_empty(), groups.next()) {
        *group = ordered(&filled(rest));
    }
}

/// The bytes of a last group, zeros behind them.
#[inline(never)]
fn filled(bytes: &[i8]) -> [i8; GROUP] {
    let mut group = [0; GROUP];
    for (to, from) in group.iter_mut().zip(bytes) {
        *to = *from;
    }
    group
}

/// The sums of the inputs of both output pixels.
pub(super) fn sums(column: &[Groups]) -> [i32; 2] {
    [0, 1].map(|which| column.iter().flat_map(|groups| groups[which]).map(i32::from).sum())
}

/// The dot products of two output pixels with two rows of weights: `[a0 b0, a0 b1, a1 b0, a1 b1]`. The rows have one
/// length and the column the groups for it.
#[inline(always)]
pub(super) fn dot_2x2(column: &[Groups], rows: [&[i8]; 2]) -> [i32; 4] {
    let [(b0, b0_rest), (b1, b1_rest)] = rows.map(<[i8]>::as_chunks::<GROUP>);
    let (Some((column, last)), Some(b1)) = (column.split_at_checked(b0.len()), b1.get(..b0.len())) else {
        return [0; 4];
    };
    let mut sums = Sums::default();
    for ((groups, b0), b1) in column.iter().zip(b0).zip(b1) {
        step(&mut sums, groups, b0, b1);
    }
    if let (Some(groups), false) = (last.first(), b0_rest.is_empty()) {
        step(&mut sums, groups, &filled(b0_rest), &filled(b1_rest));
    }
    total(sums)
}

#[cfg(not(dsp))]
type Sums = [[i32; LANES]; 4];

#[cfg(not(dsp))]
fn total(sums: Sums) -> [i32; 4] {
    sums.map(|lanes| lanes.into_iter().fold(0, i32::wrapping_add))
}

#[inline(always)]
#[cfg(not(dsp))]
fn ordered(bytes: &[i8; GROUP]) -> [i16; GROUP] {
    bytes.map(i16::from)
}

#[inline(always)]
#[cfg(not(dsp))]
fn step(sums: &mut Sums, [a0, a1]: &Groups, b0: &[i8; GROUP], b1: &[i8; GROUP]) {
    // Neighbours are multiplied and added in pairs, for which vector units have an instruction.
    let pairs = |a: &[i16; GROUP], b: &[i8; GROUP], sum: &mut [i32; LANES]| {
        for (lane, sum) in sum.iter_mut().enumerate() {
            let product = |at: usize| i32::from(a[at]) * i32::from(i16::from(b[at]));
            *sum = sum.wrapping_add(product(2 * lane) + product(2 * lane + 1));
        }
    };
    let [s0, s1, s2, s3] = sums;
    pairs(a0, b0, s0);
    pairs(a0, b1, s1);
    pairs(a1, b0, s2);
    pairs(a1, b1, s3);
}

#[cfg(dsp)]
type Sums = [i32; 4];

#[cfg(dsp)]
const fn total(sums: Sums) -> [i32; 4] {
    sums
}

#[inline(always)]
#[cfg(dsp)]
fn word(bytes: &[i8; 4]) -> u32 {
    u32::from_le_bytes(bytes.map(|byte| byte as u8))
}

#[inline(always)]
#[cfg(dsp)]
fn ordered(bytes: &[i8; 4]) -> [i16; 4] {
    let bytes = word(bytes);
    let [[a, b], [c, d]] = [even(bytes), odd(bytes)].map(|pair| [pair as i16, (pair >> 16) as i16]);
    [a, b, c, d]
}

/// 16 products in 8 dual multiply-accumulates.
#[inline(always)]
#[cfg(dsp)]
fn step(sums: &mut Sums, [a0, a1]: &Groups, b0: &[i8; 4], b1: &[i8; 4]) {
    let pair = |low: i16, high: i16| u32::from(low as u16) | u32::from(high as u16) << 16;
    let (b0, b1) = (word(b0), word(b1));
    for (at, unpack) in [(0, even as fn(u32) -> u32), (2, odd)] {
        let (w0, w1) = (unpack(b0), unpack(b1));
        let x = pair(a0[at], a0[at + 1]);
        sums[0] = dual(x, w0, sums[0]);
        sums[1] = dual(x, w1, sums[1]);
        let x = pair(a1[at], a1[at + 1]);
        sums[2] = dual(x, w0, sums[2]);
        sums[3] = dual(x, w1, sums[3]);
    }
}
