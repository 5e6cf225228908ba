//! Which objects of a result go to the platform, decided before anything is sent.

use serde::{Deserialize, Serialize};

use crate::format::{Annotation, BitMask, Geometry, Object, Rectangle, Tag};

/// How results meet what the platform has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UploadMode {
    /// Into a new project; the source stays as it is.
    Create,
    /// Beside what is there.
    Append,
    /// Instead of the objects that are there.
    Replace,
    /// Beside what is there, except for what overlaps an object of its class and shape that is there or was taken
    /// before it.
    IouMerge {
        /// Leave out what has at least this intersection over union, over 0 up to 1. 0.9 by default.
        threshold: f64,
    },
}

impl UploadMode {
    /// [`IouMerge`](Self::IouMerge) with a threshold of 0.9.
    pub const IOU_MERGE: Self = Self::IouMerge { threshold: 0.9 };

    /// Reads `create`, `append`, `replace` or `iou_merge`.
    ///
    /// # Errors
    /// [`ModeError::Unknown`].
    pub fn parse(name: &str) -> Result<Self, ModeError> {
        Ok(match name {
            "create" => Self::Create,
            "append" => Self::Append,
            "replace" => Self::Replace,
            "iou_merge" => Self::IOU_MERGE,
            _ => return Err(ModeError::Unknown { name: name.to_owned() }),
        })
    }

    /// Another threshold for [`IouMerge`](Self::IouMerge).
    ///
    /// # Errors
    /// [`ModeError::NoThreshold`] for another mode, [`ModeError::Threshold`] outside `0..=1` and for 0.
    pub fn with_threshold(self, threshold: f64) -> Result<Self, ModeError> {
        match self {
            Self::IouMerge { .. } if threshold > 0.0 && threshold <= 1.0 => Ok(Self::IouMerge { threshold }),
            Self::IouMerge { .. } => Err(ModeError::Threshold { threshold }),
            _ => Err(ModeError::NoThreshold),
        }
    }

    /// Can results of such a source be uploaded in this mode? To be asked before anything is.
    ///
    /// # Errors
    /// [`ModeError::NeedsPlatform`], [`ModeError::Video`].
    pub const fn check(self, source: SourceKind) -> Result<(), ModeError> {
        match (self, source) {
            (Self::Create, _)
            | (_, SourceKind::PlatformImages)
            | (Self::Append, SourceKind::PlatformVideo) => Ok(()),
            (_, SourceKind::Local) => Err(ModeError::NeedsPlatform),
            (_, SourceKind::PlatformVideo) => Err(ModeError::Video),
        }
    }
}

/// Where the images of a run come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Images of the platform: a project, a dataset, single ones.
    PlatformImages,
    /// A video of the platform.
    PlatformVideo,
    /// Files, cameras, streams.
    Local,
}

/// A mode that can't be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModeError {
    /// No mode of that name.
    #[error("no upload mode `{name}`: use create, append, replace or iou_merge")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A threshold out of its range.
    #[error("a threshold of {threshold} for iou_merge: it must be over 0 and at most 1")]
    Threshold {
        /// The threshold.
        threshold: f64,
    },
    /// A threshold for a mode that has none.
    #[error("only the upload mode iou_merge has a threshold")]
    NoThreshold,
    /// A local input has nothing on the platform to add to.
    #[error(
        "this upload mode needs images of the platform as input: use create for files, cameras and streams"
    )]
    NeedsPlatform,
    /// A new project is needed for the results.
    #[error("the upload mode create needs a project to put the results into")]
    NeedsTarget,
    /// Only a new project is put somewhere.
    #[error("only the upload mode create has a project to put results into: leave it out, or use create")]
    NoTarget,
    /// The annotations of a video can't be replaced.
    #[error("results of a video can only be appended, or go into a new project: use append or create")]
    Video,
}

impl eyespot_core::Error for ModeError {
    fn kind(&self) -> eyespot_core::ErrorKind {
        eyespot_core::ErrorKind::InvalidInput
    }
}

/// What is to be done with an image.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Nothing: there is no new object.
    Nothing,
    /// Add to what is there.
    Add(Additions),
    /// Put this in the place of all that is there.
    Set(Annotation),
}

/// What is to be added to an image.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Additions {
    /// New objects, with their tags.
    pub objects: Vec<Object>,
    /// Tags of objects that are there without them, by the platform's numbers of the objects: an object and its tags go
    /// up one after the other, and a device may lose its power in between.
    pub tags: Vec<(u64, Vec<Tag>)>,
}

/// Decides what to do with a result. `existing` is what the image has, where the mode or a second try needs it; class
/// names are those of the project in both.
///
/// With `again`, as after a crash, objects that are there already are not added once more: same class, geometry and
/// tags, made by a model. Of two equal predictions and one that is there, one is added.
///
/// Replacing keeps the image's own tags, which are no predictions.
#[must_use]
pub fn plan(mode: UploadMode, result: Annotation, existing: &Annotation, again: bool) -> Operation {
    if mode == UploadMode::Replace {
        let tags = existing.tags.clone();
        return Operation::Set(Annotation { tags, ..result });
    }
    let (mut objects, mut tags) = (result.objects, vec![]);
    if again {
        let mut there: Vec<&Object> = existing.objects.iter().filter(|object| object.nn_created).collect();
        objects.retain(|object| {
            let missing = |known: &&Object| missing_tags(known, object);
            let best = there.iter().enumerate().filter_map(|(place, known)| Some((place, missing(known)?)));
            let Some((place, missing)) = best.min_by_key(|(_, missing)| missing.len()) else { return true };
            let known = there.swap_remove(place);
            if let (Some(id), false) = (known.id, missing.is_empty()) {
                tags.push((id, missing));
            }
            false
        });
    }
    if let UploadMode::IouMerge { threshold } = mode {
        let mut taken: Vec<Area> = existing.objects.iter().filter_map(Area::of).collect();
        objects.retain(|object| {
            let Some(area) = Area::of(object) else { return true };
            let new = taken.iter().all(|known| area.iou(known) < threshold);
            if new {
                taken.push(area);
            }
            new
        });
    }
    if objects.is_empty() && tags.is_empty() {
        Operation::Nothing
    } else {
        Operation::Add(Additions { objects, tags })
    }
}

/// Was an object stored from this prediction? Then the tags that it lacks. Masks are compared by their pixels: a platform
/// may pack them anew.
fn missing_tags(stored: &Object, object: &Object) -> Option<Vec<Tag>> {
    let same_geometry = match (&stored.geometry, &object.geometry) {
        (Geometry::Bitmap(a), Geometry::Bitmap(b)) => {
            a == b || matches!((a.decode(), b.decode()), (Ok(a), Ok(b)) if a == b)
        }
        (Geometry::OrientedBox(a), Geometry::OrientedBox(b)) => {
            a.rectangle == b.rectangle && (a.angle - b.angle).abs() < 1e-6
        }
        (a, b) => a == b,
    };
    if !same_geometry || stored.class_title != object.class_title {
        return None;
    }
    let mut missing = vec![];
    for tag in &object.tags {
        match stored.tags.iter().find(|known| known.name == tag.name) {
            Some(known) if !same_value(known, tag) => return None,
            Some(_) => {}
            None => missing.push(tag.clone()),
        }
    }
    Some(missing)
}

/// A number may come back as 1 where it went as 1.0.
fn same_value(a: &Tag, b: &Tag) -> bool {
    let number = |tag: &Tag| tag.value.as_ref().and_then(serde_json::Value::as_f64);
    a.value == b.value || (number(a).is_some() && number(a) == number(b))
}

/// What an object covers, with its class.
struct Area {
    class: String,
    kind: Kind,
}

enum Kind {
    Box(Rectangle),
    Mask(BitMask),
}

impl Area {
    /// `None` for what is neither a box nor a mask: it merges with nothing.
    fn of(object: &Object) -> Option<Self> {
        let kind = match &object.geometry {
            Geometry::Rectangle(rectangle) => Kind::Box(*rectangle),
            Geometry::Bitmap(bitmap) => Kind::Mask(bitmap.decode().ok()?),
            _ => return None,
        };
        Some(Self { class: object.class_title.clone(), kind })
    }

    fn iou(&self, other: &Self) -> f64 {
        if self.class != other.class {
            return 0.0;
        }
        match (&self.kind, &other.kind) {
            (Kind::Box(a), Kind::Box(b)) => box_iou(a, b),
            (Kind::Mask(a), Kind::Mask(b)) => a.iou(b),
            _ => 0.0,
        }
    }
}

/// Over whole pixels, so that a box equals itself also where it is one pixel wide.
fn box_iou(a: &Rectangle, b: &Rectangle) -> f64 {
    let width = (a.right.min(b.right) - a.left.max(b.left) + 1.0).max(0.0);
    let height = (a.bottom.min(b.bottom) - a.top.max(b.top) + 1.0).max(0.0);
    let both = width * height;
    let union = a.width() * a.height() + b.width() * b.height() - both;
    if union > 0.0 { both / union } else { 0.0 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::format::Bitmap;

    /// A box of so many columns and ten rows.
    fn bar(class: &str, left: f64, width: f64, score: f32) -> Object {
        let rectangle = Rectangle { left, top: 0.0, right: left + width - 1.0, bottom: 9.0 };
        Object::predicted(class, Geometry::Rectangle(rectangle), score)
    }

    fn mask(class: &str, set: impl Fn(u32, u32) -> bool) -> Object {
        let mask = BitMask::from_fn([0, 0], 20, 10, set).unwrap();
        Object::predicted(class, Geometry::Bitmap(Bitmap::encode(&mask).unwrap()), 0.5)
    }

    fn image(objects: Vec<Object>) -> Annotation {
        Annotation { objects, tags: vec![], ..Annotation::new(200, 100) }
    }

    fn added(operation: Operation) -> Vec<Object> {
        match operation {
            Operation::Add(additions) => additions.objects,
            Operation::Nothing => vec![],
            Operation::Set(_) => unreachable!(),
        }
    }

    #[test]
    fn replacing_keeps_the_tags_of_the_image() {
        let existing =
            Annotation { tags: vec![Tag::new("night", None)], ..image(vec![bar("car", 0.0, 9.0, 0.1)]) };
        let new = image(vec![bar("bus", 0.0, 9.0, 0.9)]);
        let Operation::Set(set) = plan(UploadMode::Replace, new.clone(), &existing, false) else {
            unreachable!()
        };
        assert_eq!((set.objects, set.tags), (new.objects, existing.tags.clone()));
        // No prediction replaces all there was.
        let empty = plan(UploadMode::Replace, image(vec![]), &existing, true);
        assert!(matches!(empty, Operation::Set(annotation) if annotation.objects.is_empty()));
    }

    #[test]
    fn appending_again_adds_only_what_is_missing() {
        let (a, b) = (bar("car", 0.0, 10.0, 0.5), bar("car", 50.0, 10.0, 0.5));
        let all = image(vec![a.clone(), a.clone(), b.clone()]);
        assert_eq!(added(plan(UploadMode::Append, all.clone(), &image(vec![a.clone()]), false)).len(), 3);
        let stored = Object { id: Some(7), class_id: Some(8), ..a.clone() };
        let rest = added(plan(UploadMode::Append, all.clone(), &image(vec![stored.clone()]), true));
        assert_eq!(rest, [a.clone(), b.clone()]);
        // What a person drew is no delivery of ours.
        let drawn = Object { nn_created: false, ..stored };
        assert_eq!(added(plan(UploadMode::Append, all.clone(), &image(vec![drawn]), true)).len(), 3);
        assert_eq!(plan(UploadMode::Append, all.clone(), &all, true), Operation::Nothing);
        // The power went between an object and its tags: they are all that is added.
        let bare = Object { id: Some(7), tags: vec![], ..a.clone() };
        let rest = plan(UploadMode::Append, image(vec![a.clone(), b.clone()]), &image(vec![bare, b]), true);
        assert_eq!(rest, Operation::Add(Additions { objects: vec![], tags: vec![(7, a.tags.clone())] }));
        // The same box with another score is another prediction.
        let other = Object { tags: vec![Tag::confidence(0.75)], ..a.clone() };
        assert_eq!(added(plan(UploadMode::Append, image(vec![a.clone()]), &image(vec![other]), true)), [a]);
    }

    #[test]
    fn merging_leaves_out_what_overlaps_an_object_of_its_class_and_shape() {
        let existing = image(vec![bar("car", 0.0, 100.0, 0.5), mask("cell", |x, _| x < 10)]);
        let merge = |threshold: f64, new: Vec<Object>| {
            let mode = UploadMode::IOU_MERGE.with_threshold(threshold).unwrap();
            added(plan(mode, image(new), &existing, false)).len()
        };
        // Overlap of 90 in a union of 100: exactly the threshold is left out.
        assert_eq!(merge(0.9, vec![bar("car", 0.0, 90.0, 0.9)]), 0);
        assert_eq!(merge(0.9, vec![bar("car", 0.0, 89.0, 0.9)]), 1);
        assert_eq!(merge(0.91, vec![bar("car", 0.0, 90.0, 0.9)]), 1);
        assert_eq!(merge(0.9, vec![bar("bus", 0.0, 100.0, 0.9)]), 1);
        // Of one batch, the second of two alike.
        assert_eq!(merge(0.9, vec![bar("bus", 0.0, 100.0, 0.9), bar("bus", 0.0, 99.0, 0.8)]), 1);
        // The same bounds, half of the pixels: no duplicate by its mask, and a box is none of a mask.
        assert_eq!(merge(0.9, vec![mask("cell", |x, y| x < 10 && (x + y) % 2 == 0)]), 1);
        assert_eq!(merge(0.9, vec![mask("cell", |x, y| x < 10 && (x, y) != (4, 4))]), 0);
        assert_eq!(merge(0.9, vec![bar("cell", 0.0, 10.0, 0.9)]), 1);
        // Points merge with nothing.
        let point = Object::predicted("car", Geometry::Point([1.0, 1.0]), 0.5);
        assert_eq!(merge(0.9, vec![point.clone(), point]), 2);
    }

    #[test]
    fn wrong_modes_are_refused() {
        assert_eq!(UploadMode::parse("iou_merge"), Ok(UploadMode::IouMerge { threshold: 0.9 }));
        assert!(UploadMode::parse("merge").unwrap_err().to_string().contains("iou_merge"));
        for threshold in [0.0, -1.0, 1.01, f64::NAN] {
            assert!(matches!(
                UploadMode::IOU_MERGE.with_threshold(threshold),
                Err(ModeError::Threshold { .. })
            ));
        }
        assert_eq!(UploadMode::Append.with_threshold(0.5), Err(ModeError::NoThreshold));
        use SourceKind::{Local, PlatformImages, PlatformVideo};
        for (mode, allowed) in [
            (UploadMode::Create, [true, true, true]),
            (UploadMode::Append, [true, true, false]),
            (UploadMode::Replace, [true, false, false]),
            (UploadMode::IOU_MERGE, [true, false, false]),
        ] {
            let kinds = [PlatformImages, PlatformVideo, Local];
            assert_eq!(kinds.map(|kind| mode.check(kind).is_ok()), allowed, "{mode:?}");
        }
    }
}
