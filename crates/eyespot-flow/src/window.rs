//! One Lucas-Kanade window: a template of the previous frame, found again in the current one.
//!
//! B. Lucas and T. Kanade, An iterative image registration technique, 1981; the gradient is that of the template, so
//! it is computed once (S. Baker and I. Matthews, Lucas-Kanade 20 years on, 2004).

use crate::level::Level;

/// Side of a window in pixels.
pub(crate) const WINDOW: usize = 8;

/// Half of it: from the corner of a window to its middle.
pub(crate) const HALF: f32 = WINDOW as f32 / 2.0;

/// Standard deviation in pixels of what noise does not explain: interpolation, turned windows.
const FLOOR: f32 = 0.02;

type Patch = [[f32; WINDOW]; WINDOW];

const PIXELS: f32 = (WINDOW * WINDOW) as f32;

/// A window of the previous frame at whole pixels, with its gradient.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    pixels: Patch,
    slope_x: Patch,
    slope_y: Patch,
    /// Sums of the products of the gradient without its mean: xx, xy, yy.
    pub(crate) tensor: [f32; 3],
    /// Middle of the gradient's energy, from the corner of the window: the place whose shift the window measures.
    pub(crate) center: [f32; 2],
    /// Sum of the squared differences from the mean grey.
    contrast: f32,
}

/// Where a window was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Corner of the window in the current frame.
    pub(crate) x: f32,
    pub(crate) y: f32,
    /// The last step was shorter than a tenth of a pixel.
    pub(crate) settled: bool,
    /// Sum of squared differences over the contrast of the template: 0 for an exact copy, about 2 for two pictures
    /// that have nothing to do with each other.
    pub(crate) mismatch: f32,
}

/// The sum of 8 lanes.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn total(lanes: &[f32; WINDOW]) -> f32 {
    let mut half = [0.0; WINDOW / 2];
    for (index, sum) in half.iter_mut().enumerate() {
        *sum = lanes[index] + lanes[index + WINDOW / 2];
    }
    half.iter().sum()
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn totals<const N: usize>(sums: &[[f32; WINDOW]; N]) -> [f32; N] {
    let mut out = [0.0; N];
    for (out, lanes) in out.iter_mut().zip(sums) {
        *out = total(lanes);
    }
    out
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn widen(bytes: &[u8]) -> [f32; WINDOW] {
    let mut out = [0.0; WINDOW];
    for (out, &byte) in out.iter_mut().zip(bytes) {
        *out = f32::from(byte);
    }
    out
}

impl Template {
    /// The window with its corner at `x, y`; `None` where it or its border of one pixel is not inside.
    #[cfg_attr(feature = "host", inline(always))]
    #[cfg_attr(not(feature = "host"), inline)]
    pub(crate) fn new(level: &Level<'_>, x: usize, y: usize) -> Option<Self> {
        let (left, above) = (x.checked_sub(1)?, y.checked_sub(1)?);
        let mut rows = [&[0u8; WINDOW + 2]; WINDOW + 2];
        for (index, row) in rows.iter_mut().enumerate() {
            *row = level.span(left, above + index)?;
        }
        let mut pixels = [[0.0; WINDOW]; WINDOW];
        let (mut slope_x, mut slope_y) = (pixels, pixels);
        let mut sums = [[0.0f32; WINDOW]; 7];
        let mut energy_y = 0.0;
        for y in 0..WINDOW {
            let (upper, middle, lower) =
                (widen(&rows[y][1..]), widen(&rows[y + 1][1..]), widen(&rows[y + 2][1..]));
            let (before, after) = (widen(&rows[y + 1][..WINDOW]), widen(&rows[y + 1][2..]));
            let mut energy = [0.0f32; WINDOW];
            for x in 0..WINDOW {
                let (gx, gy) = (0.5 * (after[x] - before[x]), 0.5 * (lower[x] - upper[x]));
                (slope_x[y][x], slope_y[y][x]) = (gx, gy);
                let (xx, yy) = (gx * gx, gy * gy);
                energy[x] = xx + yy;
                sums[0][x] += gx;
                sums[1][x] += gy;
                sums[2][x] += xx;
                sums[3][x] += gx * gy;
                sums[4][x] += yy;
                sums[5][x] += middle[x];
                sums[6][x] += middle[x] * middle[x];
            }
            pixels[y] = middle;
            energy_y += total(&energy) * (y as f32 + 0.5);
        }
        let mut energy_x = 0.0;
        for (x, (xx, yy)) in sums[2].iter().zip(&sums[4]).enumerate() {
            energy_x += (xx + yy) * (x as f32 + 0.5);
        }
        let [gx, gy, xx, xy, yy, grey, squares] = totals(&sums);
        let energy = (xx + yy).max(1e-6);
        let (mean_x, mean_y) = (gx / PIXELS, gy / PIXELS);
        for y in 0..WINDOW {
            for x in 0..WINDOW {
                slope_x[y][x] -= mean_x;
                slope_y[y][x] -= mean_y;
            }
        }
        Some(Self {
            pixels,
            slope_x,
            slope_y,
            tensor: [xx - gx * mean_x, xy - gx * mean_y, yy - gy * mean_y],
            center: [energy_x / energy, energy_y / energy],
            contrast: (squares - grey * grey / PIXELS).max(1.0),
        })
    }

    /// Looks for the window in `level`, starting with its corner at `x, y`. `None` where it has no texture, leaves
    /// the picture or strays more than `reach` pixels from the start. Stops after a step shorter than `enough`.
    #[cfg_attr(feature = "host", inline(always))]
    #[cfg_attr(not(feature = "host"), inline)]
    pub(crate) fn find(
        &self,
        level: &Level<'_>,
        [start_x, start_y]: [f32; 2],
        steps: u32,
        reach: f32,
        enough: f32,
    ) -> Option<Found> {
        let [xx, xy, yy] = self.tensor;
        let determinant = xx * yy - xy * xy;
        if determinant <= 1e-3 * (xx + yy) * (xx + yy) {
            return None;
        }
        let (mut x, mut y) = (start_x, start_y);
        let mut found = None;
        for _ in 0..steps {
            let [bx, by, mismatch] = self.compare(level, x, y)?;
            let (dx, dy) = ((xy * by - yy * bx) / determinant, (xy * bx - xx * by) / determinant);
            (x, y) = (x + dx, y + dy);
            let (away_x, away_y) = (x - start_x, y - start_y);
            let away = away_x * away_x + away_y * away_y;
            if away.is_nan() || away > reach * reach {
                return None;
            }
            let square = dx * dx + dy * dy;
            found = Some((square, mismatch));
            if square < enough * enough {
                break;
            }
        }
        found.map(|(square, mismatch)| Found { x, y, settled: square < 0.01, mismatch })
    }

    /// Inverse covariance of a place where the window was found: the noise is what differs there, and no place is
    /// trusted to better than [`FLOOR`] pixels.
    pub(crate) fn information(&self, mismatch: f32) -> [f32; 3] {
        let noise = (mismatch * self.contrast / PIXELS).max(0.1);
        let [xx, xy, yy] = self.tensor;
        let determinant = (xx * yy - xy * xy).max(1e-6);
        let share = noise / determinant;
        let (xx, xy, yy) = (yy * share + FLOOR * FLOOR, -xy * share, xx * share + FLOOR * FLOOR);
        let determinant = xx * yy - xy * xy;
        [yy / determinant, -xy / determinant, xx / determinant]
    }

    /// Sums of gradient times difference (x, y) and the mismatch, with the window's corner at `x, y`.
    #[cfg_attr(feature = "host", inline(always))]
    #[cfg_attr(not(feature = "host"), inline)]
    fn compare(&self, level: &Level<'_>, x: f32, y: f32) -> Option<[f32; 3]> {
        let sampled = sample(level, x, y)?;
        let mut sums = [[0.0f32; WINDOW]; 4];
        for (row, sampled) in sampled.iter().enumerate() {
            let (pixels, slope_x, slope_y) = (&self.pixels[row], &self.slope_x[row], &self.slope_y[row]);
            for x in 0..WINDOW {
                let difference = sampled[x] - pixels[x];
                sums[0][x] += slope_x[x] * difference;
                sums[1][x] += slope_y[x] * difference;
                sums[2][x] += difference;
                sums[3][x] += difference * difference;
            }
        }
        let [bx, by, sum, squares] = totals(&sums);
        Some([bx, by, (squares - sum * sum / PIXELS) / self.contrast])
    }
}

/// Rows and columns that four taps per axis reach.
const REACH: usize = WINDOW + 3;

/// Weights of the pixels at -1, 0, 1 and 2 for a place `part` of the way from 0 to 1: Lagrange's cubic.
///
/// Bilinear interpolation and Catmull-Rom's cubic shift fine structures by several hundredths of a pixel towards whole
/// pixels, an error that all windows of a shifted picture share. This one shifts them by a fifth of that.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn cubic(part: f32) -> [f32; 4] {
    let (before, after, beyond) = (part + 1.0, part - 1.0, part - 2.0);
    [
        part * after * beyond / -6.0,
        before * after * beyond / 2.0,
        before * part * beyond / -2.0,
        before * part * after / 6.0,
    ]
}

/// The window with its corner at `x, y`; `None` where it or its border is not inside.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn sample(level: &Level<'_>, x: f32, y: f32) -> Option<Patch> {
    if !(x >= 1.0 && y >= 1.0 && x < 65536.0 && y < 65536.0) {
        return None;
    }
    let (left, top) = (x as usize, y as usize);
    let (across, down) = (cubic(x - left as f32), cubic(y - top as f32));
    let mut mixed = [[0.0; WINDOW]; REACH];
    for (row, mixed) in mixed.iter_mut().enumerate() {
        let bytes: &[u8; REACH] = level.span(left - 1, top - 1 + row)?;
        let taps = [widen(bytes), widen(&bytes[1..]), widen(&bytes[2..]), widen(&bytes[3..])];
        *mixed = mix(&across, &taps);
    }
    let mut out = [[0.0; WINDOW]; WINDOW];
    for (out, rows) in out.iter_mut().zip(mixed.array_windows::<4>()) {
        *out = mix(&down, rows);
    }
    Some(out)
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline)]
fn mix(weights: &[f32; 4], taps: &[[f32; WINDOW]; 4]) -> [f32; WINDOW] {
    let mut out = [0.0; WINDOW];
    for (x, out) in out.iter_mut().enumerate() {
        *out = weights[0] * taps[0][x]
            + weights[1] * taps[1][x]
            + weights[2] * taps[2][x]
            + weights[3] * taps[3][x];
    }
    out
}
