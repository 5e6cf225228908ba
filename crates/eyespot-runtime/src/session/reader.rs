//! The thread that reads frames.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Instant;

use eyespot_core::FrameBuf;
use eyespot_media::{MediaError, MediaSource};

use super::{Control, send};

/// From the reader to the worker.
pub(super) enum Job {
    Frame(FrameBuf),
    /// A frame or a whole source could not be read.
    Failed(MediaError),
    /// All sources are at their end.
    End,
}

/// Reads all sources, one after the other, until the end or until nobody wants more.
pub(super) fn run(
    sources: Vec<Result<Box<dyn MediaSource>, MediaError>>,
    jobs: &SyncSender<Job>,
    spares: &Receiver<FrameBuf>,
    control: &Control,
) {
    for source in sources {
        let mut source = match source {
            Ok(source) => source,
            Err(error) => {
                control.read.fetch_add(1, Ordering::Relaxed);
                if !send(jobs, Job::Failed(error)) {
                    return;
                }
                continue;
            }
        };
        loop {
            if control.stopped() {
                return;
            }
            let start = Instant::now();
            let job = match source.next_frame() {
                Ok(Some(frame)) => {
                    let mut copy = spares.try_recv().unwrap_or_default();
                    copy.copy_from(&frame);
                    Job::Frame(copy)
                }
                Ok(None) => break,
                Err(error) => Job::Failed(error),
            };
            control.time(|times| times.source += start.elapsed());
            control.read.fetch_add(1, Ordering::Relaxed);
            if !send(jobs, job) {
                return;
            }
        }
    }
    send(jobs, Job::End);
}
