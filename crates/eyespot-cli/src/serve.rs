//! `serve`: a model over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use eyespot_media::Input;
use eyespot_models::NoProgress;
use eyespot_runtime::{LoadOptions, Loader, Model, RuntimeError, Settings, Tracking};
use eyespot_serve::{Limits, Models, Platform, ServeOptions, Server, Signals, Supervisely, TlsFiles, Token};
use eyespot_supervisely::client::{ClientError, Connection};

use crate::args::serve::{self as args, Serve};
use crate::{Board, Failure, Outcome, load, settings};

/// The token of the server, where no file has it.
const TOKEN: &str = "EYESPOT_TOKEN";

pub(crate) fn run(serve: &Serve, board: &Board, quiet: bool) -> Result<Outcome, Failure> {
    // Whatever is wrong with the arguments is said before weights are fetched.
    let mut options = options(serve)?;
    let tracking = options.live.as_ref().and_then(|(_, settings)| settings.tracking.clone());
    let own = settings::by_name(&serve.model.set)?;
    let model = load::model(&serve.model, own, tracking.as_ref(), board, quiet)?.model;
    options.models = Some(Arc::new(Known::new(serve, board)?));
    let name = model.name().to_owned();
    let mut signals = Signals::catch()?;
    let mut server = Server::start(model, options)?;
    let scheme = if serve.tls_cert.is_some() { "https" } else { "http" };
    // The address is the result of this command: scripts that gave port 0 read it.
    println!("{scheme}://{}", server.address());
    if !quiet {
        eprintln!("serving {name}, stop with Ctrl-C");
    }
    signals.wait();
    if !quiet {
        eprintln!("stopping; again to stop at once");
    }
    std::thread::spawn(move || {
        signals.wait();
        std::process::exit(130);
    });
    server.stop();
    Ok(Outcome::Done)
}

fn options(serve: &Serve) -> Result<ServeOptions, Failure> {
    let token = token(serve)?;
    if token.is_none() && !serve.no_token && !serve.host.is_loopback() {
        return Err(format!(
            "{} can be reached from other computers: set {TOKEN} or give --token-file, or let everyone in with --no-token",
            serve.host
        )
        .into());
    }
    let live = serve.live.as_ref().map(|input| {
        let settings = Settings { tracking: Some(Tracking::default()), ..Settings::default() };
        (Input::from(input.as_str()), settings)
    });
    let tls = serve.tls_cert.clone().zip(serve.tls_key.clone());
    Ok(ServeOptions {
        address: SocketAddr::new(serve.host, serve.port),
        token,
        limits: limits(&serve.limits),
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        live,
        platform: serve.platform.then(|| platform(serve)).transpose()?,
        fetch_urls: !serve.no_fetch,
        ..ServeOptions::default()
    })
}

/// The platform of the environment, where there is one.
fn platform(serve: &Serve) -> Result<Arc<dyn Platform>, ClientError> {
    let own = match Connection::from_env() {
        Ok(own) => Some(own),
        // Requests bring their own.
        Err(ClientError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    let platform = Supervisely::new(own);
    Ok(Arc::new(if serve.no_fetch { platform.own_only() } else { platform }))
}

/// The token of the file or the environment. There is no argument for it: other users see the arguments of a process.
fn token(serve: &Serve) -> Result<Option<Token>, Failure> {
    if serve.no_token {
        return Ok(None);
    }
    let (from, text) = match &serve.token_file {
        Some(path) => {
            let from = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| format!("{from}: {error}"))?;
            (from, text)
        }
        None => match std::env::var(TOKEN) {
            Ok(text) => (TOKEN.to_owned(), text),
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => return Err(format!("{TOKEN} is no text").into()),
        },
    };
    match text.trim() {
        "" => Err(format!("{from}: the token is empty: give one, or leave it away").into()),
        text => Ok(Some(Token::new(text))),
    }
}

fn limits(args: &args::Limits) -> Limits {
    let mut limits = Limits::default();
    limits.upload_bytes = args.max_upload << 20;
    limits.stored_bytes = args.max_stored << 20;
    limits.requests = args.max_requests.get();
    limits.running = args.max_running.get();
    limits.connections = args.max_connections.get();
    limits.ttl = Duration::from_secs(args.keep);
    limits.folder = args.upload_dir.clone();
    limits
}

/// The models that clients may ask for: those that `models list` lists.
struct Known {
    loader: Loader,
    device: String,
    names: Vec<String>,
}

impl Known {
    fn new(serve: &Serve, board: &Board) -> Result<Self, RuntimeError> {
        let loader = load::loader(&serve.model)?;
        let catalog = loader.registry.predictor_catalog()?;
        let ready = loader.registry.predictor_names().map(str::to_owned);
        let names = ready.chain(catalog.models().map(|model| model.name.clone())).collect();
        Ok(Self { device: load::device(&serve.model, board), names, loader })
    }
}

impl Models for Known {
    fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn load(&self, name: &str, device: Option<&str>) -> Result<Model, RuntimeError> {
        let options = LoadOptions::on(device.unwrap_or(&self.device));
        self.loader.load(name, &options, &mut NoProgress)
    }
}
