//! The shape of a network.

use eyespot_burn::{WeightError, Weights};

/// Levels that the decoder looks at.
pub(crate) const LEVELS: usize = 3;

/// Places that a head of the decoder looks at in each level.
pub(crate) const POINTS: usize = 4;

/// A published size of RT-DETRv2, named after its backbone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// ResNet-18: 20 million parameters.
    R18,
    /// ResNet-34: 31 million parameters.
    R34,
    /// ResNet-50: 43 million parameters.
    R50,
    /// ResNet-101: 76 million parameters.
    R101,
}

impl Variant {
    /// All, from the smallest.
    pub const ALL: [Self; 4] = [Self::R18, Self::R34, Self::R50, Self::R101];

    /// Its name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::R18 => "rtdetr/v2-r18",
            Self::R34 => "rtdetr/v2-r34",
            Self::R50 => "rtdetr/v2-r50",
            Self::R101 => "rtdetr/v2-r101",
        }
    }

    /// Its shape.
    #[must_use]
    pub const fn config(self) -> Config {
        let (blocks, bottleneck, decoder_layers) = match self {
            Self::R18 => ([2, 2, 2, 2], false, 3),
            Self::R34 => ([3, 4, 6, 3], false, 4),
            Self::R50 => ([3, 4, 6, 3], true, 6),
            Self::R101 => ([3, 4, 23, 3], true, 6),
        };
        let large = matches!(self, Self::R101);
        let width = if large { 384 } else { 256 };
        Config {
            stem: 64,
            stages: if bottleneck { [256, 512, 1024, 2048] } else { [64, 128, 256, 512] },
            blocks,
            bottleneck,
            encoder: width,
            encoder_layers: 1,
            encoder_hidden: if large { 2048 } else { 1024 },
            fusion: if bottleneck { width } else { width / 2 },
            decoder: 256,
            decoder_layers,
            decoder_hidden: 1024,
            heads: 8,
            outer_heads: false,
        }
    }
}

/// The shape of a network, as its weights have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Channels of the stem.
    pub(crate) stem: usize,
    /// Channels of the stages.
    pub(crate) stages: [usize; 4],
    /// Blocks of the stages.
    pub(crate) blocks: [usize; 4],
    /// Blocks of three convolutions, not two.
    pub(crate) bottleneck: bool,
    /// Channels of the encoder.
    pub(crate) encoder: usize,
    pub(crate) encoder_layers: usize,
    pub(crate) encoder_hidden: usize,
    /// Channels inside a fusion block.
    pub(crate) fusion: usize,
    /// Numbers of a query.
    pub(crate) decoder: usize,
    pub(crate) decoder_layers: usize,
    pub(crate) decoder_hidden: usize,
    /// Attention heads.
    pub(crate) heads: usize,
    /// The heads for boxes and classes lie outside the decoder.
    pub(crate) outer_heads: bool,
}

impl Config {
    /// The published size with this shape.
    #[must_use]
    pub fn variant(&self) -> Option<Variant> {
        let plain = Self { outer_heads: false, ..*self };
        Variant::ALL.into_iter().find(|variant| variant.config() == plain)
    }

    /// The shape that weights have.
    pub(crate) fn of(weights: &Weights) -> Result<Self, WeightError> {
        let size = |name: &str| {
            let shape = weights.shape(name).and_then(|shape| shape.first().copied());
            shape.ok_or_else(|| WeightError::Missing { name: name.to_owned(), expected: vec![0] })
        };
        let count = |name: &dyn Fn(usize) -> String| {
            (0..).take_while(|index| weights.shape(&name(*index)).is_some()).count()
        };
        let stem = size("backbone.model.embedder.embedder.2.convolution.weight")?;
        let block = |stage: usize, block: usize, conv: usize| {
            format!("backbone.model.encoder.stages.{stage}.layers.{block}.layer.{conv}.convolution.weight")
        };
        let bottleneck = weights.shape(&block(0, 0, 2)).is_some();
        let (mut stages, mut blocks) = ([0; 4], [0; 4]);
        for (stage, (channels, blocks)) in stages.iter_mut().zip(&mut blocks).enumerate() {
            *channels = size(&block(stage, 0, if bottleneck { 2 } else { 1 }))?;
            *blocks = count(&|index| block(stage, index, 0));
        }
        let weighing = size("decoder.layers.0.encoder_attn.attention_weights.weight")?;
        Ok(Self {
            stem,
            stages,
            blocks,
            bottleneck,
            encoder: size("encoder_input_proj.0.0.weight")?,
            encoder_layers: count(&|index| format!("encoder.encoder.0.layers.{index}.fc1.weight")),
            encoder_hidden: size("encoder.encoder.0.layers.0.fc1.weight")?,
            fusion: size("encoder.fpn_blocks.0.conv1.conv.weight")?,
            decoder: size("decoder_input_proj.0.0.weight")?,
            decoder_layers: count(&|index| format!("decoder.layers.{index}.fc1.weight")),
            decoder_hidden: size("decoder.layers.0.fc1.weight")?,
            heads: (weighing / (LEVELS * POINTS)).max(1),
            outer_heads: weights.shape("decoder.bbox_embed.0.layers.0.weight").is_none(),
        })
    }
}
