//! Camera motion by sparse optical flow.

use core::borrow::BorrowMut;
use core::fmt;

use eyespot_core::{Detection, Frame, ImageView};
use eyespot_track::{Affine, CameraMotion};

use crate::coarse::coarse_shift;
use crate::config::{Failure, FlowConfig, FlowStats};
use crate::corner::{Boxes, Corner, find_corners};
use crate::fit::{Match, Similarity, consensus, polish};
use crate::level::{Pyramid, build};
use crate::shrink::{Geometry, shrink, soften};
use crate::storage::{FlowStorage, Memory};
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

/// What is known of the previous frame.
#[derive(Debug, Clone, Copy)]
struct State {
    geometry: Geometry,
    /// Which image holds the previous frame: 0 or 1.
    previous: usize,
    corners: usize,
}

impl State {
    const START: Self = Self { geometry: Geometry::NONE, previous: 0, corners: 0 };
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
        let outcome =
            step(self.storage.borrow_mut().memory(), &mut self.state, &self.config, frame, detections);
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

/// Takes the next frame: its motion since the previous one, and its corners for the next.
fn step(
    memory: Memory<'_>,
    state: &mut State,
    config: &FlowConfig,
    frame: &Frame<'_>,
    detections: &[Detection],
) -> Result<Affine, Failure> {
    let Memory { images: [first, second], corners, matches } = memory;
    let (previous, current) = if state.previous == 0 { (first, second) } else { (second, first) };
    let image: &ImageView<'_> = &frame.image;
    let known = state.geometry.fits(image);
    if !known {
        state.geometry = Geometry::new(image, current.base.len());
    }
    let geometry = state.geometry;
    let (width, height) = (geometry.width, geometry.height);
    shrink(image, &geometry, current.base);
    soften(current.base.get_mut(..width * height).unwrap_or(&mut []), width);
    build(current.base, current.upper, width, height);
    let now = Pyramid::new(current.base, current.upper, width, height);
    let outcome = if known {
        let before = Pyramid::new(previous.base, previous.upper, width, height);
        let corners = corners.get_mut(..state.corners).unwrap_or(&mut []);
        motion(&before, &now, corners, matches, config)
    } else {
        Err(Failure::First)
    };
    let masks = if config.mask_detections { detections } else { &[] };
    let factor = geometry.factor as f32;
    let mut boxes = Boxes::new(masks, factor);
    state.corners = find_corners(now.level(0), &mut boxes, corners);
    state.previous ^= 1;
    outcome.map(|found| full_size(&found, factor))
}

/// From the softened working image, in which all is half a pixel too far left and up, to the frame.
fn full_size(found: &Similarity, factor: f32) -> Affine {
    let Similarity { a, b, tx, ty } = *found;
    let (tx, ty) = (tx + 0.5 - 0.5 * a + 0.5 * b, ty + 0.5 - 0.5 * b - 0.5 * a);
    Affine { linear: [a, -b, b, a], shift: [tx * factor, ty * factor] }
}

/// Corners that are followed through the pyramid for the first estimate.
const LEADERS: usize = 160;

/// Farthest that a leader may lie from the first estimate, in working pixels.
const AGREE: f32 = 1.5;

fn motion(
    before: &Pyramid<'_>,
    now: &Pyramid<'_>,
    corners: &mut [Corner],
    matches: &mut [Match],
    config: &FlowConfig,
) -> Result<Similarity, Failure> {
    if corners.len() < config.min_inliers.max(2) {
        return Err(Failure::Flat);
    }
    let leaders = corners.len().min(LEADERS);
    if leaders < corners.len() {
        corners.select_nth_unstable_by(leaders, |one, two| two.strength.total_cmp(&one.strength));
    }
    let top = before.top();
    let [dx, dy] = coarse_shift(before.level(top), now.level(top));
    let scale = (1usize << top) as f32;
    let shift = [dx * scale, dy * scale];
    let mut found = 0;
    for corner in &corners[..leaders] {
        if let Some(one) = follow(before, now, corner, shift) {
            matches[found] = one;
            found += 1;
        }
    }
    if found < config.min_inliers.max(2) || found * 10 < leaders {
        return Err(Failure::Cut);
    }
    let (start, inliers) = consensus(&matches[..found], AGREE).ok_or(Failure::FewInliers)?;
    check(&start, inliers, leaders, config)?;
    let mut found = 0;
    for corner in corners.iter() {
        if let Some(one) = refine(before, now, corner, &start) {
            matches[found] = one;
            found += 1;
        }
    }
    let (fit, inliers) = polish(&mut matches[..found], start, 2.0 * AGREE).ok_or(Failure::FewInliers)?;
    check(&fit, inliers, corners.len(), config)?;
    Ok(fit)
}

fn check(fit: &Similarity, inliers: usize, of: usize, config: &FlowConfig) -> Result<(), Failure> {
    if inliers < config.min_inliers || (inliers as f32) < config.min_inlier_ratio * of as f32 {
        return Err(Failure::FewInliers);
    }
    let zoom = libm::hypotf(fit.a, fit.b);
    let turn = libm::atan2f(fit.b, fit.a).abs();
    let plausible = zoom <= config.max_zoom && zoom * config.max_zoom >= 1.0 && turn <= config.max_turn;
    if plausible { Ok(()) } else { Err(Failure::Implausible) }
}

/// Follows a corner from the top of the pyramid down to the level above the working image.
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
        let start = [x as f32 + shift[0] / scale, y as f32 + shift[1] / scale];
        let found = template.find(now.level(index), start, 6, HALF);
        if let Some(found) = found {
            shift = [(found.x - x as f32) * scale, (found.y - y as f32) * scale];
        }
        if index == last {
            let found = found.filter(|found| found.step < 0.01 && found.mismatch < 0.6)?;
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

/// Finds a corner at working resolution, starting where the first estimate says.
fn refine(before: &Pyramid<'_>, now: &Pyramid<'_>, corner: &Corner, start: &Similarity) -> Option<Match> {
    let (x, y) = (usize::from(corner.x), usize::from(corner.y));
    let template = Template::new(before.level(0), x, y)?;
    let [cx, cy] = template.center;
    let from = [x as f32 + cx, y as f32 + cy];
    let [to_x, to_y] = start.apply(from);
    let found = template.find(now.level(0), [to_x - cx, to_y - cy], 4, 2.0 * AGREE)?;
    if found.mismatch > 0.5 {
        return None;
    }
    Some(Match {
        from,
        to: [found.x + cx, found.y + cy],
        information: template.information(found.mismatch),
        distance: 0.0,
    })
}
