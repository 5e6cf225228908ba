//! What a model finds, as a project on disk.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Record, Sink, SourceId};
use eyespot_media::{Canvas, PlatformIds, SourceOptions, encode_jpeg, open};
use eyespot_runtime::{SourceInfo, Sources};

use super::{Project, ProjectError, ProjectWriter};
use crate::convert::{Converter, VideoBuilder};
use crate::format::ProjectType;

/// Quality of stored frames, `1..=100`.
const JPEG_QUALITY: u8 = 95;

/// Writes a project on disk: the images or videos of a run, with their annotations.
///
/// An image of [its project](Self::with_project) keeps its dataset, one of any other folder gets a dataset of that name. A
/// video file becomes a video with one object per track. Images in memory and of the platform, and frames of cameras, streams and
/// the platform's videos, are stored as JPEG files; the frames of one source are one dataset. A project holds images or videos, not both.
#[derive(Debug)]
pub struct ProjectSink {
    folder: PathBuf,
    converter: Converter,
    sources: Sources,
    /// Dataset and name of the files of projects.
    places: HashMap<PathBuf, (Vec<String>, String)>,
    /// Which input each place was given to.
    taken: HashMap<(Vec<String>, String), String>,
    /// Datasets of videos and streams.
    datasets: HashMap<SourceId, String>,
    writer: Option<ProjectWriter>,
    video: Option<Video>,
}

/// The video that is being collected.
#[derive(Debug)]
struct Video {
    source: SourceId,
    file: PathBuf,
    dataset: Vec<String>,
    name: String,
    results: VideoBuilder,
    /// There are results that are not on the disk yet.
    fresh: bool,
}

impl ProjectSink {
    /// Results into a folder; nothing is written before the first one. What is there already is gone on with.
    #[must_use]
    pub fn new(folder: impl AsRef<Path>) -> Self {
        Self {
            folder: folder.as_ref().to_path_buf(),
            converter: Converter::default(),
            sources: Sources::default(),
            places: HashMap::new(),
            taken: HashMap::new(),
            datasets: HashMap::new(),
            writer: None,
            video: None,
        }
    }

    /// The names of a model's classes; without, classes have numbers.
    #[must_use]
    pub fn with_converter(mut self, converter: Converter) -> Self {
        self.converter = converter;
        self
    }

    /// Where frames come from: tells videos and streams from images.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// The files of this project keep their datasets and names.
    ///
    /// # Errors
    /// [`ProjectError::Same`] where the results would go into this project, over its annotations.
    pub fn with_project(mut self, project: &Project) -> Result<Self, ProjectError> {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        if real(&project.folder) == real(&self.folder) {
            return Err(ProjectError::Same { folder: self.folder });
        }
        let place = |item: &super::ProjectItem| (item.dataset.clone(), item.name.clone());
        self.places.extend(project.items.iter().map(|item| (item.file.clone(), place(item))));
        Ok(self)
    }

    /// The writer of this kind of project.
    fn writer(&mut self, kind: ProjectType) -> Result<&mut ProjectWriter, ProjectError> {
        match &mut self.writer {
            Some(writer) => Ok(writer),
            none => Ok(none.insert(ProjectWriter::open(&self.folder, kind)?)),
        }
    }

    /// Dataset and name for a file, or for an image of another place.
    fn place(&mut self, name: &str) -> (Vec<String>, String) {
        let path = Path::new(name);
        if let Some(place) = self.places.get(path) {
            return place.clone();
        }
        let last = |path: &Path| path.file_name().map(|name| clean(&name.to_string_lossy()));
        let (dataset, own) = if let Some(ids) = PlatformIds::of(name) {
            (ids.dataset.map(|id| format!("dataset {id}")), jpeg_name(&last(path).unwrap_or_default()))
        } else if path.is_file() {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            (path.parent().and_then(last), last(&path).unwrap_or_default())
        } else {
            // An address may go on behind the file's name.
            let path = name.split(['?', '#']).next().unwrap_or_default();
            (None, jpeg_name(&last(Path::new(path)).unwrap_or_default()))
        };
        let dataset: Vec<String> = dataset.into_iter().collect();
        let stem_and_end = own.rsplit_once('.').map(|(stem, end)| (stem.to_owned(), format!(".{end}")));
        let (stem, end) = stem_and_end.unwrap_or_else(|| (own.clone(), String::new()));
        let mut chosen = own;
        for number in 2_u32.. {
            let place = (dataset.clone(), chosen.clone());
            if self.taken.get(&place).is_none_or(|by| by == name) {
                self.taken.insert(place, name.to_owned());
                break;
            }
            chosen = format!("{stem}-{number}{end}");
        }
        (dataset, chosen)
    }

    /// The dataset of the frames of a video or stream that are stored as images.
    fn dataset_of(&mut self, id: SourceId, source: &str) -> String {
        if let Some(dataset) = self.datasets.get(&id) {
            return dataset.clone();
        }
        let path = source.split(['?', '#']).next().unwrap_or_default();
        let stem =
            Path::new(path).file_stem().map_or_else(String::new, |stem| clean(&stem.to_string_lossy()));
        let stem = if stem.is_empty() { "camera".to_owned() } else { stem };
        let numbered = (2_u32..).map(|number| format!("{stem}-{number}"));
        let is_free = |name: &String| self.datasets.values().all(|other| other != name);
        let dataset = std::iter::once(stem.clone()).chain(numbered).find(is_free).unwrap_or(stem);
        self.datasets.insert(id, dataset.clone());
        dataset
    }

    fn write_image(&mut self, record: &Record<'_>, source: Option<&SourceInfo>) -> Result<(), ProjectError> {
        let name = record.name.unwrap_or_default();
        let moving = source.is_some_and(SourceInfo::is_video);
        let (dataset, own) = if moving {
            let dataset = self.dataset_of(record.info.source, name);
            let own = format!("{dataset}_{:06}.jpg", record.info.index);
            (vec![dataset], own)
        } else {
            self.place(name)
        };
        let unread = |reason: String| ProjectError::Pixels { name: name.to_owned(), reason };
        let bytes = if !moving && Path::new(name).is_file() {
            fs::read(name).map_err(ProjectError::file(Path::new(name)))?
        } else {
            let image = record.image.as_ref().ok_or_else(|| unread("it came without its image".into()))?;
            let jpeg = encode_jpeg(&Canvas::from_view(image), JPEG_QUALITY);
            jpeg.map_err(|error| unread(error.to_string()))?
        };
        let info = &record.info;
        let annotation = self.converter.annotation(info.width, info.height, record.predictions);
        let meta = self.converter.meta_of(record.predictions);
        self.writer(ProjectType::Images)?.add_image(&dataset, &own, &bytes, &annotation, &meta)
    }

    fn write_frame(&mut self, record: &Record<'_>, file: &Path) -> Result<(), ProjectError> {
        let source = record.info.source;
        if self.video.as_ref().is_none_or(|video| video.source != source) {
            self.write_video()?;
            let (dataset, name) = self.place(&file.to_string_lossy());
            let results = VideoBuilder::new(self.converter.clone(), name.clone());
            self.video =
                Some(Video { source, file: file.to_path_buf(), dataset, name, results, fresh: true });
        }
        if let Some(video) = &mut self.video {
            video.results.push(&record.info, record.predictions);
            video.fresh = true;
        }
        Ok(())
    }

    /// Writes the video that was collected so far.
    fn write_video(&mut self) -> Result<(), ProjectError> {
        let Some(mut video) = self.video.take() else { return Ok(()) };
        let written = if video.fresh { self.put_video(&video) } else { Ok(()) };
        // What could not be written can be tried again.
        video.fresh &= written.is_err();
        self.video = Some(video);
        written
    }

    fn put_video(&mut self, video: &Video) -> Result<(), ProjectError> {
        // Of the whole video: settings may have chosen some of its frames.
        let frames = open(video.file.as_path(), &SourceOptions::default());
        let frames = frames.ok().and_then(|source| source.frame_count());
        let (annotation, meta) = video.results.clone().finish(frames);
        let writer = self.writer(ProjectType::Videos)?;
        writer.add_video(&video.dataset, &video.name, &video.file, &annotation, &meta)
    }
}

impl ErrorType for ProjectSink {
    type Error = ProjectError;
}

impl Sink for ProjectSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), ProjectError> {
        let source = self.sources.get(record.info.source);
        match source.as_ref().filter(|source| source.is_video() && Path::new(&source.name).is_file()) {
            Some(video) => self.write_frame(record, Path::new(&video.name)),
            None => self.write_image(record, source.as_ref()),
        }
    }

    /// Everything written so far is on the disk then, also of a video that goes on.
    fn flush(&mut self) -> Result<(), ProjectError> {
        self.write_video()
    }
}

/// A name that a file or dataset of a project can have.
fn clean(name: &str) -> String {
    let name = name.replace(['/', '\\', '\0', ':'], "_");
    if name.starts_with('.') { format!("_{}", name.trim_start_matches('.')) } else { name }
}

/// The name of a JPEG file for an image of another place or kind.
fn jpeg_name(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{}.jpg", if stem.is_empty() { "image" } else { stem })
}
