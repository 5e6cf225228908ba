//! Any input by its path, address, pattern or content.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use eyespot_core::FrameSource as _;

use crate::fetch::{Client, path_of};
use crate::ffmpeg::{FfmpegSource, StreamSource, is_playlist_of_a_file};
use crate::image_file::has_image_extension;
use crate::image_source::Item;
use crate::input::scheme_of;
use crate::natural::compare_paths;
use crate::sniff::{Kind, kind, kind_of, refusal};
use crate::{
    Canvas, ImageSource, Input, MediaError, MediaSource, SourceOptions, VideoDecoder, VideoOptions,
    VideoSource,
};

type Opened = Result<Box<dyn MediaSource>, MediaError>;

/// Opens an input that is one source: an image, a directory of images, a video, a stream, a list of images. Files are
/// recognised by their content, then by their extension.
///
/// # Errors
/// A [`MediaError`] that names the input and says what works instead; [`MediaError::Several`] for a list that is not
/// one source.
pub fn open(input: impl Into<Input>, options: &SourceOptions) -> Opened {
    let mut all = open_all(input, options);
    match (all.pop(), all.len()) {
        (Some(one), 0) => one,
        (None, count) => Err(MediaError::Several { count }),
        (Some(_), others) => Err(MediaError::Several { count: others + 1 }),
    }
}

/// Opens all inputs at once. One that can't be opened is an error in its place.
#[must_use]
pub fn open_all(input: impl Into<Input>, options: &SourceOptions) -> Vec<Opened> {
    open_each(input, options).collect()
}

/// Opens inputs one after the other, each when its turn comes. One that can't be opened is an error in its place.
///
/// Images that follow one another in a list are one source, so that objects can be tracked from one to the next; there
/// a broken one gives its error when its turn comes. A directory, a video and a stream are sources of their own.
pub fn open_each(
    input: impl Into<Input>,
    options: &SourceOptions,
) -> Box<dyn Iterator<Item = Opened> + Send> {
    let waiting = VecDeque::from([input.into()]);
    Box::new(Plan { options: options.clone(), waiting, run: Vec::new(), ready: VecDeque::new(), unnamed: 0 })
}

/// Reads one image again: the image of that path or address, or frame `index` of that video.
///
/// # Errors
/// As [`open`]; [`MediaError::NoImages`] where the video has no such frame. A live stream gives its next frame, not an
/// old one.
pub fn read_frame(path: impl AsRef<Path>, index: u64) -> Result<Canvas, MediaError> {
    let path = path.as_ref();
    let input = match path.to_str() {
        Some(url) if scheme_of(url).is_some() => Input::Url(url.to_owned()),
        _ => Input::Path(path.to_path_buf()),
    };
    let video = VideoOptions { start_frame: index, num_frames: Some(1), ..VideoOptions::default() };
    let mut source = open(input, &SourceOptions { video, ..SourceOptions::default() })?;
    let frame = source.next_frame()?;
    frame
        .map(|frame| Canvas::from_view(&frame.image))
        .ok_or_else(|| MediaError::NoImages { path: path.to_path_buf() })
}

/// The inputs that wait for their turn.
struct Plan {
    options: SourceOptions,
    waiting: VecDeque<Input>,
    /// Images that become the next source, and what is known to be wrong with them.
    run: Vec<(Item, Option<MediaError>)>,
    ready: VecDeque<Pending>,
    /// Images in memory without a name.
    unnamed: usize,
}

/// A source that is opened when it is called.
type Pending = Box<dyn FnOnce() -> Opened + Send>;

/// What a path or address is.
enum Found {
    Image(Item, Option<MediaError>),
    Source(Pending),
    /// Several inputs, which take its place.
    Inputs(Vec<Input>),
}

impl Iterator for Plan {
    type Item = Opened;

    fn next(&mut self) -> Option<Opened> {
        loop {
            if let Some(pending) = self.ready.pop_front() {
                return Some(pending());
            }
            match self.waiting.pop_front() {
                Some(input) => self.add(input),
                None if self.run.is_empty() => return None,
                None => self.end_run(),
            }
        }
    }
}

impl Plan {
    fn add(&mut self, input: Input) {
        let found = match input {
            Input::List(list) => Found::Inputs(list),
            Input::Glob(pattern) => match matches(&pattern) {
                Ok(paths) => Found::Inputs(paths.into_iter().map(Input::Path).collect()),
                Err(error) => failed(error),
            },
            Input::Image(image) => {
                let image = match image.name() {
                    Some(_) => image,
                    None => {
                        self.unnamed += 1;
                        image.named(format!("image_{}", self.unnamed - 1))
                    }
                };
                Found::Image(Item::Memory(image), None)
            }
            Input::Path(path) => self.path(path),
            Input::Url(url) => self.url(url),
        };
        match found {
            Found::Image(item, error) => self.run.push((item, error)),
            Found::Source(pending) => {
                self.end_run();
                self.ready.push_back(pending);
            }
            Found::Inputs(inputs) => {
                inputs.into_iter().rev().for_each(|input| self.waiting.push_front(input));
            }
        }
    }

    /// Makes a source of the images so far; where none of them can be read, that is said now.
    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.iter().all(|(_, error)| error.is_some()) {
            let errors = run.into_iter().filter_map(|(_, error)| error);
            self.ready.extend(errors.map(|error| Box::new(|| Err(error)) as Pending));
            return;
        }
        let items = run.into_iter().map(|(item, _)| item).collect();
        let SourceOptions { images, url, .. } = self.options;
        self.ready
            .push_back(Box::new(move || Ok(Box::new(ImageSource::from_items(items, None, images, url)))));
    }

    fn path(&self, path: PathBuf) -> Found {
        let kind = match fs::metadata(&path) {
            Err(_) if path.as_os_str() == "-" => return failed(MediaError::StandardInput),
            Err(error) => Err(MediaError::read(&path, error)),
            Ok(metadata) if metadata.is_dir() => {
                let images = self.options.images;
                return source(move || Ok(Box::new(ImageSource::open(&path, images)?)));
            }
            Ok(_) if is_camera(&path) => return self.stream(path.to_string_lossy().into_owned()),
            Ok(_) => File::open(&path)
                .and_then(|file| kind(&path, file))
                .map_err(|error| MediaError::read(&path, error)),
        };
        match kind {
            Ok(Kind::Image) => Found::Image(Item::File(path), None),
            Ok(Kind::Mp4) => {
                let SourceOptions { video, ref decoder, .. } = self.options;
                if decoder.is_ffmpeg() {
                    return self.ffmpeg(path.to_string_lossy().into_owned(), MP4);
                }
                let decoder = decoder.clone();
                source(move || mp4(VideoSource::open(&path, video), &path.to_string_lossy(), video, &decoder))
            }
            Ok(Kind::Container(container)) => self.ffmpeg(path.to_string_lossy().into_owned(), container),
            Ok(other) => {
                let error = refusal(&path, other);
                Found::Image(Item::File(path), Some(error))
            }
            Err(error) => Found::Image(Item::File(path), Some(error)),
        }
    }

    fn url(&self, url: String) -> Found {
        match scheme_of(&url).unwrap_or_default().as_str() {
            "http" | "https" => {}
            "file" => return self.path(PathBuf::from(path_of(&url))),
            "rtsp" | "rtsps" | "rtmp" | "rtmps" | "rtmpt" | "srt" | "udp" | "tcp" | "rtp" => {
                return self.stream(url);
            }
            scheme => {
                let scheme = scheme.to_owned();
                return failed(MediaError::Scheme { address: url, scheme });
            }
        }
        // Most images are told by their address and fetched when their turn comes.
        if has_image_extension(Path::new(path_of(&url))) {
            return Found::Image(Item::Url(url), None);
        }
        let client = Client::new(self.options.url);
        let download = match client.get(&url) {
            Ok(download) => download,
            Err(error) => return Found::Image(Item::Url(url), Some(error)),
        };
        let playlist = download.head.starts_with(b"#EXTM3U") || path_of(&url).ends_with(".mpd");
        let endless = download.length.is_none();
        if playlist {
            let whole = download.into_text().is_ok_and(|text| is_playlist_of_a_file(&client, &url, &text));
            return if whole { self.ffmpeg(url, "HLS") } else { self.stream(url) };
        }
        if download.content_type.starts_with("multipart/") {
            return self.stream(url);
        }
        match kind_of(Path::new(path_of(&url)), &download.head) {
            Kind::Image => Found::Image(Item::Url(url), None),
            Kind::Mp4 => {
                let SourceOptions { video, ref decoder, .. } = self.options;
                if decoder.is_ffmpeg() {
                    return self.ffmpeg(url, MP4);
                }
                let decoder = decoder.clone();
                source(move || {
                    let file = download.into_file()?;
                    mp4(VideoSource::from_file(file, Path::new(&url), video), &url, video, &decoder)
                })
            }
            Kind::Container(_) if endless => self.stream(url),
            Kind::Container(container) => self.ffmpeg(url, container),
            Kind::Unknown if download.content_type.starts_with("text/html") => {
                let reason = "it is a web page, not an image or video".into();
                let error = MediaError::Http { address: url.clone(), reason };
                Found::Image(Item::Url(url), Some(error))
            }
            other => {
                let error = refusal(Path::new(&url), other);
                Found::Image(Item::Url(url), Some(error))
            }
        }
    }

    fn ffmpeg(&self, input: String, what: &'static str) -> Found {
        let SourceOptions { video, ref decoder, .. } = self.options;
        let decoder = decoder.clone();
        source(move || ffmpeg(&input, what, video, &decoder))
    }

    fn stream(&self, address: String) -> Found {
        let SourceOptions { stream, video, ref decoder, .. } = self.options;
        let decoder = decoder.clone();
        source(move || Ok(Box::new(StreamSource::open_by(&address, stream, video, &decoder)?)))
    }
}

fn source(open: impl FnOnce() -> Opened + Send + 'static) -> Found {
    Found::Source(Box::new(open))
}

fn failed(error: MediaError) -> Found {
    source(|| Err(error))
}

/// What needs ffmpeg only because it was asked for.
const MP4: &str = "the decoder that was asked for";

/// A video in MP4; what is not H.264 goes to ffmpeg.
fn mp4(
    opened: Result<VideoSource, MediaError>,
    input: &str,
    video: VideoOptions,
    decoder: &VideoDecoder,
) -> Opened {
    match opened {
        // The decoder's name is one of H.264.
        Err(MediaError::Codec { codec, .. }) => ffmpeg(input, &codec, video, &VideoDecoder::Auto),
        opened => Ok(Box::new(opened?.decoded_by(decoder)?)),
    }
}

fn ffmpeg(input: &str, what: &str, video: VideoOptions, decoder: &VideoDecoder) -> Opened {
    Ok(Box::new(FfmpegSource::open(input, what, video)?.decoded_by(decoder)))
}

/// Is there anything to open? Looks at paths and patterns only; of a list, one that is there is enough.
pub(crate) fn check(input: &Input) -> Result<(), MediaError> {
    match input {
        Input::Path(path) if path.as_os_str() == "-" && !path.exists() => Err(MediaError::StandardInput),
        Input::Path(path) => fs::metadata(path).map(drop).map_err(|error| MediaError::read(path, error)),
        Input::Glob(pattern) => matches(pattern).map(drop),
        Input::Url(_) | Input::Image(_) => Ok(()),
        Input::List(list) => {
            let mut first = Ok(());
            for input in list {
                match check(input) {
                    Ok(()) => return Ok(()),
                    error if first.is_ok() => first = error,
                    Err(_) => {}
                }
            }
            first
        }
    }
}

/// The images and videos that match a pattern, in natural order.
fn matches(pattern: &str) -> Result<Vec<PathBuf>, MediaError> {
    // `*` means no hidden files, as in a shell.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::default() };
    let paths = glob::glob_with(pattern, options)
        .map_err(|error| MediaError::Pattern { pattern: pattern.to_owned(), reason: error.msg.to_owned() })?;
    let known = |path: &PathBuf| {
        path.is_file()
            && (has_image_extension(path)
                || File::open(path)
                    .and_then(|file| kind(path, file))
                    .is_ok_and(|kind| matches!(kind, Kind::Image | Kind::Mp4 | Kind::Container(_))))
    };
    let mut paths: Vec<_> = paths.filter_map(Result::ok).filter(known).collect();
    if paths.is_empty() {
        return Err(MediaError::NoMatch { pattern: pattern.to_owned() });
    }
    paths.sort_by(|a, b| compare_paths(a, b));
    Ok(paths)
}

/// Is it a camera of Linux?
fn is_camera(path: &Path) -> bool {
    path.to_str()
        .and_then(|path| path.strip_prefix("/dev/video"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}
