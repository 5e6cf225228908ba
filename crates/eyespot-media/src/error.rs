//! What goes wrong with files.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eyespot_core::ErrorKind;

use crate::video_options::VideoOptionError;

/// Why a file can't be read or written. Every message names the file and says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// There is no such file or directory.
    #[error("{}: no such file or directory: check the path", path.display())]
    NotFound {
        /// The path, as given.
        path: PathBuf,
    },
    /// The operating system could not read the file.
    #[error("{}: could not be read ({source}): check that it may be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system could not write the file.
    #[error("{}: could not be written ({source}): check that its directory exists and may be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The disk is full. What was written before stays valid.
    #[error("{}: the disk is full: make room and go on; what was written before is kept", path.display())]
    DiskFull {
        /// The file that found no room.
        path: PathBuf,
    },
    /// The file has no bytes.
    #[error("{}: the file is empty: copy it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Neither the content nor the extension is known.
    #[error("{}: not a known image or video: give a file of {IMAGE_NAMES}, an MP4 with H.264, or a directory of images", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A known container that is not read here.
    #[error("{}: {container} is not supported: convert it with `ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4`", path.display())]
    Container {
        /// The file.
        path: PathBuf,
        /// Its kind.
        container: &'static str,
    },
    /// A known image format that is not read here.
    #[error("{}: {format} images are not supported: convert it to JPEG or PNG", path.display())]
    ImageFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: &'static str,
    },
    /// The image is broken.
    #[error("{}: the image is broken ({reason}): copy or export it again", path.display())]
    BrokenImage {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        reason: String,
    },
    /// The image is larger than a frame may be, or than the limit that was set.
    #[error("{}: {width} x {height} pixels are too many: at most 65535 a side and {max_pixels} in all; scale it down or raise `max_pixels`", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit in pixels.
        max_pixels: u64,
    },
    /// There is not enough memory for the pixels.
    #[error("{}: no memory for {bytes} bytes of pixels: scale it down", path.display())]
    OutOfMemory {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        bytes: u64,
    },
    /// A directory or a list without any image.
    #[error("{}: no images here: it needs files of {IMAGE_NAMES}; use `recursive` for sub-directories", path.display())]
    NoImages {
        /// The directory.
        path: PathBuf,
    },
    /// An MP4 without its index. A recording that was cut off looks like this.
    #[error("{}: the MP4 has no moov box, so it was not finished or is cut short: copy it again, or repair it from another recording of the same camera", path.display())]
    NoMoov {
        /// The file.
        path: PathBuf,
    },
    /// An MP4 without any video.
    #[error("{}: the MP4 has no video track: give a file with video", path.display())]
    NoVideoTrack {
        /// The file.
        path: PathBuf,
    },
    /// A box of the MP4 makes no sense.
    #[error("{}: the MP4 is broken ({what}): remux it with `ffmpeg -i INPUT -c copy OUTPUT.mp4`", path.display())]
    BrokenMp4 {
        /// The file.
        path: PathBuf,
        /// Which part.
        what: &'static str,
    },
    /// The video uses a codec, or a feature of H.264, that the decoder doesn't know.
    #[error("{}: {codec} is not supported, only H.264 (8 bit, 4:2:0, progressive): convert it with `ffmpeg -i INPUT -c:v libx264 -pix_fmt yuv420p OUTPUT.mp4`", path.display())]
    Codec {
        /// The file.
        path: PathBuf,
        /// The codec or feature.
        codec: String,
    },
    /// The file ends before its last frames. The frames that are there were given first.
    #[error("{}: the file is cut short, {missing} of {frames} frames are missing: copy it again", path.display())]
    TruncatedVideo {
        /// The file.
        path: PathBuf,
        /// Frames that the index names.
        frames: u64,
        /// Frames whose bytes are not in the file.
        missing: u64,
    },
    /// A frame of the video could not be decoded. The next call goes on with the next frame.
    #[error("{}: frame {frame} could not be decoded and is left out", path.display())]
    CorruptFrame {
        /// The file.
        path: PathBuf,
        /// Number of the frame, from 0.
        frame: u64,
    },
    /// The video settings contradict each other or the video.
    #[error("{}: {source}", path.display())]
    Options {
        /// The file.
        path: PathBuf,
        /// Which settings.
        source: VideoOptionError,
    },
    /// The H.264 library failed to start or to encode.
    #[error("{}: the H.264 {role} failed: {reason}", path.display())]
    Coder {
        /// The file.
        path: PathBuf,
        /// `decoder` or `encoder`.
        role: &'static str,
        /// What the library says.
        reason: String,
    },
    /// A video has frames of one size; this one has another.
    #[error("{}: the video is {} x {} pixels, this frame {} x {}: start another video for it", path.display(), expected.0, expected.1, got.0, got.1)]
    FrameSize {
        /// The video.
        path: PathBuf,
        /// Width and height of the video in pixels.
        expected: (u16, u16),
        /// Width and height of the frame in pixels.
        got: (u16, u16),
    },
    /// The encoder takes no frames of this size.
    #[error("{}: a video can be at most 3840 x 2160 pixels (or upright), the frames are {width} x {height}: scale them down", path.display())]
    VideoSize {
        /// The video.
        path: PathBuf,
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// The output would replace the input.
    #[error("{}: the output would overwrite the input: choose another name or directory", path.display())]
    WouldOverwrite {
        /// The path of both.
        path: PathBuf,
    },
    /// No file matches a pattern.
    #[error(
        "{pattern}: no image or video matches: check the pattern; `**` stands for directories within directories"
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
    /// The pattern makes no sense.
    #[error("{pattern}: not a pattern ({reason}): `*`, `?`, `[a-z]` and `**` are understood")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Standard input can't be read.
    #[error(
        "-: standard input is not supported: give a path or an address; from a program, use `MemoryImage::encoded`"
    )]
    StandardInput,
    /// The address starts with something unknown.
    #[error(
        "{address}: `{scheme}` addresses are not supported: use http, https, rtsp, rtmp, srt, udp or tcp"
    )]
    Scheme {
        /// The address.
        address: String,
        /// What stands before `://`.
        scheme: String,
    },
    /// An address could not be fetched.
    #[error("{address}: could not be fetched ({reason}): check the address and the network")]
    Http {
        /// The address.
        address: String,
        /// What went wrong.
        reason: String,
    },
    /// The server has no such file, or refuses it.
    #[error("{address}: the server answers with status {status}: check the address")]
    HttpStatus {
        /// The address.
        address: String,
        /// The HTTP status.
        status: u16,
    },
    /// The server does not answer.
    #[error("{address}: the server sent nothing for {timeout:?}: try again later or raise the timeout")]
    HttpTimeout {
        /// The address.
        address: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The file behind an address is too large.
    #[error("{address}: it is larger than {limit} bytes: raise {option}")]
    TooManyBytes {
        /// The address.
        address: String,
        /// The limit in bytes.
        limit: u64,
        /// Which option sets it.
        option: &'static str,
    },
    /// Pixels in memory have a shape that no image has.
    #[error(
        "{name}: pixels of shape {shape:?} are no image: the axes are height, width, channels; 1 to 65535 a side, 1 (grey), 3 (RGB) or 4 (RGBA) channels, no more pixels than `max_pixels`"
    )]
    Shape {
        /// Name of the image.
        name: String,
        /// Height, width, channels.
        shape: [usize; 3],
    },
    /// More inputs than can be told apart.
    #[error("more than 65536 inputs: give directories, patterns or fewer of them")]
    TooManyInputs,
    /// One source was asked for, but the input gives several or none.
    #[error("the input gives {count} sources, not one: use `open_all`")]
    Several {
        /// How many.
        count: usize,
    },
    /// There is no window to show frames in.
    #[error("no window: {reason}: install ffplay (it comes with ffmpeg), or show frames in the terminal")]
    NoWindow {
        /// Why not.
        reason: String,
    },
    /// The video needs ffmpeg, which is not there.
    #[error(
        "{input}: {what} needs ffmpeg, which was not found: install it (`apt install ffmpeg`, `brew install ffmpeg`, `winget install ffmpeg`) or set EYESPOT_FFMPEG to its path; MP4 with H.264 works without it"
    )]
    NoFfmpeg {
        /// Path or address.
        input: String,
        /// The codec, container or kind of stream.
        what: String,
    },
    /// ffmpeg could not read the video or stream.
    #[error("{input}: ffmpeg could not read it: {reason}")]
    Ffmpeg {
        /// Path or address.
        input: String,
        /// What ffmpeg says.
        reason: String,
    },
    /// A stream broke off. The next call waits until it is back.
    #[error("{address}: the stream broke off ({reason}); connecting again")]
    StreamLost {
        /// Address or device.
        address: String,
        /// What ffmpeg says.
        reason: String,
    },
    /// A stream could not be had again.
    #[error(
        "{address}: the stream broke off and did not come back in {attempts} attempts ({reason}): check the device and the network"
    )]
    StreamGone {
        /// Address or device.
        address: String,
        /// How often it was tried.
        attempts: u32,
        /// What ffmpeg says.
        reason: String,
    },
    /// A stream is silent. The next call waits on.
    #[error("{address}: no frame for {timeout:?}: check the device and the network")]
    StreamSilent {
        /// Address or device.
        address: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// Images are written as JPEG or PNG.
    #[error("{}: images are written as .jpg, .jpeg or .png: choose one of these extensions", path.display())]
    OutputFormat {
        /// The output.
        path: PathBuf,
    },
}

/// The image formats in words, for messages.
const IMAGE_NAMES: &str =
    "JPEG, PNG, GIF, BMP, WebP, TIFF, PNM, TGA, QOI, ICO, HDR, DDS or farbfeld images (.jpg, .png, ...)";

impl MediaError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Read { path, source },
        }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, source },
        }
    }
}

impl eyespot_core::Error for MediaError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. }
            | Self::NoImages { .. }
            | Self::NoMatch { .. }
            | Self::NoWindow { .. }
            | Self::NoFfmpeg { .. } => ErrorKind::NotFound,
            Self::HttpStatus { status: 404 | 410, .. } => ErrorKind::NotFound,
            Self::Read { .. }
            | Self::Write { .. }
            | Self::DiskFull { .. }
            | Self::Http { .. }
            | Self::HttpStatus { .. }
            | Self::StreamLost { .. }
            | Self::StreamGone { .. } => ErrorKind::Io,
            Self::HttpTimeout { .. } | Self::StreamSilent { .. } => ErrorKind::Timeout,
            Self::OutOfMemory { .. } => ErrorKind::Capacity,
            Self::Coder { .. } => ErrorKind::Other,
            Self::UnknownFormat { .. }
            | Self::Container { .. }
            | Self::ImageFormat { .. }
            | Self::Codec { .. }
            | Self::StandardInput
            | Self::Scheme { .. }
            | Self::VideoSize { .. }
            | Self::OutputFormat { .. } => ErrorKind::Unsupported,
            Self::Empty { .. }
            | Self::BrokenImage { .. }
            | Self::TooLarge { .. }
            | Self::NoMoov { .. }
            | Self::NoVideoTrack { .. }
            | Self::BrokenMp4 { .. }
            | Self::TruncatedVideo { .. }
            | Self::CorruptFrame { .. }
            | Self::Pattern { .. }
            | Self::TooManyBytes { .. }
            | Self::Shape { .. }
            | Self::Several { .. }
            | Self::TooManyInputs
            | Self::Ffmpeg { .. }
            | Self::Options { .. }
            | Self::FrameSize { .. }
            | Self::WouldOverwrite { .. } => ErrorKind::InvalidInput,
        }
    }
}
