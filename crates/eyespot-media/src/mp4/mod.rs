//! MP4 (ISO/IEC 14496-12): what is needed of it to read a video track and to write one.

mod boxes;
mod demux;
mod fragments;
mod mux;
mod samples;

pub(crate) use demux::{Mp4Error, Shown, VideoTrack, read};
#[cfg(test)]
pub(crate) use mux::Storage;
pub(crate) use mux::{Muxer, Stream};
