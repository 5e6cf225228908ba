//! Who turns H.264 into pictures.

mod built_in;
#[cfg(feature = "libav")]
mod libav;

use crate::VideoDecoder;
use crate::planes::Planes;
use built_in::BuiltIn;
#[cfg(feature = "libav")]
use libav::Libav;

/// A decoder of H.264.
pub(crate) enum Codec {
    BuiltIn(BuiltIn),
    #[cfg(feature = "libav")]
    Libav(Libav),
}

/// Which of the samples that a decoder was given a picture is of.
pub(crate) enum Picture {
    /// The first by time of those that have not come out yet.
    First,
    #[cfg(feature = "libav")]
    Of(u32),
}

/// A sample could not be decoded.
pub(crate) struct Broken;

impl Codec {
    /// Decoders of H.264 other than `libav` are the built-in one. An error says what is missing.
    pub(crate) fn new(decoder: &VideoDecoder) -> Result<Self, String> {
        match decoder {
            #[cfg(feature = "libav")]
            VideoDecoder::Libav { codec } => Libav::new(codec.as_deref()).map(Self::Libav),
            _ => BuiltIn::new().map(Self::BuiltIn),
        }
    }

    /// Decodes a sample, given as a byte stream (annex B). What comes out is to be taken before the next one is given.
    pub(crate) fn push(&mut self, stream: &[u8], sample: u32, planes: &mut Planes) -> Result<(), Broken> {
        #[cfg(not(feature = "libav"))]
        let _ = sample;
        match self {
            Self::BuiltIn(codec) => codec.push(stream, planes),
            #[cfg(feature = "libav")]
            Self::Libav(codec) => codec.push(stream, sample),
        }
    }

    /// Nothing follows: the pictures that the decoder has kept back come out.
    pub(crate) fn drain(&mut self) {
        match self {
            Self::BuiltIn(codec) => codec.drain(),
            #[cfg(feature = "libav")]
            Self::Libav(codec) => codec.drain(),
        }
    }

    /// The next picture, which is in `planes` then. An error says why a picture can't be used.
    pub(crate) fn take(&mut self, planes: &mut Planes) -> Result<Option<Picture>, String> {
        match self {
            Self::BuiltIn(codec) => Ok(codec.take(planes)),
            #[cfg(feature = "libav")]
            Self::Libav(codec) => codec.take(planes),
        }
    }

    /// Starts again after [`drain`](Self::drain).
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        match self {
            Self::BuiltIn(codec) => codec.restart(),
            #[cfg(feature = "libav")]
            Self::Libav(codec) => codec.restart(),
        }
    }
}
