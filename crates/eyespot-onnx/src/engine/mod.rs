//! What runs graphs.

#[cfg(feature = "ort")]
mod ort;
#[cfg(feature = "tract")]
mod tract;

use std::path::Path;

use crate::{Element, OnnxError};

/// A tensor, its values as floats whatever it consists of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    /// Its sizes.
    pub dims: Vec<usize>,
    /// Its values, the last dimension's one after the other.
    pub values: Vec<f32>,
}

/// An input: a tensor, what the graph wants it to consist of, and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name in the graph.
    pub name: String,
    /// What it consists of in the graph.
    pub element: Element,
    /// Sizes and values.
    pub tensor: Tensor,
}

/// Runs a graph.
pub trait Engine: Send {
    /// Its name and version, for a person.
    fn name(&self) -> &str;

    /// Runs the graph on its inputs, in their order in the graph. The outputs come in their order in the graph.
    ///
    /// # Errors
    /// [`OnnxError::Engine`].
    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, OnnxError>;
}

/// Which engine runs a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum EngineChoice {
    /// The first of this build that can be had: ONNX Runtime where its library is found, else tract.
    #[default]
    Auto,
    /// ONNX Runtime, on the CPU.
    OnnxRuntime,
    /// tract, on one thread of the CPU.
    Tract,
}

/// The engines of this build.
const NAMES: &[&str] = &[
    #[cfg(feature = "ort")]
    "onnxruntime",
    #[cfg(feature = "tract")]
    "tract",
];

fn unknown(name: &str) -> OnnxError {
    OnnxError::UnknownEngine { name: name.to_owned(), names: NAMES.to_vec() }
}

impl std::str::FromStr for EngineChoice {
    type Err = OnnxError;

    /// `auto` or `cpu`, `onnxruntime`, `tract`.
    fn from_str(name: &str) -> Result<Self, OnnxError> {
        match name {
            "auto" | "cpu" => Ok(Self::Auto),
            "onnxruntime" => Ok(Self::OnnxRuntime),
            "tract" => Ok(Self::Tract),
            _ => Err(unknown(name)),
        }
    }
}

impl EngineChoice {
    /// Opens a graph.
    ///
    /// # Errors
    /// [`OnnxError::UnknownEngine`] where this build has no such engine, [`OnnxError::Library`] where the library of
    /// ONNX Runtime can't be used, and [`OnnxError::Engine`] where the engine does not take the graph.
    pub fn open(self, path: &Path) -> Result<Box<dyn Engine>, OnnxError> {
        match self {
            Self::Auto => match Self::OnnxRuntime.open(path) {
                Err(OnnxError::Library { .. } | OnnxError::UnknownEngine { .. })
                    if cfg!(feature = "tract") =>
                {
                    Self::Tract.open(path)
                }
                opened => opened,
            },
            Self::OnnxRuntime => onnx_runtime(path),
            Self::Tract => tract(path),
        }
    }
}

fn onnx_runtime(path: &Path) -> Result<Box<dyn Engine>, OnnxError> {
    #[cfg(feature = "ort")]
    return Ok(Box::new(ort::OnnxRuntime::open(path)?));
    #[cfg(not(feature = "ort"))]
    Err(missing("onnxruntime", path))
}

fn tract(path: &Path) -> Result<Box<dyn Engine>, OnnxError> {
    #[cfg(feature = "tract")]
    return Ok(Box::new(tract::Tract::open(path)?));
    #[cfg(not(feature = "tract"))]
    Err(missing("tract", path))
}

#[cfg(not(all(feature = "ort", feature = "tract")))]
fn missing(name: &str, _: &Path) -> OnnxError {
    unknown(name)
}
