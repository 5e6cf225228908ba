//! Boxes as states of the filter, and how uncertain they are.
//!
//! The first pair of the filter is the centre of the box. What the second pair is, and the noise of both, is what
//! tells the trackers' filters apart.

use eyespot_core::{Affine, BBox};

use crate::candidate::MIN_SIDE;
use crate::kalman::Pair;
use crate::track::Track;

/// What describes the size of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Width and height; both with noise in proportion to themselves (BoT-SORT).
    Sides,
    /// Width over height, and height; noise in proportion to the height (ByteTrack).
    Aspect,
    /// Area, and width over height, which does not change on its own; fixed noise (SORT, OC-SORT).
    Area,
}

/// Standard deviations as a part of the box's sides; [`Shape::Area`] has its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    pub(crate) position: f32,
    pub(crate) velocity: f32,
}

/// Variances of the four coordinates of centre and size.
type Variances = ([f32; 2], [f32; 2]);

impl Shape {
    /// Centre and size of a box.
    fn measure(self, bbox: &BBox) -> ([f32; 2], [f32; 2]) {
        let (cx, cy) = bbox.center();
        let (width, height) = (bbox.width(), bbox.height());
        let size = match self {
            Self::Sides => [width, height],
            Self::Aspect => [width / height.max(MIN_SIDE), height],
            Self::Area => [width * height, width / height.max(MIN_SIDE)],
        };
        ([cx, cy], size)
    }

    /// Width and height from a size.
    #[inline]
    fn sides(self, size: [f32; 2]) -> [f32; 2] {
        match self {
            Self::Sides => size,
            Self::Aspect => [size[0] * size[1], size[1]],
            Self::Area => {
                let width = libm::sqrtf((size[0] * size[1]).max(0.0));
                [width, size[0] / width.max(MIN_SIDE)]
            }
        }
    }

    /// Variances that are the square of `part` of the sides; `aspect` is the deviation of a width over height.
    #[inline]
    fn proportional(self, size: [f32; 2], part: f32, aspect: f32) -> Variances {
        let square = |side: f32| {
            let deviation = part * side.abs().max(MIN_SIDE);
            deviation * deviation
        };
        match self {
            Self::Sides => {
                let both = size.map(square);
                (both, both)
            }
            _ => ([square(size[1]); 2], [aspect * aspect, square(size[1])]),
        }
    }

    /// Initial variances of coordinates and velocities.
    fn initial(self, size: [f32; 2], noise: Noise) -> (Variances, Variances) {
        match self {
            // An area changes by an unknown amount, a width over height does not.
            Self::Area => (([10.0; 2], [10.0; 2]), ([1e4; 2], [1e4, 0.0])),
            _ => (
                self.proportional(size, 2.0 * noise.position, 1e-2),
                self.proportional(size, 10.0 * noise.velocity, 1e-5),
            ),
        }
    }

    /// Variances that a frame adds to coordinates and velocities.
    #[inline]
    fn process(self, size: [f32; 2], noise: Noise) -> (Variances, Variances) {
        match self {
            Self::Area => (([1.0; 2], [1.0; 2]), ([1e-2; 2], [1e-4, 0.0])),
            _ => {
                (self.proportional(size, noise.position, 1e-2), self.proportional(size, noise.velocity, 1e-5))
            }
        }
    }

    /// Moves centre and size with the picture. Sizes follow its scale, or, with `turn_sizes`, width and height turn
    /// like a vector.
    pub(crate) fn transform(
        self,
        center: &mut Pair,
        size: &mut Pair,
        motion: &Affine,
        scale: f32,
        turn_sizes: bool,
    ) {
        center.transform(motion.linear);
        center.at[0] += motion.shift[0];
        center.at[1] += motion.shift[1];
        match self {
            Self::Sides if turn_sizes => size.transform(motion.linear),
            Self::Sides => size.scale(scale),
            Self::Aspect => size.transform([1.0, 0.0, 0.0, scale]),
            Self::Area => size.transform([scale * scale, 0.0, 0.0, 1.0]),
        }
    }

    /// Variances of a measurement.
    #[inline]
    fn measurement(self, size: [f32; 2], noise: Noise) -> Variances {
        match self {
            Self::Area => ([1.0; 2], [10.0; 2]),
            _ => self.proportional(size, noise.position, 1e-1),
        }
    }
}

impl Track {
    /// The box of the mean of the filter.
    pub(crate) fn bbox(&self) -> BBox {
        let [width, height] = self.shape.sides(self.size.at);
        BBox::from_cxcywh(self.center.at[0], self.center.at[1], width, height)
    }

    /// Sets the filter to a first box.
    pub(crate) fn initiate(&mut self, bbox: &BBox, noise: Noise) {
        let (center, size) = self.shape.measure(bbox);
        let (position, velocity) = self.shape.initial(size, noise);
        self.center = Pair::at_rest(center, position.0, velocity.0);
        self.size = Pair::at_rest(size, position.1, velocity.1);
    }

    /// Predicts the box `dt` frames later.
    #[inline]
    pub(crate) fn predict(&mut self, dt: f32, noise: Noise) {
        let (position, velocity) = self.shape.process(self.size.at, noise);
        self.center.predict(dt, position.0, velocity.0);
        self.size.predict(dt, position.1, velocity.1);
    }

    /// Corrects the box by a measured one.
    #[inline]
    pub(crate) fn correct(&mut self, bbox: &BBox, noise: Noise) {
        let (center, size) = self.shape.measure(bbox);
        let variances = self.shape.measurement(self.size.at, noise);
        self.center.update(center, variances.0);
        self.size.update(size, variances.1);
    }

    /// Stops growing and shrinking.
    pub(crate) fn hold_size(&mut self) {
        match self.shape {
            Shape::Sides => self.size.velocity = [0.0; 2],
            Shape::Aspect => self.size.velocity[1] = 0.0,
            Shape::Area => self.size.velocity[0] = 0.0,
        }
    }
}
