//! The trait of everything that gives frames, and how it is read.

use std::collections::HashMap;

use eyespot_core::{FrameBuf, FrameSource, SourceId};

use crate::{
    ImageOptions, MediaError, MemoryImage, Stopper, StreamOptions, UrlOptions, VideoDecoder, VideoOptions,
};

/// How an input is read. The part that does not fit the input is ignored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceOptions {
    /// For images and directories of them.
    pub images: ImageOptions,
    /// For videos and streams.
    pub video: VideoOptions,
    /// For videos and streams.
    pub decoder: VideoDecoder,
    /// For addresses of images and videos.
    pub url: UrlOptions,
    /// For live streams and cameras.
    pub stream: StreamOptions,
}

/// A source of frames from files, networks and cameras.
///
/// # Contract
/// - Frames carry their name: the path or the address of the image or video.
/// - An error costs one frame; the next call goes on with the next one.
pub trait MediaSource: FrameSource<Error = MediaError> + Send {
    /// Path or address of the whole: the image, the directory, the video.
    fn name(&self) -> &str;

    /// How many frames will come, where that is known beforehand.
    fn frame_count(&self) -> Option<u64>;

    /// Frames per second of a video or stream; `None` for single images.
    fn fps(&self) -> Option<f64>;

    /// Sets the number that tells the frames of this source from those of others.
    fn set_id(&mut self, id: SourceId);

    /// Like [`next_frame`](FrameSource::next_frame), for a caller that keeps the frame: `buf` gets it, without a copy where the
    /// source can do without its memory. Returns whether there was a frame.
    ///
    /// # Errors
    /// As [`next_frame`](FrameSource::next_frame); what `buf` holds then is not said.
    fn next_frame_into(&mut self, buf: &mut FrameBuf) -> Result<bool, MediaError> {
        let frame = self.next_frame()?;
        if let Some(frame) = &frame {
            buf.copy_from(frame);
        }
        Ok(frame.is_some())
    }

    /// The images of this source that are in memory, by frame number: [`read_frame`](crate::read_frame) can't find
    /// them by their name.
    fn memory_images(&self) -> HashMap<u64, MemoryImage> {
        HashMap::new()
    }

    /// Ends a call of `next_frame` that waits, from another thread; `None` where no call waits long.
    fn stopper(&self) -> Option<Stopper> {
        None
    }

    /// What happened to a live source so far; `None` for all others.
    fn stream_stats(&self) -> Option<StreamStats> {
        None
    }
}

/// What happened to a live source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamStats {
    /// Frames that arrived, dropped ones included.
    pub received: u64,
    /// Frames that were dropped because newer ones came before they were asked for.
    pub dropped: u64,
    /// How often the stream broke off and came back.
    pub reconnects: u64,
}
