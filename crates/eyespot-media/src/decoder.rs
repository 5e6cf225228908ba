//! Who decodes videos.

use std::str::FromStr;

/// Who decodes videos, streams and cameras. As text: `auto`, `ffmpeg`, or `ffmpeg:NAME`.
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
}

/// The text names no decoder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no video decoder: use auto, ffmpeg, or ffmpeg:NAME with a NAME of `ffmpeg -decoders`")]
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
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "ffmpeg" => Ok(Self::Ffmpeg { codec: None }),
            Some(("ffmpeg", codec)) if name(codec) => Ok(Self::Ffmpeg { codec: Some(codec.to_owned()) }),
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
        for wrong in ["", "openh264", "ffmpeg:", "ffmpeg:-i", "ffmpeg:a b", "auto:x"] {
            let error = wrong.parse::<VideoDecoder>().unwrap_err().to_string();
            assert!(error.contains("ffmpeg:NAME"), "{error}");
        }
    }
}
