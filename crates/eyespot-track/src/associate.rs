//! Who could be whom: the pairs of tracks and detections that overlap enough, and the matching of a stage.

use core::cmp::Ordering;

use crate::appearance::Look;
use crate::assign::{Edge, NONE, Row, solve};
use crate::candidate::{Candidate, Extent, Level, larger, smaller};
use crate::storage::{EDGES_PER_TRACK, Memory};
use crate::track::{Phase, Track};

/// One stage of the association.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// The detections that take part.
    pub(crate) level: Level,
    /// The tracks that take part.
    pub(crate) who: Who,
    /// By how much right and bottom edges lie further out than given.
    pub(crate) margin: f32,
    /// Boxes must overlap by this IoU.
    pub(crate) min_iou: f32,
    /// A pair must cost less.
    pub(crate) limit: f32,
    /// The overlap counts times the score of the detection.
    pub(crate) fuse_score: bool,
    /// The overlap counts times the one of the vertical extents.
    pub(crate) height_iou: bool,
    /// What a change of the score by 1 costs.
    pub(crate) score_change: f32,
    /// How far boxes and appearances may differ for the appearance to count.
    pub(crate) looks: Option<Looks>,
    /// The weight of the direction of motion, where there is a history.
    pub(crate) direction: f32,
    /// The direction of motion is looked at over so many frames.
    pub(crate) delta_t: u8,
    /// Track and detection must have the same class.
    pub(crate) same_class: bool,
}

/// Which tracks take part in a stage.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Who {
    /// All of them.
    All,
    /// Those that have been confirmed.
    Confirmed,
    /// Those that have been confirmed, but were not seen for this long: not in this frame, but lately.
    Missed(f32),
    /// Those that were seen once.
    Unconfirmed,
    /// Those that were not seen in this frame.
    Unseen,
}

impl Who {
    #[inline]
    fn includes(self, track: &Track) -> bool {
        match self {
            Self::All => true,
            Self::Confirmed => track.phase != Phase::Unconfirmed,
            Self::Missed(longest) => match track.phase {
                Phase::Tracked => track.unseen > 0.0,
                Phase::Lost => track.unseen <= longest,
                Phase::Unconfirmed | Phase::Gone => false,
            },
            Self::Unconfirmed => track.phase == Phase::Unconfirmed,
            Self::Unseen => track.unseen > 0.0,
        }
    }
}

/// When the appearance counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    /// The boxes must overlap by this IoU.
    pub(crate) min_iou: f32,
    /// Half the cosine distance of the appearances must not be larger.
    pub(crate) limit: f32,
}

impl Looks {
    /// The cost by appearance alone; prohibitive where it does not count.
    fn cost(&self, distance: Option<f32>) -> f32 {
        distance.filter(|&distance| distance <= self.limit).unwrap_or(1.0)
    }
}

impl Stage {
    /// What it costs to match a track, now at `extent`, with a candidate, by their boxes and scores.
    #[inline]
    fn cost(
        &self,
        (track, extent): (&Track, &Extent),
        (candidate, other): (&Candidate, &Extent),
        (mut part, mut whole): (f32, f32),
    ) -> f32 {
        if self.height_iou {
            part *= smaller(extent.y2, other.y2) - larger(extent.y1, other.y1);
            whole *= larger(extent.y2, other.y2) - smaller(extent.y1, other.y1);
        }
        let mut similarity = part / whole;
        if self.fuse_score {
            similarity *= candidate.score;
        }
        1.0 - similarity + self.score_change * (track.score - candidate.score).abs()
    }
}

impl Memory<'_> {
    /// Matches the tracks of the stage to the candidates of its level; the result is in [`rows`](Self::rows), where
    /// `column` is the candidate. A track that no candidate is near has no row.
    pub(crate) fn associate(&mut self, stage: &Stage) {
        let high = stage.level == Level::High;
        let span = if high { 0..self.head.high } else { self.head.high..self.head.candidates };
        let offset = span.start;
        let (boxes, candidates) = (&self.boxes[span.clone()], &self.candidates[span]);
        let tracks = &self.tracks[..self.head.tracks];
        // Boxes that do not overlap at all are never a pair.
        let min_iou = stage.min_iou.max(1e-6);
        // A box that covers the track entirely and starts this many widths to the left reaches just this overlap.
        let reach = 1.0 / min_iou - 1.0;
        let mut used = 0usize;
        let mut wanted = 0usize;
        let mut count = 0usize;
        for (place, track) in tracks.iter().enumerate() {
            if !stage.who.includes(track) {
                continue;
            }
            let mut start = used;
            let extent = self.extents[place];
            let leftmost = extent.x1 - ((extent.x2 - extent.x1) * reach).min(self.head.widest);
            let first = boxes.partition_point(|bbox| bbox.x1 < leftmost);
            for (column, bbox) in boxes.iter().enumerate().skip(first) {
                if bbox.x1 >= extent.x2 {
                    break;
                }
                let other = Extent::new(bbox, stage.margin);
                let overlap = extent.overlap(&other);
                if overlap.0 < min_iou * overlap.1 {
                    continue;
                }
                let candidate = &candidates[column];
                if candidate.level == Level::Out || (stage.same_class && candidate.class != track.class) {
                    continue;
                }
                let mut cost = stage.cost((track, &extent), (candidate, &other), overlap);
                if let Some(looks) = stage.looks.filter(|looks| overlap.0 >= looks.min_iou * overlap.1) {
                    let own = Look { place, scale: track.feature_scale };
                    let seen = Look { place: offset + column, scale: candidate.feature_scale };
                    cost = cost.min(looks.cost(self.appearance.distance(own, seen)));
                }
                if let Some(history) = self.histories.get(place) {
                    let consistency = history.consistency(bbox, candidate.score, stage.delta_t);
                    cost -= stage.direction * consistency;
                }
                if cost >= stage.limit {
                    continue;
                }
                wanted += 1;
                let edge = Edge { cost, column: column as u16 };
                if used == self.edges.len() {
                    (start, used) = squeeze(&mut self.rows[..count], self.edges, start);
                }
                if let Some(slot) = self.edges.get_mut(used) {
                    *slot = edge;
                    used += 1;
                } else if let Some(worst) = self.edges[start..].iter_mut().max_by(by_cost)
                    && worst.cost > cost
                {
                    *worst = edge;
                }
            }
            if used > start {
                self.rows[count] = Row::new(place as u16, start as u16, used as u16);
                count += 1;
            }
        }
        self.head.rows = count;
        let dropped = u32::try_from(wanted - used).unwrap_or(u32::MAX);
        self.head.losses.pairs = self.head.losses.pairs.saturating_add(dropped);
        if count == 0 {
            return;
        }
        let (rows, columns) = (&mut self.rows[..count], &mut self.columns[..candidates.len()]);
        solve(rows, columns, self.edges, stage.limit);
        for row in rows {
            if row.column != NONE {
                row.column += offset as u16;
            }
        }
    }
}

/// Makes room: cuts every run of edges to the cheapest ones and closes the gaps. `start` is that of the run without
/// a row yet; returns its new start and the number of edges in use.
#[cold]
fn squeeze(rows: &mut [Row], edges: &mut [Edge], mut start: usize) -> (usize, usize) {
    let mut used = 0;
    let full = edges.len();
    let mut cut = |from: usize, to: usize| {
        let kept = (to - from).min(EDGES_PER_TRACK);
        if kept < to - from {
            edges[from..to].select_nth_unstable_by(kept, |a, b| a.cost.total_cmp(&b.cost));
        }
        edges.copy_within(from..from + kept, used);
        used += kept;
        used - kept
    };
    for row in rows {
        let kept = (row.end - row.start).min(EDGES_PER_TRACK as u16);
        row.start = cut(usize::from(row.start), usize::from(row.end)) as u16;
        row.end = row.start + kept;
    }
    start = cut(start, full);
    (start, used)
}

fn by_cost(a: &&mut Edge, b: &&mut Edge) -> Ordering {
    a.cost.total_cmp(&b.cost)
}
