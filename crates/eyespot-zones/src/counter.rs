//! Who is in a zone, and for how long.

use eyespot_core::{Detection, TrackId};

use crate::anchor::Anchor;
use crate::polygon::Polygon;
use crate::tracks::{Seen, Slot, Tracks};

/// How zones and lines look at objects.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ZoneConfig {
    /// The point of a box that stands for the object.
    pub anchor: Anchor,
    /// How far beyond a border the anchor must be to have crossed it, pixels. Larger than the jitter of boxes.
    pub margin: f32,
    /// After this time out of sight a track is forgotten, microseconds. Longer than objects are hidden.
    pub patience_us: u64,
}

impl Default for ZoneConfig {
    /// Lower edge, 4 pixels, 2 seconds.
    fn default() -> Self {
        Self { anchor: Anchor::Bottom, margin: 4.0, patience_us: 2_000_000 }
    }
}

/// A track entered or left a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ZoneEvent {
    /// It came in, or was first seen inside.
    Entered {
        /// Which one.
        track: TrackId,
    },
    /// It went out, or was not seen for too long.
    Left {
        /// Which one.
        track: TrackId,
        /// How long it was seen inside, microseconds.
        dwell_us: u64,
    },
}

/// What a zone has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ZoneCounts {
    /// Tracks that came in or were first seen inside.
    pub entered: u32,
    /// Tracks that went out or were lost inside.
    pub left: u32,
    /// Detections without a track, which can't be followed.
    pub untracked: u32,
    /// Detections of tracks that found no slot: use more.
    pub no_room: u32,
}

/// State of a track: since when it is inside.
type Inside = Option<u64>;

/// Counts the tracks in a polygon of up to `CORNERS` corners, for `TRACKS` tracks at a time.
#[derive(Debug, Clone)]
pub struct ZoneCounter<const CORNERS: usize, const TRACKS: usize> {
    polygon: Polygon<CORNERS>,
    config: ZoneConfig,
    tracks: Tracks<Inside, TRACKS>,
    counts: ZoneCounts,
}

impl<const CORNERS: usize, const TRACKS: usize> ZoneCounter<CORNERS, TRACKS> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    /// A counter that has seen nothing.
    #[must_use]
    pub const fn new(polygon: Polygon<CORNERS>, config: ZoneConfig) -> Self {
        let counts = ZoneCounts { entered: 0, left: 0, untracked: 0, no_room: 0 };
        Self { polygon, config, tracks: Tracks::new(), counts }
    }

    /// Takes the detections of the next frame, in the order of time, and reports what happened.
    pub fn update<'a>(
        &mut self,
        time_us: u64,
        detections: impl IntoIterator<Item = &'a Detection>,
        mut on: impl FnMut(ZoneEvent),
    ) {
        let Self { polygon, config, tracks, counts } = self;
        let ZoneCounts { entered, left, untracked, no_room } = counts;
        let mut report = |event| {
            let count = if let ZoneEvent::Entered { .. } = event { &mut *entered } else { &mut *left };
            *count = count.saturating_add(1);
            on(event);
        };
        tracks.expire(time_us, config.patience_us, |gone| {
            leaves(&gone).map(&mut report);
        });
        for detection in detections {
            let Some(track) = detection.track else {
                *untracked = untracked.saturating_add(1);
                continue;
            };
            let depth = polygon.depth(config.anchor.of(&detection.bbox));
            // The border itself decides where a track is first seen.
            let first = (depth >= 0.0).then_some(time_us);
            match tracks.see(track, time_us, first) {
                Seen::Known(slot) if slot.state.is_none() => {
                    if depth > config.margin {
                        slot.state = Some(time_us);
                        report(ZoneEvent::Entered { track });
                    }
                }
                Seen::Known(slot) => {
                    if depth < -config.margin {
                        leaves(slot).map(&mut report);
                        slot.state = None;
                    }
                }
                Seen::New(replaced) => {
                    replaced.as_ref().and_then(leaves).map(&mut report);
                    if first.is_some() {
                        report(ZoneEvent::Entered { track });
                    }
                }
                Seen::NoRoom => *no_room = no_room.saturating_add(1),
            }
        }
    }

    /// Number of tracks inside.
    #[must_use]
    pub fn occupancy(&self) -> usize {
        self.inside().count()
    }

    /// The tracks inside, and how long each was seen there, microseconds.
    pub fn inside(&self) -> impl Iterator<Item = (TrackId, u64)> {
        self.tracks.iter().filter_map(|slot| Some((slot.track, slot.seen_us.saturating_sub(slot.state?))))
    }

    /// How long a track is inside, microseconds; `None` where it is not.
    #[must_use]
    pub fn dwell_us(&self, track: TrackId) -> Option<u64> {
        self.inside().find(|(inside, _)| *inside == track).map(|(_, dwell)| dwell)
    }

    /// What was seen so far.
    #[must_use]
    pub const fn counts(&self) -> ZoneCounts {
        self.counts
    }

    /// The zone.
    #[must_use]
    pub const fn polygon(&self) -> &Polygon<CORNERS> {
        &self.polygon
    }
}

/// The event of a track that goes, if it was inside.
fn leaves(slot: &Slot<Inside>) -> Option<ZoneEvent> {
    let dwell_us = slot.seen_us.saturating_sub(slot.state?);
    Some(ZoneEvent::Left { track: slot.track, dwell_us })
}
