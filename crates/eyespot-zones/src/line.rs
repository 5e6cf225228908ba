//! Who crosses a line, and which way.

use eyespot_core::{Detection, TrackId};

use crate::anchor::Point;
use crate::counter::ZoneConfig;
use crate::polygon::{ZoneError, checked};
use crate::tracks::{Seen, Tracks};

/// A segment from one point to another, in pixels of the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Line {
    start: Point,
    end: Point,
}

impl Line {
    /// A line from `start` to `end`. Its right side is that of a walker from start to end who looks at the screen as
    /// at a map: a line that goes up has its right side on the right.
    ///
    /// # Errors
    /// [`ZoneError::Flat`] where both are the same, [`ZoneError::NotFinite`].
    pub fn new(start: (f32, f32), end: (f32, f32)) -> Result<Self, ZoneError> {
        let (start, end) = (checked(start.into())?, checked(end.into())?);
        if start == end { Err(ZoneError::Flat) } else { Ok(Self { start, end }) }
    }

    /// Where it starts and ends.
    #[must_use]
    pub const fn ends(&self) -> (Point, Point) {
        (self.start, self.end)
    }

    /// Distance from the endless line, pixels; positive on its right side.
    #[must_use]
    pub fn side(&self, point: Point) -> f32 {
        let along = self.end.minus(self.start);
        along.cross(point.minus(self.start)) / libm::sqrtf(along.dot(along))
    }

    /// Does the way from one side to the other pass between the ends?
    fn is_between(&self, from: Point, to: Point) -> bool {
        let (before, after) = (self.side(from), self.side(to));
        let share = before / (before - after);
        let step = to.minus(from);
        let at = Point::new(from.x + step.x * share, from.y + step.y * share);
        let along = self.end.minus(self.start);
        (0.0..=along.dot(along)).contains(&at.minus(self.start).dot(along))
    }
}

/// Which way a line was crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Direction {
    /// From its left side to its right side.
    ToRight,
    /// From its right side to its left side.
    ToLeft,
}

/// A track crossed a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Crossing {
    /// Which one.
    pub track: TrackId,
    /// Which way.
    pub direction: Direction,
}

/// What a line has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LineCounts {
    /// Crossings from left to right.
    pub to_right: u32,
    /// Crossings from right to left.
    pub to_left: u32,
    /// Detections without a track, which can't be followed.
    pub untracked: u32,
    /// Detections of tracks that found no slot: use more.
    pub no_room: u32,
}

/// Counts crossings of a line, for `TRACKS` tracks at a time.
///
/// A track has crossed when it was more than the margin on one side, is more than the margin on the other, and the
/// straight way between the two points passes between the ends of the line. Until a track was seen beyond the margin
/// on either side it has no side, so that a track that starts on the line is not counted.
#[derive(Debug, Clone)]
pub struct LineCounter<const TRACKS: usize> {
    line: Line,
    config: ZoneConfig,
    /// Where each track was last seen clear of the line.
    tracks: Tracks<Option<Point>, TRACKS>,
    counts: LineCounts,
}

impl<const TRACKS: usize> LineCounter<TRACKS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// A counter that has seen nothing.
    #[must_use]
    pub const fn new(line: Line, config: ZoneConfig) -> Self {
        let counts = LineCounts { to_right: 0, to_left: 0, untracked: 0, no_room: 0 };
        Self { line, config, tracks: Tracks::new(), counts }
    }

    /// Takes the detections of the next frame, in the order of time, and reports who crossed.
    pub fn update<'a>(
        &mut self,
        time_us: u64,
        detections: impl IntoIterator<Item = &'a Detection>,
        mut on: impl FnMut(Crossing),
    ) {
        self.tracks.expire(time_us, self.config.patience_us, |_| {});
        for detection in detections {
            let Some(track) = detection.track else {
                self.counts.untracked = self.counts.untracked.saturating_add(1);
                continue;
            };
            let point = self.config.anchor.of(&detection.bbox);
            let side = self.line.side(point);
            let clear = point.is_finite() && side.abs() > self.config.margin;
            match self.tracks.see(track, time_us, clear.then_some(point)) {
                Seen::Known(slot) if clear => {
                    let Some(before) = slot.state.replace(point) else { continue };
                    let crossed = (self.line.side(before) > 0.0) != (side > 0.0);
                    if crossed && self.line.is_between(before, point) {
                        let (direction, count) = if side > 0.0 {
                            (Direction::ToRight, &mut self.counts.to_right)
                        } else {
                            (Direction::ToLeft, &mut self.counts.to_left)
                        };
                        *count = count.saturating_add(1);
                        on(Crossing { track, direction });
                    }
                }
                Seen::Known(_) | Seen::New(_) => {}
                Seen::NoRoom => self.counts.no_room = self.counts.no_room.saturating_add(1),
            }
        }
    }

    /// What was seen so far.
    #[must_use]
    pub const fn counts(&self) -> LineCounts {
        self.counts
    }

    /// The line.
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }
}
