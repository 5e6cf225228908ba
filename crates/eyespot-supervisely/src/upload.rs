//! Results to images and videos of the platform.

mod local;
mod video;

use std::collections::HashMap;

use crate::client::{Client, ClientError, ImageContent, ImageInfo};
use crate::format::{Annotation, Names, ProjectMeta, SUFFIX};
use crate::item::{Deliver, DeliverError, Delivery, Item, Source};
use crate::plan::{Additions, ModeError, Operation, SourceKind, UploadMode, plan};

/// Uploads results, in one of the [modes](UploadMode).
///
/// Results are added through the platform's additive method, so that what others draw meanwhile stays; only
/// [`UploadMode::Replace`] sets whole annotations. Classes and tags that the project lacks are added to it.
///
/// In a video each track becomes one object with a figure per frame; what is in no track becomes one object per class. The
/// frames of a video should be in one batch, or in consecutive ones.
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
    /// Videos by their numbers.
    videos: HashMap<u64, video::Objects>,
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

/// How often a meta is set, until it stays.
const META_TRIES: u32 = 5;
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
        let (metas, projects, datasets, videos) = Default::default();
        Self { client, mode, suffix: SUFFIX.to_owned(), target, metas, projects, datasets, videos }
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
            (Source::Local { .. }, Some(target)) => {
                return self.deliver_locals(target, std::slice::from_ref(item), again);
            }
            (Source::Local { .. }, None) => return Err(refused(ModeError::NeedsPlatform)),
            (&Source::Video { id, .. }, _) => {
                return self.deliver_frames(id, std::slice::from_ref(item), again);
            }
        };
        let project = self.project_of(dataset)?;
        match self.store(project, dataset, image, item, again) {
            // A class that was there may be gone. What came up to then is there, so it has to be looked at.
            Err(Trouble::Refused(_)) if self.metas.remove(&project).is_some() => {
                self.store(project, dataset, image, item, true)
            }
            done => done,
        }
    }

    fn store(
        &mut self,
        project: u64,
        dataset: u64,
        image: u64,
        item: &Item,
        again: bool,
    ) -> Result<(), Trouble> {
        let names = self.ensure_meta(project, &item.meta)?;
        let mut annotation = item.annotation.clone();
        names.apply(&mut annotation);
        self.check(project, &annotation)?;
        let reads = again || matches!(self.mode, UploadMode::Replace | UploadMode::IouMerge { .. });
        let existing = if reads { self.client.annotations(dataset, &[image])?.pop() } else { None };
        let existing =
            existing.unwrap_or_else(|| Annotation::new(annotation.size.width, annotation.size.height));
        match plan(self.mode, annotation, &existing, again) {
            Operation::Nothing => {}
            Operation::Add(Additions { objects, tags }) => {
                let meta = self.metas.get(&project).cloned().unwrap_or_default();
                let objects: Vec<_> = objects.into_iter().map(|object| (image, object)).collect();
                self.client.add_objects(project, dataset, &objects, &meta)?;
                self.client.add_tags(project, &tags, &meta)?;
            }
            Operation::Set(annotation) => self.client.set_annotations(dataset, &[(image, annotation)])?,
        }
        Ok(())
    }

    /// Does the project have all that an annotation uses? If not, its result came with a meta that lacks it.
    fn check(&self, project: u64, annotation: &Annotation) -> Result<(), Trouble> {
        let Some(meta) = self.metas.get(&project) else { return Ok(()) };
        let objects = &annotation.objects;
        let class =
            objects.iter().map(|object| &object.class_title).find(|title| meta.class(title).is_none());
        let tags = objects.iter().flat_map(|object| &object.tags).chain(&annotation.tags);
        let tag = tags.map(|tag| &tag.name).find(|name| meta.tag(name).is_none());
        match class.or(tag) {
            Some(name) => {
                Err(Trouble::Refused(format!("the result uses `{name}`, which is not in its meta")))
            }
            None => Ok(()),
        }
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
                None => self.add_dataset(project, name, parent)?,
            });
        }
        let dataset = parent.ok_or_else(|| Trouble::Refused("the image is in no dataset".into()))?;
        self.datasets.insert(path.to_vec(), dataset);
        self.projects.insert(dataset, project);
        Ok(dataset)
    }

    /// A new dataset, or the one that another writer has just made.
    fn add_dataset(&self, project: u64, name: &str, parent: Option<u64>) -> Result<u64, Trouble> {
        let taken = match self.client.add_dataset(project, name, parent) {
            Err(error @ ClientError::Status { status: 400, .. }) => error,
            added => return Ok(added?.id),
        };
        let all = self.client.datasets(project)?;
        let known = all.into_iter().find(|dataset| dataset.name == name && dataset.parent_id == parent);
        known.map(|dataset| dataset.id).ok_or_else(|| taken.into())
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
        // The platform takes whole metas alone. Where another writer sets one at the same moment, one of the two is lost:
        // it is read again until all is in it.
        for _ in 0..META_TRIES {
            let known = self.client.meta(project)?;
            let mut merged = known.clone();
            let names = merged.merge(needed, &self.suffix).map_err(refused)?;
            if merged == known {
                self.metas.insert(project, known);
                return Ok(names);
            }
            self.client.set_meta(project, &merged)?;
        }
        Err(Trouble::Refused(format!("project {project} does not keep the classes that it is given")))
    }
}

/// How many items from the start of a batch go up together: frames of the same video, or local images of the same dataset.
/// At least one.
fn run_length(batch: &[Item]) -> usize {
    let video = |item: &Item| match item.source {
        Source::Video { id, .. } => Some(id),
        _ => None,
    };
    let dataset = |item: &Item| local::place_of(item).map(|(_, path)| path.join("/"));
    let together = |a: &Item, b: &Item| {
        (video(a).is_some() && video(a) == video(b)) || (dataset(a).is_some() && dataset(a) == dataset(b))
    };
    match batch.first() {
        Some(first) => batch.iter().take_while(|item| together(first, item)).count().max(1),
        None => 0,
    }
}

impl Uploader {
    /// Delivers items that go up [together](run_length).
    fn deliver_run(&mut self, run: &[Item], again: bool) -> Result<Vec<Delivery>, ClientError> {
        let done = match run {
            [item] => self.deliver_one(item, again),
            [Item { source: Source::Video { id, .. }, .. }, ..] => self.deliver_frames(*id, run, again),
            [Item { source: Source::Local { .. }, .. }, ..] => match self.target {
                Some(target) => self.deliver_locals(target, run, again),
                None => Err(Trouble::Refused(ModeError::NeedsPlatform.to_string())),
            },
            _ => Ok(()),
        };
        match (done, run) {
            (Ok(()), _) => Ok(run.iter().map(|_| Delivery::Done).collect()),
            (Err(Trouble::Client(error)), _) => Err(error),
            (Err(Trouble::Refused(reason)), [_]) => Ok(vec![Delivery::Refused { reason }]),
            // One of them is the reason; the others are none the worse for it.
            (Err(Trouble::Refused(_)), _) => {
                let mut deliveries = Vec::with_capacity(run.len());
                for item in run {
                    deliveries.extend(self.deliver_run(std::slice::from_ref(item), true)?);
                }
                Ok(deliveries)
            }
        }
    }
}

impl Deliver for Uploader {
    fn deliver(&mut self, batch: &[Item], again: bool) -> Result<Vec<Delivery>, DeliverError> {
        let (mut deliveries, mut rest) = (Vec::with_capacity(batch.len()), batch);
        while !rest.is_empty() {
            let (run, after) = rest.split_at(run_length(rest));
            match self.deliver_run(run, again) {
                Ok(done) => deliveries.extend(done),
                Err(error) => {
                    // What was learned may be out of date by the next try.
                    self.metas.clear();
                    self.videos.clear();
                    let retry_after = match &error {
                        ClientError::Status { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    let lasting = error.is_lasting();
                    return Err(DeliverError { reason: error.to_string(), retry_after, lasting });
                }
            }
            rest = after;
        }
        Ok(deliveries)
    }
}
