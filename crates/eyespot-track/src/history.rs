//! What OC-SORT remembers of an object beside the filter: where it was last seen.

use eyespot_core::{Affine, BBox};

use crate::kalman::Pair;
use crate::shape::Shape;

/// Observations looked back on for the direction of motion.
pub(crate) const MAX_DELTA_T: u8 = 3;
/// Room for those and the present one.
const SLOTS: usize = MAX_DELTA_T as usize + 1;

/// The latest observations of a track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct History {
    /// The frame of the track's life that it is in now.
    now: u32,
    /// The frame of the latest observation.
    seen: u32,
    /// The observation of frame `n` lies in slot `n % 4`, with `n`.
    recent: [(u32, BBox); SLOTS],
    latest: BBox,
    /// Unit vector of the motion between two observations, zero before there are two.
    direction: [f32; 2],
    /// The filter's state in the first frame without a detection.
    frozen: (Pair, Pair),
}

impl History {
    pub(crate) const ZERO: Self = {
        let empty = BBox::new(0.0, 0.0, 0.0, 0.0);
        Self {
            now: 0,
            seen: 0,
            recent: [(0, empty); SLOTS],
            latest: empty,
            direction: [0.0; 2],
            frozen: (Pair::ZERO, Pair::ZERO),
        }
    };

    /// A history without observations: a new track's first box counts for the filter only, as in the original.
    pub(crate) const fn new() -> Self {
        Self::ZERO
    }

    /// Was the object ever seen again after its first detection?
    pub(crate) const fn is_known(&self) -> bool {
        self.seen > 0
    }

    /// The box of the latest observation.
    pub(crate) const fn latest(&self) -> BBox {
        self.latest
    }

    /// Moves on by a number of frames.
    pub(crate) fn advance(&mut self, frames: u32) {
        self.now = self.now.saturating_add(frames);
    }

    /// Frames since the latest observation.
    pub(crate) const fn gap(&self) -> u32 {
        self.now - self.seen
    }

    /// The observation of `delta_t` frames ago, or the next later one, or the latest of all.
    fn before(&self, delta_t: u8) -> BBox {
        for back in (1..=u32::from(delta_t)).rev() {
            if let Some(frame) = self.now.checked_sub(back).filter(|&frame| frame > 0)
                && let (number, bbox) = self.recent[frame as usize % SLOTS]
                && number == frame
            {
                return bbox;
            }
        }
        self.latest
    }

    /// Notes an observation in the present frame.
    pub(crate) fn observe(&mut self, bbox: &BBox, delta_t: u8) {
        if self.is_known() {
            self.direction = direction(self.before(delta_t).center(), bbox.center());
        }
        self.recent[self.now as usize % SLOTS] = (self.now, *bbox);
        self.latest = *bbox;
        self.seen = self.now;
    }

    /// Moves with the picture.
    pub(crate) fn transform(&mut self, motion: &Affine, scale: f32) {
        let carry = |bbox: &BBox| {
            let (x, y) = bbox.center();
            let (x, y) = motion.apply(x, y);
            BBox::from_cxcywh(x, y, scale * bbox.width(), scale * bbox.height())
        };
        for (_, bbox) in &mut self.recent {
            *bbox = carry(bbox);
        }
        self.latest = carry(&self.latest);
        let [x, y] = self.direction;
        let [a, b, c, d] = motion.linear;
        self.direction = direction((0.0, 0.0), (a * x + b * y, c * x + d * y));
        let (center, size) = &mut self.frozen;
        Shape::Area.transform(center, size, motion, scale, false);
    }

    /// Keeps the filter's state for a new start.
    pub(crate) fn freeze(&mut self, center: Pair, size: Pair) {
        self.frozen = (center, size);
    }

    /// The state that was kept.
    pub(crate) const fn frozen(&self) -> (Pair, Pair) {
        self.frozen
    }

    /// How well a candidate lies in the direction of motion, times its score: from -0.5 for a turn back to 0.5 for
    /// straight on.
    pub(crate) fn consistency(&self, bbox: &BBox, score: f32, delta_t: u8) -> f32 {
        if !self.is_known() {
            return 0.0;
        }
        let to = direction(self.before(delta_t).center(), bbox.center());
        let cosine = (to[0] * self.direction[0] + to[1] * self.direction[1]).clamp(-1.0, 1.0);
        score * (0.5 - libm::acosf(cosine) / core::f32::consts::PI)
    }
}

/// The unit vector from one point to another; zero for equal points.
fn direction(from: (f32, f32), to: (f32, f32)) -> [f32; 2] {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let length = libm::sqrtf(x * x + y * y) + 1e-6;
    [x / length, y / length]
}
