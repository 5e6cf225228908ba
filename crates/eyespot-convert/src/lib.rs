#![doc = include_str!("../README.md")]

mod builder;
mod error;
mod fixed;
mod fuse;
mod histogram;
mod ir;
mod onnx;
mod plan;
mod quantize;
mod record;
mod sample;
mod sides;
mod tflite;
mod view;
mod write;

use eyespot_nn::Model;

pub use error::ConvertError;
pub use eyespot_nn::graph::{ColorOrder, ImageFit, ImageInput, Task};
pub use ir::Graph;
pub use record::{Kernel, Recorded, Recording, Square};
pub use sample::sample;

/// A converted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Converted {
    /// The `.eye` file.
    pub bytes: Vec<u8>,
    /// What it needs.
    pub report: Report,
}

/// What a model needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name of the model.
    pub name: String,
    /// Bytes of arena (RAM) while it runs.
    pub arena: usize,
    /// Bytes that no plan can go below: what the layer with the largest need has to have at once.
    pub arena_bound: usize,
    /// The layer with the largest need.
    pub peak: String,
    /// Bytes of the file (flash).
    pub flash: usize,
    /// Multiply-accumulate operations of a run.
    pub macs: u64,
    /// Number of layers.
    pub layers: usize,
}

impl core::fmt::Display for Report {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "model   {}", self.name)?;
        writeln!(f, "arena   {} bytes of RAM (bound {}, at {})", self.arena, self.arena_bound, self.peak)?;
        writeln!(f, "flash   {} bytes", self.flash)?;
        write!(f, "work    {} multiply-accumulates in {} layers", self.macs, self.layers)
    }
}

impl Graph {
    /// Reads a TensorFlow Lite model (`.tflite`). uint8 models become int8 by moving every zero point by 128, which is
    /// exact.
    ///
    /// # Errors
    /// [`ConvertError`] names the layer.
    pub fn from_tflite(bytes: &[u8]) -> Result<Self, ConvertError> {
        tflite::read(bytes).map(Self::fused)
    }

    /// Reads an ONNX model (`.onnx`) with floating-point weights and a batch of one. With `size` (height, width) its
    /// input has another size than in the file. Images are channels last in the result, inputs and outputs alike.
    ///
    /// # Errors
    /// [`ConvertError`] names the layer.
    pub fn from_onnx(bytes: &[u8], size: Option<[usize; 2]>) -> Result<Self, ConvertError> {
        Self::from_model(&onnx::model::read(bytes)?, size)
    }

    pub(crate) fn from_model(
        model: &onnx::model::Model,
        size: Option<[usize; 2]>,
    ) -> Result<Self, ConvertError> {
        onnx::graph(model, size).map(Self::fused)
    }

    /// Fewer operators, with the same results.
    fn fused(mut self) -> Self {
        fuse::padding(&mut self);
        fuse::norms(&mut self);
        fuse::activations(&mut self);
        fuse::squares(&mut self);
        self
    }

    /// Gives the model a name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Height and width of its first input; `None` where that is no image.
    #[must_use]
    pub fn input_size(&self) -> Option<[usize; 2]> {
        let shape = self.inputs.first().map(|&id| self.tensors[id].shape)?;
        (shape.h > 1 && shape.w > 1 && shape.c <= 3).then_some([shape.h as usize, shape.w as usize])
    }

    /// Is its first input quantised?
    #[must_use]
    pub fn is_quantized(&self) -> bool {
        self.inputs.first().is_some_and(|&id| self.tensors[id].quant.is_some())
    }

    /// The input of a network whose quantised input are the levels of the image themselves: number = level - 128. A
    /// floating-point input takes levels / 255.
    #[must_use]
    pub fn image_of_levels(&self, order: ColorOrder, fit: ImageFit) -> ImageInput {
        let quant = self.inputs.first().and_then(|&id| self.tensors[id].quant);
        let (mean, std) =
            quant.map_or((0.0, 255.0), |quant| (f32::from(quant.zero) + 128.0, 1.0 / quant.scale));
        ImageInput { order, fit, pad: 114, mean: [mean; 3], std: [std; 3] }
    }

    /// Says how an image becomes the input.
    #[must_use]
    pub fn with_image(mut self, image: ImageInput) -> Self {
        self.image = Some(image);
        self
    }

    /// Says what the outputs mean.
    #[must_use]
    pub fn with_task(mut self, task: Task) -> Self {
        self.task = task;
        self
    }

    /// Plans the memory and writes the model.
    ///
    /// # Errors
    /// [`ConvertError::Layer`] where it needs more than 4 GiB; [`ConvertError::Load`] where the result does not pass the
    /// engine's checks.
    pub fn build(&self) -> Result<Converted, ConvertError> {
        let mut graph = self.clone();
        fuse::pooling(&mut graph);
        graph.build_with(true)
    }

    fn build_with(&self, reuse: bool) -> Result<Converted, ConvertError> {
        let much = "its tensors need more than 4 GiB: convert it for a smaller input";
        let plan = plan::plan(self, reuse).ok_or_else(|| ConvertError::layer(&self.name, much))?;
        let bytes = write::write(self, &plan).map_err(|_| ConvertError::Damaged("it has too many layers"))?;
        Model::load(&bytes).map_err(ConvertError::Load)?;
        let report = Report {
            name: self.name.clone(),
            arena: plan.bytes as usize,
            arena_bound: plan.bound as usize,
            peak: self.nodes.get(plan.peak).map_or(String::new(), |node| node.name.clone()),
            flash: bytes.len(),
            macs: self.macs(),
            layers: self.nodes.len(),
        };
        Ok(Converted { bytes, report })
    }
}
