//! All scores of a sequence, or of several together.

use serde::Serialize;

use super::pairing::{MOT17_DISTRACTORS, Pairing};
use super::{Clear, Hota, Identity, Sequence};
use crate::Error;

/// How much was evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Tracked boxes.
    #[serde(rename = "Dets")]
    pub track_boxes: u64,
    /// True boxes.
    #[serde(rename = "GT_Dets")]
    pub truth_boxes: u64,
    /// Tracks.
    #[serde(rename = "IDs")]
    pub tracks: u64,
    /// True objects.
    #[serde(rename = "GT_IDs")]
    pub truths: u64,
}

/// The scores of a tracker. Displays as a table with one line; serializes flat, under the names of TrackEval, ratios as
/// `0..=1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// HOTA and its parts.
    #[serde(flatten)]
    pub hota: Hota,
    /// MOTA, identity switches and more.
    #[serde(flatten)]
    pub clear: Clear,
    /// IDF1 and its parts.
    #[serde(flatten)]
    pub identity: Identity,
    /// How much was evaluated.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Scores tracks against ground truth. The figures equal those of TrackEval.
///
/// As in the MOT Challenge, true boxes count if their consider flag is not 0 and their class is 1 or none, and tracked
/// boxes that match a distractor ([`MOT17_DISTRACTORS`]) do not count. The scores of tracked boxes play no part.
///
/// # Errors
///
/// [`Error::NoId`] and [`Error::DuplicateId`].
pub fn evaluate(truth: &Sequence, tracks: &Sequence) -> Result<Scores, Error> {
    evaluate_with(truth, tracks, MOT17_DISTRACTORS)
}

/// [`evaluate`] with other distractors, such as [`MOT20_DISTRACTORS`](super::MOT20_DISTRACTORS) or none.
///
/// # Errors
///
/// As [`evaluate`].
pub fn evaluate_with(truth: &Sequence, tracks: &Sequence, distractors: &[u32]) -> Result<Scores, Error> {
    let pairing = Pairing::new(truth, tracks, distractors)?;
    let boxes = |lengths: Vec<u32>| lengths.into_iter().map(u64::from).sum();
    Ok(Scores {
        hota: Hota::new(&pairing),
        clear: Clear::new(&pairing),
        identity: Identity::new(&pairing),
        counts: Counts {
            track_boxes: boxes(pairing.track_lengths()),
            truth_boxes: boxes(pairing.truth_lengths()),
            tracks: pairing.track_ids as u64,
            truths: pairing.truth_ids as u64,
        },
    })
}

/// The scores of several sequences pooled, as the line `COMBINED` of TrackEval: counts are added, associations averaged
/// over matched boxes.
#[must_use]
pub fn combine<'a>(scores: impl IntoIterator<Item = &'a Scores, IntoIter: Clone>) -> Scores {
    let all = scores.into_iter();
    let sum = |count: fn(&Counts) -> u64| all.clone().map(|one| count(&one.counts)).sum();
    Scores {
        hota: Hota::combine(all.clone().map(|one| &one.hota)),
        clear: Clear::combine(all.clone().map(|one| &one.clear)),
        identity: Identity::combine(all.clone().map(|one| &one.identity)),
        counts: Counts {
            track_boxes: sum(|counts| counts.track_boxes),
            truth_boxes: sum(|counts| counts.truth_boxes),
            tracks: sum(|counts| counts.tracks),
            truths: sum(|counts| counts.truths),
        },
    }
}
