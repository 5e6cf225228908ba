//! Results to images and videos of the platform.

mod images;
mod video;

use std::collections::{HashMap, HashSet};

use crate::client::{Client, ClientError, VideoInfo};
use crate::format::{Annotation, Names, ProjectMeta, ProjectType, SUFFIX};
use crate::item::{Deliver, DeliverError, Delivery, Item, Source};
use crate::plan::{ModeError, UploadMode};

pub use video::Videos;

/// Uploads results, in one of the [modes](UploadMode).
///
/// Results are added through the platform's additive method, so that what others draw meanwhile stays; only
/// [`UploadMode::Replace`] sets whole annotations. Classes and tags that the project lacks are added to it.
///
/// In a video each track becomes one object with a figure per frame; what is in no track becomes one object per class. The
/// frames of a video should be in one batch, or in consecutive ones. A video file goes up with its first frame.
#[derive(Debug)]
pub struct Uploader {
    client: Client,
    mode: UploadMode,
    suffix: String,
    /// Where new images and videos go.
    target: Option<u64>,
    /// What it holds.
    holds: Option<ProjectType>,
    metas: HashMap<u64, ProjectMeta>,
    /// Projects of datasets.
    projects: HashMap<u64, u64>,
    /// Datasets of the target by their paths.
    datasets: HashMap<Vec<String>, u64>,
    /// Names of datasets of the platform and of those around them.
    paths: HashMap<u64, Vec<String>>,
    /// The dataset of the last image of the platform.
    home: Option<u64>,
    /// Videos of the target by where they come from.
    copies: HashMap<video::Origin, VideoInfo>,
    videos: Videos,
    /// Hashes of files that do not change often.
    hashes: video::Hashes,
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
            ClientError::File { .. } => Self::Refused(error.to_string()),
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
        Self {
            client,
            mode,
            suffix: SUFFIX.to_owned(),
            target,
            holds: None,
            metas: HashMap::new(),
            projects: HashMap::new(),
            datasets: HashMap::new(),
            paths: HashMap::new(),
            home: None,
            copies: HashMap::new(),
            videos: Videos::default(),
            hashes: HashMap::new(),
        }
    }

    /// What was learned may be out of date.
    fn forget(&mut self) {
        self.metas.clear();
        self.projects.clear();
        self.datasets.clear();
        self.paths.clear();
        self.copies.clear();
        self.videos.forget();
    }

    /// What a class gets behind its name where the project has one of that name with another shape. [`SUFFIX`] by
    /// default.
    #[must_use]
    pub fn with_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Shares what is known of videos with other uploaders of this target, which may work side by side. By itself each would
    /// make an object for a track that another has made one for.
    #[must_use]
    pub fn sharing(mut self, videos: Videos) -> Self {
        self.videos = videos;
        self
    }

    /// Is the target for what comes? Asked before anything goes there.
    fn expect(&mut self, target: u64, kind: &ProjectType) -> Result<(), Trouble> {
        if self.holds.is_none() {
            let info = self.client.project(target)?;
            let info =
                info.ok_or_else(|| Trouble::Refused(format!("project {target} is not on the platform")))?;
            self.holds = info.project_type;
        }
        match &self.holds {
            Some(holds) if holds != kind => {
                let (images, videos) = ("images, or frames of videos", "whole videos");
                let (for_what, what) =
                    if *kind == ProjectType::Videos { (images, videos) } else { (videos, images) };
                Err(Trouble::Refused(format!("project {target} is for {for_what}, these are {what}")))
            }
            _ => Ok(()),
        }
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
    fn path_of(&mut self, dataset: u64) -> Result<Vec<String>, Trouble> {
        if let Some(path) = self.paths.get(&dataset) {
            return Ok(path.clone());
        }
        let (mut path, mut next) = (Vec::new(), Some(dataset));
        while let Some(info) = next.map(|id| self.client.dataset(id)).transpose()?.flatten() {
            path.insert(0, info.name);
            next = info.parent_id;
        }
        self.paths.insert(dataset, path.clone());
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

/// How many items from the start of a batch go up together: frames of the same video or video file, local images of the
/// same dataset, or images of the platform, each image once. At least one.
fn run_length(batch: &[Item]) -> usize {
    let Some(first) = batch.first() else { return 0 };
    let mut images = HashSet::new();
    let together = batch.iter().take_while(|item| match (&first.source, &item.source) {
        (Source::Video { id: first, .. }, Source::Video { id, .. }) => first == id,
        (Source::LocalVideo { name: first, dataset: home, .. }, Source::LocalVideo { name, dataset, .. }) => {
            (first, home) == (name, dataset)
        }
        (Source::Local { dataset: first, .. }, Source::Local { dataset, .. }) => {
            first == dataset && images.insert(&item.source)
        }
        (Source::Image { .. }, Source::Image { .. }) => images.insert(&item.source),
        _ => false,
    });
    together.count()
}

impl Uploader {
    /// Delivers items that go up [together](run_length).
    fn deliver_run(&mut self, run: &[Item], again: bool) -> Result<Vec<Delivery>, ClientError> {
        match self.try_run(run, again) {
            Ok(()) => return Ok(run.iter().map(|_| Delivery::Done).collect()),
            Err(Trouble::Client(error)) => return Err(error),
            Err(Trouble::Refused(_)) => {}
        }
        // A class or dataset that was there may be gone. What came up to then is there, so it has to be looked at.
        self.forget();
        if run.len() > 1 {
            // One of them is the reason; the others are none the worse for it.
            let (first, second) = run.split_at(run.len() / 2);
            let mut deliveries = self.deliver_run(first, true)?;
            deliveries.extend(self.deliver_run(second, true)?);
            return Ok(deliveries);
        }
        match self.try_run(run, true) {
            Ok(()) => Ok(vec![Delivery::Done]),
            Err(Trouble::Client(error)) => Err(error),
            Err(Trouble::Refused(reason)) => Ok(vec![Delivery::Refused { reason }]),
        }
    }

    fn try_run(&mut self, run: &[Item], again: bool) -> Result<(), Trouble> {
        let Some(first) = run.first() else { return Ok(()) };
        if let Some(target) = self.target {
            let kind = if first.source.is_video() { ProjectType::Videos } else { ProjectType::Images };
            self.expect(target, &kind)?;
        }
        match (&first.source, self.target) {
            (&Source::Video { id, .. }, _) => self.deliver_frames(id, run, again),
            (Source::LocalVideo { .. }, _) => self.deliver_frames_of_file(run, again),
            (Source::Local { .. }, _) => self.deliver_locals(run, again),
            (Source::Image { .. }, None) => self.deliver_images(run, again),
            (Source::Image { .. }, Some(target)) => self.deliver_copies(target, run, again),
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
                    self.forget();
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
