//! Identity scores: Ristani, Solera, Zou, Cucchiara and Tomasi, "Performance Measures and a Data Set for Multi-Target,
//! Multi-Camera Tracking", ECCV Workshops 2016.

use serde::Serialize;

use super::pairing::Pairing;
use crate::assignment::{Assignment, NONE};

/// The identity metrics at an IoU of 0.5, `0..=1`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Identity {
    /// The harmonic mean of identity precision and recall.
    #[serde(rename = "IDF1")]
    pub idf1: f64,
    /// Identity precision: the share of tracked boxes with the right identity.
    #[serde(rename = "IDP")]
    pub idp: f64,
    /// Identity recall: the share of true boxes with the right identity.
    #[serde(rename = "IDR")]
    pub idr: f64,
    /// Boxes with the right identity.
    #[serde(rename = "IDTP")]
    pub idtp: u64,
    /// Tracked boxes without.
    #[serde(rename = "IDFP")]
    pub idfp: u64,
    /// True boxes without.
    #[serde(rename = "IDFN")]
    pub idfn: u64,
}

impl Identity {
    pub(super) fn new(pairing: &Pairing) -> Self {
        // The one-to-one pairing of identities that makes the fewest errors shares the most boxes: each shared box is
        // one false positive and one false negative less.
        let columns = pairing.track_ids;
        let mut shared = vec![0_u32; pairing.truth_ids * columns];
        let (mut truths, mut tracks) = (0, 0);
        for frame in &pairing.frames {
            truths += frame.truths.len() as u64;
            tracks += frame.tracks.len() as u64;
            // Without room for rounding, as in the reference.
            for overlap in frame.overlaps.iter().filter(|overlap| overlap.iou >= 0.5) {
                shared[frame.truths[overlap.truth] * columns + frame.tracks[overlap.track]] += 1;
            }
        }
        let mut solver = Assignment::default();
        let counts = shared.iter().enumerate().filter(|(_, count)| **count > 0);
        let counts = counts.map(|(at, &count)| (at / columns, at % columns, f64::from(count)));
        let assigned = solver.maximize(pairing.truth_ids, columns, counts);
        let assigned = assigned.iter().enumerate().filter(|(_, track)| **track != NONE);
        let idtp = assigned.map(|(truth, track)| u64::from(shared[truth * columns + track])).sum();
        Self { idtp, idfp: tracks - idtp, idfn: truths - idtp, ..Self::default() }.finish()
    }

    /// Pools sequences: all counts are added.
    pub(super) fn combine<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.idtp += one.idtp;
            sum.idfp += one.idfp;
            sum.idfn += one.idfn;
        }
        sum.finish()
    }

    fn finish(mut self) -> Self {
        let ratio = |whole: f64| self.idtp as f64 / whole.max(1.0);
        let (tp, fp, fn_) = (self.idtp as f64, self.idfp as f64, self.idfn as f64);
        (self.idp, self.idr, self.idf1) = (ratio(tp + fp), ratio(tp + fn_), ratio(tp + fp / 2.0 + fn_ / 2.0));
        self
    }
}
