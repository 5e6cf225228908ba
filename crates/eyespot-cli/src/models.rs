//! `models list | pull | info`.

use std::fmt::Write as _;
use std::path::Path;

use eyespot_models::{PullOptions, Store};
use eyespot_runtime::{LoadOptions, Registry};

use crate::args::Models;
use crate::progress::Download;
use crate::{Failure, Outcome};

pub(crate) fn run(command: &Models, quiet: bool) -> Result<Outcome, Failure> {
    let registry = Registry::with_builtins();
    let catalog = registry.catalog()?;
    let store = Store::from_env()?;
    match command {
        Models::List => {
            println!(
                "{:<20} {:>11} {:>10}  {:<12} {:<10}",
                "name", "parameters", "input", "licence", "weights"
            );
            for name in registry.predictor_names() {
                println!("{name:<20} {:>11} {:>10}  {:<12} none needed", "-", "any", "-");
            }
            for entry in store.list(&catalog) {
                let model = entry.model;
                let parameters = format!("{:.2} M", model.params as f64 / 1e6);
                let input = format!("{}x{}", model.input[0], model.input[1]);
                let here = if entry.present { "here" } else { "models pull" };
                println!("{:<20} {parameters:>11} {input:>10}  {:<12} {here}", model.name, model.licence);
            }
            Ok(Outcome::Done)
        }
        Models::Pull { names } => {
            // All names are checked before anything is fetched.
            let models = names.iter().map(|name| catalog.find(name)).collect::<Result<Vec<_>, _>>()?;
            for model in models {
                let path =
                    store.pull(model, &PullOptions::from_env(), &mut Download::new(quiet, &model.name))?;
                println!("{}: {}", model.name, path.display());
            }
            Ok(Outcome::Done)
        }
        Models::Info { name } if Path::new(name).is_file() => {
            for (what, value) in registry.describe(Path::new(name), &LoadOptions::default())? {
                println!("{what:<12} {value}");
            }
            Ok(Outcome::Done)
        }
        Models::Info { name } => {
            let model = catalog.find(name)?;
            let mut text = String::new();
            let mut line = |what: &str, value: &str| {
                let _ = writeln!(text, "{what:<12} {value}");
            };
            line("name", &model.name);
            line("parameters", &format!("{:.2} M", model.params as f64 / 1e6));
            line("input", &format!("{} x {} (height x width)", model.input[0], model.input[1]));
            line("labels", &model.labels);
            line("licence", &model.licence);
            line("address", &model.url);
            line("sha256", model.sha256.as_deref().unwrap_or("recorded at the first pull"));
            line("file", &store.path(model).display().to_string());
            line("here", if store.is_present(model) { "yes" } else { "no" });
            print!("{text}");
            Ok(Outcome::Done)
        }
    }
}
