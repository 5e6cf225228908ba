//! `MobileNetV2` and a feature pyramid down to a stride of 4.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::blocks::{Bottleneck, Separable};

/// Channels of the stem.
const STEM: usize = 32;

/// The sequences of blocks: channels, blocks, and whether the first halves the size.
const STAGES: [(usize, usize, bool); 7] = [
    (16, 1, false),
    (24, 2, true),
    (32, 3, true),
    (64, 4, true),
    (96, 3, false),
    (160, 3, true),
    (320, 1, false),
];

/// Channels of the last convolution.
const LAST: usize = 1280;

/// The stages that the pyramid adds, from coarse to fine, and the channels after each.
const LEVELS: [(usize, usize); 3] = [(3, 32), (2, 24), (1, 24)];

/// Channels of the result.
pub(crate) const WIDTH: usize = LEVELS[2].1;

#[derive(Debug, Clone)]
pub(crate) struct Backbone {
    stem: Conv2d,
    stages: Vec<Vec<Bottleneck>>,
    last: Conv2d,
    top: Conv2d,
    levels: Vec<Level>,
}

#[derive(Debug, Clone)]
struct Level {
    stage: usize,
    lateral: Conv2d,
    smooth: Separable,
}

impl Backbone {
    pub(crate) fn load(loader: &mut Loader) -> Result<Self, WeightError> {
        let stem = loader.conv("stem", Conv::new(3, STEM, 3).halving(), None)?;
        let (mut input, mut stages) = (STEM, Vec::new());
        for (stage, (output, blocks, halving)) in STAGES.into_iter().enumerate() {
            let factor = if stage == 0 { 1 } else { 6 };
            let mut all = Vec::new();
            for block in 0..blocks {
                let name = format!("stages.{stage}.{block}");
                let halving = halving && block == 0;
                all.push(Bottleneck::load(loader, &name, [input, output], factor, halving)?);
                input = output;
            }
            stages.push(all);
        }
        let last = loader.conv("last", Conv::new(input, LAST, 1), None)?;
        let mut width = STAGES[LEVELS[0].0].0;
        let top = loader.conv("top", Conv::new(LAST, width, 1), None)?;
        let mut levels = Vec::new();
        for (index, (stage, output)) in LEVELS.into_iter().enumerate() {
            let lateral = Conv::new(STAGES[stage].0, width, 1);
            let lateral = loader.conv(&format!("levels.{index}.lateral"), lateral, None)?;
            let smooth = Separable::load(loader, &format!("levels.{index}.smooth"), [width, output])?;
            levels.push(Level { stage, lateral, smooth });
            width = output;
        }
        Ok(Self { stem, stages, last, top, levels })
    }

    /// A stride of 4.
    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M {
        let mut x = x.conv(&self.stem).relu6();
        let mut outputs = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.iter().fold(x, |x, block| block.forward(x));
            outputs.push(x.clone());
        }
        let mut x = x.conv(&self.last).relu6().conv(&self.top);
        for level in &self.levels {
            let lateral = outputs[level.stage].clone().conv(&level.lateral);
            x = level.smooth.forward(x.upsample2_linear().plus(lateral));
        }
        x
    }
}
