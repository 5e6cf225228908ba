//! A layer of the transformer.

use burn::nn::Linear;
use burn::tensor::{Tensor, activation, s};
use eyespot_burn::{LayerNorm, Loader, WeightError, silu};

use crate::Config;
use crate::config::{Feed, HEAD};

/// What is added to the variance in normalisations.
pub(crate) const EPSILON: f32 = 1e-6;

/// Attention and a feed-forward network, each normalised before and scaled after it (Touvron et al., arXiv:2103.17239).
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    norm1: LayerNorm,
    attention: Attention,
    scale1: Tensor<1>,
    norm2: LayerNorm,
    feed: FeedForward,
    scale2: Tensor<1>,
}

impl Layer {
    pub(crate) fn load(loader: &mut Loader, name: &str, config: &Config) -> Result<Self, WeightError> {
        let width = config.width;
        let part = |part: &str| format!("{name}.{part}");
        Ok(Self {
            norm1: loader.layer_norm(&part("norm1"), width)?.with_epsilon(EPSILON),
            attention: Attention::load(loader, &part("attention"), width)?,
            scale1: loader.parameter(&part("layer_scale1.lambda1"), [width])?,
            norm2: loader.layer_norm(&part("norm2"), width)?.with_epsilon(EPSILON),
            feed: FeedForward::load(loader, &part("mlp"), config)?,
            scale2: loader.parameter(&part("layer_scale2.lambda1"), [width])?,
        })
    }

    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let found = self.attention.forward(self.norm1.forward(x.clone()));
        let x = x + found * self.scale1.clone().unsqueeze();
        let found = self.feed.forward(self.norm2.forward(x.clone()));
        x + found * self.scale2.clone().unsqueeze()
    }
}

/// Each token looks at all (Vaswani et al., arXiv:1706.03762).
#[derive(Debug, Clone)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl Attention {
    fn load(loader: &mut Loader, name: &str, width: usize) -> Result<Self, WeightError> {
        let mut linear = |part: &str| loader.linear(&format!("{name}.{part}_proj"), [width; 2], None);
        Ok(Self { query: linear("q")?, key: linear("k")?, value: linear("v")?, output: linear("out")? })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let shape @ [batch, len, width] = x.dims();
        let split = |x: Tensor<3>| x.reshape([batch, len, width / HEAD, HEAD]).swap_dims(1, 2);
        let query = split(self.query.forward(x.clone())) / (HEAD as f32).sqrt();
        let key = split(self.key.forward(x.clone()));
        let weights = activation::softmax(query.matmul(key.swap_dims(2, 3)), 3);
        let found = weights.matmul(split(self.value.forward(x)));
        self.output.forward(found.swap_dims(1, 2).reshape(shape))
    }
}

#[derive(Debug, Clone)]
enum FeedForward {
    Plain { hidden: Linear, output: Linear },
    GatedInOne { both: Linear, output: Linear },
    Gated { gate: Linear, value: Linear, output: Linear },
}

impl FeedForward {
    fn load(loader: &mut Loader, name: &str, config: &Config) -> Result<Self, WeightError> {
        let Config { width, hidden, .. } = *config;
        let mut linear = |part: &str, sizes| loader.linear(&format!("{name}.{part}"), sizes, None);
        Ok(match config.feed {
            Feed::Plain => Self::Plain {
                hidden: linear("fc1", [width, hidden])?,
                output: linear("fc2", [hidden, width])?,
            },
            Feed::GatedInOne => Self::GatedInOne {
                both: linear("weights_in", [width, 2 * hidden])?,
                output: linear("weights_out", [hidden, width])?,
            },
            Feed::Gated => Self::Gated {
                gate: linear("gate_proj", [width, hidden])?,
                value: linear("up_proj", [width, hidden])?,
                output: linear("down_proj", [hidden, width])?,
            },
        })
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Plain { hidden, output } => output.forward(activation::gelu(hidden.forward(x))),
            Self::GatedInOne { both, output } => {
                let both = both.forward(x);
                let hidden = both.dims()[2] / 2;
                let gate = both.clone().slice(s![.., .., 0..hidden]);
                output.forward(silu(gate) * both.slice(s![.., .., hidden..]))
            }
            Self::Gated { gate, value, output } => {
                output.forward(silu(gate.forward(x.clone())) * value.forward(x))
            }
        }
    }
}
