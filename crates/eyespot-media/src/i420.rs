//! RGB to the planar YUV that the encoder takes.

use openh264::formats::YUVSource;

use crate::Canvas;

/// A planar 4:2:0 image, BT.709, limited range, of even size.
#[derive(Debug, Default)]
pub(crate) struct I420 {
    bytes: Vec<u8>,
    width: usize,
    height: usize,
}

/// The encoder takes nothing smaller than a macroblock.
const MIN_SIDE: u16 = 16;

/// The size in which a frame is encoded: even, at least 16 pixels a side.
pub(crate) fn coded_size(width: u16, height: u16) -> (u16, u16) {
    let side = |side: u16| side.max(MIN_SIDE).div_ceil(2).saturating_mul(2);
    (side(width), side(height))
}

impl I420 {
    /// Converts a canvas; where the coded size is larger, the last column and row are repeated.
    ///
    /// Coefficients of ITU-R BT.709 (Kr 0.2126, Kb 0.0722), scaled to 219 levels of luma and 224 of chroma, in 16.16
    /// fixed point.
    pub(crate) fn convert(&mut self, canvas: &Canvas) {
        let (width, height) = coded_size(canvas.width(), canvas.height());
        (self.width, self.height) = (usize::from(width), usize::from(height));
        self.bytes.resize(self.width * self.height * 3 / 2, 0);
        let (luma, chroma) = self.bytes.split_at_mut(self.width * self.height);
        let (u_plane, v_plane) = chroma.split_at_mut(self.width * self.height / 4);
        let source_width = usize::from(canvas.width());
        let rows: Vec<_> = canvas.pixels().chunks_exact(source_width.max(1)).collect();
        let Some(last) = rows.last() else { return };
        let pairs = luma.chunks_exact_mut(2 * self.width);
        let chroma = u_plane.chunks_exact_mut(self.width / 2).zip(v_plane.chunks_exact_mut(self.width / 2));
        for (pair, (luma, (u_row, v_row))) in pairs.zip(chroma).enumerate() {
            let upper = rows.get(2 * pair).unwrap_or(last);
            let lower = rows.get(2 * pair + 1).unwrap_or(last);
            let (upper_luma, lower_luma) = luma.split_at_mut(self.width);
            for ((column, u), v) in (0..).step_by(2).zip(u_row).zip(v_row) {
                let (left, right) = (column.min(source_width - 1), (column + 1).min(source_width - 1));
                let block = [upper[left], upper[right], lower[left], lower[right]].map(|p| p.map(i32::from));
                upper_luma[column] = luma_of(block[0]);
                upper_luma[column + 1] = luma_of(block[1]);
                lower_luma[column] = luma_of(block[2]);
                lower_luma[column + 1] = luma_of(block[3]);
                let sum = |channel: usize| block.iter().map(|pixel| pixel[channel]).sum::<i32>();
                let (r, g, b) = (sum(0), sum(1), sum(2));
                // Sums of four: two more bits to shift away.
                *u = ((-6596 * r - 22_189 * g + 28_785 * b + (1 << 17)) >> 18)
                    .saturating_add(128)
                    .clamp(0, 255) as u8;
                *v = ((28_785 * r - 26_145 * g - 2640 * b + (1 << 17)) >> 18)
                    .saturating_add(128)
                    .clamp(0, 255) as u8;
            }
        }
    }
}

fn luma_of([r, g, b]: [i32; 3]) -> u8 {
    (((11_966 * r + 40_254 * g + 4064 * b + (1 << 15)) >> 16) + 16) as u8
}

impl YUVSource for I420 {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }
    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }
    fn y(&self) -> &[u8] {
        &self.bytes[..self.width * self.height]
    }
    fn u(&self) -> &[u8] {
        let luma = self.width * self.height;
        &self.bytes[luma..luma + luma / 4]
    }
    fn v(&self) -> &[u8] {
        let luma = self.width * self.height;
        &self.bytes[luma + luma / 4..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyespot_core::{ImageView, PixelFormat, YuvEncoding};
    use proptest::prelude::*;

    proptest! {
        /// Converted there and back, a flat colour is the same within the rounding of limited range.
        #[test]
        fn colours_survive(r: u8, g: u8, b: u8, width in 1u16..40, height in 1u16..40) {
            let row = [r, g, b].repeat(usize::from(width) * usize::from(height));
            let view = ImageView::packed(&row, width, height, PixelFormat::Rgb8).unwrap();
            let mut yuv = I420::default();
            yuv.convert(&Canvas::from_view(&view));
            let (w, h) = yuv.dimensions();
            prop_assert!(w % 2 == 0 && h % 2 == 0 && w >= 16 && h >= 16);
            for index in [0, w * h - 1] {
                let chroma = if index == 0 { 0 } else { w * h / 4 - 1 };
                let back = YuvEncoding::Bt709.to_rgb(yuv.y()[index], yuv.u()[chroma], yuv.v()[chroma]);
                prop_assert!(back.iter().zip([r, g, b]).all(|(&a, b)| a.abs_diff(b) <= 3), "{back:?}");
            }
        }
    }
}
