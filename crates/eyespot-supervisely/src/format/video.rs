//! Annotations of videos.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{FormatError, Geometry, ImageSize, Shape, Tag};

/// What is known about a video: objects, and where each is in the frames.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoAnnotation {
    /// Size of the frames.
    pub size: ImageSize,
    /// Number of frames.
    pub frames_count: u64,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// 32 hexadecimal digits that name it.
    #[serde(default)]
    pub key: String,
    /// Tags of the whole video or of a range of frames.
    #[serde(default)]
    pub tags: Vec<VideoTag>,
    /// Its objects.
    #[serde(default)]
    pub objects: Vec<VideoObject>,
    /// The frames that show any.
    #[serde(default)]
    pub frames: Vec<VideoFrame>,
    /// The platform's number of the video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_id: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object of a video.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoObject {
    /// 32 hexadecimal digits that name it.
    #[serde(default)]
    pub key: String,
    /// Name of its class.
    pub class_title: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<VideoTag>,
    /// The platform's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a frame shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VideoFrame {
    /// Number of the frame, from 0.
    pub index: u64,
    /// Objects in it.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where an object is in a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawFigure", into = "RawFigure")]
pub struct Figure {
    /// 32 hexadecimal digits that name it.
    pub key: String,
    /// The key of its object.
    pub object_key: String,
    /// Where the object is.
    pub geometry: Geometry,
    /// Was it made by a model?
    pub nn_created: bool,
    /// Was it changed last by a model?
    pub nn_updated: bool,
    /// The track that it belongs to.
    pub track_id: Option<String>,
    /// The platform's number of it.
    pub id: Option<u64>,
    /// The platform's number of its object.
    pub object_id: Option<u64>,
    /// Fields of its geometry that are no part of the shape.
    pub geometry_extra: Map<String, Value>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// A tag of a video or of an object in it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct VideoTag {
    /// Name and value.
    #[serde(flatten)]
    pub tag: Tag,
    /// The first and last frame that it is for; `None` for all.
    #[serde(rename = "frameRange", default, skip_serializing_if = "Option::is_none")]
    pub frame_range: Option<[u64; 2]>,
    /// 32 hexadecimal digits that name it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
}

/// A key from what it names: the same parts always give the same 32 hexadecimal digits, so that a video that is written
/// again is the same file.
#[must_use]
pub fn key_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(16).fold(String::with_capacity(32), |mut text, byte| {
        use std::fmt::Write as _;
        // Text takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFigure {
    #[serde(default)]
    key: String,
    #[serde(default)]
    object_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    geometry_type: Option<Shape>,
    #[serde(default)]
    geometry: Map<String, Value>,
    #[serde(default)]
    nn_created: bool,
    #[serde(default)]
    nn_updated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<TrackText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_id: Option<u64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Track ids are text; some programs write numbers.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TrackText {
    Text(String),
    Number(i64),
}

impl TryFrom<RawFigure> for Figure {
    type Error = FormatError;
    fn try_from(mut raw: RawFigure) -> Result<Self, FormatError> {
        let no_shape = || FormatError::NoShape { class: "(figure)".to_owned() };
        let shape = raw.geometry_type.ok_or_else(no_shape)?;
        Ok(Self {
            key: raw.key,
            object_key: raw.object_key,
            geometry: Geometry::take(&shape, &mut raw.geometry)?,
            nn_created: raw.nn_created,
            nn_updated: raw.nn_updated,
            track_id: raw.track_id.map(|track| match track {
                TrackText::Text(text) => text,
                TrackText::Number(number) => number.to_string(),
            }),
            id: raw.id,
            object_id: raw.object_id,
            geometry_extra: raw.geometry,
            extra: raw.rest,
        })
    }
}

impl From<Figure> for RawFigure {
    fn from(figure: Figure) -> Self {
        let mut geometry = figure.geometry_extra;
        figure.geometry.put(&mut geometry);
        Self {
            key: figure.key,
            object_key: figure.object_key,
            geometry_type: Some(figure.geometry.shape()),
            geometry,
            nn_created: figure.nn_created,
            nn_updated: figure.nn_updated,
            track_id: figure.track_id.map(TrackText::Text),
            id: figure.id,
            object_id: figure.object_id,
            rest: figure.extra,
        }
    }
}
