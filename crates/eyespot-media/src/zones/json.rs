//! Zones and lines in a line of JSON.

use eyespot_zones::{Crossing, Direction, ZoneEvent};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{CountedLine, Zone, Zones};

/// The fields `zones` and `lines`, to be flattened into an object.
impl Serialize for Zones {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("zones", &self.zones)?;
        map.serialize_entry("lines", &self.lines)?;
        map.end()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stay = |(track, dwell_us): (eyespot_core::TrackId, u64)| Stay {
            track_id: track.get(),
            seconds: dwell_us as f64 / 1e6,
        };
        let events = self.events();
        let entered = events.iter().filter_map(|event| match *event {
            ZoneEvent::Entered { track } => Some(track.get()),
            ZoneEvent::Left { .. } => None,
        });
        let left = events.iter().filter_map(|event| match *event {
            ZoneEvent::Entered { .. } => None,
            ZoneEvent::Left { track, dwell_us } => Some(stay((track, dwell_us))),
        });
        let counts = self.counts();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name())?;
        map.serialize_entry("inside", &self.inside().map(stay).collect::<Vec<_>>())?;
        map.serialize_entry("entered", &entered.collect::<Vec<_>>())?;
        map.serialize_entry("left", &left.collect::<Vec<_>>())?;
        map.serialize_entry("entered_total", &counts.entered)?;
        map.serialize_entry("left_total", &counts.left)?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Stay {
    track_id: u32,
    seconds: f64,
}

impl Serialize for CountedLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |wanted: Direction| -> Vec<u32> {
            let crossed =
                |crossing: &Crossing| (crossing.direction == wanted).then_some(crossing.track.get());
            self.crossings().iter().filter_map(crossed).collect()
        };
        let counts = self.counts();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name())?;
        map.serialize_entry("to_right", &of(Direction::ToRight))?;
        map.serialize_entry("to_left", &of(Direction::ToLeft))?;
        map.serialize_entry("to_right_total", &counts.to_right)?;
        map.serialize_entry("to_left_total", &counts.to_left)?;
        map.end()
    }
}
