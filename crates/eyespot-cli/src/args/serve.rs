//! The arguments of `serve`.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Address to listen at. Only this computer can reach the default one; 0.0.0.0 is reached by all that reach this
    /// computer, and needs a token.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) host: IpAddr,
    /// Port to listen at; 0 takes a free one.
    #[arg(long, default_value_t = 8000)]
    pub(crate) port: u16,
    /// File with the token that clients must show [default: the variable EYESPOT_TOKEN].
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Let everyone in, also from other computers.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_token: bool,
    /// Certificate for HTTPS, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Show this video, stream or camera, with its tracks, on the page at /.
    #[arg(long, value_name = "INPUT")]
    pub(crate) live: Option<String>,
    /// Let clients name images, videos and projects of a Supervisely platform by their ids. Requests without a token of
    /// their own use SERVER_ADDRESS and API_TOKEN, or ~/supervisely.env.
    #[arg(long)]
    pub(crate) platform: bool,
    /// Fetch no images whose addresses clients name, and ask no platform but the own one.
    #[arg(long)]
    pub(crate) no_fetch: bool,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Megabytes of an upload.
    #[arg(long, default_value_t = 512, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) max_upload: u64,
    /// Megabytes of all uploads together that wait on disk.
    #[arg(long, default_value_t = 2048, value_name = "MB", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) max_stored: u64,
    /// Requests that wait or run at a time.
    #[arg(long, default_value = "256", value_name = "N")]
    pub(crate) max_requests: NonZeroUsize,
    /// Requests that run at a time.
    #[arg(long, default_value = "8", value_name = "N")]
    pub(crate) max_running: NonZeroUsize,
    /// Connections at a time.
    #[arg(long, default_value = "512", value_name = "N")]
    pub(crate) max_connections: NonZeroUsize,
    /// Seconds that a request is kept which nobody asks for.
    #[arg(long, default_value_t = 3600, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keep: u64,
    /// Folder for uploads until they are done with [default: the system's for temporary files].
    #[arg(long, value_name = "DIR")]
    pub(crate) upload_dir: Option<PathBuf>,
}
