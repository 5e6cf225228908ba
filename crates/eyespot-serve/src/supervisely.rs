//! Items that lie on a Supervisely platform.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use eyespot_core::{AnyError, Error, ErrorKind};
use eyespot_supervisely::client::{
    Client, ClientError, ClientOptions, Connection, ImageInfo, ProjectInfo, Token,
};
use eyespot_supervisely::format::{Annotation, ProjectMeta, ProjectType, SUFFIX};
use eyespot_supervisely::{
    Deliver as _, DeliverError, Delivery, Item, ModeError, Pixels, Source, SourceKind, UploadMode, Uploader,
};

use crate::platform::{Credentials, Platform, PlatformImage, PlatformVideo, Upload, Uploading};

/// Serves images, projects and videos of a Supervisely platform by their ids, and uploads what was found in them.
///
/// A request that brings a token is done with that token, at the platform that it names or at the server's own. One without
/// a token is done with the server's own connection, whatever address it names: the server's token goes nowhere else.
pub struct Supervisely {
    own: Option<Connection>,
    others: bool,
    options: ClientOptions,
    /// The connection of the last request: most of them come from one client.
    last: Mutex<Option<Client>>,
}

impl Supervisely {
    /// With the server's own connection, for requests that bring no token. `None`: each request has to bring one.
    #[must_use]
    pub fn new(own: Option<Connection>) -> Self {
        let options = ClientOptions { tries: 3, ..ClientOptions::default() };
        Self { own, others: true, options, last: Mutex::new(None) }
    }

    /// Ask no other platform than the server's own, even where a request names one.
    #[must_use]
    pub const fn own_only(mut self) -> Self {
        self.others = false;
        self
    }

    /// How the platform is asked.
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions) -> Self {
        self.options = options;
        self
    }

    fn client(&self, who: &Credentials) -> Result<Client, AnyError> {
        let own = self.own.as_ref();
        let connection = match &who.token {
            None => own.cloned().ok_or(PlatformError::NoToken)?,
            Some(token) => {
                let own = own.map(|own| own.address.as_str());
                let address = match who.address.as_deref() {
                    Some(address) if self.others => Some(address),
                    // The official client names the platform that it knows; here there is only one.
                    _ => own,
                };
                let address = address.ok_or(PlatformError::NoAddress)?;
                Connection::new(address, Token::new(token.as_str()).map_err(AnyError::new)?)
                    .map_err(AnyError::new)?
            }
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = last.as_ref().filter(|client| *client.connection() == connection) {
            return Ok(client.clone());
        }
        Ok(last.insert(Client::new(connection, self.options.clone())).clone())
    }
}

impl std::fmt::Debug for Supervisely {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supervisely").field("own", &self.own).finish_non_exhaustive()
    }
}

/// Why a platform's item can't be served.
#[derive(Debug, thiserror::Error)]
enum PlatformError {
    #[error("the request brings no `api_token`, and the server has none of its own")]
    NoToken,
    #[error("the request names no `server_address`, and the server knows no platform of its own")]
    NoAddress,
    #[error("{0} is not on the platform, or this token may not see it")]
    Missing(String),
    #[error("{name}: {reason}")]
    Refused { name: String, reason: String },
    #[error("{name}: can't be written: {source}")]
    Write { name: String, source: std::io::Error },
    #[error(transparent)]
    Mode(#[from] ModeError),
    #[error(transparent)]
    Deliver(#[from] DeliverError),
}

impl Error for PlatformError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoToken | Self::NoAddress | Self::Refused { .. } | Self::Mode(_) => ErrorKind::InvalidInput,
            Self::Missing(_) => ErrorKind::NotFound,
            Self::Write { .. } | Self::Deliver(_) => ErrorKind::Io,
        }
    }
}

impl From<PlatformError> for AnyError {
    fn from(error: PlatformError) -> Self {
        Self::new(error)
    }
}

/// What is there, or an error that says what is not.
fn there<T>(what: &str, id: u64, found: Result<Option<T>, ClientError>) -> Result<T, AnyError> {
    let missing = || PlatformError::Missing(format!("{what} {id}"));
    Ok(found.map_err(AnyError::new)?.ok_or_else(missing)?)
}

fn image_of(info: ImageInfo, project: u64) -> PlatformImage {
    PlatformImage { id: info.id, name: info.name, project: Some(project), dataset: Some(info.dataset_id) }
}

impl Platform for Supervisely {
    fn images(&self, who: &Credentials, ids: &[u64]) -> Result<Vec<PlatformImage>, AnyError> {
        let client = self.client(who)?;
        let mut projects = HashMap::new();
        let mut images = Vec::with_capacity(ids.len());
        let found = client.images_of(ids).map_err(AnyError::new)?;
        for (&id, info) in ids.iter().zip(found) {
            let info = there("image", id, Ok(info))?;
            let project = match projects.get(&info.dataset_id) {
                Some(&project) => project,
                None => {
                    let dataset = there("dataset", info.dataset_id, client.dataset(info.dataset_id))?;
                    projects.insert(dataset.id, dataset.project_id);
                    dataset.project_id
                }
            };
            images.push(image_of(info, project));
        }
        Ok(images)
    }

    fn project(
        &self,
        who: &Credentials,
        project: u64,
        datasets: &[u64],
    ) -> Result<Vec<PlatformImage>, AnyError> {
        let client = self.client(who)?;
        there("project", project, client.project(project))?;
        let all = client.datasets(project).map_err(AnyError::new)?;
        if let Some(&foreign) = datasets.iter().find(|&&id| all.iter().all(|dataset| dataset.id != id)) {
            return Err(PlatformError::Missing(format!("dataset {foreign} of project {project}")).into());
        }
        let mut images = Vec::new();
        for dataset in all.iter().filter(|dataset| datasets.is_empty() || datasets.contains(&dataset.id)) {
            let infos = client.images(dataset.id).map_err(AnyError::new)?;
            images.extend(infos.into_iter().map(|info| image_of(info, project)));
        }
        Ok(images)
    }

    fn download(&self, who: &Credentials, image: &PlatformImage) -> Result<Vec<u8>, AnyError> {
        self.client(who)?.download_image(image.id).map_err(AnyError::new)
    }

    fn video(&self, who: &Credentials, id: u64, folder: &Path) -> Result<PlatformVideo, AnyError> {
        let client = self.client(who)?;
        let info = there("video", id, client.video(id))?;
        let bytes = client.download_video(id).map_err(AnyError::new)?;
        // The extension tells how it is to be read; the rest of a name that others chose is not used.
        let extension = Path::new(&info.name).extension().and_then(|extension| extension.to_str());
        let extension =
            extension.filter(|extension| extension.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let path = folder.join(format!("{id}.{}", extension.unwrap_or("mp4")));
        let failed = |source| PlatformError::Write { name: info.name.clone(), source };
        std::fs::write(&path, bytes).map_err(failed)?;
        let (project, dataset) = (Some(info.project_id), Some(info.dataset_id));
        Ok(PlatformVideo { id, name: info.name, project, dataset, path })
    }

    fn uploading(
        &self,
        who: &Credentials,
        upload: &Upload,
        images: &[PlatformImage],
    ) -> Result<Box<dyn Uploading>, AnyError> {
        let mode = mode_of(upload)?;
        mode.check(SourceKind::PlatformImages).map_err(PlatformError::Mode)?;
        let client = self.client(who)?;
        let suffix = upload.suffix.clone().unwrap_or_else(|| SUFFIX.to_owned());
        let to = match (mode, upload.project) {
            // What goes into another project is a copy there, whatever the mode.
            (_, Some(project)) => {
                there("project", project, client.project(project))?;
                To::Uploader(Uploader::into_project(client, project).with_suffix(suffix))
            }
            (UploadMode::Create, None) => {
                let source = images.iter().find_map(|image| image.project);
                let source =
                    source.ok_or_else(|| PlatformError::Missing("the project of the images".into()))?;
                let source = there("project", source, client.project(source))?;
                To::NewProject { client, source, suffix }
            }
            (mode, None) => {
                To::Uploader(Uploader::new(client, mode).map_err(PlatformError::Mode)?.with_suffix(suffix))
            }
        };
        Ok(Box::new(to))
    }
}

/// The mode of an upload. A threshold makes adding a merging, as clients of the protocol expect.
fn mode_of(upload: &Upload) -> Result<UploadMode, PlatformError> {
    let mode = UploadMode::parse(&upload.mode)?;
    Ok(match (mode, upload.iou) {
        (mode, None) => mode,
        (UploadMode::Append, Some(threshold)) => UploadMode::IOU_MERGE.with_threshold(threshold)?,
        (mode, Some(threshold)) => mode.with_threshold(threshold)?,
    })
}

/// A project beside that of the images, with a name that is free.
fn new_project(client: &Client, source: &ProjectInfo) -> Result<ProjectInfo, AnyError> {
    let name = format!("{} (predictions)", source.name);
    let description = "Copies of images, with what Eyespot found in them";
    client
        .ensure_project(source.workspace_id, &name, &ProjectType::Images, description, |_| false)
        .map_err(AnyError::new)
}

/// Where the predictions of a request go.
#[allow(clippy::large_enum_variant, reason = "there is one per request")]
enum To {
    Uploader(Uploader),
    /// The project is made when the first predictions come: a request that is refused or finds nothing leaves none behind.
    NewProject {
        client: Client,
        source: ProjectInfo,
        suffix: String,
    },
}

impl To {
    fn uploader(&mut self) -> Result<&mut Uploader, AnyError> {
        if let Self::NewProject { client, source, suffix } = self {
            let project = new_project(client, source)?;
            log::info!("predictions go into the new project {}", project.id);
            let uploader = Uploader::into_project(client.clone(), project.id).with_suffix(suffix.as_str());
            *self = Self::Uploader(uploader);
        }
        match self {
            Self::Uploader(uploader) => Ok(uploader),
            Self::NewProject { source, .. } => {
                Err(PlatformError::Missing(format!("the copy of project {}", source.id)).into())
            }
        }
    }
}

impl Uploading for To {
    fn add(
        &mut self,
        meta: &ProjectMeta,
        annotations: Vec<(PlatformImage, Annotation)>,
    ) -> Result<(), AnyError> {
        let names: Vec<String> = annotations.iter().map(|(image, _)| image.name.clone()).collect();
        let item = |(image, annotation): (PlatformImage, Annotation)| Item {
            key: image.id.to_string(),
            source: Source::Image { id: image.id },
            pixels: Pixels::None,
            annotation,
            meta: meta.clone(),
        };
        let items: Vec<Item> = annotations.into_iter().map(item).collect();
        let delivered = self.uploader()?.deliver(&items, false).map_err(PlatformError::Deliver)?;
        let refused = names.into_iter().zip(delivered).find_map(|(name, delivery)| match delivery {
            Delivery::Done => None,
            Delivery::Refused { reason } => Some(PlatformError::Refused { name, reason }),
        });
        refused.map_or(Ok(()), |error| Err(error.into()))
    }
}
