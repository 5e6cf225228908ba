//! Zones and lines over tracked objects: who is where, who crossed, and for how long.

mod draw;
mod json;

use eyespot_core::{ErrorKind, FrameInfo, PredictionsRef, SourceId, TrackId};
use eyespot_zones::{
    Crossing, Line, LineCounter, LineCounts, Point, Polygon, ZoneConfig, ZoneCounter, ZoneCounts, ZoneError,
    ZoneEvent,
};

/// Corners that a zone can have.
const CORNERS: usize = 64;
/// Tracks that a zone or line can follow at a time.
const TRACKS: usize = 1024;

/// A zone or line that can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Its shape is wrong.
    #[error("`{name}`: {source}")]
    Shape {
        /// Its name.
        name: String,
        /// What is wrong.
        source: ZoneError,
    },
    /// Two have the same name.
    #[error("two zones or lines are called `{name}`: give each a name of its own")]
    Taken {
        /// The name.
        name: String,
    },
}

impl eyespot_core::Error for PlaceError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

/// Zones and lines in the picture of a camera, and what tracked objects do there.
///
/// ```
/// # use eyespot_core::{BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage, TrackId};
/// use eyespot_media::Zones;
///
/// let mut zones = Zones::default();
/// zones.add_zone("yard", &[(100.0, 0.0), (300.0, 0.0), (300.0, 200.0), (100.0, 200.0)])?;
/// zones.add_line("gate", (100.0, 200.0), (100.0, 0.0))?;
/// # for step in 0..20_u16 {
/// #     let mut person = Detection::new(BBox::from_xywh(f32::from(step) * 10.0, 60.0, 20.0, 40.0), 0.9, ClassId(0));
/// #     person.track = TrackId::new(1);
/// #     let mut found = Predictions::<4>::new();
/// #     found.view_mut().push(person);
/// #     let info = FrameInfo { timestamp_us: u64::from(step) * 100_000, ..FrameInfo::default() };
/// #     let results = found.view();
/// // For each frame, in order:
/// zones.update(&info, results);
/// # }
/// assert_eq!(zones.zones()[0].inside().count(), 1);
/// assert_eq!(zones.lines()[0].counts().to_right, 1);
/// # Ok::<(), eyespot_media::PlaceError>(())
/// ```
///
/// Each input starts anew, for its tracks have nothing to do with those of another; `total` adds them up. Sinks
/// that show zones ([`JsonLines::with_zones`](crate::JsonLines::with_zones),
/// [`Annotator::with_zones`](crate::Annotator::with_zones)) have a copy and count for themselves.
#[derive(Debug, Clone, Default)]
pub struct Zones {
    config: ZoneConfig,
    zones: Vec<Zone>,
    lines: Vec<CountedLine>,
    source: Option<SourceId>,
}

impl Zones {
    /// No zones yet. `config` is for all of them.
    #[must_use]
    pub const fn new(config: ZoneConfig) -> Self {
        Self { config, zones: Vec::new(), lines: Vec::new(), source: None }
    }

    /// Adds a polygon by its corners in order, pixels of the frame.
    ///
    /// # Errors
    /// [`PlaceError`] for a name that is taken, and for a shape that is no polygon of 3 to 64 corners.
    pub fn add_zone(&mut self, name: &str, corners: &[(f32, f32)]) -> Result<(), PlaceError> {
        self.check(name)?;
        let polygon =
            Polygon::new(corners).map_err(|source| PlaceError::Shape { name: name.to_owned(), source })?;
        self.zones.push(Zone::new(name, polygon, self.config));
        Ok(())
    }

    /// Adds a line from `start` to `end`, pixels of the frame. Its right side is that of a walker from start to end who
    /// looks at the frame as at a map.
    ///
    /// # Errors
    /// [`PlaceError`] for a name that is taken, and for two ends that are one.
    pub fn add_line(&mut self, name: &str, start: (f32, f32), end: (f32, f32)) -> Result<(), PlaceError> {
        self.check(name)?;
        let line =
            Line::new(start, end).map_err(|source| PlaceError::Shape { name: name.to_owned(), source })?;
        self.lines.push(CountedLine::new(name, line, self.config));
        Ok(())
    }

    fn check(&self, name: &str) -> Result<(), PlaceError> {
        let mut names = self.zones.iter().map(Zone::name).chain(self.lines.iter().map(CountedLine::name));
        if names.any(|taken| taken == name) {
            return Err(PlaceError::Taken { name: name.to_owned() });
        }
        Ok(())
    }

    /// Takes the results of the next frame.
    pub fn update(&mut self, info: &FrameInfo, results: PredictionsRef<'_>) {
        let another = self.source.replace(info.source).is_some_and(|source| source != info.source);
        for zone in &mut self.zones {
            if another {
                zone.restart(self.config);
            }
            let Zone { counter, events, stays, .. } = zone;
            events.clear();
            counter.update(info.timestamp_us, results.detections(), |event| {
                if let ZoneEvent::Left { dwell_us, .. } = event {
                    *stays = stays.saturating_add(dwell_us);
                }
                events.push(event);
            });
        }
        for line in &mut self.lines {
            if another {
                line.restart(self.config);
            }
            let CountedLine { counter, crossings, .. } = line;
            crossings.clear();
            counter.update(info.timestamp_us, results.detections(), |crossing| crossings.push(crossing));
        }
    }

    /// The zones, in the order in which they were added.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The lines, in the order in which they were added.
    #[must_use]
    pub fn lines(&self) -> &[CountedLine] {
        &self.lines
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.lines.is_empty()
    }
}

/// A polygon with a name, and what happened in it.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    counter: Box<ZoneCounter<CORNERS, TRACKS>>,
    events: Vec<ZoneEvent>,
    /// Counts of inputs before this one.
    before: ZoneCounts,
    /// Time of all stays that ended, of all inputs, microseconds.
    stays: u64,
}

impl Zone {
    fn new(name: &str, polygon: Polygon<CORNERS>, config: ZoneConfig) -> Self {
        Self {
            name: name.to_owned(),
            counter: Box::new(ZoneCounter::new(polygon, config)),
            events: Vec::new(),
            before: ZoneCounts::default(),
            stays: 0,
        }
    }

    /// Another input: whoever is inside has left.
    fn restart(&mut self, config: ZoneConfig) {
        let stays = &mut self.stays;
        self.counter.update(u64::MAX, [], |event| {
            if let ZoneEvent::Left { dwell_us, .. } = event {
                *stays = stays.saturating_add(dwell_us);
            }
        });
        self.before = self.total();
        *self.counter = ZoneCounter::new(self.counter.polygon().clone(), config);
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its corners.
    #[must_use]
    pub fn corners(&self) -> &[Point] {
        self.counter.polygon().corners()
    }

    /// The tracks inside, and how long each has been there, microseconds.
    pub fn inside(&self) -> impl Iterator<Item = (TrackId, u64)> {
        self.counter.inside()
    }

    /// Who came and went with the last frame.
    #[must_use]
    pub fn events(&self) -> &[ZoneEvent] {
        &self.events
    }

    /// What happened in this input so far.
    #[must_use]
    pub const fn counts(&self) -> ZoneCounts {
        self.counter.counts()
    }

    /// What happened in all inputs so far.
    #[must_use]
    pub const fn total(&self) -> ZoneCounts {
        let (before, now) = (self.before, self.counter.counts());
        ZoneCounts {
            entered: before.entered.saturating_add(now.entered),
            left: before.left.saturating_add(now.left),
            untracked: before.untracked.saturating_add(now.untracked),
            no_room: before.no_room.saturating_add(now.no_room),
        }
    }

    /// How long a stay is on average, microseconds, over all inputs; stays that go on count as long as they are now.
    /// `None` where nobody came.
    #[must_use]
    pub fn mean_stay_us(&self) -> Option<u64> {
        let going_on: u64 = self.inside().map(|(_, dwell_us)| dwell_us).sum();
        self.stays.saturating_add(going_on).checked_div(self.total().entered.into())
    }
}

/// A line with a name, and who crossed it.
#[derive(Debug, Clone)]
pub struct CountedLine {
    name: String,
    line: Line,
    counter: Box<LineCounter<TRACKS>>,
    crossings: Vec<Crossing>,
    /// Counts of inputs before this one.
    before: LineCounts,
}

impl CountedLine {
    fn new(name: &str, line: Line, config: ZoneConfig) -> Self {
        Self {
            name: name.to_owned(),
            line,
            counter: Box::new(LineCounter::new(line, config)),
            crossings: Vec::new(),
            before: LineCounts::default(),
        }
    }

    /// Another input.
    fn restart(&mut self, config: ZoneConfig) {
        self.before = self.total();
        *self.counter = LineCounter::new(self.line, config);
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it starts and ends.
    #[must_use]
    pub const fn ends(&self) -> (Point, Point) {
        self.line.ends()
    }

    /// Who crossed with the last frame.
    #[must_use]
    pub fn crossings(&self) -> &[Crossing] {
        &self.crossings
    }

    /// What happened in this input so far.
    #[must_use]
    pub const fn counts(&self) -> LineCounts {
        self.counter.counts()
    }

    /// What happened in all inputs so far.
    #[must_use]
    pub const fn total(&self) -> LineCounts {
        let (before, now) = (self.before, self.counter.counts());
        LineCounts {
            to_right: before.to_right.saturating_add(now.to_right),
            to_left: before.to_left.saturating_add(now.to_left),
            untracked: before.untracked.saturating_add(now.untracked),
            no_room: before.no_room.saturating_add(now.no_room),
        }
    }
}
