//! CLEAR MOT: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics",
//! EURASIP Journal on Image and Video Processing, 2008; mostly tracked and mostly lost after Li, Huang and Nevatia,
//! "Learning to Associate", CVPR 2009.

use serde::Serialize;

use super::pairing::{Matcher, Overlap, Pairing, is_match};

/// The CLEAR MOT metrics at an IoU of 0.5.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Clear {
    /// Accuracy: 1 minus the share of errors, `..=1`; 0 without true boxes.
    #[serde(rename = "MOTA")]
    pub mota: f64,
    /// Precision: mean IoU of matched boxes, `0..=1`; 0 without any.
    #[serde(rename = "MOTP")]
    pub motp: f64,
    /// Matched boxes.
    #[serde(rename = "TP")]
    pub tp: u64,
    /// Tracked boxes without match.
    #[serde(rename = "FP")]
    pub fp: u64,
    /// True boxes without match.
    #[serde(rename = "FN")]
    pub fn_: u64,
    /// How often a true object is matched by another track than before.
    #[serde(rename = "IDSW")]
    pub id_switches: u64,
    /// How often a true object is found again after it was lost.
    #[serde(rename = "Frag")]
    pub fragmentations: u64,
    /// True objects matched in more than 80 % of their frames.
    #[serde(rename = "MT")]
    pub mostly_tracked: u64,
    /// True objects between the two.
    #[serde(rename = "PT")]
    pub partially_tracked: u64,
    /// True objects matched in less than 20 % of their frames.
    #[serde(rename = "ML")]
    pub mostly_lost: u64,
}

/// What is known of a true object.
#[derive(Debug, Clone, Copy, Default)]
struct Object {
    /// The track that matched it last.
    track: Option<usize>,
    /// The track that matched it in the frame before.
    previous: Option<usize>,
    /// In how many frames it was matched.
    matched: u32,
    /// How often it was found after it was not matched.
    starts: u64,
}

impl Clear {
    pub(super) fn new(pairing: &Pairing) -> Self {
        let mut matcher = Matcher::default();
        let mut objects = vec![Object::default(); pairing.truth_ids];
        // The objects that were matched in the frame before.
        let mut before: Vec<usize> = Vec::new();
        let mut clear = Self::default();
        let mut overlap_sum = 0.0;
        for frame in &pairing.frames {
            let ids = |overlap: &Overlap| (frame.truths[overlap.truth], frame.tracks[overlap.track]);
            let matched = matcher.run(frame, |overlap| {
                let (truth, track) = ids(overlap);
                // A pair that goes on from the frame before outweighs all others.
                let goes_on = if objects[truth].previous == Some(track) { 1000.0 } else { 0.0 };
                if is_match(overlap.iou) { goes_on + overlap.iou } else { 0.0 }
            });
            clear.tp += matched.len() as u64;
            clear.fp += (frame.tracks.len() - matched.len()) as u64;
            clear.fn_ += (frame.truths.len() - matched.len()) as u64;
            for overlap in matched {
                let (truth, track) = ids(overlap);
                let object = &mut objects[truth];
                overlap_sum += overlap.iou;
                object.matched += 1;
                object.starts += u64::from(object.previous.is_none());
                clear.id_switches += u64::from(object.track.is_some_and(|before| before != track));
                object.track = Some(track);
            }
            // As in the reference, a frame without true or tracked boxes interrupts nothing.
            if !frame.truths.is_empty() && !frame.tracks.is_empty() {
                before.drain(..).for_each(|truth| objects[truth].previous = None);
                for (truth, track) in matched.iter().map(ids) {
                    objects[truth].previous = Some(track);
                    before.push(truth);
                }
            }
        }

        for (object, length) in objects.iter().zip(pairing.truth_lengths()) {
            let share = f64::from(object.matched) / f64::from(length);
            let class = if share > 0.8 {
                &mut clear.mostly_tracked
            } else if share >= 0.2 {
                &mut clear.partially_tracked
            } else {
                &mut clear.mostly_lost
            };
            *class += 1;
            clear.fragmentations += object.starts.saturating_sub(1);
        }
        clear.finish(overlap_sum)
    }

    /// Pools sequences: all counts are added.
    pub(super) fn combine<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        let mut overlap_sum = 0.0;
        for one in all {
            overlap_sum += one.motp * one.tp as f64;
            sum.tp += one.tp;
            sum.fp += one.fp;
            sum.fn_ += one.fn_;
            sum.id_switches += one.id_switches;
            sum.fragmentations += one.fragmentations;
            sum.mostly_tracked += one.mostly_tracked;
            sum.partially_tracked += one.partially_tracked;
            sum.mostly_lost += one.mostly_lost;
        }
        sum.finish(overlap_sum)
    }

    fn finish(mut self, overlap_sum: f64) -> Self {
        self.motp = overlap_sum / self.tp.max(1) as f64;
        let boxes = (self.tp + self.fn_) as f64;
        self.mota = if boxes > 0.0 {
            (self.tp as f64 - self.fp as f64 - self.id_switches as f64) / boxes
        } else {
            0.0
        };
        self
    }
}
