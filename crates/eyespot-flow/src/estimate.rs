//! What the methods share: the frames, the corners and the final fit.

use eyespot_core::{Affine, Detection, Frame, ImageView, Wide, wide};

use crate::config::{Failure, FlowConfig};
use crate::corner::{Boxes, Corner, find_corners};
use crate::fit::{Match, Similarity, consensus, polish};
use crate::level::{Pyramid, build};
use crate::shrink::{Geometry, shrink, soften};
use crate::storage::Memory;
use crate::window::Template;

/// What is known of the previous frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    geometry: Geometry,
    /// Which image holds the previous frame: 0 or 1.
    previous: usize,
    corners: usize,
}

impl State {
    pub(crate) const START: Self = Self { geometry: Geometry::NONE, previous: 0, corners: 0 };
}

/// Farthest that a match may lie from the first estimate, in working pixels.
const AGREE: f32 = 1.5;

/// How a method makes its first matches: from the pyramids of the two frames and the corners of the first,
/// into the front of the matches. Returns how many it made and how many it tried.
pub(crate) trait Leaders {
    fn find(
        &mut self,
        before: &Pyramid<'_>,
        now: &Pyramid<'_>,
        corners: &mut [Corner],
        matches: &mut [Match],
    ) -> (usize, usize);
}

/// Corners that the first estimate is made from.
pub(crate) const LEADERS: usize = 160;

/// Brings the strongest corners to the front and returns how many of them lead.
pub(crate) fn sort_leaders(corners: &mut [Corner]) -> usize {
    if LEADERS < corners.len() {
        corners.select_nth_unstable_by(LEADERS, |one, two| two.strength.total_cmp(&one.strength));
    }
    corners.len().min(LEADERS)
}

/// Takes the next frame: its motion since the previous one, and its corners for the next.
pub(crate) fn step(
    memory: Memory<'_>,
    state: &mut State,
    config: &FlowConfig,
    leaders: &mut impl Leaders,
    frame: &Frame<'_>,
    detections: &[Detection],
) -> Result<Affine, Failure> {
    let Memory { images: [first, second], corners, matches } = memory;
    let (previous, current) = if state.previous == 0 { (first, second) } else { (second, first) };
    let image = &frame.image;
    let known = state.geometry.fits(image);
    if !known {
        state.geometry = Geometry::new(image, current.base.len());
    }
    let Geometry { factor, width, height, .. } = state.geometry;
    prepare(Work { image, geometry: &state.geometry, base: current.base, upper: current.upper });
    let now = Pyramid::new(current.base, current.upper, width, height);
    let outcome = if known {
        let before = Pyramid::new(previous.base, previous.upper, width, height);
        let corners = corners.get_mut(..state.corners).unwrap_or(&mut []);
        motion(&before, &now, corners, matches, config, leaders)
    } else {
        Err(Failure::First)
    };
    let masks = if config.mask_detections { detections } else { &[] };
    let mut boxes = Boxes::new(masks, factor as f32);
    state.corners = find_corners(now.level(0), &mut boxes, corners);
    state.previous ^= 1;
    outcome.map(|found| full_size(&found, factor as f32))
}

/// Makes the working image and the levels above it. Not generic, and so compiled as this crate is: what is generic is compiled
/// as the firmware around it is, for size.
#[inline(never)]
fn prepare(work: Work<'_>) {
    wide(work);
}

struct Work<'a> {
    image: &'a ImageView<'a>,
    geometry: &'a Geometry,
    base: &'a mut [u8],
    upper: &'a mut [u8],
}

impl Wide for Work<'_> {
    type Output = ();

    #[inline(always)]
    fn work(self) {
        let Self { image, geometry, base, upper } = self;
        let Geometry { width, height, .. } = *geometry;
        shrink(image, geometry, base);
        soften(base.get_mut(..width * height).unwrap_or(&mut []), width);
        build(base, upper, width, height);
    }
}

/// From the softened working image, in which all is half a pixel too far left and up, to the frame.
fn full_size(found: &Similarity, factor: f32) -> Affine {
    let Similarity { a, b, tx, ty } = *found;
    let (tx, ty) = (tx + 0.5 - 0.5 * a + 0.5 * b, ty + 0.5 - 0.5 * b - 0.5 * a);
    Affine { linear: [a, -b, b, a], shift: [tx * factor, ty * factor] }
}

fn motion(
    before: &Pyramid<'_>,
    now: &Pyramid<'_>,
    corners: &mut [Corner],
    matches: &mut [Match],
    config: &FlowConfig,
    leaders: &mut impl Leaders,
) -> Result<Similarity, Failure> {
    if corners.len() < config.min_inliers.max(2) {
        return Err(Failure::Flat);
    }
    let (found, tried) = leaders.find(before, now, corners, matches);
    if found < config.min_inliers.max(2) || found * 10 < tried {
        return Err(Failure::Cut);
    }
    let first = matches.get(..found).unwrap_or(&[]);
    let (start, inliers) = consensus(first, AGREE).ok_or(Failure::Cut)?;
    if inliers * 10 < tried {
        return Err(Failure::Cut);
    }
    check(&start, inliers, tried, config)?;
    let found = refine_all(Refine { before, now, corners, start: &start, matches });
    let matches = matches.get_mut(..found).unwrap_or(&mut []);
    let (fit, inliers) = polish(matches, start, 2.0 * AGREE).ok_or(Failure::FewInliers)?;
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

/// Finds corners at working resolution, starting where the first estimate says, and tells how many. Not generic, as [`prepare`].
#[inline(never)]
fn refine_all(work: Refine<'_>) -> usize {
    wide(work)
}

struct Refine<'a> {
    before: &'a Pyramid<'a>,
    now: &'a Pyramid<'a>,
    corners: &'a [Corner],
    start: &'a Similarity,
    matches: &'a mut [Match],
}

impl Wide for Refine<'_> {
    type Output = usize;

    #[inline(always)]
    fn work(self) -> usize {
        let Self { before, now, corners, start, matches } = self;
        // No chain of iterators: what they call is not inlined.
        let mut found = 0;
        for corner in corners {
            let Some(one) = refine(before, now, corner, start) else { continue };
            let Some(slot) = matches.get_mut(found) else { break };
            *slot = one;
            found += 1;
        }
        found
    }
}

#[cfg_attr(feature = "host", inline(always))]
#[cfg_attr(not(feature = "host"), inline(never))] // Microcontrollers have little stack.
fn refine(before: &Pyramid<'_>, now: &Pyramid<'_>, corner: &Corner, start: &Similarity) -> Option<Match> {
    let (x, y) = (usize::from(corner.x), usize::from(corner.y));
    let template = Template::new(before.level(0), x, y)?;
    let [cx, cy] = template.center;
    let from = [x as f32 + cx, y as f32 + cy];
    let [to_x, to_y] = start.apply(from);
    let found = template.find(now.level(0), [to_x - cx, to_y - cy], 4, 2.0 * AGREE, 0.01)?;
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
