//! How long each stage took.

use std::time::Duration;

/// Time spent in each stage over a number of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StageTimes {
    /// Frames that went through.
    pub frames: u64,
    /// Reading and decoding.
    pub source: Duration,
    /// Finding objects: pre-processing, the network, decoding its head, suppression.
    pub predict: Duration,
    /// Tracking.
    pub track: Duration,
    /// Drawing, encoding and writing results.
    pub sink: Duration,
}

impl StageTimes {
    /// Time spent in all stages.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.source + self.predict + self.track + self.sink
    }
}

impl std::ops::AddAssign for StageTimes {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.source += other.source;
        self.predict += other.predict;
        self.track += other.track;
        self.sink += other.sink;
    }
}
