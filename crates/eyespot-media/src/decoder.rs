//! Who decodes videos.

use std::str::FromStr;

/// Who decodes videos, streams and cameras. As text: `auto`, `ffmpeg`, `ffmpeg:NAME`, and in builds with the feature
/// `libav`, `libav` and `libav:NAME`.
///
/// ```
/// use eyespot_media::VideoDecoder;
///
/// let of_a_raspberry_pi: VideoDecoder = "ffmpeg:h264_v4l2m2m".parse()?;
/// assert_eq!(of_a_raspberry_pi, VideoDecoder::Ffmpeg { codec: Some("h264_v4l2m2m".into()) });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum VideoDecoder {
    /// H.264 in MP4 by the built-in decoder, which needs nothing, skips to the first wanted frame and tells of each frame that
    /// is damaged; all else by ffmpeg.
    #[default]
    Auto,
    /// Everything by an installed ffmpeg: H.264 in half the time, on several cores. It decodes all frames before the first
    /// wanted one, and patches what is damaged without a word.
    Ffmpeg {
        /// A decoder of ffmpeg by its name, such as one for the hardware of a board: `h264_v4l2m2m`, `h264_cuvid`. `None`
        /// for its choice.
        codec: Option<String>,
    },
    /// H.264 in MP4 by the libavcodec that this program is linked with: as fast as ffmpeg without carrying pictures from one
    /// process to the other, and like the built-in decoder it skips to the first wanted frame and tells of each frame that is
    /// damaged. All else by an installed ffmpeg.
    #[cfg(feature = "libav")]
    Libav {
        /// A decoder of libavcodec by its name, such as one for the hardware of a board: `h264_v4l2m2m`, `h264_cuvid`. `None`
        /// for its own.
        codec: Option<String>,
    },
}

/// The text names no decoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no video decoder: use auto, ffmpeg, or ffmpeg:NAME with a NAME of `ffmpeg -decoders`; \
     libav and libav:NAME {}",
    if cfg!(feature = "libav") { "work too" } else { "need a build with the feature `libav`" }
)]
pub struct VideoDecoderError {
    /// The text.
    pub text: String,
}

impl FromStr for VideoDecoder {
    type Err = VideoDecoderError;

    fn from_str(text: &str) -> Result<Self, VideoDecoderError> {
        // Nothing that ffmpeg could take for an option.
        let name = |name: &str| {
            let tidy = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            !name.is_empty() && !name.starts_with('-') && name.chars().all(tidy)
        };
        let (kind, codec) = match text.split_once(':') {
            None => (text, None),
            Some((kind, codec)) if name(codec) => (kind, Some(codec.to_owned())),
            Some(_) => return Err(VideoDecoderError { text: text.to_owned() }),
        };
        match kind {
            "auto" if codec.is_none() => Ok(Self::Auto),
            "ffmpeg" => Ok(Self::Ffmpeg { codec }),
            #[cfg(feature = "libav")]
            "libav" => Ok(Self::Libav { codec }),
            _ => Err(VideoDecoderError { text: text.to_owned() }),
        }
    }
}

impl VideoDecoder {
    /// Is even that decoded by ffmpeg which needs none?
    pub(crate) const fn is_ffmpeg(&self) -> bool {
        matches!(self, Self::Ffmpeg { .. })
    }

    /// The decoder that ffmpeg is to use.
    pub(crate) fn codec(&self) -> Option<&str> {
        match self {
            Self::Auto => None,
            Self::Ffmpeg { codec } => codec.as_deref(),
            #[cfg(feature = "libav")]
            Self::Libav { codec } => codec.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoders_are_named() {
        assert_eq!("auto".parse(), Ok(VideoDecoder::Auto));
        assert_eq!("ffmpeg".parse(), Ok(VideoDecoder::Ffmpeg { codec: None }));
        #[cfg(feature = "libav")]
        assert_eq!("libav:h264".parse(), Ok(VideoDecoder::Libav { codec: Some("h264".into()) }));
        for wrong in ["", "openh264", "ffmpeg:", "ffmpeg:-i", "ffmpeg:a b", "auto:x", "libav:"] {
            let error = wrong.parse::<VideoDecoder>().unwrap_err().to_string();
            assert!(error.contains("ffmpeg:NAME"), "{error}");
        }
    }
}
