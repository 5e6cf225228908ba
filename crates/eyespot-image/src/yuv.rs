//! A row of luma and chroma as three channels, resized horizontally: only the pixels that are needed are converted, many at a
//! time, in integers of 16 bits, of which even the oldest processors multiply several at once.

use eyespot_core::{ImageView, PixelFormat, YuvCoefficients};

use crate::{Layout, Tap};

/// Columns at a time.
const LANES: usize = 32;

/// A value of each column.
type Lanes = [i16; LANES];

/// A row as red, green, blue or reversed.
pub(crate) fn read(
    view: &ImageView<'_>,
    y: u16,
    reversed: bool,
    layout: Layout,
    taps: &[Tap],
    out: &mut [u16],
) {
    let rows = view.samples().map(|samples| view.plane(samples.plane()).get(samples.rows(y)..));
    let rows = rows.map(Option::unwrap_or_default);
    let origin = usize::from(view.origin().0);
    let target = Target { reversed, layout, columns: taps.len(), out };
    let conversion = Conversion::new(&view.encoding().coefficients());
    // The places as constants, for the compiler: half of the time goes into finding the bytes.
    match view.format() {
        PixelFormat::Yuyv => mix(taps, &rows, &conversion, target, |x| {
            let pair = (origin + x) / 2 * 4;
            [2 * (origin + x), pair + 1, pair + 3]
        }),
        PixelFormat::Nv12 => mix(taps, &rows, &conversion, target, |x| {
            let pair = (origin + x) & !1;
            [origin + x, pair, pair + 1]
        }),
        _ => mix(taps, &rows, &conversion, target, |x| {
            let half = (origin + x) / 2;
            [origin + x, half, half]
        }),
    }
}

/// Where the values of a row go.
struct Target<'a> {
    reversed: bool,
    layout: Layout,
    columns: usize,
    out: &'a mut [u16],
}

/// `places` gives where Y, U and V of a column lie in `rows`.
#[inline]
fn mix(
    taps: &[Tap],
    rows: &[&[u8]; 3],
    conversion: &Conversion,
    mut target: Target<'_>,
    places: impl Fn(usize) -> [usize; 3],
) {
    for (block, taps) in taps.chunks(LANES).enumerate() {
        // Of a last block that is not full the rest is of no use.
        let mut block_taps = [Tap::default(); LANES];
        block_taps[..taps.len()].copy_from_slice(taps);
        // Y, U and V of the pixels before and behind, and their weights.
        let mut values = [[[0; LANES]; 3]; 2];
        let mut weights = [[0; LANES]; 2];
        for (at, tap) in block_taps.iter().enumerate() {
            let (pixels, shares) = (tap.pixels(), tap.weights());
            for side in 0..2 {
                let [y, u, v] = places(usize::from(pixels[side]));
                let level = |row: usize, place: usize| i16::from(rows[row].get(place).copied().unwrap_or(0));
                values[side][0][at] = level(0, y);
                values[side][1][at] = level(1, u);
                values[side][2][at] = level(2, v);
                weights[side][at] = shares[side] as i16;
            }
        }
        let [before, behind] = [conversion.colours(&values[0]), conversion.colours(&values[1])];
        for channel in 0..3 {
            let mut mixed = [0; LANES];
            for at in 0..LANES {
                let [one, other] = [(&before, &weights[0]), (&behind, &weights[1])]
                    .map(|(levels, weights)| i32::from(levels[channel][at]) * i32::from(weights[at]));
                mixed[at] = ((one + other) >> 4) as u16;
            }
            target.write(block * LANES, channel, &mixed[..taps.len()]);
        }
    }
}

impl Target<'_> {
    fn write(&mut self, first: usize, channel: usize, values: &[u16]) {
        let place = if self.reversed { 2 - channel } else { channel };
        match self.layout {
            Layout::Planar => {
                let start = place * self.columns + first;
                if let Some(out) = self.out.get_mut(start..start + values.len()) {
                    out.copy_from_slice(values);
                }
            }
            Layout::Interleaved => {
                let out = self.out.get_mut(3 * first + place..).unwrap_or_default();
                for (out, value) in out.iter_mut().step_by(3).zip(values) {
                    *out = *value;
                }
            }
        }
    }
}

/// A factor in 16.16 fixed point as a whole number and what is left of it, both of 16 bits.
#[derive(Clone, Copy)]
struct Factor {
    whole: i16,
    rest: i16,
}

impl Factor {
    const fn new(factor: i32) -> Self {
        let whole = (factor + (1 << 15)) >> 16;
        Self { whole: whole as i16, rest: (factor - (whole << 16)) as i16 }
    }

    #[inline]
    fn rest(self, value: i16) -> i32 {
        i32::from(value) * i32::from(self.rest)
    }

    /// Of a value below 256, as are all here.
    #[inline]
    const fn whole(self, value: i16) -> i16 {
        value.wrapping_mul(self.whole)
    }
}

/// What Y, U and V add to red, green and blue.
struct Conversion {
    black: i16,
    luma: Factor,
    v_red: Factor,
    u_green: Factor,
    v_green: Factor,
    u_blue: Factor,
}

impl Conversion {
    const fn new(by: &YuvCoefficients) -> Self {
        Self {
            black: by.black as i16,
            luma: Factor::new(by.luma),
            v_red: Factor::new(by.v_red),
            u_green: Factor::new(-by.u_green),
            v_green: Factor::new(-by.v_green),
            u_blue: Factor::new(by.u_blue),
        }
    }

    /// Red, green and blue, `0..=255`.
    #[inline]
    fn colours(&self, [y, u, v]: &[Lanes; 3]) -> [Lanes; 3] {
        let [mut red, mut green, mut blue] = [[0; LANES]; 3];
        for at in 0..LANES {
            let (y, u, v) = (y[at] - self.black, u[at] - 128, v[at] - 128);
            let (whole, rest) = (self.luma.whole(y), self.luma.rest(y) + (1 << 15));
            let level = |whole: i16, rest: i32| (whole + (rest >> 16) as i16).clamp(0, 255);
            red[at] = level(whole + self.v_red.whole(v), rest + self.v_red.rest(v));
            green[at] = level(
                whole + self.u_green.whole(u) + self.v_green.whole(v),
                rest + self.u_green.rest(u) + self.v_green.rest(v),
            );
            blue[at] = level(whole + self.u_blue.whole(u), rest + self.u_blue.rest(u));
        }
        [red, green, blue]
    }
}

#[cfg(test)]
mod tests {
    use eyespot_core::YuvEncoding;

    use super::*;

    /// Every Y, U and V.
    #[test]
    fn colours_are_those_of_single_pixels() {
        for encoding in
            [YuvEncoding::Bt601, YuvEncoding::Bt601Full, YuvEncoding::Bt709, YuvEncoding::Bt709Full]
        {
            let conversion = Conversion::new(&encoding.coefficients());
            for (u, v) in (0..=255_u8).flat_map(|u| (0..=255_u8).map(move |v| (u, v))) {
                for start in (0..=255_u8).step_by(LANES) {
                    let lanes = core::array::from_fn(|at| i16::from(start) + at as i16);
                    let found = conversion.colours(&[lanes, [u.into(); LANES], [v.into(); LANES]]);
                    for at in 0..LANES {
                        let expected = encoding.to_rgb(start + at as u8, u, v).map(i16::from);
                        assert_eq!(found.map(|channel| channel[at]), expected);
                    }
                }
            }
        }
    }
}
