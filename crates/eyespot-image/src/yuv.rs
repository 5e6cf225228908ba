//! A row of luma and chroma as three channels, resized horizontally: only the pixels that are needed are converted, many at a
//! time.

use eyespot_core::{ImageView, PixelFormat, Wide, YuvCoefficients, wide};

use crate::{Layout, Tap};

/// Columns at a time.
const LANES: usize = 32;

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
    wide(Row {
        format: view.format(),
        rows: rows.map(Option::unwrap_or_default),
        origin: u32::from(view.origin().0),
        taps,
        coefficients: view.encoding().coefficients(),
        target: Target { reversed, layout, columns: taps.len(), out },
    });
}

struct Row<'a> {
    format: PixelFormat,
    /// From where the samples of the row begin.
    rows: [&'a [u8]; 3],
    /// The column of the first pixel.
    origin: u32,
    taps: &'a [Tap],
    coefficients: YuvCoefficients,
    target: Target<'a>,
}

impl Wide for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn work(self) {
        let Self { format, rows, origin, taps, coefficients, target } = self;
        // The places as constants, for the compiler: half of the time goes into finding the bytes.
        match format {
            // Y U Y V, twice: from the pixel's own Y on.
            PixelFormat::Yuyv => mix(origin, taps, &coefficients, target, |x| {
                let bytes = u64::from_le_bytes(run(rows[0], x / 2 * 4));
                let lumas = bytes >> (16 * (x & 1));
                [pair(lumas, 0, 2), pair(bytes, 1, 5), pair(bytes, 3, 7)]
            }),
            PixelFormat::Nv12 => mix(origin, taps, &coefficients, target, |x| {
                let colours = u64::from(u32::from_le_bytes(run(rows[1], x & !1)));
                [u16::from_le_bytes(run(rows[0], x)), pair(colours, 0, 2), pair(colours, 1, 3)]
            }),
            _ => mix(origin, taps, &coefficients, target, |x| {
                let [y, u, v] = [run(rows[0], x), run(rows[1], x / 2), run(rows[2], x / 2)];
                [y, u, v].map(u16::from_le_bytes)
            }),
        }
    }
}

/// Bytes of a row; what lies beyond its end is 0.
#[inline(always)]
fn run<const N: usize>(row: &[u8], start: u32) -> [u8; N] {
    let start = start as usize;
    match row.get(start..start + N) {
        Some(bytes) => core::array::from_fn(|at| bytes[at]),
        None => core::array::from_fn(|at| row.get(start + at).copied().unwrap_or(0)),
    }
}

/// Two bytes of some.
#[inline]
const fn pair(bytes: u64, low: u32, high: u32) -> u16 {
    (bytes >> (8 * low)) as u16 & 0xff | ((bytes >> (8 * high)) as u16 & 0xff) << 8
}

/// Where the values of a row go.
struct Target<'a> {
    reversed: bool,
    layout: Layout,
    columns: usize,
    out: &'a mut [u16],
}

/// `sample` gives the Y, U and V of a column and, in the upper bytes, the next ones of the row. U and V of two columns are
/// the same where the first one is even.
#[inline(always)]
fn mix(
    origin: u32,
    taps: &[Tap],
    coefficients: &YuvCoefficients,
    mut target: Target<'_>,
    sample: impl Fn(u32) -> [u16; 3],
) {
    for (block, taps) in taps.chunks(LANES).enumerate() {
        let mut samples = [[0; LANES]; 3];
        let mut odd = [0; LANES];
        let mut weights = [[0; LANES]; 2];
        for (at, tap) in taps.iter().enumerate() {
            // Where the second pixel is not the next one, at the edges, it has no weight.
            let x = origin + u32::from(tap.pixels()[0]);
            let [y, u, v] = sample(x);
            [samples[0][at], samples[1][at], samples[2][at]] = [y, u, v];
            odd[at] = (x & 1) as u16;
            [weights[0][at], weights[1][at]] = tap.weights().map(i32::from);
        }
        let [y, u, v] = samples;
        let mut mixed = [[0; LANES]; 3];
        let [red, green, blue] = &mut mixed;
        for at in 0..LANES {
            let (u, v) = (colours(u[at], odd[at]), colours(v[at], odd[at]));
            let one = coefficients.to_rgb(y[at] as u8, u[0], v[0]);
            let other = coefficients.to_rgb((y[at] >> 8) as u8, u[1], v[1]);
            let level = |channel: usize| {
                let [one, other] =
                    [i32::from(one[channel]) * weights[0][at], i32::from(other[channel]) * weights[1][at]];
                ((one + other) >> 4) as u16
            };
            (red[at], green[at], blue[at]) = (level(0), level(1), level(2));
        }
        for (channel, mixed) in mixed.iter().enumerate() {
            target.write(block * LANES, channel, &mixed[..taps.len()]);
        }
    }
}

/// U or V of a column and the next one.
#[inline(always)]
const fn colours(sample: u16, odd: u16) -> [u8; 2] {
    [sample as u8, (sample >> (8 * odd)) as u8]
}

impl Target<'_> {
    #[inline(always)]
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
