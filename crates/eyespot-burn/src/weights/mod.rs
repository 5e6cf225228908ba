//! Named tensors from files of four formats.

mod burnpack;
mod error;
mod onnx;

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::Path;

use burn_store::burn_pack;
use burn_store::pytorch_reader::PytorchReader;
use burn_store::{ModuleStore, SafetensorsStore, bridge};

pub use error::WeightError;
pub(crate) use onnx::GraphLayer;

/// The bytes of a tensor may still lie in the file.
pub(crate) type RawTensor = burn_pack::Tensor;

/// A format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightFormat {
    /// A checkpoint of `torch.save`: a state dictionary, alone or below `model`, `ema_model` or `state_dict`.
    PyTorch,
    /// Safetensors.
    Safetensors,
    /// The constants of an ONNX graph.
    Onnx,
    /// Burn's own format; what [`convert`](crate::convert) writes.
    Burnpack,
}

impl core::fmt::Display for WeightFormat {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::PyTorch => "a PyTorch checkpoint",
            Self::Safetensors => "safetensors",
            Self::Onnx => "ONNX",
            Self::Burnpack => "burnpack",
        })
    }
}

impl WeightFormat {
    /// The format of a file: from its first bytes, and for ONNX, which has no signature, from its name.
    ///
    /// # Errors
    /// [`WeightError::Io`], [`WeightError::UnknownFormat`].
    pub fn of(path: &Path) -> Result<Self, WeightError> {
        let mut head = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(16).read_to_end(&mut head))
            .map_err(|source| WeightError::Io { path: path.to_owned(), source })?;
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match head.as_slice() {
            [b'N', b'R', b'U', b'B', ..] => Ok(Self::Burnpack),
            // A zip archive, or the pickle of the older format.
            [b'P', b'K', ..] | [0x80, 2..=5, ..] => Ok(Self::PyTorch),
            // The length of the header in eight bytes, then the header in JSON.
            [_, _, _, _, _, _, 0, 0, b'{', ..] => Ok(Self::Safetensors),
            [0x08, ..] if extension.eq_ignore_ascii_case("onnx") => Ok(Self::Onnx),
            _ => Err(WeightError::UnknownFormat { path: path.to_owned() }),
        }
    }
}

/// The tensors of a file. Their bytes are read when they are taken.
#[derive(Debug, Default)]
pub struct Weights {
    tensors: BTreeMap<String, RawTensor>,
    /// What lies beside the dictionary of the model: an optimiser, a step counter, or a head. Nobody has to take it.
    beside: BTreeMap<String, RawTensor>,
    /// The layers of an ONNX graph in the order of execution.
    layers: Option<VecDeque<GraphLayer>>,
}

impl Weights {
    /// Opens a file of any [`WeightFormat`].
    ///
    /// # Errors
    /// [`WeightError`]; a truncated or damaged file never panics.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightError> {
        let path = path.as_ref();
        let format = WeightFormat::of(path)?;
        let malformed = |reason: String| WeightError::Malformed { path: path.to_owned(), format, reason };
        match format {
            WeightFormat::PyTorch => {
                let reader = PytorchReader::new(path).map_err(|error| malformed(error.to_string()))?;
                let tensors = reader.into_tensors();
                Ok(Self::named(tensors.into_values().map(bridge::from_pytorch)))
            }
            WeightFormat::Safetensors => {
                let mut store = SafetensorsStore::from_file(path);
                let tensors = store.get_all_tensors().map_err(|error| malformed(error.to_string()))?;
                Ok(Self::named(tensors.values().cloned()))
            }
            WeightFormat::Onnx => {
                let bytes = std::fs::read(path)
                    .map_err(|source| WeightError::Io { path: path.to_owned(), source })?;
                let graph = onnx::read(bytes).map_err(|error| malformed(error.to_string()))?;
                Ok(Self { layers: Some(graph.layers.into()), ..Self::named(graph.initializers.into_iter()) })
            }
            WeightFormat::Burnpack => burnpack::read(path).map(|tensors| Self::named(tensors.into_iter())),
        }
    }

    /// Tensors by their name in the module: without the dictionaries that checkpoints wrap around the model.
    fn named(tensors: impl Iterator<Item = RawTensor>) -> Self {
        let mut all: BTreeMap<_, _> = tensors.map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut beside = BTreeMap::new();
        for wrapper in ["ema_model.", "model.", "state_dict.", "module.", "model."] {
            if all.keys().any(|name| name.starts_with(wrapper)) {
                for (name, tensor) in std::mem::take(&mut all) {
                    match name.strip_prefix(wrapper) {
                        Some(inner) => all.insert(inner.to_owned(), tensor),
                        None => beside.insert(name, tensor),
                    };
                }
            }
        }
        all.retain(|name, _| !name.ends_with("num_batches_tracked"));
        Self { tensors: all, beside, layers: None }
    }

    /// The shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).or_else(|| self.beside.get(name)).map(|tensor| tensor.shape.as_slice())
    }

    /// Names and shapes, in the order of the names.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()))
    }

    /// The weight shapes of the layers of an ONNX graph, in the order of execution; none for other formats.
    pub fn layers(&self) -> impl Iterator<Item = &[usize]> {
        self.layers.iter().flatten().map(|layer| self.shape(&layer.weight).unwrap_or_default())
    }

    /// The next layer of an ONNX graph in the order of execution. `None` for files whose tensors are found by name.
    pub(crate) fn next_layer(&mut self, name: &str) -> Option<Result<GraphLayer, WeightError>> {
        let layers = self.layers.as_mut()?;
        let missing = || WeightError::Missing { name: name.to_owned(), expected: Vec::new() };
        Some(layers.pop_front().ok_or_else(missing))
    }

    /// Drops the tensors of a name and below it, such as `classifier`: a head that is only needed in training.
    pub fn ignore(&mut self, name: &str) {
        let below = |tensor: &str| {
            tensor.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.tensors.retain(|tensor, _| !below(tensor));
    }

    /// Takes a tensor out, as 32-bit floats. A size of 0 in `expected` stands for any.
    ///
    /// # Errors
    /// [`WeightError::Missing`], [`WeightError::Shape`], [`WeightError::NonFinite`], [`WeightError::Values`].
    pub fn take(&mut self, name: &str, expected: &[usize]) -> Result<(Vec<usize>, Vec<f32>), WeightError> {
        let tensor = match self.layers {
            // Layers of a graph may share a constant.
            Some(_) => self.tensors.get(name).cloned(),
            None => self.tensors.remove(name).or_else(|| self.beside.remove(name)),
        };
        let Some(tensor) = tensor else {
            return Err(WeightError::Missing { name: name.to_owned(), expected: expected.to_vec() });
        };
        let shape = tensor.shape.to_vec();
        let fits = shape.len() == expected.len()
            && shape.iter().zip(expected).all(|(found, expected)| *expected == 0 || found == expected);
        if !fits {
            return Err(WeightError::Shape {
                name: name.to_owned(),
                found: shape,
                expected: expected.to_vec(),
            });
        }
        let failed = |reason: String| WeightError::Values { name: name.to_owned(), reason };
        let values = bridge::into_data(tensor)
            .map_err(|error| failed(error.to_string()))?
            .try_into_vec_as::<f32>()
            .map_err(|error| failed(error.to_string()))?;
        if values.iter().all(|value| value.is_finite()) {
            Ok((shape, values))
        } else {
            Err(WeightError::NonFinite { name: name.to_owned() })
        }
    }

    /// Checks that every tensor was taken.
    ///
    /// # Errors
    /// [`WeightError::Unexpected`].
    pub fn finish(mut self) -> Result<(), WeightError> {
        let Some(layers) = self.layers.take() else {
            return match self.tensors.first_key_value() {
                None => Ok(()),
                Some((name, tensor)) => Err(WeightError::Unexpected {
                    name: name.clone(),
                    shape: tensor.shape.to_vec(),
                    count: self.tensors.len(),
                }),
            };
        };
        // A graph holds constants besides the weights, so only its layers count.
        match layers.front() {
            None => Ok(()),
            Some(layer) => Err(WeightError::Unexpected {
                name: layer.weight.clone(),
                shape: self.shape(&layer.weight).unwrap_or_default().to_vec(),
                count: layers.len(),
            }),
        }
    }
}

pub(crate) use burnpack::write as write_burnpack;
