//! An RGB image to draw on.

use eyespot_core::{ImageView, PixelFormat};

/// A colour: red, green, blue.
pub type Rgb = [u8; 3];

/// An RGB image that owns its pixels. Everything drawn on it is clipped; no coordinate panics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Canvas {
    width: u16,
    height: u16,
    pixels: Vec<Rgb>,
}

impl Canvas {
    /// A black image of `width` by `height` pixels.
    #[must_use]
    pub fn new(width: u16, height: u16) -> Self {
        Self { width, height, pixels: vec![[0; 3]; usize::from(width) * usize::from(height)] }
    }

    /// A copy of an image of any format.
    #[must_use]
    pub fn from_view(image: &ImageView<'_>) -> Self {
        let mut canvas = Self::default();
        canvas.load(image);
        canvas
    }

    /// Replaces size and pixels by those of an image. The memory is used again.
    pub fn load(&mut self, image: &ImageView<'_>) {
        (self.width, self.height) = (image.width(), image.height());
        self.pixels.resize(usize::from(self.width) * usize::from(self.height), [0; 3]);
        for (y, row) in (0..self.height).zip(self.pixels.chunks_exact_mut(usize::from(self.width))) {
            image.read_rgb_row(y, row);
        }
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> u16 {
        self.height
    }

    /// The pixels, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[Rgb] {
        &self.pixels
    }

    /// The image, to be read; `None` for a canvas without pixels.
    #[must_use]
    pub fn view(&self) -> Option<ImageView<'_>> {
        ImageView::packed(self.pixels.as_flattened(), self.width, self.height, PixelFormat::Rgb8).ok()
    }

    /// The pixels of row `y` from column `x0` to before `x1`, both clipped.
    fn span(&mut self, y: i32, x0: i32, x1: i32) -> &mut [Rgb] {
        let width = i32::from(self.width);
        let (x0, x1) = (x0.clamp(0, width), x1.clamp(0, width));
        if y < 0 || y >= i32::from(self.height) || x0 >= x1 {
            return &mut [];
        }
        let row = y as usize * usize::from(self.width);
        self.pixels.get_mut(row + x0 as usize..row + x1 as usize).unwrap_or_default()
    }

    /// Mixes a colour into part of a row. `alpha` is 256 for the colour alone.
    pub(crate) fn blend_span(&mut self, y: i32, x0: i32, x1: i32, color: Rgb, alpha: u16) {
        let span = self.span(y, x0, x1);
        if alpha >= 256 {
            span.fill(color);
            return;
        }
        // Sixteen pixels at a time, their channels side by side, so that the compiler takes vector instructions.
        let keep = 256 - alpha;
        let add: [u16; 48] = std::array::from_fn(|index| u16::from(color[index % 3]) * alpha);
        for bytes in span.as_flattened_mut().chunks_mut(48) {
            for (channel, add) in bytes.iter_mut().zip(&add) {
                *channel = ((u16::from(*channel) * keep + add) >> 8) as u8;
            }
        }
    }

    /// Mixes a colour into the pixels from `(x0, y0)` to before `(x1, y1)`.
    pub(crate) fn fill_rect(&mut self, [x0, y0, x1, y1]: [i32; 4], color: Rgb, alpha: u16) {
        for y in y0.max(0)..y1.min(i32::from(self.height)) {
            self.blend_span(y, x0, x1, color, alpha);
        }
    }

    /// The border of a rectangle, `thickness` pixels wide, half of it outside.
    pub(crate) fn outline_rect(&mut self, [x0, y0, x1, y1]: [i32; 4], thickness: i32, color: Rgb) {
        let (out, within) = (thickness / 2, thickness - thickness / 2);
        let (left, top) = (x0.saturating_sub(out), y0.saturating_sub(out));
        let (right, bottom) = (x1.saturating_add(out), y1.saturating_add(out));
        let (inner_top, inner_bottom) = (y0.saturating_add(within), y1.saturating_sub(within));
        self.fill_rect([left, top, right, inner_top], color, 256);
        self.fill_rect([left, inner_bottom.max(inner_top), right, bottom], color, 256);
        self.fill_rect([left, inner_top, x0.saturating_add(within), inner_bottom], color, 256);
        self.fill_rect([x1.saturating_sub(within), inner_top, right, inner_bottom], color, 256);
    }

    /// A line with round ends and smooth edges. A line of no length is a disc.
    pub(crate) fn line(&mut self, from: (f32, f32), to: (f32, f32), thickness: f32, color: Rgb) {
        let radius = f64::from(thickness.clamp(1.0, 1000.0)) / 2.0;
        let margin = radius + 1.0;
        let Some(((x0, y0), (x1, y1))) = self.clip(from, to, margin) else { return };
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length = dx * dx + dy * dy;
        let first = (y0.min(y1) - margin).floor().max(0.0) as i32;
        let last = (y0.max(y1) + margin).ceil().min(f64::from(self.height)) as i32;
        for y in first..last {
            let center = f64::from(y) + 0.5;
            // The part of the line that this row can touch.
            let (mut a, mut b) = (0.0, 1.0);
            if dy.abs() > 1e-9 {
                let (top, bottom) = ((center - margin - y0) / dy, (center + margin - y0) / dy);
                (a, b) = (top.min(bottom).clamp(0.0, 1.0), top.max(bottom).clamp(0.0, 1.0));
            }
            let (left, right) = (x0 + a * dx, x0 + b * dx);
            let start = (left.min(right) - margin).floor().max(0.0) as i32;
            let end = (left.max(right) + margin).ceil() as i32;
            for (x, pixel) in (start..).zip(self.span(y, start, end)) {
                let (px, py) = (f64::from(x) + 0.5 - x0, center - y0);
                let t = if length > 0.0 { ((px * dx + py * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (px - t * dx).hypot(py - t * dy);
                let alpha = ((radius + 0.5 - distance).clamp(0.0, 1.0) * 256.0) as u16;
                blend(pixel, color, alpha);
            }
        }
    }

    /// The part of a line within `margin` of the image (Liang and Barsky, 1984); `None` if nothing is, or for a
    /// non-finite end.
    fn clip(&self, from: (f32, f32), to: (f32, f32), margin: f64) -> Option<((f64, f64), (f64, f64))> {
        let ((x0, y0), (x1, y1)) =
            ((f64::from(from.0), f64::from(from.1)), (f64::from(to.0), f64::from(to.1)));
        let (dx, dy) = (x1 - x0, y1 - y0);
        if !(dx.is_finite() && dy.is_finite() && x0.is_finite() && y0.is_finite()) {
            return None;
        }
        let (mut a, mut b) = (0.0_f64, 1.0_f64);
        let (right, bottom) = (f64::from(self.width) + margin, f64::from(self.height) + margin);
        for (delta, room) in [(-dx, x0 + margin), (dx, right - x0), (-dy, y0 + margin), (dy, bottom - y0)] {
            if delta == 0.0 {
                if room < 0.0 {
                    return None;
                }
            } else if delta < 0.0 {
                a = a.max(room / delta);
            } else {
                b = b.min(room / delta);
            }
        }
        (a <= b).then_some(((x0 + a * dx, y0 + a * dy), (x0 + b * dx, y0 + b * dy)))
    }

    /// Mixes a colour into a polygon; where its edges cross, inside is by the even-odd rule.
    pub(crate) fn fill_polygon(&mut self, corners: &[(f32, f32)], color: Rgb, alpha: u16) {
        if corners.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
            return;
        }
        let top = corners.iter().fold(f32::INFINITY, |top, corner| top.min(corner.1));
        let bottom = corners.iter().fold(f32::NEG_INFINITY, |bottom, corner| bottom.max(corner.1));
        let rows = top.floor().max(0.0) as i32..bottom.ceil().min(f32::from(self.height)) as i32;
        let mut crossings = Vec::with_capacity(corners.len());
        for y in rows {
            let center = y as f32 + 0.5;
            crossings.clear();
            let next = corners.iter().cycle().skip(1);
            for (&(x0, y0), &(x1, y1)) in corners.iter().zip(next) {
                if (y0 <= center) != (y1 <= center) {
                    crossings.push(x0 + (center - y0) / (y1 - y0) * (x1 - x0));
                }
            }
            crossings.sort_unstable_by(f32::total_cmp);
            for span in crossings.as_chunks::<2>().0 {
                self.blend_span(y, span[0].round() as i32, span[1].round() as i32, color, alpha);
            }
        }
    }

    /// Mixes a colour into one pixel by a coverage of 0 to 255.
    pub(crate) fn cover(&mut self, x: i32, y: i32, color: Rgb, coverage: u8) {
        let alpha = u16::from(coverage) + u16::from(coverage >> 7);
        if let Some(pixel) = self.span(y, x, x.saturating_add(1)).first_mut() {
            blend(pixel, color, alpha);
        }
    }
}

/// Mixes a colour into a pixel; 256 is the colour alone.
fn blend(pixel: &mut Rgb, color: Rgb, alpha: u16) {
    let alpha = alpha.min(256);
    for (channel, color) in pixel.iter_mut().zip(color) {
        *channel = ((u16::from(*channel) * (256 - alpha) + u16::from(color) * alpha) >> 8) as u8;
    }
}
