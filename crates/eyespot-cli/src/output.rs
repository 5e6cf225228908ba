//! Where results go: JSON Lines, annotated pictures, annotated video.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use eyespot_core::{AnyError, Boxed, ErrorType, Record, Sink, SourceId};
use eyespot_media::{
    Annotator, CocoSink, ColorBy, CsvSink, DrawOptions, ImageSink, JsonLines, MediaError, MotSink,
    MqttOptions, MqttSink, TerminalView, VideoSink, VideoWriter, WebhookOptions, WebhookSink, WindowView,
    Zones,
};
use eyespot_runtime::{Model, SourceInfo, Sources};

use crate::{Failure, args};

/// Name of the results in `--save-dir`.
const RESULTS: &str = "predictions.jsonl";

/// All sinks that the arguments ask for.
pub(crate) struct Output {
    files: Vec<Box<dyn Sink<Error = AnyError>>>,
    webhook: Option<WebhookSink>,
    mqtt: Option<MqttSink>,
    pictures: Option<Pictures>,
    window: Option<WindowView>,
    /// Something was written since the last flush.
    fresh: bool,
    /// For the summary; the sinks count for themselves.
    zones: Zones,
    written: Vec<PathBuf>,
}

/// Annotated pictures of images, and an annotated video for each video.
struct Pictures {
    dir: PathBuf,
    annotator: Annotator,
    images: ImageSink,
    sources: Sources,
    /// The video that is being written, and its source.
    video: Option<(SourceId, VideoSink)>,
    /// Names of videos that are taken.
    taken: HashSet<String>,
}

impl Output {
    /// Creates the folder and the files of JSON.
    pub(crate) fn new(
        args: &args::Predict,
        model: &Model,
        sources: Sources,
        zones: Zones,
    ) -> Result<Self, MediaError> {
        let annotator = annotator(args, model, &zones);
        let mut output = Self {
            files: Vec::new(),
            webhook: None,
            mqtt: None,
            pictures: None,
            window: None,
            fresh: false,
            zones,
            written: Vec::new(),
        };
        let (labels, args) = (model.labels(), &args.output);
        if let Some(dir) = &args.save_dir {
            std::fs::create_dir_all(dir).map_err(|source| MediaError::Write { path: dir.clone(), source })?;
            output.add_json(&dir.join(RESULTS), labels)?;
            if !args.no_visualize {
                output.pictures = Some(Pictures {
                    dir: dir.clone(),
                    images: ImageSink::create(dir, annotator.clone())?,
                    annotator: annotator.clone(),
                    sources,
                    video: None,
                    taken: HashSet::new(),
                });
            }
        }
        match &args.json {
            Some(path) if path.as_os_str() == "-" => {
                let lines = JsonLines::new(std::io::stdout(), labels).with_zones(output.zones.clone());
                output.files.push(Box::new(Boxed(lines)));
            }
            Some(path) => output.add_json(path, labels)?,
            None => {}
        }
        if let Some(path) = &args.csv {
            output.add(path, Boxed(CsvSink::create(path, labels)?));
        }
        if let Some(path) = &args.coco {
            output.add(path, Boxed(CocoSink::create(path, coco_ids(labels))?));
        }
        if let Some(path) = &args.mot {
            output.add(path, Boxed(MotSink::create(path)?));
        }
        if let Some(url) = &args.webhook {
            let header = |header: &String| {
                let (name, value) = header.split_once(':').unwrap_or((header, ""));
                (name.trim().to_owned(), value.trim().to_owned())
            };
            let headers = args.webhook_header.iter().map(header).collect();
            let options = WebhookOptions { headers, ..WebhookOptions::default() };
            output.webhook = Some(WebhookSink::new(url, labels, options)?.with_zones(output.zones.clone()));
        }
        if let Some(url) = &args.mqtt {
            let options: MqttOptions = url.parse()?;
            output.mqtt = Some(MqttSink::new(options, labels)?.with_zones(output.zones.clone()));
        }
        if args.show {
            match WindowView::open(&format!("Eyespot: {}", model.name()), annotator.clone()) {
                Ok(window) => output.window = Some(window),
                // Over a network or on a console there is none.
                Err(_) => output.files.push(Box::new(Boxed(TerminalView::new(annotator)))),
            }
        }
        Ok(output)
    }

    /// One more sink, and what it writes.
    pub(crate) fn add(&mut self, path: &Path, sink: impl Sink<Error = AnyError> + 'static) {
        self.files.push(Box::new(sink));
        self.written.push(path.to_owned());
    }

    /// One more sink.
    pub(crate) fn also(&mut self, sink: impl Sink<Error = AnyError> + 'static) {
        self.files.push(Box::new(sink));
    }

    /// Lines that the servers of webhook and MQTT did not get.
    pub(crate) fn unsent(&self) -> u64 {
        self.webhook.as_ref().map_or(0, WebhookSink::lost) + self.mqtt.as_ref().map_or(0, MqttSink::lost)
    }

    /// Zones and lines with what was counted.
    pub(crate) fn zones(&self) -> &Zones {
        &self.zones
    }

    fn add_json(&mut self, path: &Path, labels: &[String]) -> Result<(), MediaError> {
        let lines = JsonLines::create(path, labels)?.with_zones(self.zones.clone());
        self.add(path, Boxed(lines));
        Ok(())
    }

    /// Everything is over, perhaps too early: what was collected is written, the last video is finished.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        if self.fresh {
            self.flush()?;
        }
        Ok(self.pictures.as_mut().map_or(Ok(()), Pictures::end_video)?)
    }

    /// Leaves what a window shows until somebody closes it.
    pub(crate) fn wait_for_window(&mut self, quiet: bool) {
        if let Some(mut window) = self.window.take()
            && window.is_open()
        {
            if !quiet {
                eprintln!("close the window to end");
            }
            window.wait();
        }
    }

    /// What was written, for the summary.
    pub(crate) fn written(&self) -> &[PathBuf] {
        &self.written
    }
}

impl Pictures {
    /// Draws a record and notes a new file in `written`.
    fn write(&mut self, record: &Record<'_>, written: &mut Vec<PathBuf>) -> Result<(), MediaError> {
        let id = record.info.source;
        if self.video.as_ref().is_some_and(|(of, _)| *of != id) {
            self.end_video()?;
        }
        if let Some((_, video)) = &mut self.video {
            return video.write(record);
        }
        let Some(source) = self.sources.get(id).filter(SourceInfo::is_video) else {
            if !written.contains(&self.dir) {
                written.push(self.dir.clone());
            }
            return self.images.write(record);
        };
        let (input, fps) = (PathBuf::from(&source.name), source.fps.unwrap_or(30.0));
        let name = self.video_name(&input);
        let path = self.dir.join(name);
        let writer = VideoWriter::create(&path, Some(input.as_path()), fps as f32)?;
        written.push(path);
        self.video.insert((id, VideoSink::new(writer, self.annotator.clone()))).1.write(record)
    }

    fn end_video(&mut self) -> Result<(), MediaError> {
        self.video.take().map_or(Ok(()), |(_, video)| video.finish())
    }

    /// The name of an annotated video: that of the input, with a number where another input took it.
    fn video_name(&mut self, input: &Path) -> String {
        let stem = input.file_stem().map_or_else(|| "video".into(), |stem| stem.to_string_lossy());
        let mut name = format!("{stem}.mp4");
        let mut number = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{stem}-{number}.mp4");
            number += 1;
        }
        name
    }
}

/// COCO numbers its 80 classes up to 90, with gaps; other classes have none.
fn coco_ids(labels: &[String]) -> &'static [u32] {
    const IDS: [u32; 80] = [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 27, 28, 31,
        32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57,
        58, 59, 60, 61, 62, 63, 64, 65, 67, 70, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 84, 85, 86, 87,
        88, 89, 90,
    ];
    let ends = (labels.first().map(String::as_str), labels.last().map(String::as_str));
    if labels.len() == IDS.len() && ends == (Some("person"), Some("toothbrush")) { &IDS } else { &[] }
}

/// How results are drawn: by track with trails where there are tracks, by class otherwise.
fn annotator(args: &args::Predict, model: &Model, zones: &Zones) -> Annotator {
    let (args, tracking) = (&args.drawing, args.tracking);
    let options = DrawOptions {
        color: args.color.map(|color| color.0),
        thickness: args.thickness,
        opacity: args.opacity,
        draw_tags: args.draw_tags,
        fill_rectangles: args.fill_rectangles && args.opacity > 0.0,
        draw_masks: args.draw_masks,
        draw_keypoints: args.draw_keypoints,
        color_by: match args.color_by {
            Some(args::ColorBy::Class) => ColorBy::Class,
            Some(args::ColorBy::Track) => ColorBy::Track,
            None if tracking => ColorBy::Track,
            None => ColorBy::Class,
        },
        keypoint_conf: args.keypoint_conf,
    };
    let annotator =
        Annotator::new(model.labels(), options).with_skeleton(model.skeleton()).with_zones(zones.clone());
    if tracking && args.trails > 0 { annotator.with_trails(args.trails) } else { annotator }
}

impl ErrorType for Output {
    type Error = AnyError;
}

impl Sink for Output {
    fn write(&mut self, record: &Record<'_>) -> Result<(), AnyError> {
        self.fresh = true;
        self.zones.update(&record.info, record.predictions);
        // The numbers first: a picture that can't be written must not cost them.
        for file in &mut self.files {
            file.write(record)?;
        }
        if let Some(webhook) = &mut self.webhook {
            webhook.write(record).map_err(AnyError::new)?;
        }
        if let Some(mqtt) = &mut self.mqtt {
            mqtt.write(record).map_err(AnyError::new)?;
        }
        if let Some(window) = &mut self.window {
            window.write(record).map_err(AnyError::new)?;
        }
        match &mut self.pictures {
            Some(pictures) => pictures.write(record, &mut self.written).map_err(AnyError::new),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), AnyError> {
        self.fresh = false;
        for file in &mut self.files {
            file.flush()?;
        }
        if let Some(webhook) = &mut self.webhook {
            webhook.flush().map_err(AnyError::new)?;
        }
        self.mqtt.as_mut().map_or(Ok(()), |mqtt| mqtt.flush().map_err(AnyError::new))
    }
}
