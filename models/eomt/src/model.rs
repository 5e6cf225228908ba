//! The model as a whole.

use std::path::Path;

use burn::nn::Linear;
use burn::tensor::{Device, Tensor, s};
use eyespot_burn::{BurnModel, FromWeights, LayerNorm, Loader, WeightError, Weights};

use crate::embeddings::Embeddings;
use crate::layer::{EPSILON, Layer};
use crate::masks::Masks;
use crate::{Config, EomtHead, Variant};

/// EoMT (Kerssies et al., "Your ViT is Secretly an Image Segmentation Model", CVPR 2025, arXiv:2503.19108): DINOv2 whose last
/// layers see queries beside the patches. It needs no suppression.
///
/// The attention of queries to the pixels of their own masks, with which its training starts, is annealed away in the
/// published weights and not computed here.
#[derive(Debug, Clone)]
pub struct Eomt {
    head: EomtHead,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    norm: LayerNorm,
    queries: Tensor<2>,
    /// The layers before these do not see the queries.
    query_layers: usize,
    classes: Linear,
    masks: Masks,
}

impl Eomt {
    /// Loads weights as Hugging Face's `EomtForUniversalSegmentation` names them: safetensors or a `PyTorch` checkpoint, or
    /// what [`eyespot_burn::convert`] wrote. The shape of the network and the number of classes follow from the weights.
    ///
    /// # Errors
    /// [`WeightError`].
    pub fn load(path: impl AsRef<Path>, device: &Device) -> Result<Self, WeightError> {
        eyespot_burn::load(path, device)
    }

    /// Which of the published sizes it is; `None` for another shape.
    #[must_use]
    pub const fn variant(&self) -> Option<Variant> {
        self.head.variant()
    }
}

impl FromWeights for Eomt {
    type Config = Config;

    fn detect(weights: &Weights) -> Result<Config, WeightError> {
        Config::of(weights)
    }

    fn named(name: &str) -> Option<Config> {
        Variant::ALL.into_iter().find(|variant| variant.name() == name).map(Variant::config)
    }

    fn build(config: Config, loader: &mut Loader) -> Result<Self, WeightError> {
        // The weights of classes in the loss.
        loader.ignore("criterion");
        let width = config.width;
        let embeddings = Embeddings::load(loader, &config)?;
        let mut layers = Vec::with_capacity(config.layers);
        for index in 0..config.layers {
            layers.push(Layer::load(loader, &format!("layers.{index}"), &config)?);
        }
        let masked = "attn_mask_probs";
        if loader.buffer(masked, &[config.query_layers])?.iter().any(|probability| *probability > 0.0) {
            let reason =
                "attention is still masked in these weights: their training had not ended".to_owned();
            return Err(WeightError::Values { name: masked.to_owned(), reason });
        }
        let norm = loader.layer_norm("layernorm", width)?.with_epsilon(EPSILON);
        let queries = loader.parameter("query.weight", [config.queries, width])?;
        let classes = loader.linear("class_predictor", [width, 0], None)?;
        let columns = classes.weight.dims()[1];
        // One column is no class, and class ids have 16 bits.
        let count = columns.checked_sub(1).and_then(|count| u16::try_from(count).ok());
        let count = count.filter(|count| *count > 0).ok_or_else(|| WeightError::Shape {
            name: "class_predictor.weight".to_owned(),
            found: vec![columns, width],
            expected: vec![columns.clamp(2, 1 << 16), width],
        })?;
        let masks = Masks::load(loader, &config)?;
        let head = EomtHead::new(&config, count);
        Ok(Self {
            head,
            embeddings,
            layers,
            norm,
            queries,
            query_layers: config.query_layers,
            classes,
            masks,
        })
    }
}

impl BurnModel for Eomt {
    type Head = EomtHead;

    fn head(&self) -> &EomtHead {
        &self.head
    }

    /// Class logits `[batch, queries, classes + 1]` and mask logits `[batch, queries, height * width]`.
    fn forward(&self, input: Tensor<4>) -> Vec<Tensor<3>> {
        let (mut tokens, grid) = self.embeddings.forward(input);
        let batch = tokens.dims()[0];
        let [queries, width] = self.queries.dims();
        let first = self.layers.len() - self.query_layers;
        let join = |tokens| {
            let queries = self.queries.clone().unsqueeze::<3>().expand([batch, queries, width]);
            Tensor::cat(vec![queries, tokens], 1)
        };
        for (index, layer) in self.layers.iter().enumerate() {
            if index == first {
                tokens = join(tokens);
            }
            tokens = layer.forward(tokens);
        }
        if self.query_layers == 0 {
            tokens = join(tokens);
        }
        let tokens = self.norm.forward(tokens);
        let found = tokens.clone().slice(s![.., 0..queries, ..]);
        let patches = tokens.slice(s![.., queries + self.embeddings.prefix().., ..]);
        vec![self.classes.forward(found.clone()), self.masks.forward(found, patches, grid)]
    }
}
