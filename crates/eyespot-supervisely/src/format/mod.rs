//! The annotation format: project metas, annotations of images and videos, shapes.
//!
//! What a newer platform adds is kept: every type has the fields that it doesn't know in `extra`, and writes them again.

mod annotation;
mod bitmap;
mod geometry;
mod merge;
mod meta;
pub mod subpixel;
mod text;
mod video;

pub use annotation::{Annotation, ImageSize, Object, Tag};
pub use bitmap::{BitMask, Bitmap, MAX_MASK_PIXELS};
pub use geometry::{Geometry, Graph, Node, OrientedBox, Point, Polygon, Rectangle};
pub use merge::{MergeError, Names, SUFFIX};
pub use meta::{Color, Edge, ObjClass, Place, ProjectMeta, TagMeta, Template, TemplateNode};
pub use text::{ProjectType, Shape, ValueType};
pub use video::{Figure, VideoAnnotation, VideoFrame, VideoObject, VideoTag, key_of};

/// Text that is no annotation or meta.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A shape without its fields.
    #[error("a {shape}: {reason}: correct the object or leave it out")]
    Geometry {
        /// The shape.
        shape: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An object that does not tell its shape.
    #[error(
        "an object of class `{class}` has neither `geometryType` nor `shape`: add one, such as \"rectangle\""
    )]
    NoShape {
        /// Its class.
        class: String,
    },
    /// A mask that can't be read.
    #[error("a bitmap: {reason}: it should be the base64 of zlib of a PNG")]
    Bitmap {
        /// What is wrong with it.
        reason: String,
    },
    /// A colour that is none.
    #[error("`{text}` is no colour: write it as \"#RRGGBB\"")]
    Color {
        /// The text.
        text: String,
    },
}

impl eyespot_core::Error for FormatError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        eyespot_core::ErrorKind::InvalidInput
    }
}
