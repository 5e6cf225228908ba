//! The shape of a network.

use eyespot_burn::{WeightError, Weights};

/// Numbers of an attention head: the same in all sizes of DINOv2 (arXiv:2304.07193), and in no tensor's shape.
pub(crate) const HEAD: usize = 64;

/// Doublings that a file may have; four make masks as fine as the pixels of usual patches.
const DOUBLINGS: usize = 6;

/// A published size of EoMT for the instances of COCO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// ViT-L on 640 x 640 pixels.
    Large640,
    /// ViT-L on 1280 x 1280 pixels.
    Large1280,
}

impl Variant {
    /// All, from the fastest.
    pub const ALL: [Self; 2] = [Self::Large640, Self::Large1280];

    /// Its name in the manifest.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Large640 => "eomt/large-640",
            Self::Large1280 => "eomt/large-1280",
        }
    }

    /// Its shape.
    #[must_use]
    pub const fn config(self) -> Config {
        Config {
            width: 1024,
            layers: 24,
            hidden: 4096,
            feed: Feed::Plain,
            patch: 16,
            grid: match self {
                Self::Large640 => 40,
                Self::Large1280 => 80,
            },
            registers: 4,
            queries: 200,
            query_layers: 4,
            doublings: 2,
        }
    }
}

/// What follows the attention in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    /// Two fully connected layers, GELU between them.
    Plain,
    /// SwiGLU (Shazeer, arXiv:2002.05202), gate and value in one tensor: files up to version 4 of Transformers.
    GatedInOne,
    /// SwiGLU, gate and value in a tensor each.
    Gated,
}

/// The shape of a network, as its weights have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Numbers of a token.
    pub(crate) width: usize,
    pub(crate) layers: usize,
    /// Numbers between the fully connected layers.
    pub(crate) hidden: usize,
    pub(crate) feed: Feed,
    /// Side of a patch in pixels.
    pub(crate) patch: usize,
    /// Side of the input that it was made for, in patches.
    pub(crate) grid: usize,
    /// Tokens that stand for nothing.
    pub(crate) registers: usize,
    pub(crate) queries: usize,
    /// How many of the last layers see the queries.
    pub(crate) query_layers: usize,
    /// How often the grid of patches becomes twice as large for the masks.
    pub(crate) doublings: usize,
}

impl Config {
    /// The published size with this shape.
    #[must_use]
    pub fn variant(&self) -> Option<Variant> {
        Variant::ALL.into_iter().find(|variant| variant.config() == *self)
    }

    /// Trainable parameters of a network of this shape, for so many classes.
    #[must_use]
    pub const fn parameters(&self, classes: usize) -> usize {
        let Self { width, hidden, .. } = *self;
        let embeddings = width * (3 * self.patch * self.patch + 2 + self.registers + self.grid * self.grid);
        let feed = match self.feed {
            Feed::Plain => 2 * width * hidden + hidden + width,
            Feed::GatedInOne | Feed::Gated => 3 * width * hidden + 2 * hidden + width,
        };
        // Two normalisations, four products, two scales.
        let layer = 4 * width + 4 * width * (width + 1) + 2 * width + feed;
        let queries = width * self.queries + (width + 1) * (classes + 1) + 3 * width * (width + 1);
        let doubling = 4 * width * width + (1 + 9 + 2) * width;
        embeddings + self.layers * layer + 2 * width + queries + self.doublings * doubling
    }

    /// The shape that weights have.
    pub(crate) fn of(weights: &Weights) -> Result<Self, WeightError> {
        let size = |name: &str, axis: usize| {
            let size = weights.shape(name).and_then(|shape| shape.get(axis).copied());
            size.ok_or_else(|| WeightError::Missing { name: name.to_owned(), expected: vec![0; axis + 1] })
        };
        let count = |name: &dyn Fn(usize) -> String| {
            (0..).take_while(|index| weights.shape(&name(*index)).is_some()).count()
        };
        let [plain, fused, gated] =
            ["fc1", "weights_in", "gate_proj"].map(|part| format!("layers.0.mlp.{part}.weight"));
        let (feed, hidden) = if weights.shape(&fused).is_some() {
            (Feed::GatedInOne, size(&fused, 0)? / 2)
        } else if weights.shape(&gated).is_some() {
            (Feed::Gated, size(&gated, 0)?)
        } else {
            (Feed::Plain, size(&plain, 0)?)
        };
        let positions = "embeddings.position_embeddings.weight";
        let config = Self {
            width: size("embeddings.cls_token", 2)?,
            layers: count(&|index| format!("layers.{index}.norm1.weight")),
            hidden,
            feed,
            patch: size("embeddings.patch_embeddings.projection.weight", 2)?,
            grid: size(positions, 0)?.isqrt(),
            registers: size("embeddings.register_tokens", 1)?,
            queries: size("query.weight", 0)?,
            query_layers: size("attn_mask_probs", 0)?,
            doublings: count(&|index| format!("upscale_block.block.{index}.conv1.weight")),
        };
        // Sizes that divide others, or that loops run to.
        let wrong = |name: &str, expected: Vec<usize>| {
            let found = weights.shape(name).unwrap_or_default().to_vec();
            Err(WeightError::Shape { name: name.to_owned(), found, expected })
        };
        if config.width == 0 || !config.width.is_multiple_of(HEAD) {
            let heads = (config.width / HEAD).max(1);
            return wrong("embeddings.cls_token", vec![1, 1, heads * HEAD]);
        }
        if config.grid == 0 || weights.shape(positions) != Some(&[config.grid * config.grid, config.width]) {
            return wrong(positions, vec![config.grid * config.grid, config.width]);
        }
        if config.registers == 0 {
            return wrong("embeddings.register_tokens", vec![1, 4, config.width]);
        }
        if !(1..=1024).contains(&config.patch) {
            return wrong("embeddings.patch_embeddings.projection.weight", vec![config.width, 3, 16, 16]);
        }
        if config.query_layers > config.layers {
            return wrong("attn_mask_probs", vec![config.layers]);
        }
        if config.queries == 0 {
            return wrong("query.weight", vec![1, config.width]);
        }
        if config.doublings > DOUBLINGS {
            let name = format!("upscale_block.block.{DOUBLINGS}.conv1.weight");
            let shape = weights.shape(&name).unwrap_or_default().to_vec();
            return Err(WeightError::Unexpected { name, shape, count: config.doublings - DOUBLINGS });
        }
        Ok(config)
    }
}
