//! Results as text tables: CSV and the format of the MOT Challenge.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Record, Sink, SourceId};

use crate::MediaError;
use crate::image_file::has_image_extension;

/// Writes one row per object as CSV (RFC 4180), with a header:
/// `frame,time,source,class_id,class,score,x1,y1,x2,y2,track_id`.
///
/// `time` is in seconds, the box is in pixels; `class` and `track_id` are empty where there is none. The rows of a
/// frame are written at once, so that a crash leaves whole rows.
#[derive(Debug)]
pub struct CsvSink {
    path: PathBuf,
    writer: BufWriter<File>,
    labels: Vec<String>,
    rows: String,
}

impl CsvSink {
    /// Creates a file, or empties it. `labels` are the class names; the index is the class.
    ///
    /// # Errors
    /// [`MediaError::Write`], [`MediaError::DiskFull`].
    pub fn create(path: impl AsRef<Path>, labels: &[impl AsRef<str>]) -> Result<Self, MediaError> {
        let path = path.as_ref().to_path_buf();
        let failed = |error| MediaError::write(&path, error);
        let mut writer = BufWriter::new(File::create(&path).map_err(failed)?);
        writer
            .write_all(b"frame,time,source,class_id,class,score,x1,y1,x2,y2,track_id\r\n")
            .map_err(failed)?;
        let labels = labels.iter().map(|label| quoted(label.as_ref())).collect();
        Ok(Self { path, writer, labels, rows: String::new() })
    }
}

/// A field that may hold a comma, a quote or a line break.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

impl ErrorType for CsvSink {
    type Error = MediaError;
}

impl Sink for CsvSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        self.rows.clear();
        let source = quoted(record.name.unwrap_or_default());
        let (frame, time) = (record.info.index, record.info.timestamp_us as f64 / 1e6);
        for detection in record.predictions.detections() {
            let class = self.labels.get(detection.class.index()).map_or("", String::as_str);
            let [x1, y1, x2, y2] = detection.bbox.xyxy();
            // Writing into a string does not fail.
            let _ = write!(
                self.rows,
                "{frame},{time},{source},{},{class},{},{x1},{y1},{x2},{y2},",
                detection.class.0, detection.score
            );
            if let Some(track) = detection.track {
                let _ = write!(self.rows, "{}", track.get());
            }
            self.rows.push_str("\r\n");
        }
        self.writer.write_all(self.rows.as_bytes()).map_err(|error| MediaError::write(&self.path, error))
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        self.writer.flush().map_err(|error| MediaError::write(&self.path, error))
    }
}

/// Writes the format of the MOT Challenge, one file per video or sequence:
/// `frame,id,left,top,width,height,score,-1,-1,-1`.
///
/// Frames count from 1. What no tracker has confirmed gets the id -1, as in files of detections. A file is called after
/// its video, or after the directory of its images (its parent, where that is called `img1`).
#[derive(Debug)]
pub struct MotSink {
    directory: PathBuf,
    files: HashMap<SourceId, (PathBuf, BufWriter<File>)>,
    rows: String,
}

impl MotSink {
    /// Writes into a directory, which is created.
    ///
    /// # Errors
    /// [`MediaError::Write`] where it can't be created.
    pub fn create(directory: impl AsRef<Path>) -> Result<Self, MediaError> {
        let directory = directory.as_ref().to_path_buf();
        fs::create_dir_all(&directory).map_err(|error| MediaError::write(&directory, error))?;
        Ok(Self { directory, files: HashMap::new(), rows: String::new() })
    }

    fn open(&self, record: &Record<'_>) -> Result<(PathBuf, BufWriter<File>), MediaError> {
        let name = Path::new(record.name.unwrap_or_default());
        let of = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned())
        };
        let sequence = if has_image_extension(name) {
            let parent = name.parent();
            of(parent).filter(|parent| parent != "img1").or_else(|| of(parent.and_then(Path::parent)))
        } else {
            name.file_stem().map(|stem| stem.to_string_lossy().into_owned())
        };
        let sequence = sequence.unwrap_or_else(|| format!("source_{}", record.info.source.0));
        let taken = |path: &PathBuf| self.files.values().any(|(other, _)| other == path);
        let mut path = self.directory.join(format!("{sequence}.txt"));
        for number in 2.. {
            if !taken(&path) {
                break;
            }
            path = self.directory.join(format!("{sequence}-{number}.txt"));
        }
        let file = File::create(&path).map_err(|error| MediaError::write(&path, error))?;
        Ok((path, BufWriter::new(file)))
    }
}

impl ErrorType for MotSink {
    type Error = MediaError;
}

impl Sink for MotSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let source = record.info.source;
        if !self.files.contains_key(&source) {
            let file = self.open(record)?;
            self.files.insert(source, file);
        }
        self.rows.clear();
        for detection in record.predictions.detections() {
            let [x1, y1, x2, y2] = detection.bbox.xyxy();
            let id = detection.track.map_or(-1, |track| i64::from(track.get()));
            let _ = writeln!(
                self.rows,
                "{},{id},{x1:.2},{y1:.2},{:.2},{:.2},{:.4},-1,-1,-1",
                record.info.index.saturating_add(1),
                x2 - x1,
                y2 - y1,
                detection.score
            );
        }
        match self.files.get_mut(&source) {
            Some((path, file)) => {
                file.write_all(self.rows.as_bytes()).map_err(|error| MediaError::write(path, error))
            }
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        self.files
            .values_mut()
            .try_for_each(|(path, file)| file.flush().map_err(|error| MediaError::write(path, error)))
    }
}
