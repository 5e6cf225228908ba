//! Sinks that draw: annotated images and annotated video.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use eyespot_core::{ErrorType, Record, Sink, SourceId};

use crate::fetch::path_of;
use crate::image_file::has_image_extension;
use crate::sniff::has_video_extension;
use crate::{Canvas, DrawOptions, MediaError, Trails, VideoWriter, Zones, draw, save_image};

/// Draws records: copies the frame and puts the predictions on it.
#[derive(Debug, Clone, Default)]
pub struct Annotator {
    labels: Vec<String>,
    skeleton: Vec<(u8, u8)>,
    options: DrawOptions,
    trails: Option<Trails>,
    zones: Zones,
    /// Whose trails they are.
    source: Option<SourceId>,
    canvas: Canvas,
}

impl Annotator {
    /// Draws objects of the classes `labels`; the index is the class.
    #[must_use]
    pub fn new(labels: &[impl AsRef<str>], options: DrawOptions) -> Self {
        let labels = labels.iter().map(|label| label.as_ref().to_owned()).collect();
        Self { labels, options, ..Self::default() }
    }

    /// Connects these pairs of keypoints.
    #[must_use]
    pub fn with_skeleton(mut self, skeleton: &[(u8, u8)]) -> Self {
        self.skeleton = skeleton.to_vec();
        self
    }

    /// Draws the last `length` positions of each track too.
    #[must_use]
    pub fn with_trails(mut self, length: usize) -> Self {
        self.trails = Some(Trails::new(length));
        self
    }

    /// Draws zones and lines with their counts too.
    #[must_use]
    pub fn with_zones(mut self, zones: Zones) -> Self {
        self.zones = zones;
        self
    }

    /// The frame with its predictions; without its pixels, a black one of its size.
    pub fn annotate(&mut self, record: &Record<'_>) -> &Canvas {
        match &record.image {
            Some(image) => self.canvas.load(image),
            None => self.canvas = Canvas::new(record.info.width, record.info.height),
        }
        if !self.zones.is_empty() {
            self.zones.update(&record.info, record.predictions);
            self.zones.draw(&mut self.canvas, &self.options);
        }
        if let Some(trails) = &mut self.trails {
            if self.source.replace(record.info.source) != Some(record.info.source) {
                trails.clear();
            }
            trails.update(record.predictions, &self.options);
            trails.draw(&mut self.canvas, &self.options);
        }
        draw(&mut self.canvas, record.predictions, &self.labels, &self.skeleton, &self.options);
        &self.canvas
    }
}

/// Writes an annotated image per frame into a directory.
///
/// An image keeps its name (as JPEG where its own format can't be written); a frame of a video gets the video's name
/// and its number. Two inputs of the same name get a number too.
#[derive(Debug)]
pub struct ImageSink {
    directory: PathBuf,
    annotator: Annotator,
    /// Which input each output name was given to.
    taken: HashMap<String, PathBuf>,
}

impl ImageSink {
    /// Writes into a directory, which is created.
    ///
    /// # Errors
    /// [`MediaError::Write`] where it can't be created.
    pub fn create(directory: impl AsRef<Path>, annotator: Annotator) -> Result<Self, MediaError> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(|error| MediaError::write(directory, error))?;
        Ok(Self { directory: directory.to_path_buf(), annotator, taken: HashMap::new() })
    }

    fn output_name(&mut self, input: Option<&Path>, index: u64) -> String {
        let stem = input.map(|input| {
            // Of an address only the path names the file; the rest of it may hold anything.
            let text = input.to_string_lossy();
            let path = if text.contains("://") { path_of(&text).to_owned() } else { text.into_owned() };
            let path = Path::new(&path);
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            let stem = path.file_stem().map_or("frame".into(), |stem| stem.to_string_lossy().into_owned());
            // Frames of videos, streams and cameras have their name in common.
            let moving = has_video_extension(path) || (text_is_stream(input) && !has_image_extension(path));
            (stem, extension, moving)
        });
        let name = match stem {
            Some((stem, _, true)) => format!("{stem}_{index:06}.jpg"),
            Some((stem, extension, false)) if matches!(extension.as_str(), "jpg" | "jpeg" | "png") => {
                format!("{stem}.{extension}")
            }
            Some((stem, _, false)) => format!("{stem}.jpg"),
            None => format!("frame_{index:06}.jpg"),
        };
        let Some(input) = input else { return name };
        let free =
            |taken: &HashMap<String, PathBuf>, name: &str| taken.get(name).is_none_or(|by| by == input);
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, "jpg"));
        let chosen = std::iter::once(name.clone())
            .chain((2..).map(|number: u32| format!("{stem}-{number}.{extension}")))
            .find(|name| free(&self.taken, name))
            .unwrap_or_else(|| name.clone());
        self.taken.insert(chosen.clone(), input.to_path_buf());
        chosen
    }
}

/// Is it an address or a camera, which may give many frames?
fn text_is_stream(input: &Path) -> bool {
    input.starts_with("/dev") || input.to_string_lossy().contains("://")
}

impl ErrorType for ImageSink {
    type Error = MediaError;
}

impl Sink for ImageSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        let input = record.name.map(Path::new);
        let name = self.output_name(input, record.info.index);
        let output = self.directory.join(name);
        save_image(self.annotator.annotate(record), output, input)
    }
}

/// Writes an annotated video.
#[derive(Debug)]
pub struct VideoSink {
    writer: VideoWriter,
    annotator: Annotator,
}

impl VideoSink {
    /// Draws each frame and writes it.
    #[must_use]
    pub const fn new(writer: VideoWriter, annotator: Annotator) -> Self {
        Self { writer, annotator }
    }

    /// Writes the last frame and the index. Dropping does the same but can't report an error.
    ///
    /// # Errors
    /// As [`VideoWriter::finish`].
    pub fn finish(self) -> Result<(), MediaError> {
        self.writer.finish()
    }
}

impl ErrorType for VideoSink {
    type Error = MediaError;
}

impl Sink for VideoSink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), MediaError> {
        self.writer.write(self.annotator.annotate(record), record.info.timestamp_us)
    }
    fn flush(&mut self) -> Result<(), MediaError> {
        self.writer.flush()
    }
}
