//! Results into an outbox.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use eyespot_core::{ErrorType, Record, Sink, SourceId};
use eyespot_media::{Canvas, encode_jpeg, encode_png};
use eyespot_runtime::{SourceInfo, Sources};
use eyespot_supervisely::{Converter, Item, Pixels, Source, UploadMode, platform_source};
use sha2::{Digest as _, Sha256};

use crate::outbox::Pending;
use crate::sampling::{Sampler, Sampling};
use crate::{Outbox, OutboxError};

/// Quality of stored frames, `1..=100`.
const JPEG_QUALITY: u8 = 90;
/// The largest image that is made for a result without one.
const BLANK_PIXELS: u32 = 1 << 24;
/// Sizes of such images that are kept.
const BLANK_SIZES: usize = 8;
/// Results that may be on their way to the disk while the next frame is predicted.
const AHEAD: usize = 64;

/// Brings results to Supervisely, by way of an [`Outbox`]: they are on the disk before the platform hears of them.
///
/// What a record is about is told by its name: `supervisely://image/5` and `supervisely://video/7` are on the platform;
/// an image file goes up as it is, and so does a video file [if wanted](Self::with_whole_videos); frames of videos and
/// streams, and images in memory, as JPEG files, in a dataset that has the name of their source. A result without pixels, as a board sends it, goes up on a black image of its size.
#[derive(Debug)]
pub struct SuperviselySink {
    outbox: Outbox,
    mode: UploadMode,
    converter: Converter,
    sampler: Sampler,
    sources: Sources,
    whole_videos: bool,
    /// Tells the frames of this run from those of others, where a source is live.
    run: u64,
    /// The last frame of each live source.
    last: HashMap<SourceId, u64>,
    /// Frames of boards, which send none, by their size.
    blank: HashMap<(u16, u16), Vec<u8>>,
    pending: Vec<Pending>,
    skipped: u64,
}

impl SuperviselySink {
    /// Results of a model, by way of this outbox, in this mode.
    #[must_use]
    pub fn new(outbox: &Outbox, mode: UploadMode, converter: Converter) -> Self {
        Self {
            outbox: outbox.clone(),
            mode,
            converter,
            sampler: Sampler::default(),
            sources: Sources::default(),
            whole_videos: false,
            run: new_run(),
            last: HashMap::new(),
            blank: HashMap::new(),
            pending: Vec::new(),
            skipped: 0,
        }
    }

    /// Keep only frames that these rules choose.
    #[must_use]
    pub fn with_sampling(mut self, rules: Sampling) -> Self {
        self.sampler = Sampler::new(rules);
        self
    }

    /// Where frames come from: tells videos and streams from images.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    /// Video files go up as they are, with an object per track, in place of their frames. They have to stay where they are
    /// until they were delivered.
    #[must_use]
    pub const fn with_whole_videos(mut self, whole: bool) -> Self {
        self.whole_videos = whole;
        self
    }

    /// Frames that the rules did not choose.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    fn item(&mut self, record: &Record<'_>) -> Result<Item, OutboxError> {
        let name = record.name.unwrap_or_default();
        let annotation = self.converter.annotation(record.info.width, record.info.height, record.predictions);
        let meta = self.converter.meta_of(record.predictions);
        let (source, pixels, live) = match platform_source(name, record.info.index) {
            Some(source) => (source, Pixels::None, false),
            None => self.local(record, name)?,
        };
        let failed =
            |error: serde_json::Error| OutboxError::Item { key: name.to_owned(), reason: error.to_string() };
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&(self.mode, &source, &annotation)).map_err(failed)?);
        // The same result of another run is another one where frames come only once, and where a person may have changed
        // what this result is to replace.
        if live || self.mode == UploadMode::Replace {
            hash.update(self.run.to_le_bytes());
        }
        let key = hash.finalize().iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}"));
        Ok(Item { key, source, pixels, annotation, meta })
    }

    /// Name and pixels of what is not on the platform, and whether it comes only once.
    fn local(&mut self, record: &Record<'_>, name: &str) -> Result<(Source, Pixels, bool), OutboxError> {
        let source = self.sources.get(record.info.source);
        let source = source.as_ref();
        let base = base_of(name);
        let video = source.is_some_and(SourceInfo::is_video);
        let live =
            record.image.is_none() || (video && source.is_some_and(|source| source.frame_count.is_none()));
        let path = Path::new(name);
        if (!video || self.whole_videos) && !live && path.is_file() {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
            let folder =
                path.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy().into_owned());
            let dataset = folder.into_iter().collect();
            let source = if video {
                Source::LocalVideo { name: base, dataset, frame: record.info.index }
            } else {
                Source::Local { name: base, dataset }
            };
            return Ok((source, Pixels::File(path), false));
        }
        let failed = |error: eyespot_media::MediaError| OutboxError::Item {
            key: name.to_owned(),
            reason: error.to_string(),
        };
        let (width, height) = (record.info.width.max(1), record.info.height.max(1));
        let (pixels, extension) = match &record.image {
            Some(image) => {
                let jpeg = encode_jpeg(&Canvas::from_view(image), JPEG_QUALITY).map_err(failed)?;
                (Pixels::Encoded(jpeg), "jpg")
            }
            None => (self.blank(width, height).map_err(failed)?, "png"),
        };
        if live {
            // Its numbers went back: the source began anew.
            let last = self.last.insert(record.info.source, record.info.index);
            if last.is_some_and(|last| record.info.index <= last) {
                self.run = new_run();
            }
        }
        let stem = base.rsplit_once('.').map_or(base.as_str(), |(stem, _)| stem);
        let stem = if stem.is_empty() { "camera" } else { stem };
        let index = record.info.index;
        let name = match (video || live, live) {
            (_, true) => format!("{stem}_{}_{index:06}.{extension}", self.run),
            (true, false) => format!("{stem}_{index:06}.{extension}"),
            (false, false) => format!("{stem}.{extension}"),
        };
        let dataset = if video || live { vec![stem.to_owned()] } else { Vec::new() };
        Ok((Source::Local { name, dataset }, pixels, live))
    }

    /// A black image. A size that no board has gets none, and the result is refused where it is delivered.
    fn blank(&mut self, width: u16, height: u16) -> Result<Pixels, eyespot_media::MediaError> {
        if u32::from(width) * u32::from(height) > BLANK_PIXELS {
            return Ok(Pixels::None);
        }
        if let Some(png) = self.blank.get(&(width, height)) {
            return Ok(Pixels::Encoded(png.clone()));
        }
        // Boards have one size, perhaps two.
        if self.blank.len() >= BLANK_SIZES {
            self.blank.clear();
        }
        let png = encode_png(&Canvas::new(width, height))?;
        self.blank.insert((width, height), png.clone());
        Ok(Pixels::Encoded(png))
    }

    /// Takes note of commits that ended; with `all`, waits for all of them.
    fn settle(&mut self, all: bool) -> Result<(), OutboxError> {
        let mut failed = Ok(());
        let mut left = Vec::new();
        for pending in self.pending.drain(..) {
            match pending.poll() {
                Some(done) => failed = failed.and(done.map(|_| ())),
                None if all => failed = failed.and(pending.wait().map(|_| ())),
                None => left.push(pending),
            }
        }
        self.pending = left;
        failed
    }
}

impl ErrorType for SuperviselySink {
    type Error = OutboxError;
}

impl Sink for SuperviselySink {
    fn write(&mut self, record: &Record<'_>) -> Result<(), OutboxError> {
        self.settle(self.pending.len() >= AHEAD)?;
        if self.sampler.wants(&record.info, record.predictions) {
            let item = self.item(record)?;
            self.pending.push(self.outbox.submit(vec![item])?);
        } else {
            self.skipped += 1;
        }
        Ok(())
    }

    /// Everything written so far is on the disk then.
    fn flush(&mut self) -> Result<(), OutboxError> {
        self.settle(true)
    }
}

/// The last part of a path or address.
fn base_of(name: &str) -> String {
    let path = if name.contains("://") { name.split(['?', '#']).next().unwrap_or_default() } else { name };
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default().to_owned()
}

/// A number that no other run has and that grows: milliseconds since 1970, and one more where that is taken.
fn new_run() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let next = |last: u64| Some(now.max(last + 1));
    LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).map_or(now, |last| now.max(last + 1))
}
