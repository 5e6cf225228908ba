//! What is sent, as postcard sees it. A change here is a new [`VERSION`].
//!
//! Variable parts follow their head directly, so that neither side needs memory for a whole message:
//!
//! ```text
//! Envelope { version, sequence, kind }
//! Hello:   HelloHead { device, model }, [label: str]
//! Results: ResultsHead, [DetectionHead, mask, [Keypoint: 3 x f32]]
//! mask:    nothing | [u8] bits | [u32] runs
//! ```
//!
//! `[..]` is a postcard sequence: its length, then its elements. To serde this is the same as nested structs with
//! vectors.

use eyespot_core::{Angle, BBox, ClassId, Detection, FrameInfo, Losses, MaskRect, SourceId, TrackId};
use serde::{Deserialize, Serialize};

/// Version of the schema. Both sides must have the same one.
pub const VERSION: u16 = 1;

/// First part of every frame. It stays as it is in all versions, so that a mismatch can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) version: u16,
    /// Goes up by one with every frame, of any kind.
    pub(crate) sequence: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Hello,
    Results,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HelloHead<'a> {
    pub(crate) device: &'a str,
    pub(crate) model: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResultsHead {
    index: u64,
    timestamp_us: u64,
    source: u16,
    width: u16,
    height: u16,
    /// Detections, masks, keypoint sets, invalid.
    losses: [u32; 4],
}

impl ResultsHead {
    pub(crate) const fn new(info: &FrameInfo, losses: Losses) -> Self {
        let FrameInfo { index, timestamp_us, source, width, height } = *info;
        let losses = [losses.detections, losses.masks, losses.keypoints, losses.invalid];
        Self { index, timestamp_us, source: source.0, width, height, losses }
    }

    pub(crate) const fn info(&self) -> FrameInfo {
        let Self { index, timestamp_us, source, width, height, .. } = *self;
        FrameInfo { index, timestamp_us, source: SourceId(source), width, height }
    }

    pub(crate) const fn losses(&self) -> Losses {
        let [detections, masks, keypoints, invalid] = self.losses;
        Losses { detections, masks, keypoints, invalid }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct DetectionHead {
    bbox: [f32; 4],
    score: f32,
    class: u16,
    /// 0 for none.
    track: u32,
    /// Steps of π/32767.
    angle: Option<i16>,
    pub(crate) mask: MaskHead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum MaskHead {
    None,
    /// One bit per pixel, rows padded to bytes.
    Bits(Rect),
    /// Lengths of runs over the rows without padding: zeros, ones, zeros, ... to the end of the rectangle.
    Runs(Rect),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rect {
    x: u16,
    y: u16,
    width: u16,
    height: u16,
}

impl From<MaskRect> for Rect {
    fn from(MaskRect { x, y, width, height }: MaskRect) -> Self {
        Self { x, y, width, height }
    }
}

impl From<Rect> for MaskRect {
    fn from(Rect { x, y, width, height }: Rect) -> Self {
        Self { x, y, width, height }
    }
}

const ANGLE_STEP: f32 = core::f32::consts::PI / 32767.0;

/// An angle of so many steps; a little less than a half turn, which would wrap to its other end.
fn angle(steps: i16) -> Option<Angle> {
    const HALF_TURN: f32 = 32766.9 * ANGLE_STEP;
    Angle::from_radians((f32::from(steps) * ANGLE_STEP).clamp(-HALF_TURN, HALF_TURN))
}

impl DetectionHead {
    pub(crate) fn new(detection: &Detection, mask: MaskHead) -> Self {
        Self {
            bbox: detection.bbox.xyxy(),
            score: detection.score,
            class: detection.class.0,
            track: detection.track.map_or(0, TrackId::get),
            angle: detection.angle.map(|angle| libm::roundf(angle.radians() / ANGLE_STEP) as i16),
            mask,
        }
    }

    pub(crate) fn detection(&self) -> Detection {
        let [x1, y1, x2, y2] = self.bbox;
        let mut detection = Detection::new(BBox::new(x1, y1, x2, y2), self.score, ClassId(self.class));
        detection.track = TrackId::new(self.track);
        detection.angle = self.angle.and_then(angle);
        detection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_angle_comes_back_as_it_was() {
        for step in -32767i16..=32767 {
            let angle = angle(step);
            let mut detection = Detection::default();
            detection.angle = angle;
            let head = DetectionHead::new(&detection, MaskHead::None);
            assert_eq!(head.angle, Some(step));
            assert_eq!(head.detection().angle, angle);
        }
    }
}
