//! Annotations of images.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{FormatError, Geometry, Shape};

/// The size of an image or video in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageSize {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

/// What is known about an image: its tags and objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Annotation {
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Size of the image.
    pub size: ImageSize,
    /// Tags of the whole image.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Objects in the image.
    #[serde(default)]
    pub objects: Vec<Object>,
    /// Data of the program that made it. Predictions of a tracker have their track ids here, one per object.
    #[serde(rename = "customBigData", default, skip_serializing_if = "Value::is_null")]
    pub custom_big_data: Value,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawObject", into = "RawObject")]
pub struct Object {
    /// Name of its class.
    pub class_title: String,
    /// Where it is.
    pub geometry: Geometry,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Free text.
    pub description: String,
    /// Was it made by a model?
    pub nn_created: bool,
    /// Was it changed last by a model? If not, a person has corrected it.
    pub nn_updated: bool,
    /// The platform's number of it.
    pub id: Option<u64>,
    /// The platform's number of its class.
    pub class_id: Option<u64>,
    /// Everything else.
    pub extra: Map<String, Value>,
}

/// A tag of an image, a video or an object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its value: a number or text; `None` for a tag without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Tag {
    /// Name of the tag that holds the score of a prediction.
    pub const CONFIDENCE: &str = "confidence";

    /// A tag.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Option<Value>) -> Self {
        Self { name: name.into(), value, extra: Map::new() }
    }

    /// The score of a prediction, `0..=1`, in as few digits as tell it from its neighbours.
    #[must_use]
    pub fn confidence(score: f32) -> Self {
        let value = score.to_string().parse::<f64>().ok().map(Value::from);
        Self::new(Self::CONFIDENCE, value)
    }
}

impl Annotation {
    /// An image of this size without objects.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            size: ImageSize { height, width },
            custom_big_data: Value::Object(Map::new()),
            ..Self::default()
        }
    }
}

impl Object {
    /// An object that a model has found.
    #[must_use]
    pub fn predicted(class_title: impl Into<String>, geometry: Geometry, score: f32) -> Self {
        Self {
            class_title: class_title.into(),
            geometry,
            tags: vec![Tag::confidence(score)],
            description: String::new(),
            nn_created: true,
            nn_updated: true,
            id: None,
            class_id: None,
            extra: Map::new(),
        }
    }

    /// The score: its tag `confidence`, `conf` or `score`.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        score_of(&self.tags)
    }
}

fn score_of(tags: &[Tag]) -> Option<f64> {
    let value = |name: &str| tags.iter().find(|tag| tag.name == name)?.value.as_ref()?.as_f64();
    ["confidence", "conf", "score"].into_iter().find_map(value)
}

/// An object as it is written: the fields of its geometry lie beside its own.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawObject {
    class_title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geometry_type: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    #[serde(default)]
    nn_created: bool,
    #[serde(default)]
    nn_updated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class_id: Option<u64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl TryFrom<RawObject> for Object {
    type Error = FormatError;
    fn try_from(raw: RawObject) -> Result<Self, FormatError> {
        let RawObject { class_title, description, tags, geometry_type, shape, mut rest, .. } = raw;
        let Some(shape) = geometry_type.or(shape) else {
            return Err(FormatError::NoShape { class: class_title });
        };
        let geometry = Geometry::take(&shape, &mut rest)?;
        Ok(Self {
            class_title,
            geometry,
            tags,
            description,
            nn_created: raw.nn_created,
            nn_updated: raw.nn_updated,
            id: raw.id,
            class_id: raw.class_id,
            extra: rest,
        })
    }
}

impl From<Object> for RawObject {
    fn from(object: Object) -> Self {
        let shape = object.geometry.shape();
        let mut rest = object.extra;
        object.geometry.put(&mut rest);
        Self {
            class_title: object.class_title,
            description: object.description,
            tags: object.tags,
            geometry_type: Some(shape.clone()),
            shape: Some(shape),
            nn_created: object.nn_created,
            nn_updated: object.nn_updated,
            id: object.id,
            class_id: object.class_id,
            rest,
        }
    }
}
