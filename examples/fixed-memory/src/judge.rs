//! What was seen beside what was there.

use eyespot_core::PredictionsRef;
use eyespot_scene::{MAX_OBJECTS, Scene, Truth};

/// Smallest object that is to be found, in pixels of its box.
const LEAST_AREA: f32 = 96.0;

/// Smallest overlap (IoU) of a box with an object that it is said to be.
const OVERLAP: f32 = 0.5;

/// Compares results with the truth of the scene. Objects of which less than half can be seen may be missed.
#[derive(Debug, Default)]
pub struct Judge {
    /// Objects that were there, summed over the frames.
    pub there: u32,
    /// Those of them that a box fits.
    pub found: u32,
    /// Boxes, summed over the frames.
    pub boxes: u32,
    /// Those of them that fit an object.
    pub right: u32,
    /// How often an object went on under another identity.
    pub switches: u32,
    /// Objects and the identities that they were last seen with.
    identities: [(u32, u32); MAX_OBJECTS],
    next: usize,
    warm_up: u64,
}

impl Judge {
    /// Does not judge so many frames at the start.
    #[must_use]
    pub fn after(warm_up: u64) -> Self {
        Self { warm_up, ..Self::default() }
    }

    /// Takes the results of a frame. Not inlined, so that its stack is not part of the caller's.
    #[inline(never)]
    pub fn judge(&mut self, scene: &Scene, frame: u64, results: &PredictionsRef<'_>) {
        if frame < self.warm_up {
            return;
        }
        let wanted = |truth: &Truth| truth.visibility >= 0.5 && truth.bbox.area() >= LEAST_AREA;
        for truth in scene.truth(frame).filter(wanted) {
            self.there += 1;
            let overlaps =
                results.detections().iter().map(|found| (found.bbox.iou(&truth.bbox), found.track));
            let best = overlaps.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|best| best.0 >= OVERLAP);
            let Some((_, track)) = best else { continue };
            self.found += 1;
            if let Some(track) = track {
                self.meet(truth.id, track.get());
            }
        }
        for found in results.detections() {
            self.boxes += 1;
            self.right += u32::from(scene.truth(frame).any(|truth| truth.bbox.iou(&found.bbox) >= OVERLAP));
        }
    }

    /// An object was seen under an identity.
    fn meet(&mut self, object: u32, track: u32) {
        if let Some(known) = self.identities.iter_mut().find(|known| known.0 == object) {
            self.switches += u32::from(known.1 != track);
            known.1 = track;
        } else if let Some(slot) = self.identities.get_mut(self.next) {
            *slot = (object, track);
            self.next = (self.next + 1) % MAX_OBJECTS;
        }
    }
}
