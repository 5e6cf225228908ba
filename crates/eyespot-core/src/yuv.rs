//! YUV to RGB in integers.

/// How the numbers of a YUV image mean colour: which standard, and whether luma runs over 16..=235 or 0..=255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum YuvEncoding {
    /// ITU-R BT.601, limited range: SD video and most cameras.
    #[default]
    Bt601,
    /// ITU-R BT.601, full range: JPEG and MJPEG cameras.
    Bt601Full,
    /// ITU-R BT.709, limited range: HD video.
    Bt709,
    /// ITU-R BT.709, full range.
    Bt709Full,
}

/// Fills a row of RGB from luma and its chroma pairs (U, V), each pair for two pixels. `odd`: the first pixel is the
/// second of its pair.
pub(crate) fn rgb_row<'a>(
    encoding: YuvEncoding,
    luma: &[u8],
    chroma: impl Iterator<Item = (&'a u8, &'a u8)>,
    odd: bool,
    out: &mut [[u8; 3]],
) {
    let coefficients = encoding.coefficients();
    let len = luma.len().min(out.len());
    let (mut luma, mut out) = (&luma[..len], &mut out[..len]);
    let mut first = usize::from(odd);
    for (&u, &v) in chroma {
        let added = coefficients.chroma(u, v);
        let pair = (2 - first).min(luma.len());
        first = 0;
        let (now, later) = luma.split_at(pair);
        let (now_out, later_out) = out.split_at_mut(pair);
        for (out, &y) in now_out.iter_mut().zip(now) {
            *out = coefficients.rgb(y, added);
        }
        (luma, out) = (later, later_out);
        if luma.is_empty() {
            break;
        }
    }
}

/// How YUV becomes RGB, in 16.16 fixed point: with `y = (Y - black) * luma + 2^15`, `u = U - 128` and `v = V - 128`, red is
/// `(y + v_red * v) >> 16`, green `(y - u_green * u - v_green * v) >> 16`, blue `(y + u_blue * u) >> 16`, each cut to
/// `0..=255`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "described together")]
pub struct YuvCoefficients {
    pub black: i32,
    pub luma: i32,
    pub v_red: i32,
    pub u_green: i32,
    pub v_green: i32,
    pub u_blue: i32,
}

impl YuvCoefficients {
    /// One pixel as RGB.
    #[inline]
    #[must_use]
    pub const fn to_rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        self.rgb(y, self.chroma(u, v))
    }

    /// What a chroma pair adds to red, green and blue.
    #[inline]
    const fn chroma(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (u as i32 - 128, v as i32 - 128);
        [self.v_red * v, -self.u_green * u - self.v_green * v, self.u_blue * u]
    }

    /// A pixel from its luma and what chroma adds.
    #[inline]
    const fn rgb(&self, y: u8, added: [i32; 3]) -> [u8; 3] {
        let y = (y as i32 - self.black) * self.luma + (1 << 15);
        [clamp((y + added[0]) >> 16), clamp((y + added[1]) >> 16), clamp((y + added[2]) >> 16)]
    }
}

impl YuvEncoding {
    /// The numbers behind [`to_rgb`](Self::to_rgb).
    #[must_use]
    pub const fn coefficients(self) -> YuvCoefficients {
        // kr, kb of the standard give: red = y + 2(1-kr)v, blue = y + 2(1-kb)u, green from the rest;
        // limited range stretches luma by 255/219 and chroma by 255/224.
        match self {
            Self::Bt601 => YuvCoefficients {
                black: 16,
                luma: 76_309,
                v_red: 104_597,
                u_green: 25_675,
                v_green: 53_279,
                u_blue: 132_201,
            },
            Self::Bt601Full => YuvCoefficients {
                black: 0,
                luma: 65_536,
                v_red: 91_881,
                u_green: 22_553,
                v_green: 46_802,
                u_blue: 116_130,
            },
            Self::Bt709 => YuvCoefficients {
                black: 16,
                luma: 76_309,
                v_red: 117_489,
                u_green: 13_975,
                v_green: 34_925,
                u_blue: 138_438,
            },
            Self::Bt709Full => YuvCoefficients {
                black: 0,
                luma: 65_536,
                v_red: 103_206,
                u_green: 12_276,
                v_green: 30_679,
                u_blue: 121_609,
            },
        }
    }

    /// One pixel as RGB.
    #[inline]
    #[must_use]
    pub const fn to_rgb(self, y: u8, u: u8, v: u8) -> [u8; 3] {
        self.coefficients().to_rgb(y, u, v)
    }

    /// Luma as a full-range grey level.
    #[inline]
    #[must_use]
    pub const fn to_gray(self, y: u8) -> u8 {
        let c = self.coefficients();
        clamp(((y as i32 - c.black) * c.luma + (1 << 15)) >> 16)
    }
}

#[inline]
const fn clamp(value: i32) -> u8 {
    if value < 0 {
        0
    } else if value > 255 {
        255
    } else {
        value as u8
    }
}

/// Grey level of an RGB pixel, BT.601 weights (what OpenCV's `COLOR_RGB2GRAY` computes).
#[inline]
#[must_use]
pub(crate) const fn gray_of_rgb([r, g, b]: [u8; 3]) -> u8 {
    ((r as u32 * 4899 + g as u32 * 9617 + b as u32 * 1868 + 8192) >> 14) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's formula in floating point.
    fn reference(y: u8, u: u8, v: u8, kr: f64, kb: f64, full: bool) -> [f64; 3] {
        let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
        let (y, u, v) =
            if full { (y, u, v) } else { ((y - 16.0) * 255.0 / 219.0, u * 255.0 / 224.0, v * 255.0 / 224.0) };
        let red = y + 2.0 * (1.0 - kr) * v;
        let blue = y + 2.0 * (1.0 - kb) * u;
        let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
        [red, green, blue]
    }

    #[test]
    fn integers_agree_with_the_standards_within_one_level() {
        let cases = [
            (YuvEncoding::Bt601, 0.299, 0.114, false),
            (YuvEncoding::Bt601Full, 0.299, 0.114, true),
            (YuvEncoding::Bt709, 0.2126, 0.0722, false),
            (YuvEncoding::Bt709Full, 0.2126, 0.0722, true),
        ];
        for (encoding, kr, kb, full) in cases {
            for y in (0..=255).step_by(15) {
                for u in (0..=255).step_by(17) {
                    for v in (0..=255).step_by(17) {
                        let got = encoding.to_rgb(y, u, v);
                        let want = reference(y, u, v, kr, kb, full);
                        for (got, want) in got.into_iter().zip(want) {
                            let want = want.clamp(0.0, 255.0);
                            assert!((f64::from(got) - want).abs() <= 1.0, "{encoding:?} {y} {u} {v}");
                        }
                    }
                }
            }
        }
    }
}
