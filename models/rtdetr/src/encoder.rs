//! The hybrid encoder: attention within the coarsest level, then a pyramid down and up again.

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Tensor, TensorData, activation};
use eyespot_burn::{Conv, FeatureMap, LayerNorm, Loader, WeightError, silu};

use crate::Config;
use crate::attention::Attention;
use crate::blocks::{conv, flatten};
use crate::config::LEVELS;

/// The longest wave of the positions, over 2π.
const TEMPERATURE: f32 = 10_000.0;

#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    input: Vec<Conv2d>,
    layers: Vec<Layer>,
    laterals: Vec<Conv2d>,
    down: Vec<Fusion>,
    halvings: Vec<Conv2d>,
    up: Vec<Fusion>,
}

/// A convolution and its normalisation, as this part of the network names them.
fn load(loader: &mut Loader, name: &str, shape: Conv) -> Result<Conv2d, WeightError> {
    conv(loader, [&format!("{name}.conv"), &format!("{name}.norm")], shape)
}

impl Encoder {
    pub(crate) fn load(loader: &mut Loader, config: &Config) -> Result<Self, WeightError> {
        let width = config.encoder;
        let mut input = Vec::new();
        for (level, channels) in config.stages.into_iter().skip(1).enumerate() {
            let name = format!("encoder_input_proj.{level}");
            let shape = Conv::new(channels, width, 1);
            input.push(conv(loader, [&format!("{name}.0"), &format!("{name}.1")], shape)?);
        }
        let mut layers = Vec::new();
        for index in 0..config.encoder_layers {
            layers.push(Layer::load(loader, &format!("encoder.encoder.0.layers.{index}"), config)?);
        }
        let [mut laterals, mut halvings] = [Vec::new(), Vec::new()];
        let [mut down, mut up] = [Vec::new(), Vec::new()];
        for index in 0..LEVELS - 1 {
            let shape = Conv::new(width, width, 1);
            laterals.push(load(loader, &format!("encoder.lateral_convs.{index}"), shape)?);
            down.push(Fusion::load(loader, &format!("encoder.fpn_blocks.{index}"), config)?);
        }
        for index in 0..LEVELS - 1 {
            let shape = Conv::new(width, width, 3).stride(2);
            halvings.push(load(loader, &format!("encoder.downsample_convs.{index}"), shape)?);
            up.push(Fusion::load(loader, &format!("encoder.pan_blocks.{index}"), config)?);
        }
        Ok(Self { input, layers, laterals, down, halvings, up })
    }

    /// The same levels, from fine to coarse.
    pub(crate) fn forward(&self, levels: Vec<Tensor<4>>) -> Vec<Tensor<4>> {
        let mut levels: Vec<_> = self.input.iter().zip(levels).map(|(conv, x)| conv.forward(x)).collect();
        let Some(coarsest) = levels.pop() else { return levels };
        let mut top = self.attend(coarsest);
        let mut pyramid = Vec::with_capacity(LEVELS);
        for (lateral, fusion) in self.laterals.iter().zip(&self.down) {
            let Some(level) = levels.pop() else { break };
            top = silu(lateral.forward(top));
            pyramid.push(top.clone());
            top = fusion.forward(FeatureMap::concat([top.upsample2(), level]));
        }
        let mut found = vec![top.clone()];
        for (halving, fusion) in self.halvings.iter().zip(&self.up) {
            let Some(level) = pyramid.pop() else { break };
            top = fusion.forward(FeatureMap::concat([silu(halving.forward(top)), level]));
            found.push(top.clone());
        }
        found
    }

    fn attend(&self, x: Tensor<4>) -> Tensor<4> {
        let shape @ [_, channels, height, width] = x.dims();
        let position = TensorData::new(positions(channels, height, width), [1, height * width, channels]);
        let position = Tensor::from_data(position, &x.device());
        let x = self.layers.iter().fold(flatten(x), |x, layer| layer.forward(x, position.clone()));
        x.swap_dims(1, 2).reshape(shape)
    }
}

/// Sines and cosines of the places of pixels, of waves from short to long.
///
/// The pixels are numbered column by column here and row by row everywhere else: so were the published weights trained.
fn positions(channels: usize, height: usize, width: usize) -> Vec<f32> {
    let waves = channels / 4;
    let frequency = |wave: usize| TEMPERATURE.powf(-(wave as f32) / waves as f32);
    let mut values = Vec::with_capacity(height * width * channels);
    for (column, row) in (0..width).flat_map(|column| (0..height).map(move |row| (column, row))) {
        for at in [column, row] {
            let angle = |wave: usize| at as f32 * frequency(wave);
            values.extend((0..waves).map(|wave| angle(wave).sin()));
            values.extend((0..waves).map(|wave| angle(wave).cos()));
        }
    }
    values
}

#[derive(Debug, Clone)]
struct Layer {
    attention: Attention,
    norm1: LayerNorm,
    hidden: Linear,
    output: Linear,
    norm2: LayerNorm,
}

impl Layer {
    fn load(loader: &mut Loader, name: &str, config: &Config) -> Result<Self, WeightError> {
        let (size, hidden) = (config.encoder, config.encoder_hidden);
        Ok(Self {
            attention: Attention::load(loader, &format!("{name}.self_attn"), size, config.heads)?,
            norm1: loader.layer_norm(&format!("{name}.self_attn_layer_norm"), size)?,
            hidden: loader.linear(&format!("{name}.fc1"), [size, hidden], None)?,
            output: loader.linear(&format!("{name}.fc2"), [hidden, size], None)?,
            norm2: loader.layer_norm(&format!("{name}.final_layer_norm"), size)?,
        })
    }

    fn forward(&self, x: Tensor<3>, position: Tensor<3>) -> Tensor<3> {
        let x = self.norm1.forward(x.clone() + self.attention.forward(x, position));
        let y = self.output.forward(activation::gelu(self.hidden.forward(x.clone())));
        self.norm2.forward(x + y)
    }
}

/// A cross-stage partial block of `RepVGG` layers (Ding et al., arXiv:2101.03697).
#[derive(Debug, Clone)]
struct Fusion {
    conv1: Conv2d,
    conv2: Conv2d,
    layers: Vec<(Conv2d, Conv2d)>,
    conv3: Option<Conv2d>,
}

impl Fusion {
    fn load(loader: &mut Loader, name: &str, config: &Config) -> Result<Self, WeightError> {
        let (width, inner) = (config.encoder, config.fusion);
        let conv1 = load(loader, &format!("{name}.conv1"), Conv::new(2 * width, inner, 1))?;
        let conv2 = load(loader, &format!("{name}.conv2"), Conv::new(2 * width, inner, 1))?;
        let mut layers = Vec::new();
        for index in 0..3 {
            let name = format!("{name}.bottlenecks.{index}");
            let wide = load(loader, &format!("{name}.conv1"), Conv::new(inner, inner, 3))?;
            layers.push((wide, load(loader, &format!("{name}.conv2"), Conv::new(inner, inner, 1))?));
        }
        let conv3 = (inner != width)
            .then(|| load(loader, &format!("{name}.conv3"), Conv::new(inner, width, 1)))
            .transpose()?;
        Ok(Self { conv1, conv2, layers, conv3 })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let main = silu(self.conv1.forward(x.clone()));
        let main = self
            .layers
            .iter()
            .fold(main, |x, (wide, narrow)| silu(wide.forward(x.clone()) + narrow.forward(x)));
        let sum = main + silu(self.conv2.forward(x));
        match &self.conv3 {
            Some(conv) => silu(conv.forward(sum)),
            None => sum,
        }
    }
}
