//! `predict(.., upload_mode)`.

use std::path::PathBuf;
use std::time::Duration;

use eyespot_core::{AnyError, Boxed, ErrorKind, FrameInfo, Sink};
use eyespot_media::Input;
use eyespot_runtime::{Model, RuntimeError, Session, SessionError, Settings};
use eyespot_supervisely::client::{Client, ClientError};
use eyespot_supervisely::{Converter, ModeError, PlatformInput, SourceKind};

use crate::{Drained, Limits, Outbox, OutboxError, Sampling, SuperviselySink, Target, Worker, WorkerOptions};

/// How the results of a run are uploaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Where they go.
    pub target: Target,
    /// The file in which they wait.
    pub outbox: PathBuf,
    /// How much may wait.
    pub limits: Limits,
    /// Which frames are uploaded.
    pub sampling: Sampling,
    /// Video files go up as they are, with an object per track; else their frames go up as images, those that were sampled.
    /// `true` by default.
    pub whole_videos: bool,
    /// How batches are delivered.
    pub worker: WorkerOptions,
    /// Batches that are delivered side by side.
    pub uploaders: usize,
}

impl Upload {
    /// Everything but where they go and wait is the default.
    #[must_use]
    pub fn new(target: Target, outbox: impl Into<PathBuf>) -> Self {
        Self {
            target,
            outbox: outbox.into(),
            limits: Limits::default(),
            sampling: Sampling::default(),
            whole_videos: true,
            worker: WorkerOptions::default(),
            uploaders: 4,
        }
    }
}

/// What is predicted: something of this computer, or of the platform.
#[derive(Debug, Clone)]
pub enum UploadInput {
    /// Files, streams, cameras, images in memory.
    Local(Input),
    /// These images of the platform.
    Images(Vec<u64>),
    /// These videos of the platform.
    Videos(Vec<u64>),
    /// All images or videos of these datasets.
    Datasets(Vec<u64>),
    /// All images or videos of these projects.
    Projects(Vec<u64>),
}

/// What is predicted, found: the platform has said which images and videos there are.
#[derive(Debug, Clone)]
pub enum Found {
    /// Files, streams, cameras, images in memory.
    Local(Input),
    /// Images and videos of the platform.
    Platform(PlatformInput),
}

impl UploadInput {
    /// What [`Target::check`] wants to know, as far as it can be told before the platform is asked: projects and datasets may
    /// turn out to hold videos.
    #[must_use]
    pub const fn kind(&self) -> SourceKind {
        match self {
            Self::Local(_) => SourceKind::Local,
            Self::Videos(_) => SourceKind::PlatformVideo,
            _ => SourceKind::PlatformImages,
        }
    }

    /// Asks the platform what there is.
    ///
    /// # Errors
    /// [`ClientError`], also where one of the numbers names nothing.
    pub fn find(self, client: &Client) -> Result<Found, ClientError> {
        Ok(Found::Platform(match self {
            Self::Local(input) => return Ok(Found::Local(input)),
            Self::Images(ids) => PlatformInput::of_images(client, &ids),
            Self::Videos(ids) => PlatformInput::of_videos(client, &ids),
            Self::Datasets(ids) => PlatformInput::of_datasets(client, &ids)?,
            Self::Projects(ids) => PlatformInput::of_projects(client, &ids)?,
        }))
    }
}

impl Found {
    /// Can results of all of it be uploaded to this target?
    ///
    /// # Errors
    /// As [`Target::check`].
    pub fn check(&self, target: &Target) -> Result<(), ModeError> {
        match self {
            Self::Local(_) => target.check(SourceKind::Local),
            Self::Platform(input) => input.kinds().try_for_each(|kind| target.check(kind)),
        }
    }

    /// Starts a run over it. Its sources are opened in the background, each when its turn comes.
    ///
    /// # Errors
    /// [`RuntimeError`] where a setting is wrong.
    pub fn predict(self, model: &Model, settings: &Settings) -> Result<Session, RuntimeError> {
        match self {
            Self::Local(input) => Session::open(model, input, settings),
            Self::Platform(input) => {
                Session::open_sources(model, input.sources(&settings.source_options()), settings)
            }
        }
    }
}

/// A run could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The mode does not fit the input or the target; nothing was done.
    #[error(transparent)]
    Mode(#[from] ModeError),
    /// The outbox failed.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The platform can't be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The model or its settings are wrong.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl eyespot_core::Error for UploadError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Mode(error) => error.kind(),
            Self::Outbox(error) => error.kind(),
            Self::Client(error) => error.kind(),
            Self::Runtime(error) => error.kind(),
        }
    }
}

/// Runs a model over an input, and uploads what it finds.
///
/// Whatever is wrong with the mode, the target and the settings is said before anything is predicted or uploaded.
///
/// # Errors
/// [`UploadError`].
pub fn predict(
    model: &Model,
    input: UploadInput,
    settings: &Settings,
    client: &Client,
    upload: &Upload,
) -> Result<Uploading, UploadError> {
    upload.target.check(input.kind())?;
    let found = input.find(client)?;
    found.check(&upload.target)?;
    let outbox = Outbox::open(&upload.outbox, upload.limits)?;
    outbox.bind(&upload.target)?;
    let session = found.predict(model, settings)?;
    let converter = Converter::of_model(model);
    let sink = SuperviselySink::new(&outbox, upload.target.mode, converter)
        .with_sampling(upload.sampling)
        .with_whole_videos(upload.whole_videos)
        .with_sources(session.sources());
    let deliverers = upload.target.deliverers(client, &outbox, upload.uploaders);
    let worker = Worker::start(&outbox, deliverers, upload.worker.clone())?;
    Ok(Uploading { session, sink: Boxed(sink), outbox, worker })
}

/// A run whose results are uploaded in the background.
#[allow(missing_debug_implementations)]
pub struct Uploading {
    session: Session,
    sink: Boxed<SuperviselySink>,
    outbox: Outbox,
    worker: Worker,
}

impl Uploading {
    /// Waits for the next result, uploads it, and hands it to `also`. `Ok(None)` is the end; all results are on the disk
    /// then.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn step(&mut self, also: &mut dyn Sink<Error = AnyError>) -> Result<Option<FrameInfo>, SessionError> {
        let mut both = Both { first: &mut self.sink, second: also };
        self.session.step(&mut both)
    }

    /// The session, for its progress and results.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The outbox, for its status.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Waits until everything is uploaded, but no longer than `timeout`. What is left then waits in the outbox.
    ///
    /// # Errors
    /// [`OutboxError`].
    pub fn finish(self, timeout: Duration) -> Result<Drained, OutboxError> {
        self.worker.finish(timeout)
    }
}

/// Two sinks of the same error; both get every record.
struct Both<'a> {
    first: &'a mut dyn Sink<Error = AnyError>,
    second: &'a mut dyn Sink<Error = AnyError>,
}

impl eyespot_core::ErrorType for Both<'_> {
    type Error = AnyError;
}

impl Sink for Both<'_> {
    fn write(&mut self, record: &eyespot_core::Record<'_>) -> Result<(), AnyError> {
        let first = self.first.write(record);
        self.second.write(record).and(first)
    }

    fn flush(&mut self) -> Result<(), AnyError> {
        let first = self.first.flush();
        self.second.flush().and(first)
    }
}
