//! The libavcodec of an installed `FFmpeg`, in this process.

use std::str::FromStr as _;
use std::sync::Once;

use ac_ffmpeg::codec::Decoder as _;
use ac_ffmpeg::codec::video::{PixelFormat, VideoDecoder, VideoFrame};
use ac_ffmpeg::packet::PacketMut;
use ac_ffmpeg::time::{TimeBase, Timestamp};

use super::{Broken, Picture};
use crate::planes::Planes;

pub(crate) struct Libav {
    name: String,
    decoder: VideoDecoder,
}

/// Packets carry the numbers of their samples as times, and pictures have the times of their packets.
const NUMBERS: TimeBase = TimeBase::MICROSECONDS;

impl Libav {
    /// `name` is a decoder of `ffmpeg -decoders`; `None` is libavcodec's own.
    pub(crate) fn new(name: Option<&str>) -> Result<Self, String> {
        let name = name.unwrap_or("h264").to_owned();
        Ok(Self { decoder: open(&name)?, name })
    }

    pub(crate) fn push(&mut self, stream: &[u8], sample: u32) -> Result<(), Broken> {
        let packet = PacketMut::from(stream).with_pts(Timestamp::new(i64::from(sample), NUMBERS));
        self.decoder.try_push(packet.freeze()).map_err(|_| Broken)
    }

    pub(crate) fn drain(&mut self) {
        // What does not come out then is counted as lost.
        let _ = self.decoder.try_flush();
    }

    pub(crate) fn take(&mut self, planes: &mut Planes) -> Result<Option<Picture>, String> {
        /// H.264 keeps no more pictures back.
        const KEPT: usize = 16;
        // Pictures may follow after an error, which costs the one that never comes out.
        let picture = (0..KEPT).find_map(|_| self.decoder.take().ok()).flatten();
        let Some(picture) = picture else { return Ok(None) };
        let sample = u32::try_from(picture.pts().timestamp());
        let sample = sample.map_err(|_| "pictures without the number of their packet".to_owned())?;
        if !copy(&picture, planes) {
            let known = "its pictures are neither planar 4:2:0 nor NV12 in main memory";
            return Err(format!("{}: {known}", self.name));
        }
        Ok(Some(Picture::Of(sample)))
    }

    pub(crate) fn restart(&mut self) -> Result<(), String> {
        self.decoder = open(&self.name)?;
        Ok(())
    }
}

fn open(name: &str) -> Result<VideoDecoder, String> {
    // What it would write to the standard error comes as errors of frames.
    static SILENT: Once = Once::new();
    SILENT.call_once(|| ac_ffmpeg::set_log_callback(|_, _| {}));
    if name.contains('\0') {
        return Err("a name with a zero byte".to_owned());
    }
    let decoder =
        VideoDecoder::builder(name).map_err(|_| format!("libavcodec has none of the name {name}"))?;
    let decoder = decoder
        .time_base(NUMBERS)
        // Damage costs pictures instead of being patched.
        .set_option("err_detect", "explode")
        // Without it the order of pictures is a guess where the stream does not say how far they are apart.
        .set_option("strict", "strict")
        // A session has other work for the other cores, and an error is of the sample that was given last.
        .set_option("threads", 1);
    decoder.build().map_err(|error| format!("libavcodec could not open {name}: {error}"))
}

/// Copies a picture of planar 4:2:0 or NV12, the formats of decoders in hardware; `false` for all others.
fn copy(picture: &VideoFrame, planes: &mut Planes) -> bool {
    let is = |names: &[&str]| {
        names
            .iter()
            .any(|name| PixelFormat::from_str(name).is_ok_and(|format| format == picture.pixel_format()))
    };
    let (size, lent) = ((picture.width(), picture.height()), picture.planes());
    let [y, u, v, _] = &*lent else { return false };
    if is(&["yuv420p", "yuvj420p"]) {
        planes.copy(size, [y, u, v].map(|plane| (plane.data(), plane.line_size())));
    } else if is(&["nv12"]) {
        let half = |first: usize| u.data().iter().skip(first).step_by(2).copied().collect::<Vec<_>>();
        let (us, vs) = (half(0), half(1));
        let stride = u.line_size().div_ceil(2);
        planes.copy(size, [(y.data(), y.line_size()), (&us, stride), (&vs, stride)]);
    } else {
        return false;
    }
    true
}
