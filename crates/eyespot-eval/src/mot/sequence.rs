//! Boxes with identities over time.

use std::fmt;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use eyespot_core::Detection;

use super::parse::parse;
use crate::Error;

/// A box in a frame: a line of a MOT Challenge file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// The frame, from 1.
    pub frame: u32,
    /// The identity; -1 in detection files, which have none.
    pub id: i64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// The seventh field. In tracks and detections: the confidence. In ground truth: the consider flag, 0 for a box
    /// that is not evaluated.
    pub score: f64,
    /// What it is: the eighth field of ground truth, 1 for a pedestrian. `None` where a file has no classes.
    pub class: Option<u32>,
    /// The visible part, `0..=1`: the ninth field of ground truth.
    pub visibility: Option<f64>,
}

impl Row {
    /// A tracked detection, rounded to a hundredth of a pixel and a ten-thousandth of a score, which keeps files small;
    /// `None` if no tracker has given it an id.
    #[must_use]
    pub fn from_detection(frame: u32, detection: &Detection) -> Option<Self> {
        let [x1, y1, x2, y2] = detection.bbox.xyxy().map(f64::from);
        Some(Self {
            frame,
            id: detection.track?.get().into(),
            bbox: [x1, y1, x2 - x1, y2 - y1].map(|v| (v * 100.0).round() / 100.0),
            score: (f64::from(detection.score) * 10_000.0).round() / 10_000.0,
            class: None,
            visibility: None,
        })
    }
}

/// Displays as a line of a file: nine fields with a class, as in ground truth, ten without. Reading it gives the same
/// row.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frame, id, bbox: [x, y, w, h], score, class, visibility } = self;
        write!(f, "{frame},{id},{x},{y},{w},{h},{score},")?;
        match (class, visibility) {
            (Some(class), Some(visibility)) => write!(f, "{class},{visibility}"),
            (Some(class), None) => write!(f, "{class},-1"),
            (None, Some(visibility)) => write!(f, "-1,{visibility}"),
            (None, None) => f.write_str("-1,-1,-1"),
        }
    }
}

/// The boxes of a video: ground truth, the output of a tracker or of a detector.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sequence {
    rows: Vec<Row>,
}

impl Sequence {
    /// The rows in any order; those of a frame keep theirs.
    #[must_use]
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort_by_key(|row| row.frame);
        Self { rows }
    }

    /// Reads a file: `frame,id,x,y,width,height[,score[,class[,visibility]]]` per line.
    ///
    /// Commas or spaces separate the fields, numbers may be written as floats (`1.0`, `1e0`), lines may be empty, and
    /// fields after the ninth are not read. A class or visibility below 0 is none. The score is 1 where it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Line`]: too few fields, a field that is not a finite number, a frame below 1 and
    /// an id that a frame has twice.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
        Self::parse(path, &text)
    }

    /// Reads the text of a file; `path` is for the error messages.
    ///
    /// # Errors
    ///
    /// [`Error::Line`] as [`read`](Self::read).
    pub fn parse(path: impl Into<PathBuf>, text: &str) -> Result<Self, Error> {
        match parse(text) {
            Ok(rows) => Ok(Self::from_rows(rows)),
            Err((line, problem)) => Err(Error::Line { path: path.into(), line, problem }),
        }
    }

    /// Writes a file.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let write = || {
            let mut file = BufWriter::new(std::fs::File::create(path)?);
            self.rows.iter().try_for_each(|row| writeln!(file, "{row}"))?;
            file.flush()
        };
        write().map_err(|source| Error::Write { path: path.into(), source })
    }

    /// All boxes by frame.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The boxes of a frame.
    #[must_use]
    pub fn frame(&self, frame: u32) -> &[Row] {
        let from = self.rows.partition_point(|row| row.frame < frame);
        let rest = &self.rows[from..];
        &rest[..rest.partition_point(|row| row.frame == frame)]
    }

    /// The last frame that has a box, 0 without any.
    #[must_use]
    pub fn last_frame(&self) -> u32 {
        self.rows.last().map_or(0, |row| row.frame)
    }
}
