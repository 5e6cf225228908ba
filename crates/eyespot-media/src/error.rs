//! What goes wrong with files.

use std::io;
use std::path::{Path, PathBuf};

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
            Self::NotFound { .. } | Self::NoImages { .. } => ErrorKind::NotFound,
            Self::Read { .. } | Self::Write { .. } | Self::DiskFull { .. } => ErrorKind::Io,
            Self::OutOfMemory { .. } => ErrorKind::Capacity,
            Self::Coder { .. } => ErrorKind::Other,
            Self::UnknownFormat { .. }
            | Self::Container { .. }
            | Self::ImageFormat { .. }
            | Self::Codec { .. }
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
            | Self::Options { .. }
            | Self::FrameSize { .. }
            | Self::WouldOverwrite { .. } => ErrorKind::InvalidInput,
        }
    }
}
