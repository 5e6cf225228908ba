//! Four maps of the same features.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::backbone::WIDTH;
use crate::blocks::Separable;
use eyespot_core::coco::KEYPOINTS;

/// Channels inside a branch.
const HIDDEN: usize = 96;

#[derive(Debug, Clone)]
struct Branch(Separable, Conv2d);

impl Branch {
    fn load(loader: &mut Loader, name: &str, channels: usize) -> Result<Self, WeightError> {
        let features = Separable::load(loader, name, [WIDTH, HIDDEN])?;
        Ok(Self(features, loader.conv(&format!("{name}.values"), Conv::new(HIDDEN, channels, 1), None)?))
    }

    fn forward<M: FeatureMap>(&self, x: M) -> M {
        self.0.forward(x).conv(&self.1)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Head {
    regression: Branch,
    offsets: Branch,
    heatmaps: Branch,
    center: Branch,
}

impl Head {
    pub(crate) fn load(loader: &mut Loader) -> Result<Self, WeightError> {
        let keypoints = KEYPOINTS.len();
        Ok(Self {
            regression: Branch::load(loader, "regression", 2 * keypoints)?,
            offsets: Branch::load(loader, "offsets", 2 * keypoints)?,
            heatmaps: Branch::load(loader, "heatmaps", keypoints)?,
            center: Branch::load(loader, "center", 1)?,
        })
    }

    /// Centre, heatmaps, regression and offsets, each `[batch, channels, cells]`: what [`eyespot_decode::movenet`] reads.
    pub(crate) fn forward<M: FeatureMap>(&self, x: &M) -> Vec<M::Rows> {
        let run = |branch: &Branch| branch.forward(x.clone());
        vec![
            run(&self.center).sigmoid().planes(),
            run(&self.heatmaps).sigmoid().planes(),
            run(&self.regression).planes(),
            run(&self.offsets).planes(),
        ]
    }
}
