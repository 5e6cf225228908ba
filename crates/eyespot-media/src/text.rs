//! Labels: Noto Sans Mono, rasterised beforehand.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, RasterizedChar, get_raster};

use crate::canvas::{Canvas, Rgb};

/// A size of letters: one of the font's, times a whole number for very large images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Letters {
    raster: RasterHeight,
    scale: i32,
}

impl Letters {
    /// Letters of about a fortieth of the image's shorter side, at least 16 pixels high.
    pub(crate) fn for_image(width: u16, height: u16) -> Self {
        let wanted = i32::from(width.min(height)) / 40;
        let raster = match wanted {
            ..18 => RasterHeight::Size16,
            18..22 => RasterHeight::Size20,
            22..28 => RasterHeight::Size24,
            _ => RasterHeight::Size32,
        };
        Self { raster, scale: (wanted / 32).max(1) }
    }

    /// Height of a line in pixels.
    pub(crate) const fn height(self) -> i32 {
        self.raster.val() as i32 * self.scale
    }

    /// Width of a text in pixels.
    pub(crate) fn width(self, text: &str) -> i32 {
        let letter = self.glyph(' ').map_or(0, |glyph| glyph.width() as i32);
        i32::try_from(text.chars().count()).unwrap_or(i32::MAX).saturating_mul(letter * self.scale)
    }

    fn glyph(self, letter: char) -> Option<RasterizedChar> {
        get_raster(letter, FontWeight::Bold, self.raster)
            .or_else(|| get_raster('?', FontWeight::Bold, self.raster))
    }

    /// Draws a text with its top-left corner at `(x, y)`. Letters that the font lacks become question marks.
    pub(crate) fn draw(self, canvas: &mut Canvas, text: &str, x: i32, y: i32, color: Rgb) {
        let mut left = x;
        for letter in text.chars() {
            let Some(glyph) = self.glyph(letter) else { continue };
            if left > i32::from(canvas.width()) {
                return;
            }
            for (row, line) in (0..self.height()).zip(glyph.rows().flat_map(|line| self.repeat(line))) {
                let covers = line.iter().flat_map(|cover| self.repeat(cover));
                for (column, &cover) in (left..).zip(covers) {
                    if cover > 0 {
                        canvas.cover(column, y.saturating_add(row), color, cover);
                    }
                }
            }
            left = left.saturating_add(glyph.width() as i32 * self.scale);
        }
    }

    fn repeat<T: Copy>(self, item: T) -> impl Iterator<Item = T> {
        std::iter::repeat_n(item, self.scale as usize)
    }
}
