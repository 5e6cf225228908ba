//! From the pixels of a view to the cells of a grid.

use eyespot_core::ImageView;

/// Pixels that are read at a time.
const CHUNK: usize = 512;

/// How a view is divided into square cells of a whole number of pixels. The last column and row may be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Grid {
    /// Size of the view in pixels.
    pub(crate) view: (u16, u16),
    /// Side of a cell in pixels, at least 1.
    pub(crate) side: u16,
    /// Number of columns.
    pub(crate) width: usize,
    /// Number of rows.
    pub(crate) height: usize,
}

impl Grid {
    /// The finest grid with at most that many columns and rows.
    pub(crate) fn fit(image: &ImageView<'_>, columns: usize, rows: usize) -> Self {
        let (width, height) = (usize::from(image.width()), usize::from(image.height()));
        let side = width.div_ceil(columns.max(1)).max(height.div_ceil(rows.max(1)));
        Self {
            view: (image.width(), image.height()),
            side: side as u16,
            width: width.div_ceil(side),
            height: height.div_ceil(side),
        }
    }

    /// Number of cells.
    pub(crate) const fn cells(&self) -> usize {
        self.width * self.height
    }

    /// Mean grey level of each cell of a grid row. Of large cells only two or three rows of pixels are read: enough
    /// to average the noise away.
    pub(crate) fn read_row(&self, image: &ImageView<'_>, row: usize, out: &mut [u8]) {
        let side = usize::from(self.side);
        let top = row * side;
        let bottom = (top + side).min(usize::from(self.view.1));
        let rows = (top..bottom).step_by((side / 2).max(1));
        let out = &mut out[..self.width];
        if side >= CHUNK {
            // A cell wider than the chunk: a view of a few columns of a huge image. One pixel stands for it.
            for (column, out) in out.iter_mut().enumerate() {
                let row = rows.clone().next().unwrap_or(0);
                *out = image.gray((column * side + side / 2) as u16, row as u16);
            }
            return;
        }
        let per_chunk = CHUNK / side;
        let mut pixels = [0; CHUNK];
        let mut sums = [0u32; CHUNK];
        for (chunk, out) in out.chunks_mut(per_chunk).enumerate() {
            let left = chunk * per_chunk * side;
            let width = (out.len() * side).min(usize::from(self.view.0) - left);
            let sums = &mut sums[..out.len()];
            sums.fill(0);
            for row in rows.clone() {
                let Ok(part) = image.crop(left as u16, row as u16, width as u16, 1) else { continue };
                let pixels = &mut pixels[..width];
                part.read_gray_row(0, pixels);
                add_cells(sums, pixels, side);
            }
            let count = rows.len().max(1);
            let whole = reciprocal(side * count);
            for (out, &sum) in out.iter_mut().zip(sums.iter()) {
                *out = scaled(sum, whole);
            }
            let rest = width % side;
            if let (true, Some(out), Some(&sum)) = (rest > 0, out.last_mut(), sums.last()) {
                *out = scaled(sum, reciprocal(rest * count));
            }
        }
    }
}

/// Adds `side` pixels to each sum.
fn add_cells(sums: &mut [u32], pixels: &[u8], side: usize) {
    fn fixed<const SIDE: usize>(sums: &mut [u32], pixels: &[u8]) {
        let (cells, rest) = pixels.as_chunks::<SIDE>();
        for (sum, cell) in sums.iter_mut().zip(cells) {
            *sum += cell.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
        }
        if let Some(sum) = sums.get_mut(cells.len()) {
            *sum += rest.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
        }
    }
    match side {
        1 => fixed::<1>(sums, pixels),
        2 => fixed::<2>(sums, pixels),
        3 => fixed::<3>(sums, pixels),
        4 => fixed::<4>(sums, pixels),
        5 => fixed::<5>(sums, pixels),
        6 => fixed::<6>(sums, pixels),
        8 => fixed::<8>(sums, pixels),
        12 => fixed::<12>(sums, pixels),
        _ => {
            for (sum, cell) in sums.iter_mut().zip(pixels.chunks(side)) {
                *sum += cell.iter().map(|&pixel| u32::from(pixel)).sum::<u32>();
            }
        }
    }
}

/// 1/count in 16.16 fixed point, rounded up so that a full cell of equal pixels keeps its level.
fn reciprocal(count: usize) -> u64 {
    (1u64 << 32).div_ceil(count as u64)
}

fn scaled(sum: u32, reciprocal: u64) -> u8 {
    ((u64::from(sum) * reciprocal + (1 << 31)) >> 32).min(255) as u8
}
