//! Results in the format of COCO.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Record, Sink};
use serde::Serialize;

use crate::image_file::has_image_extension;
use crate::json_lines::run_lengths;
use crate::{MediaError, PlatformIds};

/// Writes detections as COCO results: a JSON list of `image_id`, `category_id`, `bbox` (left, top, width, height),
/// `score`, with `segmentation` (compressed run lengths) and `keypoints` where there are any, and `file_name` beside
/// them. After each frame the file is a whole list.
///
/// An image whose name is a number, as in COCO, has that as `image_id`; one of Supervisely's platform has its number; all others
/// get the next free number from 1.
#[derive(Debug)]
pub struct CocoSink {
    path: PathBuf,
    file: File,
    categories: Vec<u32>,
    /// Where the end of the list stands.
    end: u64,
    used: HashSet<u64>,
    next: u64,
}

#[derive(Serialize)]
struct Entry<'a> {
    image_id: u64,
    category_id: u32,
    bbox: [f32; 4],
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    segmentation: Option<Segmentation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keypoints: Vec<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<&'a str>,
}

#[derive(Serialize)]
struct Segmentation {
    size: [u16; 2],
    counts: String,
}

const CLOSING: &[u8] = b"\n]\n";

impl CocoSink {
    /// Creates a file, or empties it. `categories` is the `category_id` of each class; a class without one gets its
    /// index and 1.
    ///
    /// # Errors
    /// [`MediaError::Write`], [`MediaError::DiskFull`].
    pub fn create(path: impl AsRef<Path>, categories: &[u32]) -> Result<Self, MediaError> {
        let path = path.as_ref().to_path_buf();
        let failed = |error| MediaError::write(&path, error);
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(b"[\n]\n").map_err(failed)?;
        let categories = categories.to_vec();
        Ok(Self { path, file, categories, end: 1, used: HashSet::new(), next: 1 })
    }

    fn image_id(&mut self, name: Option<&str>) -> u64 {
        let path = name.map(Path::new).filter(|path| has_image_extension(path));
        let number = path.and_then(Path::file_stem).and_then(|stem| stem.to_str()?.parse().ok());
        let number = name.and_then(|name| PlatformIds::of(name)?.image).or(number);
        if let Some(number) = number.filter(|&number| self.used.insert(number)) {
            return number;
        }
        while !self.used.insert(self.next) {
            self.next += 1;
        }
        self.next
    }

    /// Puts entries in the place of the end of the list, and the end behind them.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        self.end += (bytes.len() - CLOSING.len()) as u64;
        Ok(())
    }

    /// Makes a whole list of what was there before a write that failed.
    fn restore(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(CLOSING)
    }
}

impl ErrorType for CocoSink {
    type Error = MediaError;
}

impl Sink for CocoSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let image_id = self.image_id(record.name);
        let size = [record.info.height, record.info.width];
        let mut bytes = Vec::new();
        for detection in record.predictions.detections() {
            let [x1, y1, x2, y2] = detection.bbox.xyxy();
            let class = detection.class;
            let entry = Entry {
                image_id,
                category_id: self.categories.get(class.index()).copied().unwrap_or(u32::from(class.0) + 1),
                bbox: [x1, y1, x2 - x1, y2 - y1],
                score: detection.score,
                segmentation: record
                    .predictions
                    .mask(detection)
                    .map(|mask| Segmentation { size, counts: compress(&run_lengths(&mask, size)) }),
                keypoints: record
                    .predictions
                    .keypoints_of(detection)
                    .iter()
                    .flat_map(|point| [point.x, point.y, point.score])
                    .collect(),
                file_name: record.name,
            };
            bytes.extend_from_slice(if self.end == 1 && bytes.is_empty() { b"\n" } else { b",\n" });
            serde_json::to_writer(&mut bytes, &entry)
                .map_err(|error| MediaError::write(&self.path, error.into()))?;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        bytes.extend_from_slice(CLOSING);
        self.append(&bytes).map_err(|error| {
            // What failed is said; that the end can't be restored either would not change it.
            let _ = self.restore();
            MediaError::write(&self.path, error)
        })
    }

    fn flush(&mut self) -> Result<(), MediaError> {
        self.file.flush().map_err(|error| MediaError::write(&self.path, error))
    }
}

/// Run lengths as COCO's text: differences to the run before the last, five bits a letter, the lowest first.
fn compress(counts: &[u64]) -> String {
    let mut text = String::new();
    for (index, &count) in counts.iter().enumerate() {
        let before = if index > 2 { counts.get(index - 2).copied().unwrap_or(0) } else { 0 };
        let mut rest = count as i64 - before as i64;
        loop {
            let bits = (rest & 0x1f) as u8;
            rest >>= 5;
            let more = if bits & 0x10 == 0 { rest != 0 } else { rest != -1 };
            text.push(char::from(48 + bits + if more { 0x20 } else { 0 }));
            if !more {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `pycocotools.mask.frPyObjects` 2.0.
    #[test]
    fn run_lengths_are_compressed_as_in_coco() {
        assert_eq!(compress(&[5, 3, 7, 3, 7, 3, 7, 85]), "5370000b2");
        assert_eq!(compress(&[16]), "`0");
        assert_eq!(compress(&[40, 1000, 10, 2000, 7, 16943]), "X1Xo0:Xo0Mob>");
        assert_eq!(compress(&[0, 9]), "09");
    }
}
