//! The backbone: a `ShuffleNetV2` (Ma et al., arXiv:1807.11164) of three stages.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::blocks::{conv, conv_relu};

/// Channels of the stem.
const STEM: usize = 24;

/// Channels and units of the stages.
const STAGES: [(usize, usize); 3] = [(48, 4), (96, 8), (192, 4)];

/// Channels of the levels, of the strides 8, 16 and 32.
pub(crate) const LEVELS: [usize; 3] = [STAGES[0].0, STAGES[1].0, STAGES[2].0];

#[derive(Debug, Clone)]
pub(crate) struct Backbone {
    stem: Conv2d,
    stages: [Vec<Unit>; 3],
}

impl Backbone {
    pub(crate) fn load(loader: &mut Loader) -> Result<Self, WeightError> {
        let stem = conv(loader, "backbone.first_conv", 0, Conv::new(3, STEM, 3).stride(2))?;
        let mut input = STEM;
        let mut stage = |number: usize, (output, units): (usize, usize)| {
            let halving = input;
            input = output;
            (0..units)
                .map(|unit| {
                    let name = format!("backbone.stage{number}.{unit}");
                    Unit::load(loader, &name, output, (unit == 0).then_some(halving))
                })
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { stem, stages: [stage(2, STAGES[0])?, stage(3, STAGES[1])?, stage(4, STAGES[2])?] })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> [M; 3] {
        let mut x = conv_relu(&self.stem, x).max_pool(3, 2);
        self.stages.each_ref().map(|units| {
            x = units.iter().fold(x.clone(), |x, unit| unit.forward(x));
            x.clone()
        })
    }
}

/// A unit that keeps the size, or with a `side` branch halves it and doubles the channels.
#[derive(Debug, Clone)]
struct Unit {
    side: Option<(Conv2d, Conv2d)>,
    expand: Conv2d,
    spatial: Conv2d,
    project: Conv2d,
}

impl Unit {
    /// To `output` channels; of so many where it halves the size.
    fn load(
        loader: &mut Loader,
        name: &str,
        output: usize,
        halving: Option<usize>,
    ) -> Result<Self, WeightError> {
        let half = output / 2;
        let input = halving.unwrap_or(half);
        let stride = if halving.is_some() { 2 } else { 1 };
        let name_of = |branch: &str| format!("{name}.branch_{branch}");
        let side = match halving {
            None => None,
            Some(input) => {
                let (name, rest) = (name_of("proj"), output - half);
                let spatial = conv(loader, &name, 0, Conv::depthwise(input, 3).stride(2))?;
                Some((spatial, conv(loader, &name, 2, Conv::new(input, rest, 1))?))
            }
        };
        let name = name_of("main");
        Ok(Self {
            side,
            expand: conv(loader, &name, 0, Conv::new(input, half, 1))?,
            spatial: conv(loader, &name, 3, Conv::depthwise(half, 3).stride(stride))?,
            project: conv(loader, &name, 5, Conv::new(half, half, 1))?,
        })
    }

    fn forward<M: FeatureMap>(&self, x: M) -> M {
        let [side, main] = match &self.side {
            Some((spatial, project)) => [conv_relu(project, x.clone().conv(spatial)), x],
            None => x.halves(),
        };
        let main = conv_relu(&self.expand, main);
        M::concat([side, conv_relu(&self.project, main.conv(&self.spatial))])
    }
}
