//! The inputs of a session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eyespot_core::SourceId;

/// An input of a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInfo {
    /// Its number in `FrameInfo::source`.
    pub id: SourceId,
    /// Path or address.
    pub name: String,
    /// Frames per second of a video or stream; `None` for images.
    pub fps: Option<f64>,
    /// How many frames it has, where known.
    pub frame_count: Option<u64>,
}

impl SourceInfo {
    /// Is it a video or a stream?
    #[must_use]
    pub const fn is_video(&self) -> bool {
        self.fps.is_some()
    }
}

/// The inputs that were opened so far: a handle, which grows with the session.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<Mutex<Vec<SourceInfo>>>);

impl FromIterator<SourceInfo> for Sources {
    fn from_iter<I: IntoIterator<Item = SourceInfo>>(infos: I) -> Self {
        Self(Arc::new(Mutex::new(infos.into_iter().collect())))
    }
}

impl Sources {
    fn lock(&self) -> MutexGuard<'_, Vec<SourceInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, info: SourceInfo) {
        self.lock().push(info);
    }

    /// The input of that number.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<SourceInfo> {
        // The latest is asked for most.
        self.lock().iter().rev().find(|info| info.id == id).cloned()
    }

    /// All of them, in the order in which they were opened.
    #[must_use]
    pub fn all(&self) -> Vec<SourceInfo> {
        self.lock().clone()
    }

    /// How many frames they have together; `None` before the first is open, and where one does not know.
    pub(super) fn frame_count(&self) -> Option<u64> {
        let infos = self.lock();
        if infos.is_empty() { None } else { infos.iter().map(|info| info.frame_count).sum() }
    }
}
