//! The decoder: the most promising pixels become queries, whose boxes each layer refines.

use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use eyespot_burn::{Conv, LayerNorm, Loader, WeightError, relu, sigmoid};

use crate::Config;
use crate::attention::{Attention, Deformable};
use crate::blocks::{Mlp, conv, flatten};
use crate::config::LEVELS;

/// Queries of an image.
const QUERIES: usize = 300;

/// Side of the box that a pixel of the finest level proposes, in parts of the image.
const ANCHOR: f32 = 0.05;

#[derive(Debug, Clone)]
pub(crate) struct Decoder {
    input: Vec<Conv2d>,
    memory: Linear,
    memory_norm: LayerNorm,
    proposal_scores: Linear,
    proposal_boxes: Mlp,
    position: Mlp,
    layers: Vec<Layer>,
    boxes: Vec<Mlp>,
    classes: Linear,
}

impl Decoder {
    pub(crate) fn load(loader: &mut Loader, config: &Config) -> Result<Self, WeightError> {
        let (size, count) = (config.decoder, config.decoder_layers);
        // Only needed in training.
        loader.ignore("denoising_class_embed");
        let mut input = Vec::new();
        for level in 0..LEVELS {
            let name = format!("decoder_input_proj.{level}");
            let shape = Conv::new(config.encoder, size, 1);
            input.push(conv(loader, [&format!("{name}.0"), &format!("{name}.1")], shape)?);
        }
        let memory = loader.linear("enc_output.0", [size; 2], None)?;
        let memory_norm = loader.layer_norm("enc_output.1", size)?;
        // As many classes as the weights have.
        let proposal_scores = loader.linear("enc_score_head", [size, 0], None)?;
        let [_, outputs] = proposal_scores.weight.dims();
        let proposal_boxes = Mlp::load(loader, "enc_bbox_head", &[size, size, size, 4])?;
        let position = Mlp::load(loader, "decoder.query_pos_head", &[4, 2 * size, size])?;
        let place = if config.outer_heads { "" } else { "decoder." };
        let (mut layers, mut boxes) = (Vec::new(), Vec::new());
        for index in 0..count {
            layers.push(Layer::load(loader, &format!("decoder.layers.{index}"), config)?);
            boxes.push(Mlp::load(loader, &format!("{place}bbox_embed.{index}"), &[size, size, size, 4])?);
        }
        // Those of the other layers are only needed in training.
        let last = count.saturating_sub(1);
        (0..last).for_each(|index| loader.ignore(&format!("{place}class_embed.{index}")));
        let classes = loader.linear(&format!("{place}class_embed.{last}"), [size, outputs], None)?;
        Ok(Self {
            input,
            memory,
            memory_norm,
            proposal_scores,
            proposal_boxes,
            position,
            layers,
            boxes,
            classes,
        })
    }

    pub(crate) fn classes(&self) -> usize {
        let [_, classes] = self.classes.weight.dims();
        classes
    }

    /// Logits, `[batch, queries, classes]`, and boxes, `[batch, queries, 4]`: centre and size in parts of the image.
    pub(crate) fn forward(&self, levels: Vec<Tensor<4>>) -> [Tensor<3>; 2] {
        let levels: Vec<_> = self.input.iter().zip(levels).map(|(conv, x)| conv.forward(x)).collect();
        let sizes: Vec<_> = levels.iter().map(|level| [level.dims()[2], level.dims()[3]]).collect();
        let memory = Tensor::cat(levels.into_iter().map(flatten).collect(), 1);
        let (mut x, mut boxes) = self.queries(memory.clone(), &sizes);
        for (layer, refine) in self.layers.iter().zip(&self.boxes) {
            let position = self.position.forward(boxes.clone());
            x = layer.forward(x, position, &boxes, memory.clone(), &sizes);
            boxes = sigmoid(refine.forward(x.clone()) + inverse_sigmoid(boxes));
        }
        [self.classes.forward(x), boxes]
    }

    /// The pixels with the highest scores, and the boxes that they propose.
    fn queries(&self, memory: Tensor<3>, sizes: &[[usize; 2]]) -> (Tensor<3>, Tensor<3>) {
        let [batch, pixels, size] = memory.dims();
        let (anchors, valid) = anchors(sizes, &memory.device());
        let memory = self.memory_norm.forward(self.memory.forward(memory * valid));
        let scores = self.proposal_scores.forward(memory.clone()).max_dim(2).reshape([batch, pixels]);
        let (_, best) = scores.topk_with_indices(QUERIES.min(pixels), 1);
        let best = best.unsqueeze_dim::<3>(2);
        let x = memory.gather(1, best.clone().repeat_dim(2, size));
        let anchors = anchors.repeat_dim(0, batch).gather(1, best.repeat_dim(2, 4));
        let boxes = sigmoid(self.proposal_boxes.forward(x.clone()) + anchors);
        (x, boxes)
    }
}

/// The logits of the boxes that pixels stand for, and 0 for pixels so near the edge that they are not to be used.
fn anchors(sizes: &[[usize; 2]], device: &Device) -> (Tensor<3>, Tensor<3>) {
    let (mut boxes, mut valid) = (Vec::new(), Vec::new());
    for (level, &[height, width]) in sizes.iter().enumerate() {
        let side = ANCHOR * (1 << level) as f32;
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
            let center = |at: usize, len: usize| (at as f32 + 0.5) / len as f32;
            let bbox = [center(column, width), center(row, height), side, side];
            let inside = bbox.iter().all(|part| (0.01..0.99).contains(part) && *part > 0.01);
            boxes.extend(bbox.map(|part| if inside { (part / (1.0 - part)).ln() } else { f32::MAX }));
            valid.push(f32::from(u8::from(inside)));
        }
    }
    let count = valid.len();
    let tensor = |values, size| Tensor::from_data(TensorData::new(values, [1, count, size]), device);
    (tensor(boxes, 4), tensor(valid, 1))
}

/// The logit of a number in `0..=1`, kept finite.
fn inverse_sigmoid(x: Tensor<3>) -> Tensor<3> {
    let inside = x.clone().clamp_min(1e-5).log();
    inside - (-x + 1.0).clamp_min(1e-5).log()
}

#[derive(Debug, Clone)]
struct Layer {
    attention: Attention,
    norm1: LayerNorm,
    deformable: Deformable,
    norm2: LayerNorm,
    hidden: Linear,
    output: Linear,
    norm3: LayerNorm,
}

impl Layer {
    fn load(loader: &mut Loader, name: &str, config: &Config) -> Result<Self, WeightError> {
        let (size, hidden, heads) = (config.decoder, config.decoder_hidden, config.heads);
        Ok(Self {
            attention: Attention::load(loader, &format!("{name}.self_attn"), size, heads)?,
            norm1: loader.layer_norm(&format!("{name}.self_attn_layer_norm"), size)?,
            deformable: Deformable::load(loader, &format!("{name}.encoder_attn"), size, heads)?,
            norm2: loader.layer_norm(&format!("{name}.encoder_attn_layer_norm"), size)?,
            hidden: loader.linear(&format!("{name}.fc1"), [size, hidden], None)?,
            output: loader.linear(&format!("{name}.fc2"), [hidden, size], None)?,
            norm3: loader.layer_norm(&format!("{name}.final_layer_norm"), size)?,
        })
    }

    fn forward(
        &self,
        x: Tensor<3>,
        position: Tensor<3>,
        boxes: &Tensor<3>,
        memory: Tensor<3>,
        sizes: &[[usize; 2]],
    ) -> Tensor<3> {
        let x = self.norm1.forward(x.clone() + self.attention.forward(x, position.clone()));
        let y = self.deformable.forward(x.clone() + position, boxes, memory, sizes);
        let x = self.norm2.forward(x + y);
        let y = self.output.forward(relu(self.hidden.forward(x.clone())));
        self.norm3.forward(x + y)
    }
}
