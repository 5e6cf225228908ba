//! Drawing into a lent buffer.

use eyespot_core::BBox;

use crate::SceneFormat;
use crate::camera::Camera;
use crate::figure::{Figure, Part};
use crate::math::{length, mix};

/// How dark the middle of a shadow is.
const SHADOW: f32 = 0.36;

pub(crate) struct Canvas<'a> {
    data: &'a mut [u8],
    width: u16,
    height: u16,
    channels: usize,
}

impl<'a> Canvas<'a> {
    /// A canvas over a buffer of the right length.
    pub(crate) fn new(data: &'a mut [u8], width: u16, height: u16, format: SceneFormat) -> Self {
        let channels = match format {
            SceneFormat::Rgb8 => 3,
            SceneFormat::Gray8 => 1,
        };
        Self { data, width, height, channels }
    }

    /// Every pixel from a function of its centre.
    pub(crate) fn fill(&mut self, mut color: impl FnMut(f32, f32) -> [f32; 3]) {
        let (width, channels) = (usize::from(self.width), self.channels);
        for (y, row) in self.data.chunks_exact_mut(width * channels).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                write(pixel, color(x as f32 + 0.5, y as f32 + 0.5));
            }
        }
    }

    /// The pixels of a box with their alpha in `0..=1`: where the colour goes, and how much of it.
    fn paint(&mut self, bounds: BBox, color: [f32; 3], mut alpha: impl FnMut(f32, f32) -> f32) {
        let bounds = bounds.clipped(f32::from(self.width), f32::from(self.height));
        let (left, right) = (bounds.x1 as usize, libm::ceilf(bounds.x2) as usize);
        let (top, bottom) = (bounds.y1 as usize, libm::ceilf(bounds.y2) as usize);
        let (width, channels) = (usize::from(self.width), self.channels);
        for y in top..bottom {
            let row = y * width;
            let Some(pixels) = self.data.get_mut((row + left) * channels..(row + right) * channels) else {
                return;
            };
            for (x, pixel) in (left..right).zip(pixels.chunks_exact_mut(channels)) {
                let alpha = alpha(x as f32 + 0.5, y as f32 + 0.5);
                if alpha > 0.0 {
                    mix_in(pixel, color, alpha.min(1.0));
                }
            }
        }
    }

    /// A part with smooth edges.
    pub(crate) fn part(&mut self, part: &Part, camera: &Camera) {
        let bounds = part.shape.bounds(&camera.to_frame, camera.scale);
        let grown = BBox::new(bounds.x1 - 1.0, bounds.y1 - 1.0, bounds.x2 + 1.0, bounds.y2 + 1.0);
        let color = part.color.map(f32::from);
        self.paint(grown, color, |x, y| {
            0.5 - part.shape.distance(camera.to_scene.apply(x, y)) * camera.scale
        });
    }

    /// The soft shadow of a figure.
    pub(crate) fn shadow(&mut self, figure: &Figure, camera: &Camera) {
        let (half_width, half_height) = figure.shadow();
        // Up in the air the shadow is wider and paler, and it lies a little to the right: the sun is left.
        let height = figure.lift / figure.size.max(1.0);
        let (half_width, half_height) = (half_width * (1.0 + 0.2 * height), half_height.max(1.0));
        let (cx, cy) = (figure.foot.0 + half_width * 0.15 + figure.lift * 0.2, figure.foot.1);
        let (fx, fy) = camera.to_frame.apply(cx, cy);
        let (wide, high) =
            (half_width * camera.scale * 1.1, (half_height + half_width * 0.2) * camera.scale * 1.1);
        let bounds = BBox::new(fx - wide, fy - high, fx + wide, fy + high);
        self.paint(bounds, [14.0, 18.0, 34.0], |x, y| {
            let (x, y) = camera.to_scene.apply(x, y);
            let distance = length(((x - cx) / half_width, (y - cy) / half_height));
            SHADOW / (1.0 + height) * (1.6 * (1.0 - distance)).clamp(0.0, 1.0)
        });
    }

    /// The sensor: a gain, and noise of the given standard deviation that is another one for each `seed`.
    pub(crate) fn expose(&mut self, gain: f32, noise: f32, seed: u32) {
        // The sum of two random bytes has a standard deviation of 104.5; 16 fractional bits.
        let noise = (noise / 104.51 * 65536.0) as i32;
        let gain = (gain * 65536.0) as i32;
        let row_bytes = usize::from(self.width) * self.channels;
        for (y, row) in self.data.chunks_exact_mut(row_bytes).enumerate() {
            let mut state = u64::from(mix(seed ^ mix(y as u32))) << 32 | 0x9e37_79b9;
            for pixels in row.chunks_mut(4) {
                // Four levels from one step of a 64-bit xorshift (Marsaglia, 2003).
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let mut bits = state;
                for level in pixels {
                    let random = (bits & 255) as i32 + (bits >> 8 & 255) as i32 - 255;
                    bits >>= 16;
                    let value = (i32::from(*level) * gain + random * noise + 32768) >> 16;
                    *level = value.clamp(0, 255) as u8;
                }
            }
        }
    }
}

fn write(pixel: &mut [u8], color: [f32; 3]) {
    match pixel {
        [gray] => *gray = (luma(color) + 0.5) as u8,
        _ => {
            for (level, color) in pixel.iter_mut().zip(color) {
                *level = (color + 0.5) as u8;
            }
        }
    }
}

fn mix_in(pixel: &mut [u8], color: [f32; 3], alpha: f32) {
    let over = |level: u8, color: f32| (f32::from(level) * (1.0 - alpha) + color * alpha + 0.5) as u8;
    match pixel {
        [gray] => *gray = over(*gray, luma(color)),
        _ => {
            for (level, color) in pixel.iter_mut().zip(color) {
                *level = over(*level, color);
            }
        }
    }
}

fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}
