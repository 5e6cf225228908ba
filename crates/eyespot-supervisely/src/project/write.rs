//! Writing a project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::read::read;
use super::{ANNOTATIONS, IMAGES, KEYS, META, NESTED, ProjectError, VIDEOS};
use crate::format::{Annotation, ProjectMeta, ProjectType, SUFFIX, VideoAnnotation};
use crate::item::{Deliver, DeliverError, Delivery, Item, Pixels, Source};

/// Dataset of images that have none.
const DATASET: &str = "Predictions";

/// Writes a project on disk. It is whole after each image or video, and each of them can be written again.
///
/// It delivers [items](Item) as the platform would: in the mode [`create`](crate::UploadMode::Create).
#[derive(Debug)]
pub struct ProjectWriter {
    folder: PathBuf,
    meta: ProjectMeta,
    suffix: String,
}

impl ProjectWriter {
    /// Starts a project in a folder, or goes on with the one that is there.
    ///
    /// # Errors
    /// [`ProjectError::Mixed`] where the project there holds the other kind, [`ProjectError::File`],
    /// [`ProjectError::Format`].
    pub fn open(folder: impl AsRef<Path>, kind: ProjectType) -> Result<Self, ProjectError> {
        let folder = folder.as_ref().to_path_buf();
        let path = folder.join(META);
        let meta = if path.is_file() {
            let meta: ProjectMeta = read(&path)?;
            if meta.project_type.as_ref().is_some_and(|known| *known != kind) {
                return Err(ProjectError::Mixed { folder });
            }
            ProjectMeta { project_type: Some(kind), ..meta }
        } else {
            fs::create_dir_all(&folder).map_err(ProjectError::file(&folder))?;
            ProjectMeta { project_type: Some(kind), ..ProjectMeta::default() }
        };
        let writer = Self { folder, meta, suffix: SUFFIX.to_owned() };
        writer.write(&path, &writer.meta)?;
        let keys = writer.folder.join(KEYS);
        if writer.is_video() && !keys.is_file() {
            writer.write(&keys, &json!({"tags": {}, "objects": {}, "figures": {}, "videos": {}}))?;
        }
        Ok(writer)
    }

    /// What a class gets behind its name where the project has one of that name with another shape. [`SUFFIX`] by
    /// default.
    #[must_use]
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// The classes and tags so far.
    #[must_use]
    pub const fn meta(&self) -> &ProjectMeta {
        &self.meta
    }

    fn is_video(&self) -> bool {
        self.meta.project_type == Some(ProjectType::Videos)
    }

    /// Writes an image and its annotation. `meta` has the classes and tags that the annotation uses; they are merged into
    /// those of the project as on the platform.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub fn add_image(
        &mut self,
        dataset: &[String],
        name: &str,
        image: &[u8],
        annotation: &Annotation,
        meta: &ProjectMeta,
    ) -> Result<(), ProjectError> {
        if self.is_video() {
            return Err(ProjectError::Mixed { folder: self.folder.clone() });
        }
        let mut annotation = annotation.clone();
        let mut merged = self.meta.clone();
        merged.merge(meta, &self.suffix)?.apply(&mut annotation);
        let folder = self.dataset(dataset, name)?;
        self.set_meta(merged)?;
        self.store(&folder.join(IMAGES).join(name), |part| fs::write(part, image))?;
        self.write(&folder.join(ANNOTATIONS).join(format!("{name}.json")), &annotation)
    }

    /// Copies a video, and writes its annotation.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub fn add_video(
        &mut self,
        dataset: &[String],
        name: &str,
        video: &Path,
        annotation: &VideoAnnotation,
        meta: &ProjectMeta,
    ) -> Result<(), ProjectError> {
        if !self.is_video() {
            return Err(ProjectError::Mixed { folder: self.folder.clone() });
        }
        let mut annotation = annotation.clone();
        let mut merged = self.meta.clone();
        merged.merge(meta, &self.suffix)?.apply_to_video(&mut annotation);
        let folder = self.dataset(dataset, name)?;
        self.set_meta(merged)?;
        let file = folder.join(VIDEOS).join(name);
        self.store(&file, |part| fs::copy(video, part).map(drop))?;
        self.write(&folder.join(ANNOTATIONS).join(format!("{name}.json")), &annotation)
    }

    fn set_meta(&mut self, meta: ProjectMeta) -> Result<(), ProjectError> {
        if meta != self.meta {
            self.write(&self.folder.join(META), &meta)?;
            self.meta = meta;
        }
        Ok(())
    }

    /// The folder of a dataset, with its own folders in it.
    fn dataset(&self, path: &[String], name: &str) -> Result<PathBuf, ProjectError> {
        let default = [DATASET.to_owned()];
        let path = if path.is_empty() { &default[..] } else { path };
        for name in path.iter().map(String::as_str).chain([name]) {
            check_name(name)?;
        }
        let folder = self.folder.join(path.join(&format!("/{NESTED}/")));
        for own in [if self.is_video() { VIDEOS } else { IMAGES }, ANNOTATIONS] {
            let own = folder.join(own);
            fs::create_dir_all(&own).map_err(ProjectError::file(&own))?;
        }
        Ok(folder)
    }

    fn write(&self, path: &Path, value: &impl Serialize) -> Result<(), ProjectError> {
        let text = serde_json::to_vec_pretty(value);
        let text = text.map_err(|source| ProjectError::Format { path: path.to_path_buf(), source })?;
        self.store(path, |part| fs::write(part, text))
    }

    /// Puts a file there as a whole, or not at all.
    fn store(&self, path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), ProjectError> {
        let part = self.folder.join(".part");
        write(&part).and_then(|()| fs::rename(&part, path)).map_err(ProjectError::file(path))
    }

    fn deliver_one(&mut self, item: &Item) -> Result<Delivery, ProjectError> {
        let refused = |reason| Ok(Delivery::Refused { reason });
        let Source::Local { name, dataset } = &item.source else {
            return refused(
                "the image is on the platform: upload the result, or download the project".into(),
            );
        };
        let image = match &item.pixels {
            Pixels::Encoded(bytes) => bytes.clone(),
            Pixels::File(path) => match fs::read(path) {
                Ok(bytes) => bytes,
                Err(error) => return refused(format!("{}: {error}", path.display())),
            },
            Pixels::None => return refused(format!("{name}: the result came without its image")),
        };
        self.add_image(dataset, name, &image, &item.annotation, &item.meta).map(|()| Delivery::Done)
    }
}

impl Deliver for ProjectWriter {
    fn deliver(&mut self, batch: &[Item], _again: bool) -> Result<Vec<Delivery>, DeliverError> {
        let one = |item| match self.deliver_one(item) {
            Ok(delivery) => Ok(delivery),
            // A full disk may have room again.
            Err(error @ ProjectError::File { .. }) => {
                Err(DeliverError { reason: error.to_string(), retry_after: None, lasting: false })
            }
            Err(error) => Ok(Delivery::Refused { reason: error.to_string() }),
        };
        batch.iter().map(one).collect()
    }
}

/// Names may come from anywhere; none may lead out of the project.
fn check_name(name: &str) -> Result<(), ProjectError> {
    let bad = name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0', ':']);
    if bad { Err(ProjectError::Name { name: name.to_owned() }) } else { Ok(()) }
}
