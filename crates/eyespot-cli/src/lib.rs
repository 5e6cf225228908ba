#![doc = include_str!("../README.md")]

mod args;
mod bench;
mod convert;
mod demo;
mod evaluate;
mod gateway;
mod load;
mod models;
mod outbox;
mod output;
mod predict;
mod progress;
#[cfg(feature = "serve")]
mod serve;
mod settings;
mod upload;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use args::{Cli, Command};

/// What a board is called and what it does unless told otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    /// Name of the program.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Device that networks run on where `--device` does not say: `auto`, `cpu` or `wgpu`.
    pub device: &'static str,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All went well.
    Done,
    /// It was done, but some frames or files failed.
    Partial,
}

/// The error of a command, for a person.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// Reads the arguments of the process and runs the command.
#[must_use]
pub fn main(board: &Board) -> ExitCode {
    let command = Cli::command().name(board.name).about(board.about).version(env!("CARGO_PKG_VERSION"));
    let cli = match command.try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // Help and version are no errors and end with 0; wrong arguments end with 2.
        Err(error) => error.exit(),
    };
    log_to_stderr(&cli);
    let result = match cli.command.unwrap_or_else(Command::demo) {
        Command::Demo(demo) => demo::run(&demo, cli.quiet),
        Command::Predict(predict) => predict::run(&predict, board, cli.quiet),
        Command::Models(models) => models::run(&models, cli.quiet),
        Command::Evaluate(evaluate) => evaluate::run(&evaluate),
        Command::Bench(bench) => bench::run(&bench, board),
        Command::Convert(convert) => convert::run(&convert, cli.quiet),
        Command::Gateway(gateway) => gateway::run(&gateway, cli.quiet),
        Command::Outbox(outbox) => outbox::run(&outbox, cli.quiet),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve::run(&serve, board, cli.quiet),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), board.name, &mut std::io::stdout());
            Ok(Outcome::Done)
        }
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partial) => ExitCode::from(3),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Messages of the libraries; `RUST_LOG` asks for others.
fn log_to_stderr(cli: &Cli) {
    let default = match &cli.command {
        _ if cli.quiet => "error",
        #[cfg(feature = "serve")]
        Some(Command::Serve(_)) => "warn,eyespot=info",
        _ => "warn",
    };
    let wanted = env_logger::Env::default().default_filter_or(default);
    // A program that has set up its own log keeps it.
    let _ = env_logger::Builder::from_env(wanted).try_init();
}
