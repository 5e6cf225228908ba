//! Grey images in a pyramid.

use crate::shrink::halve;

/// Levels of a pyramid at most, the working image included.
pub(crate) const LEVELS: usize = 5;

/// A level is only made while both sides have at least this many pixels.
const LEAST_SIDE: usize = 16;

/// One grey image without padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Level<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl<'a> Level<'a> {
    const EMPTY: Self = Self { data: &[], width: 0, height: 0 };

    /// `N` pixels of row `y` from column `x`; `None` where they are not all inside.
    #[inline]
    pub(crate) fn span<const N: usize>(&self, x: usize, y: usize) -> Option<&'a [u8; N]> {
        if x + N > self.width {
            return None;
        }
        self.data.get(y * self.width + x..)?.first_chunk()
    }
}

/// An image and its halves, quarters and so on, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pyramid<'a> {
    levels: [Level<'a>; LEVELS],
    /// Levels in use, at least 1.
    pub(crate) count: usize,
}

impl<'a> Pyramid<'a> {
    /// The pyramid that [`build`] made.
    pub(crate) fn new(base: &'a [u8], upper: &'a [u8], width: usize, height: usize) -> Self {
        let mut levels = [Level::EMPTY; LEVELS];
        let data = base.get(..width * height).unwrap_or(&[]);
        let (mut level, mut rest, mut count) = (Level { data, width, height }, upper, 0);
        for slot in &mut levels {
            *slot = level;
            count += 1;
            let (width, height) = (level.width / 2, level.height / 2);
            if width.min(height) < LEAST_SIDE {
                break;
            }
            let Some((data, after)) = rest.split_at_checked(width * height) else { break };
            (level, rest) = (Level { data, width, height }, after);
        }
        Self { levels, count }
    }

    /// Level 0 is the working image; above the top it is the top.
    #[inline]
    pub(crate) fn level(&self, index: usize) -> &Level<'a> {
        &self.levels[index.min(self.count - 1).min(LEVELS - 1)]
    }

    pub(crate) const fn top(&self) -> usize {
        self.count - 1
    }
}

/// Makes the upper levels of the working image `base`.
#[cfg_attr(feature = "host", inline(always))]
pub(crate) fn build(base: &[u8], upper: &mut [u8], width: usize, height: usize) {
    let Some(mut from) = base.get(..width * height) else { return };
    let (mut width, mut height, mut rest) = (width, height, upper);
    for _ in 1..LEVELS {
        let half = (width / 2, height / 2);
        if half.0.min(half.1) < LEAST_SIDE {
            return;
        }
        let Some((data, after)) = rest.split_at_mut_checked(half.0 * half.1) else { return };
        halve(&Level { data: from, width, height }, data);
        (width, height, rest, from) = (half.0, half.1, after, data);
    }
}
