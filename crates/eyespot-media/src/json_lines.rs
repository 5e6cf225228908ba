//! Results as JSON Lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use eyespot_core::{
    Angle, Detection, ErrorType, Keypoint, Losses, MaskView, PredictionsRef, Record, Sink, TrackId,
};
use serde::ser::{Serialize, Serializer};

use crate::{MediaError, PlatformIds, Zones};

/// Writes one line of JSON per frame.
///
/// ```json
/// {"frame":0,"time":0.0,"source":"a.mp4","width":640,"height":360,"objects":[{"bbox":[1.0,2.0,30.0,40.0],
/// "score":0.9,"class":"person","class_id":0,"track_id":3}]}
/// ```
///
/// (in one line). The order of the fields is fixed. `time` is in seconds, boxes and keypoints are in pixels of the
/// frame. `source` and `class` are `null` where no name is known, `track_id` where no tracker has confirmed the
/// object. Only where there is something to say, an object also has `angle` (radians, clockwise), `mask` (run lengths
/// as in COCO: `{"size":[height,width],"counts":[...]}`, column by column, zeros first) and `keypoints`
/// (`[[x,y,score],...]`), and a line has `losses` (how many detections, masks and keypoint sets found no room, and
/// how many detections were invalid). What came from Supervisely's platform has `project_id`, `dataset_id`, and `image_id` or
/// `video_id`.
///
/// [With zones](Self::with_zones) a line also has what tracks did there, with this frame and in this input so far:
///
/// ```json
/// {"zones":[{"name":"yard","inside":[{"track_id":3,"seconds":1.2}],"entered":[3],"left":[{"track_id":2,"seconds":4.0}],
/// "entered_total":7,"left_total":6}],"lines":[{"name":"gate","to_right":[3],"to_left":[],"to_right_total":4,
/// "to_left_total":3}]}
/// ```
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    writer: W,
    path: PathBuf,
    labels: Vec<String>,
    zones: Zones,
}

impl JsonLines<BufWriter<File>> {
    /// Creates a file, or empties it.
    ///
    /// # Errors
    /// [`MediaError::Write`], [`MediaError::DiskFull`].
    pub fn create(path: impl AsRef<Path>, labels: &[impl AsRef<str>]) -> Result<Self, MediaError> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| MediaError::write(path, error))?;
        let mut this = Self::new(BufWriter::new(file), labels);
        this.path = path.to_path_buf();
        Ok(this)
    }
}

impl<W: Write> JsonLines<W> {
    /// Writes to anything. `labels` are the class names; the index is the class.
    pub fn new(writer: W, labels: &[impl AsRef<str>]) -> Self {
        let labels = labels.iter().map(|label| label.as_ref().to_owned()).collect();
        Self { writer, path: PathBuf::from("output"), labels, zones: Zones::default() }
    }

    /// Tells what tracks do in zones and at lines too.
    #[must_use]
    pub fn with_zones(mut self, zones: Zones) -> Self {
        self.zones = zones;
        self
    }

    pub(crate) fn set_zones(&mut self, zones: Zones) {
        self.zones = zones;
    }

    /// Flushes and gives the writer back.
    ///
    /// # Errors
    /// [`MediaError::Write`], [`MediaError::DiskFull`].
    pub fn into_inner(mut self) -> Result<W, MediaError> {
        self.flush()?;
        Ok(self.writer)
    }
}

impl JsonLines<Vec<u8>> {
    /// The lines so far; the next ones are collected anew.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.writer)
    }
}

impl<W: Write> ErrorType for JsonLines<W> {
    type Error = MediaError;
}

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let info = &record.info;
        let losses = record.predictions.losses();
        if !self.zones.is_empty() {
            self.zones.update(info, record.predictions);
        }
        let line = Line {
            frame: info.index,
            time: info.timestamp_us as f64 / 1e6,
            source: record.name,
            width: info.width,
            height: info.height,
            objects: Objects {
                predictions: record.predictions,
                labels: &self.labels,
                size: [info.height, info.width],
            },
            ids: record.name.and_then(PlatformIds::of),
            losses: (!losses.is_none()).then_some(LossCounts::from(losses)),
            zones: (!self.zones.is_empty()).then_some(&self.zones),
        };
        // The whole line at once, so that a full disk leaves no half line where it can be helped.
        let mut bytes = serde_json::to_vec(&line).map_err(|error| self.failed(error.into()))?;
        bytes.push(b'\n');
        self.writer.write_all(&bytes).map_err(|error| self.failed(error))
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        self.writer.flush().map_err(|error| self.failed(error))
    }
}

impl<W: Write> JsonLines<W> {
    fn failed(&self, error: io::Error) -> MediaError {
        MediaError::write(&self.path, error)
    }
}

#[derive(serde::Serialize)]
struct Line<'a> {
    frame: u64,
    time: f64,
    source: Option<&'a str>,
    width: u16,
    height: u16,
    objects: Objects<'a>,
    #[serde(flatten)]
    ids: Option<PlatformIds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    losses: Option<LossCounts>,
    #[serde(flatten)]
    zones: Option<&'a Zones>,
}

#[derive(serde::Serialize)]
struct LossCounts {
    detections: u32,
    masks: u32,
    keypoints: u32,
    invalid: u32,
}

impl From<Losses> for LossCounts {
    fn from(losses: Losses) -> Self {
        let Losses { detections, masks, keypoints, invalid } = losses;
        Self { detections, masks, keypoints, invalid }
    }
}

struct Objects<'a> {
    predictions: PredictionsRef<'a>,
    labels: &'a [String],
    size: [u16; 2],
}

impl Serialize for Objects<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_seq(self.predictions.detections().iter().map(|detection| Object::new(self, detection)))
    }
}

#[derive(serde::Serialize)]
struct Object<'a> {
    bbox: [f32; 4],
    score: f32,
    class: Option<&'a str>,
    class_id: u16,
    track_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    angle: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mask: Option<RunLengths<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keypoints: Option<Points<'a>>,
}

impl<'a> Object<'a> {
    fn new(objects: &Objects<'a>, detection: &Detection) -> Self {
        let keypoints = objects.predictions.keypoints_of(detection);
        Self {
            bbox: detection.bbox.xyxy(),
            score: detection.score,
            class: objects.labels.get(detection.class.index()).map(String::as_str),
            class_id: detection.class.0,
            track_id: detection.track.map(TrackId::get),
            angle: detection.angle.map(Angle::radians),
            mask: objects
                .predictions
                .mask(detection)
                .map(|mask| RunLengths { size: objects.size, counts: Counts { mask, size: objects.size } }),
            keypoints: (!keypoints.is_empty()).then_some(Points(keypoints)),
        }
    }
}

struct Points<'a>(&'a [Keypoint]);

impl Serialize for Points<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|point| [point.x, point.y, point.score]))
    }
}

#[derive(serde::Serialize)]
struct RunLengths<'a> {
    size: [u16; 2],
    counts: Counts<'a>,
}

/// The runs of a mask in the whole frame, column by column, zeros first.
struct Counts<'a> {
    mask: MaskView<'a>,
    size: [u16; 2],
}

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(run_lengths(&self.mask, self.size))
    }
}

/// The runs of a mask in a frame of `size` (height, width), column by column, zeros first.
pub(crate) fn run_lengths(mask: &MaskView<'_>, size: [u16; 2]) -> Vec<u64> {
    let mut counts = Vec::new();
    let [height, width] = size.map(u64::from);
    // The run of ones that is being collected, and where the zeros before it start.
    let (mut zeros, mut start, mut end) = (0, 0, 0);
    for x in 0..mask.width() {
        let column = u64::from(mask.x()) + u64::from(x);
        for y in 0..mask.height() {
            let row = u64::from(mask.y()) + u64::from(y);
            if column >= width || row >= height || !mask.contains(column as u16, row as u16) {
                continue;
            }
            let at = column * height + row;
            if at != end || start == end {
                if start < end {
                    counts.extend([start - zeros, end - start]);
                    zeros = end;
                }
                start = at;
            }
            end = at + 1;
        }
    }
    if start < end {
        counts.extend([start - zeros, end - start]);
        zeros = end;
    }
    if zeros < height * width {
        counts.push(height * width - zeros);
    }
    counts
}
