//! Models of the fixed-memory engine (`.eye`) as a family.

use std::path::{Path, PathBuf};

use eyespot_core::{AnyError, Boxed, Error, ErrorKind};
use eyespot_nn::host::{Arena, Host};
use eyespot_nn::{ArenaError, LoadError, Model, Network, NnError, NnPredictor, NnStorage};

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
    Read { path: PathBuf, error: std::io::Error },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Arena(#[from] ArenaError),
    #[error("{}: {error}", labels.display())]
    Labels { labels: PathBuf, error: NnError },
    #[error(transparent)]
    Predictor(#[from] NnError),
}

impl Error for EyeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Read { .. } => ErrorKind::Io,
            Self::Load(error) => error.kind(),
            Self::Arena(error) => error.kind(),
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

/// The engine reads weights and names where they lie. Those of a loaded model stay for as long as the program runs.
fn load(path: &Path) -> Result<Predictor, EyeError> {
    let read = |error| EyeError::Read { path: path.to_owned(), error };
    let bytes: &'static [u8] = std::fs::read(path).map_err(read)?.leak();
    let predictor = |labels: &'static [&'static str]| {
        let model = Model::load(bytes)?;
        let network = Network::on_host(model, Arena::new(model.arena_words()), Host::default())?;
        Ok::<_, EyeError>(NnPredictor::new(network, on_heap(NnStorage::new), labels)?)
    };
    // Names of the classes: a text file beside the model, a line for each.
    let file = path.with_extension("txt");
    if let Ok(text) = std::fs::read_to_string(&file) {
        let text: &'static str = text.leak();
        let labels: Vec<&str> = text.lines().map(str::trim).collect();
        return predictor(labels.leak()).map_err(|error| match error {
            EyeError::Predictor(error @ NnError::Labels { .. }) => EyeError::Labels { labels: file, error },
            error => error,
        });
    }
    match predictor(&[]) {
        Err(EyeError::Predictor(NnError::Labels { classes, .. })) => {
            let labels: Vec<&str> = (0..classes).map(|class| &*format!("class {class}").leak()).collect();
            predictor(labels.leak())
        }
        other => other,
    }
}
