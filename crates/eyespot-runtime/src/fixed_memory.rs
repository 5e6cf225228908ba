//! Models of the fixed-memory engine (`.eye`) as a family.

use std::fs::File;
use std::path::{Path, PathBuf};

use eyespot_core::{AnyError, Boxed, Error, ErrorKind};
use eyespot_nn::host::{Arena, Header, Host, ReadError};
use eyespot_nn::{Network, NnError, NnPredictor, NnStorage, classes};

use crate::heap::on_heap;
use crate::registry::{Family, LoadOptions, Loaded, Weights};

/// Columns of the widest input, and candidates before suppression.
const COLUMNS: usize = 2048;
const CANDIDATES: usize = 4096;

/// Models that `convert` wrote. There are none to fetch, so the manifest is empty.
#[derive(Debug)]
pub(crate) struct EyeFamily;

#[derive(Debug, thiserror::Error)]
enum EyeError {
    #[error("{}: {error}", path.display())]
    Read { path: PathBuf, error: ReadError },
    #[error("{}: {error}", labels.display())]
    Labels { labels: PathBuf, error: NnError },
    #[error(transparent)]
    Predictor(#[from] NnError),
}

impl Error for EyeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { error, .. } => error.kind(),
            Self::Labels { error, .. } | Self::Predictor(error) => error.kind(),
        }
    }
}

impl Family for EyeFamily {
    fn name(&self) -> &'static str {
        "eye"
    }

    fn manifest(&self) -> &'static str {
        r#"{"family": "eye", "licence": "MIT OR Apache-2.0", "source": "", "models": []}"#
    }

    fn reads(&self, file: &Path) -> bool {
        file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("eye"))
    }

    fn load(&self, weights: Weights<'_>, _: &LoadOptions) -> Result<Loaded, AnyError> {
        let predictor = load(weights.file).map_err(AnyError::new)?;
        Ok(Loaded { plugin: Box::new(Boxed(predictor)), device: "cpu".to_owned() })
    }
}

type Predictor = NnPredictor<'static, Arena, Box<NnStorage<COLUMNS, CANDIDATES>>, COLUMNS, CANDIDATES>;

/// The engine reads names where they lie: those of a loaded model stay for as long as the program runs.
fn load(path: &Path) -> Result<Predictor, EyeError> {
    let read = |error: ReadError| EyeError::Read { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(|error| read(error.into()))?;
    let header: &'static Header = Box::leak(Box::new(Header::read(&mut file).map_err(read)?));
    let network = Network::from_file(header, &mut file, Host::default()).map_err(read)?;
    // Names of the classes: a text file beside the model, a line for each.
    let names = path.with_extension("txt");
    let labels: Vec<&'static str> = match std::fs::read_to_string(&names) {
        Ok(text) => text.leak().lines().map(str::trim).collect(),
        Err(_) => {
            let classes = classes(network.description())?;
            (0..classes).map(|class| &*format!("class {class}").leak()).collect()
        }
    };
    NnPredictor::new(network, on_heap(NnStorage::new), labels.leak()).map_err(|error| match error {
        NnError::Labels { .. } => EyeError::Labels { labels: names, error },
        error => error.into(),
    })
}
