//! Camera motion by recognised keypoints.

use core::borrow::BorrowMut;
use core::fmt;

use eyespot_core::{Affine, CameraMotion, Detection, Frame};

use crate::config::{FlowConfig, FlowStats};
use crate::corner::Corner;
use crate::estimate::{LEADERS, Leaders, State, sort_leaders, step};
use crate::fit::Match;
use crate::keypoint::{Keypoint, find_keypoints};
use crate::level::Pyramid;
use crate::storage::{FlowStorage, OrbStorage};
use crate::window::WINDOW;

/// Camera motion from keypoints that are recognised in the next frame (`orb`).
///
/// Slower than [`SparseFlow`](crate::SparseFlow), but does not mind shifts of up to a quarter of the frame nor large
/// turns: FAST corners with rotated BRIEF descriptors give the first estimate. All corners then improve it in the
/// same way, so that both are equally accurate.
#[derive(Clone)]
pub struct OrbFlow<S, const PIXELS: usize, const POINTS: usize> {
    storage: S,
    config: FlowConfig,
    stats: FlowStats,
    state: State,
}

impl<S, const PIXELS: usize, const POINTS: usize> OrbFlow<S, PIXELS, POINTS>
where
    S: BorrowMut<OrbStorage<PIXELS, POINTS>>,
{
    /// An estimator on the given memory: an [`OrbStorage`], `&mut` one or a `Box` with one.
    #[must_use]
    pub const fn new(storage: S) -> Self {
        Self::with_config(storage, FlowConfig::DEFAULT)
    }

    /// An estimator with other settings.
    #[must_use]
    pub const fn with_config(storage: S, config: FlowConfig) -> Self {
        Self { storage, config, stats: FlowStats::ZERO, state: State::START }
    }

    /// How the frames went.
    #[must_use]
    pub const fn stats(&self) -> FlowStats {
        self.stats
    }
}

impl<S, const PIXELS: usize, const POINTS: usize> CameraMotion for OrbFlow<S, PIXELS, POINTS>
where
    S: BorrowMut<OrbStorage<PIXELS, POINTS>>,
{
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine {
        let OrbStorage { flow, keypoints } = self.storage.borrow_mut();
        let flow: &mut FlowStorage<PIXELS, POINTS> = flow;
        let mut leaders = Recognition { keypoints };
        let outcome = step(flow.memory(), &mut self.state, &self.config, &mut leaders, frame, detections);
        self.stats.count(&outcome);
        outcome.unwrap_or(Affine::IDENTITY)
    }

    fn reset(&mut self) {
        self.state = State::START;
        self.stats = FlowStats::ZERO;
    }
}

impl<S, const PIXELS: usize, const POINTS: usize> fmt::Debug for OrbFlow<S, PIXELS, POINTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrbFlow")
            .field("config", &self.config)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

struct Recognition<'a> {
    keypoints: &'a mut [Keypoint],
}

impl Leaders for Recognition<'_> {
    fn find(
        &mut self,
        before: &Pyramid<'_>,
        now: &Pyramid<'_>,
        corners: &mut [Corner],
        matches: &mut [Match],
    ) -> (usize, usize) {
        sort_leaders(corners);
        let count = find_keypoints(now.level(0), self.keypoints);
        let candidates = self.keypoints.get(..count).unwrap_or(&[]);
        let (mut tried, mut found) = (0, 0);
        for corner in corners.iter().take(LEADERS) {
            let (x, y) = (usize::from(corner.x), usize::from(corner.y));
            let area = [x, y, x + WINDOW, y + WINDOW];
            let Some(keypoint) = Keypoint::strongest(before.level(0), area) else { continue };
            tried += 1;
            let level = now.level(0);
            let reach = (level.width as u16 / 4, level.height as u16 / 4);
            if let (Some(slot), Some(to)) = (matches.get_mut(found), recognise(&keypoint, candidates, reach))
            {
                *slot = Match { from: middle(&keypoint), to: middle(to), ..Match::ZERO };
                found += 1;
            }
        }
        (found, tried)
    }
}

fn middle(keypoint: &Keypoint) -> [f32; 2] {
    [f32::from(keypoint.x) + 0.5, f32::from(keypoint.y) + 0.5]
}

/// The candidate that differs least, if the second best differs clearly more.
fn recognise<'a>(
    keypoint: &Keypoint,
    candidates: &'a [Keypoint],
    (reach_x, reach_y): (u16, u16),
) -> Option<&'a Keypoint> {
    let (mut best, mut least, mut second) = (None, u32::MAX, u32::MAX);
    for candidate in candidates {
        if candidate.x.abs_diff(keypoint.x) > reach_x || candidate.y.abs_diff(keypoint.y) > reach_y {
            continue;
        }
        let difference = candidate.difference(keypoint);
        if difference < least {
            (best, least, second) = (Some(candidate), difference, least);
        } else if difference < second {
            second = difference;
        }
    }
    // D. Lowe, Distinctive image features, 2004; 256 tests agree in 128 by chance.
    best.filter(|_| least <= 80 && u64::from(least) * 10 < u64::from(second) * 8)
}
