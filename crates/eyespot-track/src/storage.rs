//! The memory of a tracker.

use eyespot_core::BBox;

use crate::appearance::{Appearance, Feature};
use crate::assign::{Column, Edge, Row};
use crate::candidate::{Candidate, Extent};
use crate::history::History;
use crate::track::Track;

/// Pairs of overlapping boxes that there is room for, per track.
pub(crate) const EDGES_PER_TRACK: usize = 8;

/// Memory for at most `TRACKS` tracks, lost ones included, and `DETS` detections per frame.
///
/// A new storage is all zeros, so a static one lies in `.bss`. Give it to a tracker as it is, as `&'static mut` or in
/// a `Box`.
///
/// When it is full: of too many detections those with the best scores stay. A new track takes the place of the track
/// that was lost for the longest time; if no track is lost, new tracks with a better score go before others that
/// started in the same frame. There is room for eight overlapping pairs per track on average; beyond that each
/// track keeps its eight best. All of it is counted in [`TrackLosses`].
///
/// `F` is the appearance [`Feature`] that is kept for each track and each detection: `TrackStorage<64, 128, [i8; 512]>`
/// ([`with_features`](Self::with_features)).
#[derive(Debug, Clone)]
pub struct TrackStorage<const TRACKS: usize, const DETS: usize, F = [f32; 0]> {
    tracks: [Track; TRACKS],
    extents: [Extent; TRACKS],
    rows: [Row; TRACKS],
    edges: [[Edge; EDGES_PER_TRACK]; TRACKS],
    features: [F; TRACKS],
    seen: [F; DETS],
    order: [u64; DETS],
    boxes: [BBox; DETS],
    candidates: [Candidate; DETS],
    columns: [Column; DETS],
    head: Head,
}

/// What did not fit or was refused since the tracker was made or reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrackLosses {
    /// Detections that were ignored because better ones filled the storage.
    pub detections: u32,
    /// Detections that were refused: a coordinate that is not finite or beyond ±1,000,000, an empty box, or a score
    /// outside `0..=1`.
    pub invalid: u32,
    /// Lost tracks that were forgotten early to make room for new ones.
    pub evicted: u32,
    /// Detections that would have started a track, but found the table full of tracks in use.
    pub untracked: u32,
    /// Overlapping pairs that could not be considered.
    pub pairs: u32,
    /// Camera motions that were ignored because they are not finite or change the scale by more than a factor of ten.
    pub motions: u32,
    /// Tracks that were dropped because their box left the range of coordinates.
    pub diverged: u32,
    /// Appearance features that were ignored: not finite, zero, or of another dimension than the storage's.
    pub features: u32,
}

/// The few numbers beside the arrays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    pub(crate) tracks: usize,
    pub(crate) rows: usize,
    pub(crate) high: usize,
    pub(crate) candidates: usize,
    /// Width of the widest candidate.
    pub(crate) widest: f32,
    pub(crate) last_id: u32,
    /// Frames so far; the next two are of the latest.
    pub(crate) frames: u32,
    pub(crate) index: u64,
    pub(crate) timestamp_us: u64,
    pub(crate) losses: TrackLosses,
}

impl Head {
    const ZERO: Self = Self {
        tracks: 0,
        rows: 0,
        high: 0,
        candidates: 0,
        widest: 0.0,
        last_id: 0,
        frames: 0,
        index: 0,
        timestamp_us: 0,
        losses: TrackLosses {
            detections: 0,
            invalid: 0,
            evicted: 0,
            untracked: 0,
            pairs: 0,
            motions: 0,
            diverged: 0,
            features: 0,
        },
    };
}

impl<const TRACKS: usize, const DETS: usize> TrackStorage<TRACKS, DETS> {
    /// Empty storage, without appearance features.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_features()
    }
}

impl<const TRACKS: usize, const DETS: usize, F: Feature> TrackStorage<TRACKS, DETS, F> {
    /// Bytes of RAM.
    pub const RAM: usize = size_of::<Self>();

    const FITS: () = assert!(
        TRACKS * EDGES_PER_TRACK < u16::MAX as usize && DETS < u16::MAX as usize,
        "TrackStorage holds at most 8191 tracks and 65534 detections"
    );

    /// Empty storage with room for an appearance feature per track and detection.
    #[must_use]
    pub const fn with_features() -> Self {
        const { Self::FITS };
        Self {
            tracks: [Track::ZERO; TRACKS],
            extents: [Extent::ZERO; TRACKS],
            rows: [Row::ZERO; TRACKS],
            edges: [[Edge::ZERO; EDGES_PER_TRACK]; TRACKS],
            features: [F::ZERO; TRACKS],
            seen: [F::ZERO; DETS],
            order: [0; DETS],
            boxes: [BBox::new(0.0, 0.0, 0.0, 0.0); DETS],
            candidates: [Candidate::ZERO; DETS],
            columns: [Column::ZERO; DETS],
            head: Head::ZERO,
        }
    }

    /// The tracks in use, oldest first.
    pub(crate) fn tracks(&self) -> &[Track] {
        self.tracks.get(..self.head.tracks).unwrap_or(&self.tracks)
    }

    pub(crate) const fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn clear(&mut self) {
        self.head = Head::ZERO;
    }

    /// The same memory without its capacities in the type, so that the code is there once for all of them.
    pub(crate) fn memory(&mut self) -> Memory<'_> {
        Memory {
            tracks: &mut self.tracks,
            extents: &mut self.extents,
            histories: &mut [],
            rows: &mut self.rows,
            edges: self.edges.as_flattened_mut(),
            appearance: Appearance {
                dim: F::DIM,
                tracks: F::numbers(&mut self.features),
                candidates: F::numbers(&mut self.seen),
            },
            order: &mut self.order,
            boxes: &mut self.boxes,
            candidates: &mut self.candidates,
            columns: &mut self.columns,
            head: &mut self.head,
        }
    }
}

impl<const TRACKS: usize, const DETS: usize, F: Feature> Default for TrackStorage<TRACKS, DETS, F> {
    fn default() -> Self {
        Self::with_features()
    }
}

/// A storage of any capacity.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    /// In the order of their ids, without gaps, `head.tracks` of them.
    pub(crate) tracks: &'a mut [Track],
    /// The predicted box of each track.
    pub(crate) extents: &'a mut [Extent],
    /// One per track for OC-SORT, none for the others.
    pub(crate) histories: &'a mut [History],
    /// One per track that has an edge in the present stage, `head.rows` of them.
    pub(crate) rows: &'a mut [Row],
    pub(crate) edges: &'a mut [Edge],
    pub(crate) appearance: Appearance<'a>,
    /// Sort keys of the candidates.
    pub(crate) order: &'a mut [u64],
    /// First those of the `head.high` high-score candidates, then of the low-score ones up to `head.candidates`, both
    /// by their left edges.
    pub(crate) boxes: &'a mut [BBox],
    /// In the same order.
    pub(crate) candidates: &'a mut [Candidate],
    /// One per candidate.
    pub(crate) columns: &'a mut [Column],
    pub(crate) head: &'a mut Head,
}

// The sizes in MEMORY.md, checked wherever the crate is built for a 32-bit target.
#[cfg(target_pointer_width = "32")]
const _: () = {
    assert!(TrackStorage::<16, 32>::RAM == 6_096);
    assert!(TrackStorage::<16, 32, [f32; 512]>::RAM == 104_400);
    assert!(TrackStorage::<16, 32, [i8; 512]>::RAM == 30_672);
    assert!(TrackStorage::<16, 32, [i8; 128]>::RAM == 12_240);
    assert!(crate::OcSortStorage::<16, 32>::RAM == 9_680);
    assert!(TrackStorage::<32, 64>::RAM == 12_112);
    assert!(TrackStorage::<32, 64, [f32; 512]>::RAM == 208_720);
    assert!(TrackStorage::<32, 64, [i8; 512]>::RAM == 61_264);
    assert!(TrackStorage::<32, 64, [i8; 128]>::RAM == 24_400);
    assert!(crate::OcSortStorage::<32, 64>::RAM == 19_280);
    assert!(TrackStorage::<64, 128>::RAM == 24_144);
    assert!(TrackStorage::<64, 128, [f32; 512]>::RAM == 417_360);
    assert!(TrackStorage::<64, 128, [i8; 512]>::RAM == 122_448);
    assert!(TrackStorage::<64, 128, [i8; 128]>::RAM == 48_720);
    assert!(crate::OcSortStorage::<64, 128>::RAM == 38_480);
    assert!(TrackStorage::<256, 512>::RAM == 96_336);
    assert!(TrackStorage::<256, 512, [f32; 512]>::RAM == 1_669_200);
    assert!(TrackStorage::<256, 512, [i8; 512]>::RAM == 489_552);
    assert!(TrackStorage::<256, 512, [i8; 128]>::RAM == 194_640);
    assert!(crate::OcSortStorage::<256, 512>::RAM == 153_680);
};
