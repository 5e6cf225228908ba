//! Datasets and results, from COCO's JSON files or from memory.

use std::collections::HashSet;
use std::path::Path;

use eyespot_core::{BBox, ClassId, Detection};
use serde::{Deserialize, Serialize};

use crate::Error;

/// An image of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Image {
    /// Its id, unique in the dataset.
    pub id: u64,
    /// Name of its file; empty for an image from memory.
    #[serde(default)]
    pub file_name: String,
    /// Width in pixels, 0 if unknown.
    #[serde(default)]
    pub width: u32,
    /// Height in pixels, 0 if unknown.
    #[serde(default)]
    pub height: u32,
}

/// A true object.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Annotation {
    /// The image that it is in.
    pub image_id: u64,
    /// What it is.
    pub category_id: u64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// Area in square pixels, which decides if it is small, medium or large. In COCO it is the area of the outline;
    /// where a file has none, the area of the box.
    #[serde(default)]
    pub area: Option<f64>,
    /// 1 for a region that holds many objects: detections in it are not counted as false. 0 for one object.
    #[serde(default)]
    pub iscrowd: u8,
}

/// A kind of object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Category {
    /// Its id, unique in the dataset.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// Images with their true objects: the contents of a COCO `instances.json`.
///
/// Annotations of images or categories that the dataset does not list are not evaluated.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
pub struct Dataset {
    /// The images.
    pub images: Vec<Image>,
    /// The true objects.
    pub annotations: Vec<Annotation>,
    /// The categories.
    pub categories: Vec<Category>,
}

impl Dataset {
    /// Reads an `instances.json`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], [`Error::Json`] and, if ids are not unique, [`Error::DuplicateImage`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        let dataset: Self = read_json(path.as_ref(), "annotation")?;
        let mut ids = HashSet::with_capacity(dataset.images.len());
        match dataset.images.iter().find(|image| !ids.insert(image.id)) {
            Some(image) => Err(Error::DuplicateImage { image: image.id }),
            None => Ok(dataset),
        }
    }

    /// An empty dataset with these categories, which get the ids 1, 2, ...
    #[must_use]
    pub fn with_classes<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let categories = (1..).zip(names).map(|(id, name)| Category { id, name: name.into() }).collect();
        Self { categories, ..Self::default() }
    }

    /// Adds an image with its true objects and returns its id.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] for a class without category.
    pub fn push_image(&mut self, truths: impl IntoIterator<Item = (BBox, ClassId)>) -> Result<u64, Error> {
        let image = self.images.iter().map(|image| image.id + 1).max().unwrap_or(1);
        let categories = self.category_ids();
        for (bbox, class) in truths {
            self.annotations.push(Annotation {
                image_id: image,
                category_id: category_of(&categories, class)?,
                bbox: xywh(&bbox),
                area: None,
                iscrowd: 0,
            });
        }
        self.images.push(Image { id: image, file_name: String::new(), width: 0, height: 0 });
        Ok(image)
    }

    /// Keeps only the images for which `keep` is true, and their annotations.
    pub fn retain_images(&mut self, keep: impl FnMut(&Image) -> bool) {
        self.images.retain(keep);
        let ids: HashSet<u64> = self.images.iter().map(|image| image.id).collect();
        self.annotations.retain(|annotation| ids.contains(&annotation.image_id));
    }

    /// The ids of the categories in ascending order: class `i` of a model is the category `i` of this list.
    #[must_use]
    pub fn category_ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.categories.iter().map(|category| category.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// A detected object: an entry of a COCO result file.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
pub struct Found {
    /// The image that it is in.
    pub image_id: u64,
    /// What it is.
    pub category_id: u64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// Confidence; only the order counts.
    pub score: f64,
}

/// Detected objects: the contents of a COCO result file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Results {
    /// The objects, in any order. Among equal scores the earlier one comes first.
    pub found: Vec<Found>,
}

impl Results {
    /// Reads a result file: a JSON list of `image_id`, `category_id`, `bbox` and `score`.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Json`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        read_json(path.as_ref(), "result")
    }

    /// Writes a result file.
    ///
    /// # Errors
    ///
    /// [`Error::Write`].
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let write = || {
            let file = std::io::BufWriter::new(std::fs::File::create(path)?);
            serde_json::to_writer(file, self).map_err(std::io::Error::from)
        };
        write().map_err(|source| Error::Write { path: path.into(), source })
    }

    /// Adds the detections of an image. Class `i` is the category `i` of [`Dataset::category_ids`].
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] for a class without category; the detections before it are added.
    pub fn push(&mut self, dataset: &Dataset, image: u64, detections: &[Detection]) -> Result<(), Error> {
        let categories = dataset.category_ids();
        for detection in detections {
            self.found.push(Found {
                image_id: image,
                category_id: category_of(&categories, detection.class)?,
                bbox: xywh(&detection.bbox),
                score: detection.score.into(),
            });
        }
        Ok(())
    }
}

fn category_of(ids: &[u64], class: ClassId) -> Result<u64, Error> {
    ids.get(class.index()).copied().ok_or(Error::UnknownClass { class: class.0, categories: ids.len() })
}

fn xywh(bbox: &BBox) -> [f64; 4] {
    let [x1, y1, x2, y2] = bbox.xyxy().map(f64::from);
    [x1, y1, x2 - x1, y2 - y1]
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { path: path.into(), expected, source })
}
