//! Where results go: JSON Lines, annotated pictures, annotated video.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use eyespot_core::{AnyError, Boxed, ErrorType, ModelSpec, Record, Sink};
use eyespot_media::{
    Annotator, ColorBy, DrawOptions, ImageSink, JsonLines, MediaError, Source, SourceNames, VideoSink,
    VideoWriter,
};

use crate::args;

/// Positions that the trail of a track shows.
const TRAIL: usize = 30;
/// Name of the results in `--save-dir`.
const RESULTS: &str = "predictions.jsonl";

/// All sinks that the arguments ask for.
pub(crate) struct Output {
    json: Vec<Box<dyn Sink<Error = AnyError>>>,
    pictures: Option<Pictures>,
    video: Option<VideoSink>,
    written: Vec<PathBuf>,
}

/// What annotated pictures and videos need.
struct Pictures {
    dir: PathBuf,
    annotator: Annotator,
    images: ImageSink,
    /// Names of videos that are taken.
    videos: HashSet<String>,
    /// Is the current input a video?
    in_video: bool,
}

impl Output {
    /// Creates the folder and the files of JSON. `names` tells which file each frame comes from.
    pub(crate) fn new(
        args: &args::Output,
        spec: &ModelSpec<'_>,
        names: &SourceNames,
        tracking: bool,
    ) -> Result<Self, MediaError> {
        let mut output = Self { json: Vec::new(), pictures: None, video: None, written: Vec::new() };
        if let Some(dir) = &args.save_dir {
            std::fs::create_dir_all(dir).map_err(|source| MediaError::Write { path: dir.clone(), source })?;
            output.add_json(&dir.join(RESULTS), spec, names)?;
            if !args.no_visualize {
                let annotator = annotator(args, spec, tracking);
                let images = ImageSink::create(dir, annotator.clone(), names.clone())?;
                let dir = dir.clone();
                output.pictures =
                    Some(Pictures { dir, annotator, images, videos: HashSet::new(), in_video: false });
            }
        }
        match &args.json {
            Some(path) if path.as_os_str() == "-" => {
                let json = JsonLines::new(std::io::stdout(), spec.labels, names.clone());
                output.json.push(Box::new(Boxed(json)));
            }
            Some(path) => output.add_json(path, spec, names)?,
            None => {}
        }
        Ok(output)
    }

    fn add_json(&mut self, path: &Path, spec: &ModelSpec<'_>, names: &SourceNames) -> Result<(), MediaError> {
        let json = JsonLines::create(path, spec.labels, names.clone())?;
        self.json.push(Box::new(Boxed(json)));
        self.written.push(path.to_owned());
        Ok(())
    }

    /// The next input: a video gets a video.
    pub(crate) fn begin(&mut self, source: &Source) -> Result<(), MediaError> {
        let Some(pictures) = &mut self.pictures else { return Ok(()) };
        pictures.in_video = matches!(source, Source::Video(_));
        if let Source::Video(video) = source {
            let name = pictures.video_name(video.path());
            let path = pictures.dir.join(name);
            let writer = VideoWriter::create(&path, Some(video.path()), video.fps() as f32)?;
            self.video = Some(VideoSink::new(writer, pictures.annotator.clone()));
            self.written.push(path);
        } else if !self.written.contains(&pictures.dir) {
            self.written.push(pictures.dir.clone());
        }
        Ok(())
    }

    /// The input is over: its video is finished.
    pub(crate) fn end(&mut self) -> Result<(), MediaError> {
        self.video.take().map_or(Ok(()), VideoSink::finish)
    }

    /// What was written, for the summary.
    pub(crate) fn written(&self) -> &[PathBuf] {
        &self.written
    }
}

impl Pictures {
    /// The name of an annotated video: that of the input, with a number where another input took it.
    fn video_name(&mut self, input: &Path) -> String {
        let stem = input.file_stem().map_or_else(|| "video".into(), |stem| stem.to_string_lossy());
        let mut name = format!("{stem}.mp4");
        let mut number = 2;
        while !self.videos.insert(name.clone()) {
            name = format!("{stem}-{number}.mp4");
            number += 1;
        }
        name
    }
}

/// How results are drawn: by track with trails where there are tracks, by class otherwise.
fn annotator(args: &args::Output, spec: &ModelSpec<'_>, tracking: bool) -> Annotator {
    let options = DrawOptions {
        thickness: args.thickness,
        opacity: args.opacity,
        draw_tags: true,
        fill_rectangles: args.opacity > 0.0,
        color_by: if tracking { ColorBy::Track } else { ColorBy::Class },
        ..DrawOptions::default()
    };
    let annotator = Annotator::new(spec, options);
    if tracking { annotator.with_trails(TRAIL) } else { annotator }
}

impl ErrorType for Output {
    type Error = AnyError;
}

impl Sink for Output {
    fn write(&mut self, record: &Record<'_>) -> Result<(), AnyError> {
        // The numbers first: a picture that can't be written must not cost them.
        for json in &mut self.json {
            json.write(record)?;
        }
        if let Some(video) = &mut self.video {
            video.write(record).map_err(AnyError::new)?;
        } else if let Some(pictures) = self.pictures.as_mut().filter(|pictures| !pictures.in_video) {
            pictures.images.write(record).map_err(AnyError::new)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), AnyError> {
        for json in &mut self.json {
            json.flush()?;
        }
        Ok(())
    }
}
