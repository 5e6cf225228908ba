//! From true and false detections of all images to precision and recall.

use super::matching::Outcome;

/// Average precision and recall of a category at one IoU threshold and range of sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Mean precision at 101 recalls.
    pub(super) precision: f64,
    /// Largest recall with each of the three limits of detections per image.
    pub(super) recall: [f64; 3],
}

/// The detections of a category in all images.
#[derive(Debug, Default)]
pub(super) struct Pool {
    scores: Vec<f64>,
    /// Place in the image by score, from 0.
    ranks: Vec<usize>,
    order: Vec<usize>,
    /// (true, false) detections so far, for every detection that counts.
    steps: Vec<(f64, f64)>,
}

impl Pool {
    pub(super) fn clear(&mut self) {
        self.scores.clear();
        self.ranks.clear();
    }

    /// Adds the detections of the next image, by falling score.
    pub(super) fn extend(&mut self, scores: impl Iterator<Item = f64>) {
        self.scores.extend(scores);
        self.ranks.extend(0..self.scores.len() - self.ranks.len());
    }

    /// Sorts all by falling score; equal ones stay in the order of images.
    pub(super) fn sort(&mut self) {
        self.order.clear();
        self.order.extend(0..self.scores.len());
        self.order.sort_by(|&a, &b| super::evaluate::falling(self.scores[a], self.scores[b]));
    }

    /// Precision and recall, given what each detection counts as and how many objects there are (at least one).
    pub(super) fn point(&mut self, outcomes: &[Outcome], objects: usize, limits: [usize; 3]) -> Point {
        let recall = limits.map(|limit| {
            let found = outcomes.iter().zip(&self.ranks);
            found.filter(|&(&outcome, &rank)| outcome == Outcome::True && rank < limit).count() as f64
                / objects as f64
        });
        self.steps.clear();
        let (mut hits, mut misses) = (0.0, 0.0);
        for &at in &self.order {
            match outcomes[at] {
                Outcome::True => hits += 1.0,
                Outcome::False => misses += 1.0,
                Outcome::Ignored => continue,
            }
            self.steps.push((hits, misses));
        }
        Point { precision: self.mean_precision(objects as f64), recall }
    }

    /// The mean over the recalls 0, 0.01, ..., 1 of the largest precision at that recall or a higher one.
    fn mean_precision(&self, objects: f64) -> f64 {
        let mut sum = 0.0;
        let mut best: f64 = 0.0;
        let mut steps = self.steps.iter().rev().peekable();
        for level in (0..=100_u8).rev() {
            let level = f64::from(level) * 0.01;
            while let Some((hits, misses)) = steps.next_if(|(hits, _)| hits / objects >= level) {
                best = best.max(hits / (hits + misses + f64::EPSILON));
            }
            sum += best;
        }
        sum / 101.0
    }
}
