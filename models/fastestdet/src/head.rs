//! The neck, and the head on its single level.

use burn::nn::conv::Conv2d;
use eyespot_burn::{Conv, FeatureMap, Loader, WeightError};

use crate::backbone::LEVELS;
use crate::blocks::{conv, conv_relu};

/// Channels of neck and head.
const WIDTH: usize = 96;

/// All levels at the stride of the middle one, and around each pixel 5, 9 and 13 pixels.
#[derive(Debug, Clone)]
pub(crate) struct Neck {
    reduce: Conv2d,
    /// One, two and three convolutions after each other.
    pyramid: [Vec<Conv2d>; 3],
    output: Conv2d,
}

impl Neck {
    pub(crate) fn load(loader: &mut Loader) -> Result<Self, WeightError> {
        let reduce = Conv::new(LEVELS.iter().sum(), WIDTH, 1);
        let reduce = conv(loader, "SPP.Conv1x1.conv1x1", 0, reduce)?;
        let mut branch = |number: usize| {
            (0..number)
                .map(|at| conv(loader, &format!("SPP.S{number}"), 3 * at, Conv::depthwise(WIDTH, 5)))
                .collect::<Result<Vec<_>, _>>()
        };
        let pyramid = [branch(1)?, branch(2)?, branch(3)?];
        Ok(Self { reduce, pyramid, output: conv(loader, "SPP.output", 0, Conv::new(3 * WIDTH, WIDTH, 1))? })
    }

    pub(crate) fn forward<M: FeatureMap>(&self, [fine, middle, coarse]: [M; 3]) -> M {
        let x = M::concat([fine.average_around(3, 2), middle, coarse.upsample2()]);
        let x = conv_relu(&self.reduce, x);
        let pyramid = self.pyramid.each_ref();
        let pyramid = pyramid.map(|convs| convs.iter().fold(x.clone(), |x, conv| conv_relu(conv, x)));
        x.plus(M::concat(pyramid).conv(&self.output)).relu()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Head {
    reduce: Conv2d,
    objectness: [Conv2d; 2],
    boxes: [Conv2d; 2],
    classes: [Conv2d; 2],
}

impl Head {
    pub(crate) fn load(loader: &mut Loader) -> Result<Self, WeightError> {
        let reduce = conv(loader, "detect_head.conv1x1.conv1x1", 0, Conv::new(WIDTH, WIDTH, 1))?;
        let mut branch = |name: &str, values: usize| {
            let name = format!("detect_head.{name}_layers.conv5x5");
            let spatial = conv(loader, &name, 0, Conv::depthwise(WIDTH, 5))?;
            Ok([spatial, conv(loader, &name, 3, Conv::new(WIDTH, values, 1))?])
        };
        Ok(Self {
            reduce,
            objectness: branch("obj", 1)?,
            boxes: branch("reg", 4)?,
            // As many as the weights have.
            classes: branch("cls", 0)?,
        })
    }

    pub(crate) fn classes(&self) -> usize {
        let [_, classes] = &self.classes;
        classes.weight.dims()[0]
    }

    /// `[batch, cells, 5 + classes]`, the cells row by row: what [`eyespot_decode::fastestdet`] reads.
    pub(crate) fn forward<M: FeatureMap>(&self, x: M) -> M::Rows {
        let x = conv_relu(&self.reduce, x);
        let run = |[spatial, values]: &[Conv2d; 2]| conv_relu(spatial, x.clone()).conv(values);
        M::concat([run(&self.objectness).sigmoid(), run(&self.boxes), run(&self.classes).softmax()]).pixels()
    }
}
