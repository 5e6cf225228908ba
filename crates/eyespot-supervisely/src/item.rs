//! What one result needs to get to the platform, and who brings it there.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::format::{Annotation, ProjectMeta};

/// A result on its way to the platform. It holds all that its upload needs, so that it can wait on a disk for days. The
/// format to keep it in is JSON: annotations have fields that only a self-describing format can hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Names the result: the same result always has the same key, no other has it. Delivering it twice stores it once.
    pub key: String,
    /// What the result is about.
    pub source: Source,
    /// The pixels, for what the platform does not have yet.
    #[serde(default)]
    pub pixels: Pixels,
    /// What was found, in pixels.
    pub annotation: Annotation,
    /// The classes and tags that the annotation uses.
    pub meta: ProjectMeta,
}

/// The image or frame that a result is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An image on the platform.
    Image {
        /// Its number.
        id: u64,
    },
    /// A frame of a video on the platform.
    Video {
        /// The video's number.
        id: u64,
        /// Number of the frame, from 0.
        frame: u64,
    },
    /// A frame of a video file that goes up as a whole. Its [`pixels`](Item::pixels) are the file.
    LocalVideo {
        /// Its name there, with its extension.
        name: String,
        /// The dataset that it goes into, as that of [`Local`](Self::Local).
        #[serde(default)]
        dataset: Vec<String>,
        /// Number of the frame, from 0.
        frame: u64,
    },
    /// An image, or a frame of a camera or stream, that is not on the platform.
    Local {
        /// Its name there.
        name: String,
        /// The dataset that it goes into, from the outermost to the innermost; empty for the default one.
        #[serde(default)]
        dataset: Vec<String>,
    },
}

/// Where the pixels of a result are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pixels {
    /// On the platform, or nowhere.
    #[default]
    None,
    /// In a file, which has to stay until the result was delivered.
    File(PathBuf),
    /// Here, as a JPEG, PNG or other file.
    Encoded(#[serde(with = "base64_text")] Vec<u8>),
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The platform has it.
    Done,
    /// The platform will never take it.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A batch could not be delivered now. Some of it may have been; all of it can be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct DeliverError {
    /// What went wrong.
    pub reason: String,
    /// How long the platform asks to wait.
    pub retry_after: Option<Duration>,
    /// Trying again can't help until a person mends something, for example a wrong token.
    pub lasting: bool,
}

impl Source {
    /// Is it a frame of a video that is on the platform or goes there as a whole?
    #[must_use]
    pub const fn is_video(&self) -> bool {
        matches!(self, Self::Video { .. } | Self::LocalVideo { .. })
    }
}

impl eyespot_core::Error for DeliverError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        eyespot_core::ErrorKind::Io
    }
}

/// Brings results to the platform.
///
/// # Contract
/// - The answer has one entry per item, in their order.
/// - It is idempotent: an item that was delivered before, in whole or in part, is stored once. `again` says that this
///   may be the case, as after a crash or an error.
pub trait Deliver {
    /// Delivers a batch.
    ///
    /// # Errors
    /// [`DeliverError`] where the platform can't be reached or is busy.
    fn deliver(&mut self, batch: &[Item], again: bool) -> Result<Vec<Delivery>, DeliverError>;
}

mod base64_text {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::format::{Geometry, Object};

    #[test]
    fn items_survive_on_a_disk() {
        let mut annotation = Annotation::new(640, 480);
        annotation.objects.push(Object::predicted("car", Geometry::Point([1.5, 2.0]), 0.5));
        let local = Source::Local { name: "a.jpg".into(), dataset: vec!["day".into(), "noon".into()] };
        for (source, pixels) in [
            (Source::Image { id: 5 }, Pixels::None),
            (Source::Video { id: 7, frame: 3 }, Pixels::File("a/b.jpg".into())),
            (
                Source::LocalVideo { name: "a.mp4".into(), dataset: vec![], frame: 8 },
                Pixels::File("a.mp4".into()),
            ),
            (local, Pixels::Encoded(vec![0xff, 0xd8, 0])),
        ] {
            let (annotation, meta) = (annotation.clone(), ProjectMeta::default());
            let item = Item { key: "k".into(), source, pixels, annotation, meta };
            let text = serde_json::to_vec(&item).unwrap();
            assert_eq!(serde_json::from_slice::<Item>(&text).unwrap(), item);
        }
    }
}
