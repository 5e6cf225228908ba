//! `OpenH264`, which is built in.

use openh264::decoder::{DecodeOptions, DecodedYUV, Decoder, Flush};
use openh264::formats::YUVSource;

use super::{Broken, Picture};
use crate::planes::Planes;

pub(crate) struct BuiltIn {
    decoder: Decoder,
    draining: bool,
    /// Is there a picture that was not taken?
    ready: bool,
}

impl BuiltIn {
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self { decoder: decoder()?, draining: false, ready: false })
    }

    pub(crate) fn push(&mut self, stream: &[u8], planes: &mut Planes) -> Result<(), Broken> {
        let keep = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        let decoded = self.decoder.decode_with_options(stream, keep).map_err(|_| Broken)?;
        if let Some(picture) = decoded {
            copy(&picture, planes);
            self.ready = true;
        }
        Ok(())
    }

    pub(crate) const fn drain(&mut self) {
        self.draining = true;
    }

    pub(crate) fn take(&mut self, planes: &mut Planes) -> Option<Picture> {
        if self.draining && !self.ready {
            let flush = DecodeOptions::new().flush_after_decode(Flush::Flush);
            let picture = self.decoder.decode_with_options(&[], flush).ok().flatten()?;
            copy(&picture, planes);
            return Some(Picture::First);
        }
        std::mem::take(&mut self.ready).then_some(Picture::First)
    }

    /// A new decoder: the old one does not give its flushed pictures free.
    pub(crate) fn restart(&mut self) -> Result<(), String> {
        *self = Self::new()?;
        Ok(())
    }
}

fn decoder() -> Result<Decoder, String> {
    Decoder::new().map_err(|error| error.to_string())
}

fn copy(picture: &DecodedYUV<'_>, planes: &mut Planes) {
    let strides = picture.strides();
    let sources = [(picture.y(), strides.0), (picture.u(), strides.1), (picture.v(), strides.2)];
    planes.copy(picture.dimensions(), sources);
}
