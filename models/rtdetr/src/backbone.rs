//! A `ResNet-D` (He et al., arXiv:1812.01187).

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use eyespot_burn::{Conv, FeatureMap as _, Loader, WeightError, relu};

use crate::Config;
use crate::blocks::conv;

const NAME: &str = "backbone.model";

#[derive(Debug, Clone)]
pub(crate) struct Backbone {
    stem: [Conv2d; 3],
    stages: Vec<Vec<Block>>,
}

/// A convolution and its normalisation, as this part of the network names them.
fn load(loader: &mut Loader, name: &str, shape: Conv) -> Result<Conv2d, WeightError> {
    conv(loader, [&format!("{name}.convolution"), &format!("{name}.normalization")], shape)
}

impl Backbone {
    pub(crate) fn load(loader: &mut Loader, config: &Config) -> Result<Self, WeightError> {
        let half = config.stem / 2;
        let mut stem = |index: usize, conv| load(loader, &format!("{NAME}.embedder.embedder.{index}"), conv);
        let stem = [
            stem(0, Conv::new(3, half, 3).stride(2))?,
            stem(1, Conv::new(half, half, 3))?,
            stem(2, Conv::new(half, config.stem, 3))?,
        ];
        let (mut input, mut stages) = (config.stem, Vec::new());
        for (stage, (output, blocks)) in config.stages.into_iter().zip(config.blocks).enumerate() {
            let mut all = Vec::new();
            for block in 0..blocks {
                let name = format!("{NAME}.encoder.stages.{stage}.layers.{block}");
                let halving = stage > 0 && block == 0;
                // All basic stages begin with a shortcut of their own, also where the size stays.
                let shortcut = block == 0 && (halving || input != output || !config.bottleneck);
                all.push(Block::load(loader, &name, [input, output], config.bottleneck, halving, shortcut)?);
                input = output;
            }
            stages.push(all);
        }
        Ok(Self { stem, stages })
    }

    /// The levels of the strides 8, 16 and 32.
    pub(crate) fn forward(&self, x: Tensor<4>) -> Vec<Tensor<4>> {
        let x = self.stem.iter().fold(x, |x, conv| relu(conv.forward(x)));
        let mut x = x.max_pool(3, 2);
        let mut levels = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.iter().fold(x, |x, block| block.forward(x));
            levels.push(x.clone());
        }
        levels.remove(0);
        levels
    }
}

#[derive(Debug, Clone)]
struct Block {
    convs: Vec<Conv2d>,
    shortcut: Option<Conv2d>,
    halving: bool,
}

impl Block {
    fn load(
        loader: &mut Loader,
        name: &str,
        [input, output]: [usize; 2],
        bottleneck: bool,
        halving: bool,
        shortcut: bool,
    ) -> Result<Self, WeightError> {
        let stride = if halving { 2 } else { 1 };
        let inner = output / 4;
        let convs = if bottleneck {
            vec![
                Conv::new(input, inner, 1),
                Conv::new(inner, inner, 3).stride(stride),
                Conv::new(inner, output, 1),
            ]
        } else {
            vec![Conv::new(input, output, 3).stride(stride), Conv::new(output, output, 3)]
        };
        // Behind a pooling, which is the first of the sequence.
        let side = if halving { format!("{name}.shortcut.1") } else { format!("{name}.shortcut") };
        let shortcut = shortcut.then(|| load(loader, &side, Conv::new(input, output, 1))).transpose()?;
        let convs = convs
            .into_iter()
            .enumerate()
            .map(|(index, conv)| load(loader, &format!("{name}.layer.{index}"), conv))
            .collect::<Result<_, _>>()?;
        Ok(Self { convs, shortcut, halving })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let side = if self.halving { x.clone().average_pool(2) } else { x.clone() };
        let side = match &self.shortcut {
            Some(shortcut) => shortcut.forward(side),
            None => side,
        };
        let last = self.convs.len().saturating_sub(1);
        let main = self.convs.iter().enumerate().fold(x, |x, (index, conv)| {
            let x = conv.forward(x);
            if index < last { relu(x) } else { x }
        });
        relu(main + side)
    }
}
