//! The layout of a model's input, and the pass that fills it.

use eyespot_core::{ImageView, InputSize};

use crate::resize::Resizer;
use crate::row::{read_color, read_gray};
use crate::{Encoding, Letterbox, ResizeError, Scratch};

/// How the values of a tensor follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// One plane per channel: `[channels, height, width]`.
    Planar,
    /// The channels of a pixel together: `[height, width, channels]`.
    Interleaved,
}

/// Which channels a tensor has, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Grey: BT.601 weights for colour.
    Gray,
}

impl Channels {
    /// How many they are: 3, or 1 for grey.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Rgb | Self::Bgr => 3,
            Self::Gray => 1,
        }
    }
}

/// What a model wants as input, besides its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorFormat<E> {
    layout: Layout,
    channels: Channels,
    encoding: E,
    pad: u8,
}

impl<E: Encoding> TensorFormat<E> {
    /// A format with padding of level 114, the usual grey.
    #[must_use]
    pub const fn new(layout: Layout, channels: Channels, encoding: E) -> Self {
        Self { layout, channels, encoding, pad: 114 }
    }

    /// The same with another level (0 to 255, before the encoding) around the image.
    #[must_use]
    pub fn with_pad(mut self, level: u8) -> Self {
        self.pad = level;
        self
    }

    /// Number of values of a tensor of this size.
    #[must_use]
    pub fn len_of(&self, size: InputSize) -> usize {
        usize::from(size.width) * usize::from(size.height) * self.channels.count()
    }
}

impl Letterbox {
    /// Fills a tensor from an image: resized bilinearly (the bytes of OpenCV's `INTER_LINEAR`), padded and encoded,
    /// in one pass.
    ///
    /// Every value of `out` is written. The scratch needs a column for each column of the resized image;
    /// one as wide as the target always does.
    ///
    /// # Errors
    /// [`ResizeError`] where the view is not of the letterbox's size, `out` not of the length
    /// [`TensorFormat::len_of`] or the scratch too small.
    pub fn apply<E: Encoding>(
        &self,
        view: &ImageView<'_>,
        format: &TensorFormat<E>,
        scratch: Scratch<'_>,
        out: &mut [E::Value],
    ) -> Result<(), ResizeError> {
        let (expected, actual) = ((self.source().width, self.source().height), (view.width(), view.height()));
        if expected != actual {
            return Err(ResizeError::Source { expected, actual });
        }
        let (expected, actual) = (format.len_of(self.target()), out.len());
        if expected != actual {
            return Err(ResizeError::Output { expected, actual });
        }
        let reversed = format.channels == Channels::Bgr;
        let layout = format.layout;
        match format.channels {
            Channels::Gray => {
                let read = |y, taps: &[_], row: &mut [u16]| read_gray(view, y, taps, row);
                fill::<E, 1>(self, format, scratch, out, read)
            }
            Channels::Rgb | Channels::Bgr => {
                let read = |y, taps: &[_], row: &mut [u16]| read_color(view, y, reversed, layout, taps, row);
                fill::<E, 3>(self, format, scratch, out, read)
            }
        }
    }
}

/// The pass, for a number of channels. `read` resizes a row of the source horizontally.
fn fill<E: Encoding, const CHANNELS: usize>(
    letterbox: &Letterbox,
    format: &TensorFormat<E>,
    scratch: Scratch<'_>,
    out: &mut [E::Value],
    read: impl Fn(u16, &[crate::Tap], &mut [u16]),
) -> Result<(), ResizeError> {
    let mut resizer = Resizer::new(letterbox.source(), letterbox.resized(), CHANNELS, scratch)?;
    let width = usize::from(letterbox.target().width);
    let (left, first) = (usize::from(letterbox.origin().0), usize::from(letterbox.origin().1));
    let (columns, rows) = (usize::from(letterbox.resized().width), usize::from(letterbox.resized().height));
    let plane = width * usize::from(letterbox.target().height);
    for y in 0..usize::from(letterbox.target().height) {
        // `None` above and below the image.
        let blended = match y.checked_sub(first) {
            Some(row) if row < rows => Some(resizer.row(row as u16, &read)),
            _ => None,
        };
        match format.layout {
            Layout::Planar => {
                for (channel, plane) in out.chunks_exact_mut(plane).enumerate() {
                    let encode = format.encoding.channel(channel);
                    let Some(line) = plane.get_mut(y * width..(y + 1) * width) else { continue };
                    let Some(((top, bottom), weights)) =
                        blended.map(|(rows, weights)| (planes(rows, channel, columns), weights))
                    else {
                        line.fill(encode(format.pad));
                        continue;
                    };
                    let (before, rest) = line.split_at_mut(left);
                    let (image, after) = rest.split_at_mut(columns);
                    before.fill(encode(format.pad));
                    after.fill(encode(format.pad));
                    for ((value, &top), &bottom) in image.iter_mut().zip(top).zip(bottom) {
                        *value = encode(weights.blend(top, bottom));
                    }
                }
            }
            Layout::Interleaved => {
                let line = out.get_mut(y * width * CHANNELS..(y + 1) * width * CHANNELS).unwrap_or_default();
                let line = line.as_chunks_mut::<CHANNELS>().0;
                let encode: [_; CHANNELS] = core::array::from_fn(|channel| format.encoding.channel(channel));
                let pad: [_; CHANNELS] = core::array::from_fn(|channel| encode[channel](format.pad));
                let Some(((top, bottom), weights)) = blended else {
                    line.fill(pad);
                    continue;
                };
                let (before, rest) = line.split_at_mut(left);
                let (image, after) = rest.split_at_mut(columns);
                before.fill(pad);
                after.fill(pad);
                let (top, bottom) = (top.as_chunks::<CHANNELS>().0, bottom.as_chunks::<CHANNELS>().0);
                for ((pixel, top), bottom) in image.iter_mut().zip(top).zip(bottom) {
                    *pixel = core::array::from_fn(|at| encode[at](weights.blend(top[at], bottom[at])));
                }
            }
        }
    }
    Ok(())
}

/// A channel of two planar rows.
fn planes<'a>(
    (top, bottom): (&'a [u16], &'a [u16]),
    channel: usize,
    columns: usize,
) -> (&'a [u16], &'a [u16]) {
    let range = channel * columns..(channel + 1) * columns;
    (top.get(range.clone()).unwrap_or(&[]), bottom.get(range).unwrap_or(&[]))
}
