//! The thread that opens inputs and reads frames.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use eyespot_core::{FrameBuf, SourceId};
use eyespot_media::{MediaError, MediaSource, MemoryImage};

use super::{Control, SourceInfo, send};

/// From the reader to the worker.
pub(super) enum Job {
    /// A frame, and where it was an image in memory, that.
    Frame(FrameBuf, Option<MemoryImage>),
    /// A frame or a whole source could not be read.
    Failed(MediaError),
    /// All sources are at their end.
    End,
}

/// Reads all sources, one after the other, until the end or until nobody wants more.
pub(super) fn run(
    mut sources: impl Iterator<Item = Result<Box<dyn MediaSource>, MediaError>>,
    jobs: &SyncSender<Job>,
    spares: &Receiver<FrameBuf>,
    control: &Control,
) {
    for number in 0_usize.. {
        control.opening.store(true, Ordering::SeqCst);
        if control.stopped() {
            return;
        }
        let opened = sources.next();
        control.opening.store(false, Ordering::SeqCst);
        let source = match opened {
            None => break,
            Some(opened) => opened.and_then(|source| register(source, number, control)),
        };
        let go_on = match source {
            Ok(source) => read(source, jobs, spares, control),
            Err(error) => {
                control.read.fetch_add(1, Ordering::Relaxed);
                send(jobs, Job::Failed(error))
            }
        };
        if !go_on {
            return;
        }
    }
    send(jobs, Job::End);
}

/// Gives a source its number, and tells the others about it.
fn register(
    mut source: Box<dyn MediaSource>,
    number: usize,
    control: &Control,
) -> Result<Box<dyn MediaSource>, MediaError> {
    let id = SourceId(u16::try_from(number).map_err(|_| MediaError::TooManyInputs)?);
    source.set_id(id);
    let (name, fps, frame_count) = (source.name().to_owned(), source.fps(), source.frame_count());
    control.sources.add(SourceInfo { id, name, fps, frame_count });
    *control.stopper.lock().unwrap_or_else(PoisonError::into_inner) = source.stopper();
    Ok(source)
}

/// Reads a source to its end; tells whether to go on.
fn read(
    mut source: Box<dyn MediaSource>,
    jobs: &SyncSender<Job>,
    spares: &Receiver<FrameBuf>,
    control: &Control,
) -> bool {
    let mut memory = source.memory_images();
    loop {
        if control.stopped() {
            return false;
        }
        let start = Instant::now();
        let mut buf = spares.try_recv().unwrap_or_default();
        let job = match source.next_frame_into(&mut buf) {
            Ok(true) => {
                let image = buf.frame().and_then(|frame| memory.remove(&frame.info.index));
                Job::Frame(buf, image)
            }
            Ok(false) => return true,
            Err(error) => Job::Failed(error),
        };
        control.time(|times| times.source += start.elapsed());
        control.read.fetch_add(1, Ordering::Relaxed);
        if !send(jobs, job) {
            return false;
        }
    }
}
