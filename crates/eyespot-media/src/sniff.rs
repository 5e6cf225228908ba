//! What a file is, by its first bytes.

use std::io::{Read, Seek};
use std::path::Path;

use crate::MediaError;
use crate::image_file::has_image_extension;

/// Kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Mp4,
    /// A known image format that is not read here.
    OtherImage(&'static str),
    /// A known container that is not read here.
    Container(&'static str),
    Empty,
    Unknown,
}

/// Bytes that are enough to tell: MPEG-TS repeats its mark every 188.
const HEAD: usize = 192;

/// Looks at the start of a file and then at its extension (TGA has no mark).
pub(crate) fn kind(path: &Path, mut file: impl Read + Seek) -> std::io::Result<Kind> {
    let mut head = Vec::with_capacity(HEAD);
    file.rewind()?;
    file.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(kind_of(path, &head))
}

/// Like [`kind`], of the first bytes of a file.
pub(crate) fn kind_of(path: &Path, head: &[u8]) -> Kind {
    match by_content(head) {
        Kind::Unknown if has_image_extension(path) => Kind::Image,
        Kind::Unknown if has_video_extension(path) => Kind::Container("this kind of video"),
        kind => kind,
    }
}

/// Extensions of videos whose content has no clear mark, or that are named by an address.
const VIDEO_EXTENSIONS: &[&str] = &[
    "mp4", "m4v", "mov", "avi", "mkv", "webm", "flv", "ogv", "wmv", "asf", "mpg", "mpeg", "vob", "ts",
    "m2ts", "mts", "3gp", "h264", "h265", "hevc", "mjpeg", "mjpg", "mxf", "dv", "y4m", "nut", "ivf", "m3u8",
    "mpd",
];

/// Has the file an extension of a video?
pub(crate) fn has_video_extension(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| VIDEO_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

fn by_content(head: &[u8]) -> Kind {
    match (head.get(4..8), head.get(8..12)) {
        (Some(b"ftyp"), Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1")) => {
            return Kind::OtherImage("HEIF");
        }
        (Some(b"ftyp"), Some(b"avif" | b"avis")) => return Kind::OtherImage("AVIF"),
        (
            Some(b"ftyp" | b"moov" | b"mdat" | b"moof" | b"styp" | b"wide" | b"free" | b"skip" | b"pnot"),
            _,
        ) => {
            return Kind::Mp4;
        }
        (_, Some(b"AVI ")) if head.starts_with(b"RIFF") => return Kind::Container("AVI"),
        _ => {}
    }
    match head {
        [] => Kind::Empty,
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Kind::Container("Matroska or WebM"),
        [b'F', b'L', b'V', ..] => Kind::Container("FLV"),
        [b'O', b'g', b'g', b'S', ..] => Kind::Container("Ogg"),
        [0x30, 0x26, 0xb2, 0x75, ..] => Kind::Container("WMV"),
        [0, 0, 1, 0xba | 0xb3, ..] => Kind::Container("MPEG program stream"),
        [0, 0, 0, 1, ..] | [0, 0, 1, 0x67 | 0x27 | 0x40, ..] => {
            Kind::Container("a raw H.264 or H.265 stream")
        }
        [0x47, ..] if head.get(188) == Some(&0x47) => Kind::Container("MPEG transport stream"),
        [0x76, 0x2f, 0x31, 0x01, ..] => Kind::OtherImage("OpenEXR"),
        _ => match image::guess_format(head) {
            Ok(format) if format.reading_enabled() => Kind::Image,
            _ => Kind::Unknown,
        },
    }
}

/// An error for every file that is no MP4.
pub(crate) fn expect_mp4(path: &Path, file: impl Read + Seek) -> Result<(), MediaError> {
    match kind(path, file).map_err(|error| MediaError::read(path, error))? {
        Kind::Mp4 => Ok(()),
        Kind::Image => {
            Err(MediaError::Container { path: path.to_path_buf(), container: "an image as video" })
        }
        other => Err(refusal(path, other)),
    }
}

/// The error for a file that can't be read at all.
pub(crate) fn refusal(path: &Path, kind: Kind) -> MediaError {
    let path = path.to_path_buf();
    match kind {
        Kind::OtherImage(format) => MediaError::ImageFormat { path, format },
        Kind::Container(container) => MediaError::Container { path, container },
        Kind::Empty => MediaError::Empty { path },
        Kind::Image | Kind::Mp4 | Kind::Unknown => MediaError::UnknownFormat { path },
    }
}
