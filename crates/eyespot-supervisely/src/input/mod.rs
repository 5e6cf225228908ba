//! What the platform holds, as input of a model.

mod ahead;
mod images;
mod videos;

use std::collections::{HashMap, hash_map};

use eyespot_core::FrameSource as _;
use eyespot_media::{Canvas, MediaError, MediaSource, MemoryImage, PlatformIds, SourceOptions, VideoOptions};
use eyespot_runtime::Prediction;

pub use ahead::FetchAhead;
pub use images::PlatformImages;
pub use videos::PlatformVideo;

use crate::client::{Client, ClientError, DatasetInfo, ImageInfo, VideoInfo};
use crate::format::ProjectType;
use crate::item::Source;
use crate::plan::SourceKind;

/// The name of an image of the platform, as frames carry it, where nothing but its number is known.
#[must_use]
pub fn image_name(id: u64) -> String {
    PlatformIds::image(id).to_string()
}

/// The image or frame of the platform that a frame's name means; `None` where it is something else.
///
/// ```
/// use eyespot_supervisely::{Source, image_name, platform_source};
///
/// assert_eq!(platform_source(&image_name(5), 0), Some(Source::Image { id: 5 }));
/// let name = "supervisely://project/1/dataset/2/video/7/street.mp4";
/// assert_eq!(platform_source(name, 3), Some(Source::Video { id: 7, frame: 3 }));
/// assert_eq!(platform_source("photos/5.jpg", 0), None);
/// ```
#[must_use]
pub fn platform_source(name: &str, frame: u64) -> Option<Source> {
    let ids = PlatformIds::of(name)?;
    ids.image.map(|id| Source::Image { id }).or(ids.video.map(|id| Source::Video { id, frame }))
}

/// An image or video of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ids: PlatformIds,
    /// Its file name; `None` where the platform was not asked yet.
    pub(crate) file: Option<String>,
}

impl Entry {
    const fn of(ids: PlatformIds) -> Self {
        Self { ids, file: None }
    }

    /// The name of its frames.
    fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| self.ids.to_string(), |file| self.ids.named(file))
    }

    /// The failure of a request about it, as that of a source.
    fn unread(&self, error: &ClientError) -> MediaError {
        MediaError::Http { address: self.name(), reason: error.to_string() }
    }

    /// The platform does not have it.
    fn missing(&self) -> MediaError {
        let reason = "the platform has none of this number, or does not show it to you".into();
        MediaError::Http { address: self.name(), reason }
    }
}

/// Images and videos of the platform, by their numbers or by those of what they are in.
///
/// ```no_run
/// use eyespot_runtime::{Model, Session, Settings};
/// use eyespot_supervisely::PlatformInput;
/// use eyespot_supervisely::client::{Client, ClientOptions, Connection};
///
/// let client = Client::new(Connection::from_env()?, ClientOptions::default());
/// let model = Model::load("yolox/yolox-nano")?;
/// let settings = Settings::default();
/// let input = PlatformInput::of_projects(&client, &[123])?;
/// for prediction in Session::open_sources(&model, input.sources(&settings.source_options()), &settings)? {
///     let prediction = prediction?;
///     println!("{:?} {}: {} objects", prediction.image_id(), prediction.name(), prediction.boxes().len());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PlatformInput {
    client: Client,
    images: Vec<Entry>,
    videos: Vec<Entry>,
}

impl PlatformInput {
    fn empty(client: &Client) -> Self {
        Self { client: client.clone(), images: Vec::new(), videos: Vec::new() }
    }

    /// Everything in these projects.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn of_projects(client: &Client, projects: &[u64]) -> Result<Self, ClientError> {
        let mut input = Self::empty(client);
        for &id in projects {
            let project = client.project(id)?.ok_or_else(|| missing("projects.info", id))?;
            for dataset in client.datasets(id)? {
                input.add_dataset(&dataset, project.project_type.as_ref())?;
            }
        }
        Ok(input)
    }

    /// Everything in these datasets, without what is in datasets within them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn of_datasets(client: &Client, datasets: &[u64]) -> Result<Self, ClientError> {
        let mut input = Self::empty(client);
        let mut kinds = HashMap::new();
        for &id in datasets {
            let dataset = client.dataset(id)?.ok_or_else(|| missing("datasets.info", id))?;
            let project = dataset.project_id;
            let kind = match kinds.entry(project) {
                hash_map::Entry::Occupied(known) => known.into_mut(),
                hash_map::Entry::Vacant(new) => {
                    let info = client.project(project)?.ok_or_else(|| missing("projects.info", project))?;
                    new.insert(info.project_type)
                }
            };
            input.add_dataset(&dataset, kind.as_ref())?;
        }
        Ok(input)
    }

    /// These images, in this order. The platform is asked for each shortly before its turn comes.
    #[must_use]
    pub fn of_images(client: &Client, ids: &[u64]) -> Self {
        let images = ids.iter().map(|&id| Entry::of(PlatformIds::image(id))).collect();
        Self { images, ..Self::empty(client) }
    }

    /// These videos, in this order. The platform is asked for each when its turn comes.
    #[must_use]
    pub fn of_videos(client: &Client, ids: &[u64]) -> Self {
        let videos = ids.iter().map(|&id| Entry::of(PlatformIds::video(id))).collect();
        Self { videos, ..Self::empty(client) }
    }

    fn add_dataset(&mut self, dataset: &DatasetInfo, kind: Option<&ProjectType>) -> Result<(), ClientError> {
        let within = |ids: PlatformIds| ids.within(Some(dataset.project_id), dataset.id);
        if kind == Some(&ProjectType::Videos) {
            let entry = |video: VideoInfo| Entry {
                ids: within(PlatformIds::video(video.id)),
                file: Some(video.name),
            };
            self.videos.extend(self.client.videos(dataset.id)?.into_iter().map(entry));
        } else {
            let entry = |image: ImageInfo| Entry {
                ids: within(PlatformIds::image(image.id)),
                file: Some(image.name),
            };
            self.images.extend(self.client.images(dataset.id)?.into_iter().map(entry));
        }
        Ok(())
    }

    /// What there is: images, a video, both, or nothing.
    pub fn kinds(&self) -> impl Iterator<Item = SourceKind> {
        let images = (!self.images.is_empty()).then_some(SourceKind::PlatformImages);
        images.into_iter().chain((!self.videos.is_empty()).then_some(SourceKind::PlatformVideo))
    }

    /// The sources: all images are one, each video is one. Images are fetched a few at a time before they are asked for, a
    /// video is fetched as a whole when its turn comes, into the folder of temporary files. `options.video` chooses frames.
    pub fn sources(
        self,
        options: &SourceOptions,
    ) -> impl Iterator<Item = Result<Box<dyn MediaSource>, MediaError>> + Send + use<> {
        let Self { client, images, videos } = self;
        let options = options.clone();
        let images = (!images.is_empty()).then(|| {
            let source: Box<dyn MediaSource> = Box::new(PlatformImages::new(&client, images));
            Ok(source)
        });
        let video = move |entry: Entry| -> Result<Box<dyn MediaSource>, MediaError> {
            Ok(Box::new(PlatformVideo::fetch(&client, entry, &options)?))
        };
        images.into_iter().chain(videos.into_iter().map(video))
    }
}

/// What is asked for is not there.
fn missing(method: &str, id: u64) -> ClientError {
    ClientError::Status {
        method: method.to_owned(),
        status: 404,
        message: format!("there is no {id}"),
        details: serde_json::Value::Null,
        retry_after: None,
    }
}

/// The image or frame of a prediction, fetched from the platform where it came from there.
///
/// # Errors
/// [`MediaError`] where it is gone, or can't be read.
pub fn load_image(client: &Client, prediction: &Prediction) -> Result<Canvas, MediaError> {
    let name = prediction.source();
    match platform_source(name, prediction.info().index) {
        Some(Source::Image { id }) => {
            let unread = |error| Entry::of(PlatformIds::image(id)).unread(&error);
            let file = client.download_image(id).map_err(unread)?;
            MemoryImage::encoded(file).named(name).load()
        }
        Some(Source::Video { id, frame }) => {
            let entry = Entry { ids: PlatformIds::video(id), file: Some(prediction.name().to_owned()) };
            let video = VideoOptions { start_frame: frame, num_frames: Some(1), ..VideoOptions::default() };
            let options = SourceOptions { video, ..SourceOptions::default() };
            let mut source = PlatformVideo::fetch(client, entry, &options)?;
            let frame = source.next_frame()?.map(|frame| Canvas::from_view(&frame.image));
            frame.ok_or_else(|| MediaError::NoImages { path: name.into() })
        }
        Some(Source::Local { .. } | Source::LocalVideo { .. }) | None => prediction.load_image(),
    }
}
