//! Results to images of the platform.

use std::collections::HashMap;

use crate::client::{Client, ClientError, ImageContent, ImageInfo};
use crate::format::{Annotation, Names, ProjectMeta, SUFFIX};
use crate::item::{Deliver, DeliverError, Delivery, Item, Pixels, Source};
use crate::plan::{ModeError, Operation, SourceKind, UploadMode, plan};

/// Uploads results of images, in one of the [modes](UploadMode).
///
/// Results are added through the platform's additive method, so that what others draw meanwhile stays; only
/// [`UploadMode::Replace`] sets whole annotations. Classes and tags that the project lacks are added to it.
#[derive(Debug)]
pub struct Uploader {
    client: Client,
    mode: UploadMode,
    suffix: String,
    /// Where new images go.
    target: Option<u64>,
    metas: HashMap<u64, ProjectMeta>,
    /// Projects of datasets.
    projects: HashMap<u64, u64>,
    /// Datasets of the target by their paths.
    datasets: HashMap<Vec<String>, u64>,
}

/// A result that can't be stored, or not now.
enum Trouble {
    Refused(String),
    Client(ClientError),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        match error {
            // A token can be mended; the results must not be lost for it.
            ClientError::Status { status: 400 | 404 | 409 | 413 | 422, .. } => {
                Self::Refused(error.to_string())
            }
            error => Self::Client(error),
        }
    }
}

/// Dataset of images that have none.
const DATASET: &str = "Predictions";

impl Uploader {
    /// Adds to images of the platform, or replaces what they have.
    ///
    /// # Errors
    /// [`ModeError::NeedsTarget`] for [`UploadMode::Create`], which needs [`into_project`](Self::into_project).
    pub fn new(client: Client, mode: UploadMode) -> Result<Self, ModeError> {
        if mode == UploadMode::Create {
            Err(ModeError::NeedsTarget)
        } else {
            Ok(Self::with(client, mode, None))
        }
    }

    /// Puts copies of platform images, and local images, into a project of their own, with their results.
    #[must_use]
    pub fn into_project(client: Client, project: u64) -> Self {
        Self::with(client, UploadMode::Create, Some(project))
    }

    fn with(client: Client, mode: UploadMode, target: Option<u64>) -> Self {
        let (metas, projects, datasets) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { client, mode, suffix: SUFFIX.to_owned(), target, metas, projects, datasets }
    }

    /// What a class gets behind its name where the project has one of that name with another shape. [`SUFFIX`] by
    /// default.
    #[must_use]
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    fn deliver_one(&mut self, item: &Item, again: bool) -> Result<(), Trouble> {
        let refused = |error: ModeError| Trouble::Refused(error.to_string());
        let (image, dataset, again) = match (&item.source, self.target) {
            (Source::Image { id }, None) => {
                self.mode.check(SourceKind::PlatformImages).map_err(refused)?;
                let info = self.image(*id)?;
                (info.id, info.dataset_id, again)
            }
            (Source::Image { id }, Some(target)) => {
                let info = self.image(*id)?;
                let path = self.path_of(info.dataset_id)?;
                let dataset = self.ensure_dataset(target, &path)?;
                let (image, old) =
                    self.ensure_image(dataset, &info.name, ImageContent::Copy(info.id), info.hash)?;
                (image, dataset, again || old)
            }
            (Source::Local { name, dataset }, Some(target)) => {
                let bytes = match &item.pixels {
                    Pixels::Encoded(bytes) => bytes.clone(),
                    Pixels::File(path) => std::fs::read(path)
                        .map_err(|error| Trouble::Refused(format!("{}: {error}", path.display())))?,
                    Pixels::None => {
                        return Err(Trouble::Refused(format!("{name}: the result came without its image")));
                    }
                };
                let default = [DATASET.to_owned()];
                let path = if dataset.is_empty() { &default[..] } else { dataset };
                let dataset = self.ensure_dataset(target, path)?;
                let hash = self.client.upload_images(&[&bytes])?.pop().unwrap_or_default();
                let content = ImageContent::Hash(hash.clone());
                let (image, old) = self.ensure_image(dataset, name, content, Some(hash))?;
                (image, dataset, again || old)
            }
            (Source::Local { .. }, None) => return Err(refused(ModeError::NeedsPlatform)),
            (Source::Video { .. }, _) => {
                return Err(Trouble::Refused("results of videos go up as a whole".into()));
            }
        };
        let project = self.project_of(dataset)?;
        let names = self.ensure_meta(project, &item.meta)?;
        let mut annotation = item.annotation.clone();
        names.apply(&mut annotation);
        let reads = again || matches!(self.mode, UploadMode::Replace | UploadMode::IouMerge { .. });
        let existing = if reads { self.client.annotations(dataset, &[image])?.pop() } else { None };
        let existing =
            existing.unwrap_or_else(|| Annotation::new(annotation.size.width, annotation.size.height));
        match plan(self.mode, annotation, &existing, again) {
            Operation::Nothing => {}
            Operation::Add(objects) => {
                let meta = self.metas.get(&project).cloned().unwrap_or_default();
                self.client.add_objects(image, &objects, &meta)?;
            }
            Operation::Set(annotation) => self.client.set_annotations(dataset, &[(image, annotation)])?,
        }
        Ok(())
    }

    fn image(&self, id: u64) -> Result<ImageInfo, Trouble> {
        self.client
            .image(id)?
            .ok_or_else(|| Trouble::Refused(format!("image {id} is not on the platform (any more)")))
    }

    fn project_of(&mut self, dataset: u64) -> Result<u64, Trouble> {
        if let Some(&project) = self.projects.get(&dataset) {
            return Ok(project);
        }
        let info = self.client.dataset(dataset)?;
        let info =
            info.ok_or_else(|| Trouble::Refused(format!("dataset {dataset} is not on the platform")))?;
        self.projects.insert(dataset, info.project_id);
        Ok(info.project_id)
    }

    /// Names of a dataset and of those around it, the outermost first.
    fn path_of(&self, dataset: u64) -> Result<Vec<String>, Trouble> {
        let (mut path, mut next) = (Vec::new(), Some(dataset));
        while let Some(info) = next.map(|id| self.client.dataset(id)).transpose()?.flatten() {
            path.insert(0, info.name);
            next = info.parent_id;
        }
        Ok(path)
    }

    fn ensure_dataset(&mut self, project: u64, path: &[String]) -> Result<u64, Trouble> {
        if let Some(&dataset) = self.datasets.get(path) {
            return Ok(dataset);
        }
        let all = self.client.datasets(project)?;
        let mut parent = None;
        for name in path {
            let known = all.iter().find(|dataset| dataset.name == *name && dataset.parent_id == parent);
            parent = Some(match known {
                Some(dataset) => dataset.id,
                None => self.client.add_dataset(project, name, parent)?.id,
            });
        }
        let dataset = parent.ok_or_else(|| Trouble::Refused("the image is in no dataset".into()))?;
        self.datasets.insert(path.to_vec(), dataset);
        self.projects.insert(dataset, project);
        Ok(dataset)
    }

    /// The image of that name, and whether it was there. An image of that name with other pixels is not ours.
    fn ensure_image(
        &self,
        dataset: u64,
        name: &str,
        content: ImageContent,
        hash: Option<String>,
    ) -> Result<(u64, bool), Trouble> {
        let taken = match self.client.add_images(dataset, &[(name.to_owned(), content)]) {
            Ok(added) => {
                let added = added.into_iter().next();
                return added
                    .map(|info| (info.id, false))
                    .ok_or_else(|| Trouble::Refused("no image came".into()));
            }
            Err(error @ ClientError::Status { status: 400, .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let known = self.client.images(dataset)?.into_iter().find(|info| info.name == name);
        match known {
            Some(known) if known.hash == hash => Ok((known.id, true)),
            Some(_) => Err(Trouble::Refused(format!("{name}: the dataset has another image of that name"))),
            None => Err(taken.into()),
        }
    }

    /// Brings classes and tags into the project. What is known is tried first; only a change asks the platform, so that
    /// what others added meanwhile stays.
    fn ensure_meta(&mut self, project: u64, needed: &ProjectMeta) -> Result<Names, Trouble> {
        let refused = |error: crate::format::MergeError| Trouble::Refused(error.to_string());
        if let Some(known) = self.metas.get(&project) {
            let mut merged = known.clone();
            let names = merged.merge(needed, &self.suffix).map_err(refused)?;
            if merged == *known {
                return Ok(names);
            }
        }
        let known = self.client.meta(project)?;
        let mut merged = known.clone();
        let names = merged.merge(needed, &self.suffix).map_err(refused)?;
        let current = if merged == known { known } else { self.client.set_meta(project, &merged)? };
        self.metas.insert(project, current);
        Ok(names)
    }
}

impl Deliver for Uploader {
    fn deliver(&mut self, batch: &[Item], again: bool) -> Result<Vec<Delivery>, DeliverError> {
        let mut deliveries = Vec::with_capacity(batch.len());
        for item in batch {
            deliveries.push(match self.deliver_one(item, again) {
                Ok(()) => Delivery::Done,
                Err(Trouble::Refused(reason)) => Delivery::Refused { reason },
                Err(Trouble::Client(error)) => {
                    // What was learned may be out of date by the next try.
                    self.metas.clear();
                    let retry_after = match &error {
                        ClientError::Status { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    let lasting = error.is_lasting();
                    return Err(DeliverError { reason: error.to_string(), retry_after, lasting });
                }
            });
        }
        Ok(deliveries)
    }
}
