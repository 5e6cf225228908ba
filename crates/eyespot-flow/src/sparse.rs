//! Camera motion by sparse optical flow.

use core::borrow::BorrowMut;
use core::fmt;

use eyespot_core::{Affine, CameraMotion, Detection, Frame, Wide, wide};

use crate::coarse::coarse_shift;
use crate::config::{FlowConfig, FlowStats};
use crate::corner::Corner;
use crate::estimate::{Leaders, State, sort_leaders, step};
use crate::fit::Match;
use crate::level::Pyramid;
use crate::storage::FlowStorage;
use crate::window::{HALF, Template, WINDOW};

/// Camera motion from corners that are followed from frame to frame (`sparseOptFlow`).
///
/// Corners of the previous frame, spread over a grid and not under its detections, are followed by pyramidal
/// Lucas-Kanade; the similarity that most of them agree on is the camera's motion. The strongest corners give a first
/// estimate; all of them then improve it at full working resolution, each with the weight that its texture and its
/// error deserve.
///
/// Where the motion can't be told it is the identity, and [`stats`](Self::stats) counts why.
#[derive(Clone)]
pub struct SparseFlow<S, const PIXELS: usize, const POINTS: usize> {
    storage: S,
    config: FlowConfig,
    stats: FlowStats,
    state: State,
}

impl<S, const PIXELS: usize, const POINTS: usize> SparseFlow<S, PIXELS, POINTS>
where
    S: BorrowMut<FlowStorage<PIXELS, POINTS>>,
{
    /// An estimator on the given memory: a [`FlowStorage`], `&mut` one or a `Box` with one.
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

impl<S, const PIXELS: usize, const POINTS: usize> CameraMotion for SparseFlow<S, PIXELS, POINTS>
where
    S: BorrowMut<FlowStorage<PIXELS, POINTS>>,
{
    fn estimate(&mut self, frame: &Frame<'_>, detections: &[Detection]) -> Affine {
        let outcome = step(
            self.storage.borrow_mut().memory(),
            &mut self.state,
            &self.config,
            &mut LucasKanade,
            frame,
            detections,
        );
        self.stats.count(&outcome);
        outcome.unwrap_or(Affine::IDENTITY)
    }

    fn reset(&mut self) {
        self.state = State::START;
        self.stats = FlowStats::ZERO;
    }
}

impl<S, const PIXELS: usize, const POINTS: usize> fmt::Debug for SparseFlow<S, PIXELS, POINTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SparseFlow")
            .field("config", &self.config)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

struct LucasKanade;

impl Leaders for LucasKanade {
    fn find(
        &mut self,
        before: &Pyramid<'_>,
        now: &Pyramid<'_>,
        corners: &mut [Corner],
        matches: &mut [Match],
    ) -> (usize, usize) {
        let tried = sort_leaders(corners);
        (wide(Follow { before, now, corners: &corners[..tried], matches }), tried)
    }
}

struct Follow<'a> {
    before: &'a Pyramid<'a>,
    now: &'a Pyramid<'a>,
    corners: &'a [Corner],
    matches: &'a mut [Match],
}

impl Wide for Follow<'_> {
    type Output = usize;

    #[inline(always)]
    fn work(self) -> usize {
        let Self { before, now, corners, matches } = self;
        let top = before.top();
        let scale = (1usize << top) as f32;
        let shift = coarse_shift(before.level(top), now.level(top)).map(|pixels| pixels * scale);
        let mut found = 0;
        for corner in corners {
            let Some(one) = follow(before, now, corner, shift) else { continue };
            let Some(slot) = matches.get_mut(found) else { break };
            *slot = one;
            found += 1;
        }
        found
    }
}

/// Follows a corner from the top of the pyramid down to the level above the working image.
#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline(never))] // Microcontrollers have little stack.
fn follow(before: &Pyramid<'_>, now: &Pyramid<'_>, corner: &Corner, shift: [f32; 2]) -> Option<Match> {
    let last = 1.min(before.top());
    let mut shift = shift;
    let mut index = before.top().min(3);
    loop {
        let scale = (1usize << index) as f32;
        let level = before.level(index);
        let place = |start: u16, side: usize| {
            let middle = (f32::from(start) + HALF) / scale - HALF + 0.5;
            (middle.max(1.0) as usize).min(side.saturating_sub(WINDOW + 1))
        };
        let (x, y) = (place(corner.x, level.width), place(corner.y, level.height));
        let template = Template::new(level, x, y)?;
        let enough = if index == last { 0.03 } else { 0.1 };
        let start = [x as f32 + shift[0] / scale, y as f32 + shift[1] / scale];
        let found = template.find(now.level(index), start, 6, HALF, enough);
        if let Some(found) = found {
            shift = [(found.x - x as f32) * scale, (found.y - y as f32) * scale];
        }
        if index == last {
            let found = found.filter(|found| found.settled && found.mismatch < 0.6)?;
            let [cx, cy] = template.center;
            return Some(Match {
                from: [(x as f32 + cx) * scale, (y as f32 + cy) * scale],
                to: [(found.x + cx) * scale, (found.y + cy) * scale],
                ..Match::ZERO
            });
        }
        index -= 1;
    }
}
