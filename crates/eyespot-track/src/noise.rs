//! How uncertain boxes are: the noise model of BoT-SORT's filter over centre, width and height.

use eyespot_core::BBox;

use crate::candidate::MIN_SIDE;
use crate::kalman::Pair;
use crate::track::Track;

/// Standard deviation of a coordinate, as a part of the box's side.
const POSITION: f32 = 1.0 / 20.0;
/// Standard deviation of a velocity, as a part of the box's side per frame.
const VELOCITY: f32 = 1.0 / 160.0;

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
    pub(crate) fn initiate(&mut self, bbox: &BBox) {
        let (center, sides) = measure(bbox);
        let (position, velocity) = (variances(sides, 2.0 * POSITION), variances(sides, 10.0 * VELOCITY));
        self.center = Pair::at_rest(center, position, velocity);
        self.size = Pair::at_rest(sides, position, velocity);
    }

    /// Predicts the box `dt` frames later.
    #[inline]
    pub(crate) fn predict(&mut self, dt: f32) {
        let (position, velocity) = (variances(self.size.at, POSITION), variances(self.size.at, VELOCITY));
        self.center.predict(dt, position, velocity);
        self.size.predict(dt, position, velocity);
    }

    /// Corrects the box by a measured one.
    #[inline]
    pub(crate) fn correct(&mut self, bbox: &BBox) {
        let (center, sides) = measure(bbox);
        let noise = variances(self.size.at, POSITION);
        self.center.update(center, noise);
        self.size.update(sides, noise);
    }
}
