//! Zones of any shape.

use eyespot_core::{Error, ErrorKind};
use heapless::Vec;

use crate::anchor::Point;

/// Why a zone or a line can't be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ZoneError {
    /// Fewer than three corners.
    TooFewCorners {
        /// Corners that were given.
        corners: usize,
    },
    /// More corners than the type holds.
    TooManyCorners {
        /// Corners that were given.
        corners: usize,
        /// Corners that there is room for.
        capacity: usize,
    },
    /// A coordinate is infinite or no number, or beyond a million pixels.
    NotFinite,
    /// All corners lie on a line, or both ends of a line are the same.
    Flat,
}

impl core::fmt::Display for ZoneError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooFewCorners { corners } => {
                write!(f, "a zone needs at least 3 corners, but has {corners}")
            }
            Self::TooManyCorners { corners, capacity } => {
                write!(f, "{corners} corners do not fit a Polygon<{capacity}>: use a larger one")
            }
            Self::NotFinite => f.write_str("a coordinate is no number of pixels below a million"),
            Self::Flat => f.write_str("the corners enclose no area: give points that differ"),
        }
    }
}

impl core::error::Error for ZoneError {}

impl Error for ZoneError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooManyCorners { .. } => ErrorKind::Capacity,
            _ => ErrorKind::InvalidInput,
        }
    }
}

/// Beyond it, products of coordinates are too coarse for a decision.
const LARGEST: f32 = 1e6;

pub(crate) fn checked(point: Point) -> Result<Point, ZoneError> {
    let fits = point.x.abs() <= LARGEST && point.y.abs() <= LARGEST;
    if fits { Ok(point) } else { Err(ZoneError::NotFinite) }
}

/// A polygon of up to `N` corners, in pixels of the frame.
///
/// It may be concave. Where its edges cross, inside is by the even-odd rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon<const N: usize> {
    corners: Vec<Point, N>,
}

impl<const N: usize> Polygon<N> {
    /// A polygon from its corners in order; the last is joined to the first.
    ///
    /// # Errors
    /// [`ZoneError`] where there are too few or too many, or they enclose no area.
    pub fn new(corners: &[(f32, f32)]) -> Result<Self, ZoneError> {
        let len = corners.len();
        if len < 3 {
            return Err(ZoneError::TooFewCorners { corners: len });
        }
        let mut polygon = Self { corners: Vec::new() };
        for &corner in corners {
            let full = |_| ZoneError::TooManyCorners { corners: len, capacity: N };
            polygon.corners.push(checked(corner.into())?).map_err(full)?;
        }
        let first = polygon.corners().first().copied().unwrap_or_default();
        let flat = polygon.edges().all(|(a, b)| a.minus(first).cross(b.minus(first)) == 0.0);
        if flat { Err(ZoneError::Flat) } else { Ok(polygon) }
    }

    /// The corners.
    #[must_use]
    pub fn corners(&self) -> &[Point] {
        &self.corners
    }

    fn edges(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        let corners = self.corners();
        corners.iter().copied().zip(corners.iter().copied().cycle().skip(1))
    }

    /// Does the point lie inside? Of a shared edge, each point belongs to one of two neighbours.
    #[must_use]
    pub fn contains(&self, point: Point) -> bool {
        // A ray to the right crosses the border an odd number of times.
        self.edges()
            .filter(|&(a, b)| {
                (a.y > point.y) != (b.y > point.y)
                    && point.x < a.x + (b.x - a.x) * ((point.y - a.y) / (b.y - a.y))
            })
            .count()
            % 2
            == 1
    }

    /// How far the point lies inside the border in pixels; negative outside. A point that is not finite lies
    /// infinitely far outside.
    #[must_use]
    pub fn depth(&self, point: Point) -> f32 {
        if !point.is_finite() {
            return f32::NEG_INFINITY;
        }
        let distance = self.edges().map(|(a, b)| point.distance(a, b)).fold(f32::INFINITY, f32::min);
        if self.contains(point) { distance } else { -distance }
    }
}
