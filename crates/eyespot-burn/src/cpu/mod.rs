//! Networks on the CPU, by the engine of `eyespot-nn`: planned for one size of the input, weights packed for the vector
//! instructions of the machine, nothing allocated while they run.

mod embedder;
mod planned;
mod predictor;

use std::borrow::Borrow;
use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use eyespot_convert::{ConvertError, Recording};
use eyespot_core::{Error, ErrorKind, InputSize};
use eyespot_nn::host::{Host, ReadError};

pub use embedder::CpuEmbedder;
use planned::Planned;
pub use predictor::CpuPredictor;

use crate::{PortableModel, WeightError, record};

/// A model can't be made ready for the CPU.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The weights can't be read.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// The network can't be planned.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// What was planned can't be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Error for PlanError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Weights(error) => error.kind(),
            Self::Convert(error) => error.kind(),
            Self::Read(error) => error.kind(),
        }
    }
}

/// Sizes whose networks are kept: with a caller that goes back and forth nothing is planned again.
const KEPT: usize = 4;

/// Where networks of further sizes come from.
#[derive(Debug)]
enum Source {
    Recording(Recording),
    /// A file of weights, which is read again: they are not kept in memory a second time.
    File {
        weights: PathBuf,
        cache: Option<PathBuf>,
        record: fn(&Path) -> Result<Recording, PlanError>,
    },
}

/// A network at the sizes that were asked for.
#[derive(Debug)]
struct Networks {
    name: String,
    source: Source,
    host: Host,
    /// The last one that was used is the last.
    planned: Vec<Planned>,
}

/// The network of a file of weights.
fn record_file<M: PortableModel>(weights: &Path) -> Result<Recording, PlanError> {
    Ok(record(&open::<M>(weights)?))
}

/// A model in host memory.
fn open<M: PortableModel>(weights: &Path) -> Result<M, WeightError> {
    crate::load(weights, &burn::tensor::Device::flex())
}

/// The file of a network that was planned before.
fn cached(cache: &Path, size: Option<InputSize>) -> PathBuf {
    let size = size.map_or(String::new(), |size| format!("{}x{}.", size.width, size.height));
    cache.with_extension(format!("{size}v{}.cache", eyespot_nn::VERSION))
}

/// A network that was kept. What can't be read is made again.
fn read(cache: &Path, host: Host) -> Option<Planned> {
    Planned::from_file(&mut File::open(cache).ok()?, host).ok()
}

/// Plans a network, and keeps it for the next start.
fn make(
    recording: impl Borrow<Recording>,
    name: &str,
    size: InputSize,
    cache: Option<&Path>,
    host: Host,
) -> Result<Planned, PlanError> {
    let graph = recording.borrow().graph([size.height.into(), size.width.into()])?;
    // The weights are in the graph, if not in the model too.
    drop(recording);
    let bytes = graph.with_name(name).build()?.bytes;
    if let Some(cache) = cache {
        keep(cache, &bytes);
    }
    Ok(Planned::from_file(&mut Cursor::new(bytes), host)?)
}

/// Keeps a planned network. A cache that can't be written only costs time.
fn keep(cache: &Path, bytes: &[u8]) {
    // Whoever reads meanwhile finds the whole file or none.
    let part = cache.with_extension(format!("{}.cache", std::process::id()));
    if std::fs::write(&part, bytes).and_then(|()| std::fs::rename(&part, cache)).is_err() {
        let _ = std::fs::remove_file(&part);
    }
}

impl Networks {
    /// Of a model in memory.
    fn of<M: PortableModel>(model: &M, size: InputSize, host: Host) -> Result<Self, PlanError> {
        let (recording, name) = (record(model), M::name(model.head()).to_owned());
        let planned = vec![make(&recording, &name, size, None, host)?];
        Ok(Self { name, source: Source::Recording(recording), host, planned })
    }

    /// Of a file of weights, or what was kept of it. `size` is that of a head.
    fn load<M: PortableModel>(
        weights: &Path,
        cache: Option<&Path>,
        host: Host,
        size: impl Fn(&M::Head) -> InputSize,
    ) -> Result<(Self, M::Head), PlanError> {
        let source = Source::File {
            weights: weights.to_owned(),
            cache: cache.map(Path::to_owned),
            record: record_file::<M>,
        };
        let cache = cache.map(|cache| cached(cache, None));
        let kept = cache.as_deref().and_then(|cache| {
            let planned = read(cache, host)?;
            let head = planned.describe(|model| {
                let channels = (0..).map_while(|index| model.output(index)).last()?.slot.shape.c as usize;
                M::restore(model.name(), channels)
            })?;
            (planned.size() == size(&head)).then_some((planned, head))
        });
        let (planned, head) = match kept {
            Some(kept) => kept,
            None => {
                let model: M = open(weights)?;
                let (recording, head) = (record(&model), model.head().clone());
                drop(model);
                let planned = make(recording, M::name(&head), size(&head), cache.as_deref(), host)?;
                (planned, head)
            }
        };
        Ok((Self { name: M::name(&head).to_owned(), source, host, planned: vec![planned] }, head))
    }

    /// The network of a size.
    fn of_size(&mut self, size: InputSize) -> Result<&mut Planned, PlanError> {
        match self.planned.iter().position(|planned| planned.size() == size) {
            Some(at) => self.planned[at..].rotate_left(1),
            None => {
                let planned = self.plan(size)?;
                if self.planned.len() == KEPT {
                    self.planned.remove(0);
                }
                self.planned.push(planned);
            }
        }
        let last = self.planned.len() - 1;
        Ok(&mut self.planned[last])
    }

    fn plan(&self, size: InputSize) -> Result<Planned, PlanError> {
        match &self.source {
            Source::Recording(recording) => make(recording, &self.name, size, None, self.host),
            Source::File { weights, cache, record } => {
                let cache = cache.as_deref().map(|cache| cached(cache, Some(size)));
                let kept = cache.as_deref().and_then(|cache| read(cache, self.host)).filter(|planned| {
                    planned.size() == size && planned.describe(|model| model.name() == self.name)
                });
                match kept {
                    Some(planned) => Ok(planned),
                    None => make(record(weights)?, &self.name, size, cache.as_deref(), self.host),
                }
            }
        }
    }
}
