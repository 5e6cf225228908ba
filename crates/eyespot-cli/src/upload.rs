//! `--upload-mode` and what belongs to it.

// The comments are the help texts: back-ticks would be printed.
#![allow(clippy::doc_markdown)]

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use eyespot_core::Boxed;
use eyespot_models::Store;
use eyespot_outbox::{
    Destination, Drained, Found, Limits, Outbox, Sampling, SuperviselySink, Target, Upload, UploadInput,
    WhenFull, Worker,
};
use eyespot_runtime::Sources;
use eyespot_supervisely::client::{Client, ClientOptions, Connection};
use eyespot_supervisely::{Converter, SourceKind, UploadMode};

use crate::{Failure, Outcome};

/// Images and videos of the platform as input.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input from Supervisely")]
pub(crate) struct FromPlatform {
    /// All images or videos of these projects.
    #[arg(long, alias = "project-ids", value_delimiter = ',', value_name = "ID,..", conflicts_with_all = ["dataset_id", "image_id", "video_id", "input"])]
    pub(crate) project_id: Vec<u64>,
    /// All images or videos of these datasets.
    #[arg(long, alias = "dataset-ids", value_delimiter = ',', value_name = "ID,..", conflicts_with_all = ["image_id", "video_id", "input"])]
    pub(crate) dataset_id: Vec<u64>,
    /// These images.
    #[arg(long, alias = "image-ids", value_delimiter = ',', value_name = "ID,..", conflicts_with_all = ["video_id", "input"])]
    pub(crate) image_id: Vec<u64>,
    /// These videos.
    #[arg(long, alias = "video-ids", value_delimiter = ',', value_name = "ID,..", conflicts_with = "input")]
    pub(crate) video_id: Vec<u64>,
}

impl FromPlatform {
    /// What is asked for; `None` for an input of this computer.
    pub(crate) fn input(&self) -> Option<UploadInput> {
        if !self.project_id.is_empty() {
            Some(UploadInput::Projects(self.project_id.clone()))
        } else if !self.dataset_id.is_empty() {
            Some(UploadInput::Datasets(self.dataset_id.clone()))
        } else if !self.image_id.is_empty() {
            Some(UploadInput::Images(self.image_id.clone()))
        } else if !self.video_id.is_empty() {
            Some(UploadInput::Videos(self.video_id.clone()))
        } else {
            None
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Upload to Supervisely (SERVER_ADDRESS and API_TOKEN, or ~/supervisely.env)")]
pub(crate) struct UploadArgs {
    /// Upload results: create (into another project), append, replace or iou_merge (to the images of the platform that
    /// are the input).
    #[arg(long, value_name = "MODE")]
    upload_mode: Option<String>,
    /// With iou_merge: leave out what overlaps an object of its class by at least this IoU [default: 0.9].
    #[arg(long, value_name = "IOU", requires = "upload_mode")]
    iou_merge_threshold: Option<f64>,
    /// With create: the project to put results into.
    #[arg(long, value_name = "ID", requires = "upload_mode", conflicts_with = "output_project")]
    output_project_id: Option<u64>,
    /// With create: the name of the project to make [default: "Predictions of MODEL"].
    #[arg(long, value_name = "NAME", requires = "upload_mode")]
    output_project: Option<String>,
    /// The workspace in which a project is made.
    #[arg(long, value_name = "ID", env = "WORKSPACE_ID")]
    workspace_id: Option<u64>,
    /// With create: upload frames of video files as images [default: files as they are, with an object per track, unless
    /// frames are sampled].
    #[arg(long, requires = "upload_mode")]
    video_frames: bool,
    /// Upload the first of so many frames only; this and the next two add up.
    #[arg(long, value_name = "N", requires = "upload_mode")]
    sample_every: Option<u64>,
    /// Upload frames with an object whose score is lower.
    #[arg(long, value_name = "SCORE", requires = "upload_mode")]
    sample_below: Option<f32>,
    /// Upload frames in which a track begins.
    #[arg(long, requires = "upload_mode")]
    sample_new_tracks: bool,
    #[command(flatten)]
    outbox: OutboxArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OutboxArgs {
    /// The file in which results wait until the platform has them [default: outbox.db beside the models].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) outbox: Option<PathBuf>,
    /// How many MiB may wait there.
    #[arg(long, global = true, value_name = "MIB", default_value_t = 4096)]
    outbox_size: u64,
    /// What happens beyond.
    #[arg(long, global = true, value_enum, default_value_t = Full::Refuse)]
    outbox_full: Full,
    /// After the last result, wait so many seconds for the upload; what is left then stays in the outbox.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 600)]
    upload_wait: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Full {
    /// New results are not taken.
    Refuse,
    /// The oldest results make room.
    DropOldest,
    /// The results with the lowest scores make room.
    KeepBest,
}

impl OutboxArgs {
    pub(crate) fn path(&self) -> Result<PathBuf, Failure> {
        match &self.outbox {
            Some(path) => Ok(path.clone()),
            None => Ok(Store::from_env()?.home().join("outbox.db")),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        let when_full = match self.outbox_full {
            Full::Refuse => WhenFull::Refuse,
            Full::DropOldest => WhenFull::DropOldest,
            Full::KeepBest => WhenFull::KeepBest,
        };
        Limits { bytes: self.outbox_size.saturating_mul(1 << 20), when_full, ..Limits::default() }
    }

    pub(crate) const fn wait(&self) -> Duration {
        Duration::from_secs(self.upload_wait)
    }
}

/// A client and the address of its platform. The outbox tries again what fails, so the client does not try long.
pub(crate) fn client() -> Result<(Client, String), Failure> {
    let connection = Connection::from_env()?;
    let address = connection.address.clone();
    Ok((Client::new(connection, ClientOptions { tries: 2, ..ClientOptions::default() }), address))
}

impl UploadArgs {
    /// What is wanted, checked: nothing was sent, opened or fetched yet. `None` without an upload mode.
    pub(crate) fn plan(&self, sources: SourceKind, model: &str) -> Result<Option<Plan>, Failure> {
        let Some(mode) = &self.upload_mode else { return Ok(None) };
        let mut mode = UploadMode::parse(mode)?;
        if let Some(threshold) = self.iou_merge_threshold {
            mode = mode.with_threshold(threshold)?;
        }
        let destination = match (mode, self.output_project_id, &self.output_project) {
            (_, Some(id), _) => Destination::Project { id },
            (UploadMode::Create, None, name) => {
                let name =
                    name.clone().unwrap_or_else(|| format!("Predictions of {}", model.replace('/', " ")));
                let workspace =
                    self.workspace_id.ok_or("to make a project, --workspace-id or WORKSPACE_ID is needed")?;
                Destination::NewProject { workspace, name }
            }
            (_, None, Some(name)) => Destination::NewProject { workspace: 0, name: name.clone() },
            (_, None, None) => Destination::Sources,
        };
        let target = Target { server: String::new(), mode, destination };
        target.check(sources)?;
        let (client, server) = client()?;
        let target = Target { server, ..target };
        let sampling = Sampling {
            every: self.sample_every,
            below: self.sample_below,
            new_track: self.sample_new_tracks,
        };
        let upload = Upload {
            limits: self.outbox.limits(),
            sampling,
            whole_videos: !self.video_frames && sampling == Sampling::default(),
            ..Upload::new(target, self.outbox.path()?)
        };
        Ok(Some(Plan { upload, client, wait: self.outbox.wait() }))
    }
}

/// An upload that may begin.
pub(crate) struct Plan {
    upload: Upload,
    client: Client,
    wait: Duration,
}

/// An upload that goes on in the background.
pub(crate) struct Running {
    outbox: Outbox,
    worker: Worker,
    mode: UploadMode,
    sampling: Sampling,
    whole_videos: bool,
    wait: Duration,
}

impl Plan {
    /// Can results of all that was found be uploaded there?
    pub(crate) fn check(&self, found: &Found) -> Result<(), Failure> {
        Ok(found.check(&self.upload.target)?)
    }

    /// Opens the outbox and starts to deliver what is in it.
    pub(crate) fn start(self) -> Result<Running, Failure> {
        let Self { upload, client, wait } = self;
        let outbox = Outbox::open(&upload.outbox, upload.limits)?;
        outbox.bind(&upload.target)?;
        let deliverers = upload.target.deliverers(&client, &outbox, upload.uploaders);
        let worker = Worker::start(&outbox, deliverers, upload.worker)?;
        let (mode, sampling, whole_videos) = (upload.target.mode, upload.sampling, upload.whole_videos);
        Ok(Running { outbox, worker, mode, sampling, whole_videos, wait })
    }
}

impl Running {
    /// Takes results for the upload.
    pub(crate) fn sink(&self, converter: Converter, sources: Sources) -> Boxed<SuperviselySink> {
        let sink = SuperviselySink::new(&self.outbox, self.mode, converter);
        let sink = sink.with_sampling(self.sampling).with_whole_videos(self.whole_videos);
        Boxed(sink.with_sources(sources))
    }

    /// Waits for the upload and says how it went.
    pub(crate) fn finish(self, quiet: bool) -> Result<Outcome, Failure> {
        let drained = self.worker.finish(self.wait)?;
        report(&self.outbox, &drained, quiet)
    }
}

/// Says how a delivery went.
pub(crate) fn report(outbox: &Outbox, drained: &Drained, quiet: bool) -> Result<Outcome, Failure> {
    let status = outbox.status()?;
    let counts = status.counts;
    if !quiet {
        eprintln!("outbox: {} results delivered so far, {} wait", counts.delivered, status.items);
        if status.parked > 0 {
            eprintln!("{} of them are refused by the platform: see `outbox status`", status.parked);
        }
        let lost = counts.refused + counts.dropped_oldest + counts.dropped_worst;
        if lost > 0 {
            eprintln!("{lost} results found no room so far: see --outbox-size and --outbox-full");
        }
    }
    match drained {
        Drained::All if status.parked == 0 => Ok(Outcome::Done),
        Drained::All => Ok(Outcome::Partial),
        Drained::Left { waiting, trouble } => {
            let reason = trouble.as_ref().map_or_else(String::new, |trouble| format!(" ({trouble})"));
            eprintln!(
                "{waiting} results wait in {}{reason}: `outbox retry` goes on",
                outbox.path().display()
            );
            Ok(Outcome::Partial)
        }
    }
}
