//! How uncertain boxes are: the noise model of BoT-SORT's filter over centre, width and height.

use eyespot_core::BBox;

use crate::candidate::MIN_SIDE;
use crate::kalman::Pair;
use crate::track::Track;

/// Standard deviations as a part of the box's width and height.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    pub(crate) position: f32,
    pub(crate) velocity: f32,
}

/// Variances from standard deviations that are a part of the sides.
fn variances(sides: [f32; 2], part: f32) -> [f32; 2] {
    sides.map(|side| {
        let deviation = part * side.abs().max(MIN_SIDE);
        deviation * deviation
    })
}

/// Centre and size of a box.
fn measure(bbox: &BBox) -> ([f32; 2], [f32; 2]) {
    let (cx, cy) = bbox.center();
    ([cx, cy], [bbox.width(), bbox.height()])
}

impl Track {
    /// Sets the filter to a first box.
    pub(crate) fn initiate(&mut self, bbox: &BBox, noise: Noise) {
        let (center, sides) = measure(bbox);
        let (position, velocity) =
            (variances(sides, 2.0 * noise.position), variances(sides, 10.0 * noise.velocity));
        self.center = Pair::at_rest(center, position, velocity);
        self.size = Pair::at_rest(sides, position, velocity);
    }

    /// Predicts the box `dt` frames later.
    #[inline]
    pub(crate) fn predict(&mut self, dt: f32, noise: Noise) {
        let (position, velocity) =
            (variances(self.size.at, noise.position), variances(self.size.at, noise.velocity));
        self.center.predict(dt, position, velocity);
        self.size.predict(dt, position, velocity);
    }

    /// Corrects the box by a measured one.
    #[inline]
    pub(crate) fn correct(&mut self, bbox: &BBox, noise: Noise) {
        let (center, sides) = measure(bbox);
        let noise = variances(self.size.at, noise.position);
        self.center.update(center, noise);
        self.size.update(sides, noise);
    }
}
