//! Where results go.

use std::fmt;
use std::sync::{Arc, Mutex};

use eyespot_supervisely::client::{Client, ClientError, ProjectInfo};
use eyespot_supervisely::{
    Deliver, DeliverError, Delivery, Item, ModeError, SourceKind, UploadMode, Uploader, Videos,
    format::ProjectType,
};
use serde::{Deserialize, Serialize};

use crate::outbox::lock;
use crate::{Outbox, OutboxError};

/// Where the results of an outbox go, and how they meet what is there. It is kept in the outbox, so that they can be
/// delivered by another process, days later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Address of the platform.
    pub server: String,
    /// How results meet what is there.
    pub mode: UploadMode,
    /// The project.
    pub destination: Destination,
}

/// The project that results go into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The images that were predicted, where they are.
    Sources,
    /// A project that is there.
    Project {
        /// Its number.
        id: u64,
    },
    /// A project that is made with the first result, and another one where images and whole videos come: the platform keeps
    /// them apart. Where its name is taken it gets `_001` and so on behind it.
    NewProject {
        /// The workspace that it is made in.
        workspace: u64,
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            UploadMode::Create => "create",
            UploadMode::Append => "append",
            UploadMode::Replace => "replace",
            UploadMode::IouMerge { .. } => "iou_merge",
        };
        match &self.destination {
            Destination::Sources => write!(f, "the predicted images of {} ({mode})", self.server),
            Destination::Project { id } => write!(f, "project {id} of {} ({mode})", self.server),
            Destination::NewProject { workspace, name } => {
                write!(f, "a new project `{name}` in workspace {workspace} of {} ({mode})", self.server)
            }
        }
    }
}

impl Target {
    /// Can results of such sources go there? To be asked before anything is predicted.
    ///
    /// # Errors
    /// [`ModeError`].
    pub fn check(&self, sources: SourceKind) -> Result<(), ModeError> {
        self.mode.check(sources)?;
        match (self.mode, &self.destination) {
            (UploadMode::Create, Destination::Sources) => Err(ModeError::NeedsTarget),
            (UploadMode::Create, _) | (_, Destination::Sources) => Ok(()),
            _ => Err(ModeError::NoTarget),
        }
    }

    /// What delivers an outbox there; `count` of them work side by side.
    #[must_use]
    pub fn deliverers(&self, client: &Client, outbox: &Outbox, count: usize) -> Vec<ToTarget> {
        let (projects, videos) = (Arc::default(), Videos::default());
        let one = || ToTarget {
            client: client.clone(),
            target: self.clone(),
            outbox: outbox.clone(),
            projects: Arc::clone(&projects),
            videos: videos.clone(),
            uploaders: [None, None],
        };
        (0..count.max(1)).map(|_| one()).collect()
    }
}

/// Delivers to a [`Target`]. The project is looked up or made with the first batch, so that a device can start without a
/// network.
#[derive(Debug)]
pub struct ToTarget {
    client: Client,
    target: Target,
    outbox: Outbox,
    /// The projects of images and of videos, once they are known to one of them.
    projects: Arc<Mutex<[Option<u64>; 2]>>,
    videos: Videos,
    /// For images and for videos.
    uploaders: [Option<Uploader>; 2],
}

/// Under which names an outbox notes the projects that were made for it: of images, of videos.
pub(crate) const PROJECTS: [&str; 2] = ["project", "project of videos"];

/// That of videos or that of images.
const fn of_kind<T>([images, of_videos]: &mut [T; 2], videos: bool) -> &mut T {
    if videos { of_videos } else { images }
}

impl ToTarget {
    fn uploader(&mut self, videos: bool) -> Result<&mut Uploader, DeliverError> {
        let uploader = match of_kind(&mut self.uploaders, videos).take() {
            Some(uploader) => uploader,
            None => match self.target.destination.clone() {
                Destination::Sources => Uploader::new(self.client.clone(), self.target.mode)
                    .map_err(|error| lasting(error.to_string()))?,
                Destination::Project { id } => Uploader::into_project(self.client.clone(), id),
                Destination::NewProject { workspace, name } => Uploader::into_project(
                    self.client.clone(),
                    self.ensure_project(workspace, &name, videos)?,
                ),
            },
        };
        let uploader = uploader.sharing(self.videos.clone());
        Ok(of_kind(&mut self.uploaders, videos).insert(uploader))
    }

    /// The project of this outbox. A project that was made by a try whose answer was lost is known by its description.
    fn ensure_project(&self, workspace: u64, name: &str, videos: bool) -> Result<u64, DeliverError> {
        let mut known = lock(&self.projects);
        let known = of_kind(&mut known, videos);
        let note = PROJECTS[usize::from(videos)];
        if let Some(project) = *known {
            return Ok(project);
        }
        let stored = |error: OutboxError| DeliverError {
            reason: error.to_string(),
            retry_after: None,
            lasting: false,
        };
        // By itself, so that the lock is free again.
        let noted = self.outbox.store().setting(note).map_err(stored)?;
        let project = match noted.and_then(|id| id.parse().ok()) {
            Some(project) => project,
            None => {
                let description =
                    format!("Made by Eyespot for the outbox {}", self.outbox.id().map_err(stored)?);
                let kind = if videos { ProjectType::Videos } else { ProjectType::Images };
                let made = self.make_project(workspace, name, &kind, &description);
                let project = made.map_err(|error| failed(&error))?;
                self.outbox.store().set(note, Some(&project.to_string())).map_err(stored)?;
                project
            }
        };
        Ok(*known.insert(project))
    }

    fn make_project(
        &self,
        workspace: u64,
        name: &str,
        kind: &ProjectType,
        description: &str,
    ) -> Result<u64, ClientError> {
        let ours = |project: &ProjectInfo| {
            project.extra.get("description").and_then(serde_json::Value::as_str) == Some(description)
                && project.project_type.as_ref() == Some(kind)
        };
        Ok(self.client.ensure_project(workspace, name, kind, description, ours)?.id)
    }
}

fn lasting(reason: String) -> DeliverError {
    DeliverError { reason, retry_after: None, lasting: true }
}

fn failed(error: &ClientError) -> DeliverError {
    let retry_after = match error {
        ClientError::Status { retry_after, .. } => *retry_after,
        _ => None,
    };
    // A workspace that is gone does not come back by itself.
    let gone = matches!(error, ClientError::Status { status: 400 | 404, .. });
    DeliverError { reason: error.to_string(), retry_after, lasting: error.is_lasting() || gone }
}

impl Deliver for ToTarget {
    fn deliver(&mut self, batch: &[Item], again: bool) -> Result<Vec<Delivery>, DeliverError> {
        let mut deliveries = Vec::with_capacity(batch.len());
        for part in batch.chunk_by(|a, b| a.source.is_video() == b.source.is_video()) {
            let videos = part.first().is_some_and(|item| item.source.is_video());
            deliveries.extend(self.uploader(videos)?.deliver(part, again)?);
        }
        Ok(deliveries)
    }
}
