//! Settings and counters.

/// When an estimate is trusted, and what is hidden from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlowConfig {
    /// Fewest places that have to agree on the motion.
    pub min_inliers: usize,
    /// Smallest share of the places that have to agree, `0..=1`.
    pub min_inlier_ratio: f32,
    /// Largest change of scale between two frames as a factor, both ways, at least 1.
    pub max_zoom: f32,
    /// Largest turn between two frames in radians.
    pub max_turn: f32,
    /// Leave out what lies under the boxes of the detections: they are likely to move on their own.
    pub mask_detections: bool,
}

impl FlowConfig {
    pub(crate) const DEFAULT: Self =
        Self { min_inliers: 8, min_inlier_ratio: 0.2, max_zoom: 1.5, max_turn: 0.5, mask_detections: true };
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How the frames of a camera went, since the start or the last [`reset`](eyespot_core::CameraMotion::reset).
///
/// Each frame is counted in exactly one field; in all but `estimated` the motion is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowStats {
    /// Frames with a trusted motion.
    pub estimated: u32,
    /// First frames, also after a change of the frame's size.
    pub first: u32,
    /// Frames whose predecessor had too few corners: flat, dark, defocused or all hidden by detections.
    pub flat: u32,
    /// Frames in which almost nothing of the one before was found again: a scene cut, noise.
    pub cut: u32,
    /// Frames where too few places agreed on one motion.
    pub few_inliers: u32,
    /// Frames whose motion turned or zoomed more than the settings allow.
    pub implausible: u32,
}

/// Why there is no motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    First,
    Flat,
    Cut,
    FewInliers,
    Implausible,
}

impl FlowStats {
    pub(crate) const ZERO: Self =
        Self { estimated: 0, first: 0, flat: 0, cut: 0, few_inliers: 0, implausible: 0 };

    pub(crate) fn count<T>(&mut self, outcome: &Result<T, Failure>) {
        let counter = match outcome {
            Ok(_) => &mut self.estimated,
            Err(Failure::First) => &mut self.first,
            Err(Failure::Flat) => &mut self.flat,
            Err(Failure::Cut) => &mut self.cut,
            Err(Failure::FewInliers) => &mut self.few_inliers,
            Err(Failure::Implausible) => &mut self.implausible,
        };
        *counter = counter.saturating_add(1);
    }
}
