//! Dot products: where the time goes.
//!
//! The inputs of two output pixels are a column of 16-bit numbers, widened once for all output channels. Weights stay
//! bytes.

#[cfg(dsp)]
pub(super) use dual_mac::{dot_2x2, sums, widen};
#[cfg(not(dsp))]
pub(super) use host::{dot_2x2, sums, widen};

/// Inputs in a group: columns are whole groups.
pub(super) const GROUP: usize = if cfg!(dsp) { 4 } else { crate::check::WIDEST };

/// Room for a group of each of two output pixels.
pub(super) type Groups = [[i16; GROUP]; 2];

/// A loop that the compiler turns into the multiply-add of vector units. The column holds all inputs of the first pixel
/// and then all of the second.
#[cfg(not(dsp))]
mod host {
    use super::Groups;

    fn halves(column: &[Groups]) -> (&[i16], &[i16]) {
        let flat = column.as_flattened().as_flattened();
        flat.split_at(flat.len() / 2)
    }

    /// Widens the inputs of output pixel `which` (0 or 1) into a column.
    #[inline]
    pub(in crate::kernels) fn widen(bytes: &[i8], which: usize, column: &mut [Groups]) {
        let flat = column.as_flattened_mut().as_flattened_mut();
        let half = flat.len() / 2;
        for (to, from) in flat[which * half..].iter_mut().zip(bytes) {
            *to = (*from).into();
        }
    }

    /// The sums of the first `len` inputs of both output pixels.
    pub(in crate::kernels) fn sums(column: &[Groups], len: usize) -> [i32; 2] {
        let (a, b) = halves(column);
        [a, b].map(|values| values.iter().take(len).map(|&value| i32::from(value)).sum())
    }

    /// The dot products of two output pixels with two rows of weights: `[a0 b0, a0 b1, a1 b0, a1 b1]`. The rows have
    /// one length and the column the groups for it.
    #[inline]
    pub(in crate::kernels) fn dot_2x2(column: &[Groups], [b0, b1]: [&[i8]; 2]) -> [i32; 4] {
        let (a0, a1) = halves(column);
        let len = b0.len();
        let (Some(a0), Some(a1), Some(b1)) = (a0.get(..len), a1.get(..len), b1.get(..len)) else {
            return [0; 4];
        };
        let mut sums = [0i32; 4];
        for at in 0..len {
            let (x0, x1) = (i32::from(a0[at]), i32::from(a1[at]));
            let (w0, w1) = (i32::from(b0[at]), i32::from(b1[at]));
            sums[0] = sums[0].wrapping_add(x0 * w0);
            sums[1] = sums[1].wrapping_add(x0 * w1);
            sums[2] = sums[2].wrapping_add(x1 * w0);
            sums[3] = sums[3].wrapping_add(x1 * w1);
        }
        sums
    }
}

/// 16 products in 8 instructions. The column holds a group of the first pixel, a group of the second, and so on, filled
/// up with zeros: one pointer for both. Numbers 0 and 2 of a group come first, then 1 and 3, as weights are unpacked.
#[cfg(dsp)]
mod dual_mac {
    use super::super::dsp::{dual, even, odd};
    use super::{GROUP, Groups};

    /// Widens the inputs of output pixel `which` (0 or 1) into a column.
    #[inline]
    pub(in crate::kernels) fn widen(bytes: &[i8], which: usize, column: &mut [Groups]) {
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

    fn word(bytes: &[i8; GROUP]) -> u32 {
        u32::from_le_bytes(bytes.map(|byte| byte as u8))
    }

    #[inline(always)]
    fn ordered(bytes: &[i8; GROUP]) -> [i16; GROUP] {
        let bytes = word(bytes);
        let [[a, b], [c, d]] = [even(bytes), odd(bytes)].map(|pair| [pair as i16, (pair >> 16) as i16]);
        [a, b, c, d]
    }

    /// The sums of the inputs of both output pixels.
    pub(in crate::kernels) fn sums(column: &[Groups], _: usize) -> [i32; 2] {
        [0, 1].map(|which| column.iter().flat_map(|groups| groups[which]).map(i32::from).sum())
    }

    /// The dot products of two output pixels with two rows of weights: `[a0 b0, a0 b1, a1 b0, a1 b1]`. The rows have
    /// one length and the column the groups for it.
    #[inline(always)]
    pub(in crate::kernels) fn dot_2x2(column: &[Groups], rows: [&[i8]; 2]) -> [i32; 4] {
        let [(b0, b0_rest), (b1, b1_rest)] = rows.map(<[i8]>::as_chunks::<GROUP>);
        let (Some((column, last)), Some(b1)) = (column.split_at_checked(b0.len()), b1.get(..b0.len())) else {
            return [0; 4];
        };
        let mut sums = [0; 4];
        for ((groups, b0), b1) in column.iter().zip(b0).zip(b1) {
            step(&mut sums, groups, b0, b1);
        }
        if let (Some(groups), false) = (last.first(), b0_rest.is_empty()) {
            step(&mut sums, groups, &filled(b0_rest), &filled(b1_rest));
        }
        sums
    }

    #[inline(always)]
    fn step(sums: &mut [i32; 4], [a0, a1]: &Groups, b0: &[i8; GROUP], b1: &[i8; GROUP]) {
        let pair = |low: i16, high: i16| u32::from(low as u16) | u32::from(high as u16) << 16;
        let (b0, b1) = (word(b0), word(b1));
        let (w0, w1) = (even(b0), even(b1));
        let x = pair(a0[0], a0[1]);
        sums[0] = dual(x, w0, sums[0]);
        sums[1] = dual(x, w1, sums[1]);
        let x = pair(a1[0], a1[1]);
        sums[2] = dual(x, w0, sums[2]);
        sums[3] = dual(x, w1, sums[3]);
        let (w0, w1) = (odd(b0), odd(b1));
        let x = pair(a0[2], a0[3]);
        sums[0] = dual(x, w0, sums[0]);
        sums[1] = dual(x, w1, sums[1]);
        let x = pair(a1[2], a1[3]);
        sums[2] = dual(x, w0, sums[2]);
        sums[3] = dual(x, w1, sums[3]);
    }
}
