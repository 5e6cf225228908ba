//! How much may wait.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much may wait in an outbox, and what happens beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of results and frames. 4 GiB by default.
    pub bytes: u64,
    /// Number of results. A million by default.
    pub items: u64,
    /// What happens when there is no room.
    pub when_full: WhenFull,
    /// How long a commit waits for room on a full disk before it fails; deliveries make room meanwhile. One minute by
    /// default.
    pub disk_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 30,
            items: 1_000_000,
            when_full: WhenFull::Refuse,
            disk_patience: Duration::from_secs(60),
        }
    }
}

/// What happens when an outbox is full. Whatever is lost is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// New results are not taken.
    #[default]
    Refuse,
    /// The oldest ones make room.
    DropOldest,
    /// Those whose best object has the lowest score make room, or are not taken.
    KeepBest,
}
