//! The memory of an estimator.

use core::fmt;

use crate::corner::Corner;
use crate::fit::Match;
use crate::keypoint::Keypoint;

/// Memory for frames of at most `PIXELS` working pixels and `POINTS` corners.
///
/// A frame is reduced by the smallest whole factor with which it fits: 1920x1080 into `{ 640 * 360 }` by 3. More
/// pixels are more accurate and take more time. Corners are spread over a grid of at most `POINTS` tiles, one each.
///
/// A new storage is all zeros, so a static one lies in `.bss`. Lend it as `&'static mut`, in a `Box` or as it is.
#[derive(Clone)]
pub struct FlowStorage<const PIXELS: usize, const POINTS: usize> {
    /// Two working images, and the upper levels of both pyramids, which take a third of an image each.
    planes: [[u8; PIXELS]; 3],
    corners: [Corner; POINTS],
    matches: [Match; POINTS],
}

impl<const PIXELS: usize, const POINTS: usize> FlowStorage<PIXELS, POINTS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        Self { planes: [[0; PIXELS]; 3], corners: [Corner::ZERO; POINTS], matches: [Match::ZERO; POINTS] }
    }

    /// The same memory without its capacities in the type, so that the code is there once for all of them.
    pub(crate) fn memory(&mut self) -> Memory<'_> {
        let [first, second, upper] = &mut self.planes;
        let (first_upper, second_upper) = upper.split_at_mut(PIXELS / 2);
        Memory {
            images: [Image { base: first, upper: first_upper }, Image { base: second, upper: second_upper }],
            corners: &mut self.corners,
            matches: &mut self.matches,
        }
    }
}

impl<const PIXELS: usize, const POINTS: usize> Default for FlowStorage<PIXELS, POINTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PIXELS: usize, const POINTS: usize> fmt::Debug for FlowStorage<PIXELS, POINTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlowStorage")
            .field("pixels", &PIXELS)
            .field("points", &POINTS)
            .finish_non_exhaustive()
    }
}

/// Memory for [`OrbFlow`](crate::OrbFlow): that of a [`FlowStorage`] and a descriptor per point.
#[derive(Clone)]
pub struct OrbStorage<const PIXELS: usize, const POINTS: usize> {
    pub(crate) flow: FlowStorage<PIXELS, POINTS>,
    pub(crate) keypoints: [Keypoint; POINTS],
}

impl<const PIXELS: usize, const POINTS: usize> OrbStorage<PIXELS, POINTS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// Empty storage.
    #[must_use]
    pub const fn new() -> Self {
        Self { flow: FlowStorage::new(), keypoints: [Keypoint::ZERO; POINTS] }
    }
}

impl<const PIXELS: usize, const POINTS: usize> Default for OrbStorage<PIXELS, POINTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const PIXELS: usize, const POINTS: usize> fmt::Debug for OrbStorage<PIXELS, POINTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrbStorage").field("pixels", &PIXELS).field("points", &POINTS).finish_non_exhaustive()
    }
}

/// Room for a working image and the upper levels of its pyramid.
pub(crate) struct Image<'a> {
    pub(crate) base: &'a mut [u8],
    pub(crate) upper: &'a mut [u8],
}

/// The storage, borrowed.
pub(crate) struct Memory<'a> {
    pub(crate) images: [Image<'a>; 2],
    pub(crate) corners: &'a mut [Corner],
    pub(crate) matches: &'a mut [Match],
}
