//! Boxes on their way from a head to the results.

use core::cmp::Ordering;

use eyespot_core::{BBox, ClassId, Detection, PredictionsMut};

/// A box that a head proposes, in the pixels of the model's input. 28 bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Where.
    pub bbox: BBox,
    /// Confidence, `0..=1`.
    pub score: f32,
    /// What.
    pub class: ClassId,
    /// Which row of the head's output it comes from: there lie its keypoints, its angle and what makes its mask.
    pub row: u32,
}

impl Candidate {
    /// What an unused slot holds.
    pub const EMPTY: Self = Self::new(BBox::new(0.0, 0.0, 0.0, 0.0), 0.0, ClassId(0));

    /// A candidate of a head whose rows hold nothing else.
    #[must_use]
    pub const fn new(bbox: BBox, score: f32, class: ClassId) -> Self {
        Self { bbox, score, class, row: 0 }
    }

    pub(crate) fn of_row(bbox: BBox, score: f32, class: ClassId, row: usize) -> Self {
        Self { row: u32::try_from(row).unwrap_or(u32::MAX), ..Self::new(bbox, score, class) }
    }

    /// Best first. Depends on nothing but the candidates, so that equal scores have one order everywhere.
    fn rank(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.bbox, &other.bbox);
        other
            .score
            .total_cmp(&self.score)
            .then_with(|| self.class.cmp(&other.class))
            .then_with(|| a.x1.total_cmp(&b.x1))
            .then_with(|| a.y1.total_cmp(&b.y1))
            .then_with(|| a.x2.total_cmp(&b.x2))
            .then_with(|| a.y2.total_cmp(&b.y2))
            .then_with(|| self.row.cmp(&other.row))
    }
}

/// Collects candidates in lent slots; when they are full it keeps the best.
///
/// Cheap while there is room. The first candidate too many turns the slots into a heap with the worst on top, so from
/// then on a candidate costs one comparison, or `log n` if it is taken.
#[derive(Debug)]
pub struct Candidates<'a> {
    slots: &'a mut [Candidate],
    len: usize,
    heap: bool,
    lost: u32,
    invalid: u32,
}

impl<'a> Candidates<'a> {
    /// Empty, in lent memory: `[Candidate; N]`, a `Vec` of them, or a part of either.
    #[must_use]
    pub const fn new(slots: &'a mut [Candidate]) -> Self {
        Self { slots, len: 0, heap: false, lost: 0, invalid: 0 }
    }

    /// The candidates: in no order before [`Nms::suppress`](crate::Nms::suppress), best first after it.
    #[must_use]
    pub fn as_slice(&self) -> &[Candidate] {
        self.slots.get(..self.len).unwrap_or(&[])
    }

    /// Number of candidates.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Is there none?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Candidates that found no slot because all held better ones.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.lost
    }

    /// Candidates with a non-finite number, an empty box or a score outside `0..=1`. They were left out.
    #[must_use]
    pub const fn invalid(&self) -> u32 {
        self.invalid
    }

    /// Removes everything and sets the counters to zero.
    pub const fn clear(&mut self) {
        self.len = 0;
        self.heap = false;
        self.lost = 0;
        self.invalid = 0;
    }

    /// Adds a candidate, or leaves it out and counts it.
    pub fn push(&mut self, candidate: Candidate) {
        if !candidate.bbox.is_valid() || !(0.0..=1.0).contains(&candidate.score) {
            self.count_invalid();
            return;
        }
        if let Some(slot) = self.slots.get_mut(self.len) {
            *slot = candidate;
            self.len += 1;
            self.heap = false;
            return;
        }
        self.lost = self.lost.saturating_add(1);
        if !self.heap {
            for parent in (0..self.len / 2).rev() {
                sift_down(self.slots, parent);
            }
            self.heap = true;
        }
        if let Some(worst) = self.slots.first_mut()
            && candidate.rank(worst) == Ordering::Less
        {
            *worst = candidate;
            sift_down(self.slots, 0);
        }
    }

    pub(crate) const fn count_invalid(&mut self) {
        self.invalid = self.invalid.saturating_add(1);
    }

    /// Best first.
    pub(crate) fn sort(&mut self) -> &mut [Candidate] {
        self.heap = false;
        let live = &mut self.slots[..self.len];
        live.sort_unstable_by(Candidate::rank);
        live
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Pushes the candidates to `out`, their boxes mapped by `to_view`: from the pixels of the model's input to those
    /// of the image that it was given, cut to its size. Boxes that the map leaves empty (objects outside the image)
    /// are dropped. What was lost or invalid on the way is counted in `out`.
    pub fn push_into(&self, out: &mut PredictionsMut<'_>, mut to_view: impl FnMut(BBox) -> BBox) {
        let detection = |candidate: &Candidate| {
            let bbox = to_view(candidate.bbox);
            bbox.is_valid().then(|| Detection::new(bbox, candidate.score, candidate.class))
        };
        self.push_with(out, detection, |_, _, _| {});
    }

    /// As [`push_into`](Self::push_into), for heads that give more than boxes: `detection` makes a detection of a
    /// candidate, or `None` to drop it, and `more` gets what was taken, with its index in `out`, to give it a mask or
    /// keypoints.
    pub fn push_with(
        &self,
        out: &mut PredictionsMut<'_>,
        mut detection: impl FnMut(&Candidate) -> Option<Detection>,
        mut more: impl FnMut(&Candidate, usize, &mut PredictionsMut<'_>),
    ) {
        out.count_lost(self.lost);
        out.count_invalid(self.invalid);
        for candidate in self.as_slice() {
            if let Some(detection) = detection(candidate)
                && let Some(index) = out.push(detection)
            {
                more(candidate, index, out);
            }
        }
    }
}

/// Restores the heap (each parent worse than its children) below `parent`.
fn sift_down(heap: &mut [Candidate], mut parent: usize) {
    loop {
        let left = 2 * parent + 1;
        let Some(mut child) = heap.get(left) else { return };
        let mut at = left;
        if let Some(right) = heap.get(left + 1)
            && right.rank(child) == Ordering::Greater
        {
            child = right;
            at = left + 1;
        }
        if child.rank(&heap[parent]) != Ordering::Greater {
            return;
        }
        heap.swap(parent, at);
        parent = at;
    }
}
