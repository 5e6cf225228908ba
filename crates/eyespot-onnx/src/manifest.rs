//! The manifest: a JSON file beside a model that says what its graph does not.

use std::path::{Path, PathBuf};

use eyespot_decode::{Activation, Background, BoxFormat};
use eyespot_image::{Channels, Fit, Layout};
use serde::Deserialize;
use serde_json::Value;

use crate::{Kind, OnnxError};

/// Largest width and height of an input.
pub(crate) const LIMIT: u16 = 8192;

/// What a manifest may say. Every field can be left out: then the graph tells, or the usual way of the networks with that
/// head counts. Fields of other names are an error, so that a slip of the pen is found.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// The model's name; otherwise that of its file.
    pub name: Option<String>,
    /// What its outputs mean.
    pub head: Option<Kind>,
    /// The outputs that the head reads, by name, in its order.
    pub outputs: Option<Vec<String>>,
    /// Names of the classes.
    pub classes: Option<Vec<String>>,
    /// Its input.
    pub input: InputManifest,
    /// The score threshold where the caller gives none, `0..=1`.
    pub conf: Option<f32>,
    /// The IoU threshold of suppression where the caller gives none, `0..=1`; 1 for none.
    pub iou: Option<f32>,
    /// What the four numbers of a box are.
    #[serde(deserialize_with = "named::optional")]
    pub format: Option<BoxFormat>,
    /// Are boxes in parts of the image, `0..=1`, and not in pixels?
    pub normalized: Option<bool>,
    /// What makes scores of the values.
    #[serde(deserialize_with = "named::optional")]
    pub activation: Option<Activation>,
    /// Which class is none.
    #[serde(deserialize_with = "named::optional")]
    pub background: Option<Background>,
    /// The number of the first class in an output of labels.
    pub first_label: Option<u16>,
    /// Pixels of the input from one cell of a grid to the next, a number for each grid.
    pub strides: Option<Vec<u16>>,
    /// Values of a keypoint: 2 for x and y, 3 with a score.
    pub keypoint_values: Option<usize>,
    /// Pairs of keypoints that a drawing connects.
    pub skeleton: Option<Vec<(u8, u8)>>,
}

/// What a manifest may say of the input.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct InputManifest {
    /// Height and width in pixels.
    pub size: Option<[u16; 2]>,
    /// `rgb`, `bgr` or `gray`.
    #[serde(deserialize_with = "named::optional")]
    pub channels: Option<Channels>,
    /// `nchw` or `nhwc`.
    #[serde(deserialize_with = "named::optional")]
    pub layout: Option<Layout>,
    /// What is subtracted, 0 to 255, in the order of the channels.
    pub mean: Option<[f32; 3]>,
    /// What it is then divided by.
    pub std: Option<[f32; 3]>,
    /// `top-left`, `center` or `stretch`.
    #[serde(deserialize_with = "named::optional")]
    pub fit: Option<Fit>,
    /// The level around the image, 0 to 255.
    pub pad: Option<u8>,
}

impl Manifest {
    /// The fields by the names that [`beside_with`](Self::beside_with) knows.
    pub const FIELDS: &'static [&'static str] = &[
        "name",
        "head",
        "outputs",
        "classes",
        "conf",
        "iou",
        "format",
        "normalized",
        "activation",
        "background",
        "first_label",
        "strides",
        "keypoint_values",
        "skeleton",
        "input.size",
        "input.channels",
        "input.layout",
        "input.mean",
        "input.std",
        "input.fit",
        "input.pad",
    ];

    /// Where the manifest of a model is: beside it, with the ending `.json`.
    #[must_use]
    pub fn path_of(model: &Path) -> PathBuf {
        model.with_extension("json")
    }

    /// The manifest beside a model; an empty one where there is none.
    ///
    /// # Errors
    /// [`OnnxError::Read`] where it can't be read, [`OnnxError::Manifest`] where it is not right.
    pub fn beside(model: &Path) -> Result<Self, OnnxError> {
        Self::beside_with(model, [])
    }

    /// The manifest beside a model, with some of its [`FIELDS`](Self::FIELDS) set: `("head", "yolov8")`,
    /// `("input.size", "[480, 640]")`. Values are JSON, or text as it is.
    ///
    /// # Errors
    /// As [`beside`](Self::beside), and [`OnnxError::Setting`] where a field is not right.
    pub fn beside_with<'a>(
        model: &Path,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, OnnxError> {
        let path = Self::path_of(model);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(OnnxError::Read { path, error }),
        };
        let manifest = Self::parse(&text).map_err(|reason| OnnxError::Manifest { path, reason })?;
        let mut fields = fields.into_iter().peekable();
        if fields.peek().is_none() {
            return Ok(manifest);
        }
        let set = |reason: String| OnnxError::Setting { reason };
        // It was parsed before.
        let mut whole: Value = serde_json::from_str(&text).unwrap_or_default();
        for (name, value) in fields {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
            let place = name.split('.').try_fold(&mut whole, |whole, part| {
                if whole.is_null() {
                    *whole = Value::Object(serde_json::Map::new());
                }
                whole.as_object_mut().map(|fields| fields.entry(part).or_insert(Value::Null))
            });
            *place.ok_or_else(|| set(format!("no field `{name}`")))? = value;
        }
        Self::parse(&whole.to_string()).map_err(set)
    }

    /// Reads a manifest from JSON and checks its ranges.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(json: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let unit = |name: &str, value: Option<f32>| match value {
            Some(value) if !(0.0..=1.0).contains(&value) => {
                Err(format!("`{name}` must lie between 0 and 1, but is {value}"))
            }
            _ => Ok(()),
        };
        unit("conf", manifest.conf)?;
        unit("iou", manifest.iou)?;
        let input = &manifest.input;
        if input.size.is_some_and(|size| size.iter().any(|&side| side == 0 || side > LIMIT)) {
            return Err(format!("`input.size` must be height and width, each from 1 to {LIMIT}"));
        }
        if input.mean.is_some_and(|mean| !mean.iter().all(|value| value.is_finite())) {
            return Err("`input.mean` must be finite numbers".to_owned());
        }
        if input.std.is_some_and(|std| !std.iter().all(|value| value.is_normal())) {
            return Err("`input.std` must be finite numbers other than 0".to_owned());
        }
        if manifest.strides.as_ref().is_some_and(|strides| strides.is_empty() || strides.contains(&0)) {
            return Err("`strides` must be numbers above 0".to_owned());
        }
        if manifest.keypoint_values.is_some_and(|values| !(2..=3).contains(&values)) {
            return Err("`keypoint_values` must be 2 or 3".to_owned());
        }
        if manifest.classes.as_ref().is_some_and(|classes| classes.len() > usize::from(u16::MAX)) {
            return Err("more than 65535 classes".to_owned());
        }
        Ok(manifest)
    }
}

/// Choices of other crates by the names that a manifest has for them.
mod named {
    use serde::de::{Deserialize, Deserializer, Error};

    use super::{Activation, Background, BoxFormat, Channels, Fit, Layout};

    pub(super) trait Named: Copy + 'static {
        const NAMES: &'static [(&'static str, Self)];
    }

    impl Named for BoxFormat {
        const NAMES: &'static [(&'static str, Self)] =
            &[("cxcywh", Self::CenterSize), ("xyxy", Self::Corners), ("yxyx", Self::CornersYx)];
    }

    impl Named for Activation {
        const NAMES: &'static [(&'static str, Self)] =
            &[("none", Self::None), ("sigmoid", Self::Sigmoid), ("softmax", Self::Softmax)];
    }

    impl Named for Background {
        const NAMES: &'static [(&'static str, Self)] =
            &[("none", Self::None), ("first", Self::First), ("last", Self::Last)];
    }

    impl Named for Channels {
        const NAMES: &'static [(&'static str, Self)] =
            &[("rgb", Self::Rgb), ("bgr", Self::Bgr), ("gray", Self::Gray)];
    }

    impl Named for Layout {
        const NAMES: &'static [(&'static str, Self)] = &[("nchw", Self::Planar), ("nhwc", Self::Interleaved)];
    }

    impl Named for Fit {
        const NAMES: &'static [(&'static str, Self)] =
            &[("top-left", Self::TopLeft), ("center", Self::Center), ("stretch", Self::Stretch)];
    }

    pub(super) fn optional<'de, D: Deserializer<'de>, T: Named>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let found = T::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|&(_, value)| Some(value)).ok_or_else(|| {
            let known: Vec<_> = T::NAMES.iter().map(|(name, _)| *name).collect();
            D::Error::custom(format!("unknown `{name}`, expected one of {}", known.join(", ")))
        })
    }
}
