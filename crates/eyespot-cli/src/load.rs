//! Models as the arguments name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use eyespot_core::Boxed;
use eyespot_remote::{Connect as _, Endpoint, FallbackCounts, RemoteOptions, WithFallback};
use eyespot_runtime::{LoadOptions, Loaded, Loader, Model, RuntimeError, Tracking};
use serde_json::Value;

use crate::args::ModelArgs;
use crate::progress::Download;
use crate::{Board, Failure};

/// A model, and who does its work where that can be one of two.
pub(crate) struct Ready {
    pub(crate) model: Model,
    pub(crate) fallback: Option<Arc<FallbackCounts>>,
}

/// What finds models of this computer.
pub(crate) fn loader(args: &ModelArgs) -> Result<Loader, RuntimeError> {
    let mut loader = Loader::from_env()?;
    loader.pull.offline = args.offline;
    Ok(loader)
}

/// What they run on.
pub(crate) fn device(args: &ModelArgs, board: &Board) -> String {
    args.device.clone().unwrap_or_else(|| board.device.to_owned())
}

/// Loads the model, and what describes objects for the tracker, with a progress bar where weights must be fetched.
pub(crate) fn model(
    args: &ModelArgs,
    settings: BTreeMap<String, String>,
    tracking: Option<&Tracking>,
    board: &Board,
    quiet: bool,
) -> Result<Ready, Failure> {
    let loader = loader(args)?;
    let options = LoadOptions::on(device(args, board));
    let ready = match (is_elsewhere(&args.model), &args.fallback) {
        (true, fallback) => connect(args, settings, fallback.as_deref(), &loader, &options, quiet)?,
        (false, None) => {
            let own = LoadOptions { settings, ..options.clone() };
            let model = loader.load(&args.model, &own, &mut Download::new(quiet, &args.model))?;
            Ready { model, fallback: None }
        }
        (false, Some(_)) => return Err("--fallback is for a --model elsewhere, like http://host:8000".into()),
    };
    let Some(name) = tracking.filter(|tracking| tracking.with_reid).map(|tracking| &tracking.reid_model)
    else {
        return Ok(ready);
    };
    let embedder = loader.load_embedder(name, &options, &mut Download::new(quiet, name))?;
    Ok(Ready { model: ready.model.with_embedder(embedder), ..ready })
}

/// Is it an address or a task, and no name or file?
fn is_elsewhere(model: &str) -> bool {
    model.contains("://") || model.starts_with("task:")
}

fn connect(
    args: &ModelArgs,
    settings: BTreeMap<String, String>,
    fallback: Option<&str>,
    loader: &Loader,
    options: &LoadOptions,
    quiet: bool,
) -> Result<Ready, Failure> {
    let endpoint: Endpoint = args.model.parse()?;
    let mut remote = RemoteOptions::default();
    remote.certificate.clone_from(&args.trust);
    // Numbers and lists as such, everything else as text.
    let value = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    remote.settings = settings.into_iter().map(|(name, text)| (name, value(text))).collect();
    let Some(local) = fallback else {
        return Ok(Ready { model: Model::connect_with(&endpoint, &remote)?, fallback: None });
    };
    let Loaded { plugin, device } =
        loader.load_predictor(local, options, &mut Download::new(quiet, local))?;
    let both = WithFallback::new(&endpoint, &remote, plugin)?;
    let counts = both.counts();
    let device = format!("{endpoint}, else {device}");
    let model = Model::from_loaded(Loaded { plugin: Box::new(Boxed(both)), device });
    Ok(Ready { model, fallback: Some(counts) })
}
