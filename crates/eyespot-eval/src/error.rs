//! What can be wrong with files and data.

use std::io;
use std::path::PathBuf;

use eyespot_core::ErrorKind;

/// An evaluation cannot be done. The text says which file or entry is at fault and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A JSON file is malformed or has another layout. The source names the line.
    #[error("{} is not a COCO {expected} file: {source}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should be: `annotation` or `result`.
        expected: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A line of a MOT file is malformed.
    #[error("{}:{line}: {problem}", .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: LineProblem,
    },
    /// Two images of a dataset have the same id.
    #[error("two images have the id {image}: give every image its own id")]
    DuplicateImage {
        /// The id.
        image: u64,
    },
    /// A result belongs to an image that the dataset does not have.
    #[error(
        "a result names image {image}, which is not in the dataset: \
         use the annotation file of the images that were predicted"
    )]
    UnknownImage {
        /// The id.
        image: u64,
    },
    /// A class has no category in the dataset.
    #[error("class {class} has no category: the dataset has {categories}, in the order of their ids")]
    UnknownClass {
        /// The index of the class.
        class: u16,
        /// How many categories the dataset has.
        categories: usize,
    },
    /// A box or a score of an image is infinite or not a number.
    #[error("a box or score of image {image} is not finite: drop it before the evaluation")]
    NonFinite {
        /// The id of the image.
        image: u64,
    },
    /// Parameters that no evaluation can be done with.
    #[error("invalid parameters: {0}")]
    Params(&'static str),
    /// One id occurs twice in a frame.
    #[error("frame {frame} has the id {id} twice: an object can be in one place only")]
    DuplicateId {
        /// The frame, from 1.
        frame: u32,
        /// The id.
        id: i64,
    },
    /// A row without identity, as in detection files, cannot be evaluated.
    #[error("frame {frame} has a box without id: evaluate the output of a tracker, not of a detector")]
    NoId {
        /// The frame, from 1.
        frame: u32,
    },
}

/// What is wrong with a line of a MOT file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Fewer than six fields.
    #[error("{0} fields, but frame,id,x,y,width,height are needed")]
    TooFewFields(usize),
    /// A field is not a finite number.
    #[error("{field} is {text:?}, which is not a finite number")]
    NotANumber {
        /// Name of the field.
        field: &'static str,
        /// Its text.
        text: String,
    },
    /// A field is not a whole number of its range.
    #[error("{field} is {text:?}, which is not a whole number from {min}")]
    NotWhole {
        /// Name of the field.
        field: &'static str,
        /// Its text.
        text: String,
        /// The smallest valid number.
        min: i64,
    },
    /// The id is in this frame already.
    #[error("frame {frame} has the id {id} already: an object can be in one place only")]
    DuplicateId {
        /// The frame, from 1.
        frame: u32,
        /// The id.
        id: i64,
    },
}

impl eyespot_core::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Read { .. } | Self::Write { .. } => ErrorKind::Io,
            Self::UnknownImage { .. } | Self::UnknownClass { .. } => ErrorKind::NotFound,
            Self::Json { .. }
            | Self::Line { .. }
            | Self::DuplicateImage { .. }
            | Self::NonFinite { .. }
            | Self::Params(_)
            | Self::DuplicateId { .. }
            | Self::NoId { .. } => ErrorKind::InvalidInput,
        }
    }
}
