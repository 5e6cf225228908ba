//! `outbox status | retry | export | drop`.

use std::fs::File;
use std::io::{BufWriter, Write};

use clap::{Args, Subcommand};
use eyespot_outbox::{Outbox, OutboxError, Worker, WorkerOptions};
use serde_json::json;

use crate::upload::{OutboxArgs, client, report};
use crate::{Failure, Outcome};

#[derive(Debug, Args)]
pub(crate) struct OutboxCommand {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    outbox: OutboxArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What waits, what was delivered, and what went wrong.
    Status {
        /// Print JSON.
        #[arg(long, conflicts_with = "metrics")]
        json: bool,
        /// Print the numbers for Prometheus.
        #[arg(long)]
        metrics: bool,
    },
    /// Deliver what waits, and once more what was refused.
    Retry,
    /// Write what waits to a file, one result per line, with frames and reasons. It stays in the outbox.
    Export {
        /// The file, or `-`.
        file: std::path::PathBuf,
    },
    /// Forget what was refused.
    Drop {
        /// Forget everything that waits.
        #[arg(long)]
        all: bool,
    },
}

/// Lines of refused results and of sources that are shown.
const SHOWN: usize = 20;

pub(crate) fn run(command: &OutboxCommand, quiet: bool) -> Result<Outcome, Failure> {
    let path = command.outbox.path()?;
    if !path.exists() {
        return Err(format!("{}: no outbox: results come there with --upload-mode", path.display()).into());
    }
    let outbox = Outbox::open(path, command.outbox.limits())?;
    match &command.what {
        What::Status { json, metrics } => status(&outbox, *json, *metrics)?,
        What::Retry => return retry(&outbox, &command.outbox, quiet),
        What::Export { file } => {
            let mut output: Box<dyn Write> = if file.as_os_str() == "-" {
                Box::new(std::io::stdout())
            } else {
                Box::new(BufWriter::new(File::create(file)?))
            };
            let written = outbox.export(&mut output)?;
            if !quiet {
                eprintln!("{written} results written; `outbox drop` forgets them");
            }
        }
        What::Drop { all } => {
            let dropped = outbox.discard(*all)?;
            if !quiet {
                eprintln!("{dropped} results forgotten");
            }
        }
    }
    Ok(Outcome::Done)
}

fn status(outbox: &Outbox, json: bool, metrics: bool) -> Result<(), Failure> {
    let (status, parked, lanes) = (outbox.status()?, outbox.parked()?, outbox.lanes()?);
    let target = outbox.target()?;
    if metrics {
        print!("{}", status.metrics());
        return Ok(());
    }
    if json {
        let counts: serde_json::Map<_, _> =
            status.counts.named().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let parked: Vec<_> =
            parked.iter().map(|one| json!({"source": one.lane, "reason": one.reason})).collect();
        let lanes: Vec<_> =
            lanes.iter().map(|lane| json!({"source": lane.lane, "waiting": lane.waiting})).collect();
        let all = json!({
            "outbox": outbox.path().display().to_string(), "target": target.map(|target| target.to_string()), "items": status.items,
            "bytes": status.bytes, "unsure": status.unsure, "parked": parked, "sources": lanes, "counts": counts,
            "trouble": status.trouble, "halted": status.halted,
        });
        println!("{all}");
        return Ok(());
    }
    println!(
        "{}: {} results wait, {:.1} MiB",
        outbox.path().display(),
        status.items,
        status.bytes as f64 / 1_048_576.0
    );
    if let Some(target) = target {
        println!("for {target}");
    }
    for (name, value) in status.counts.named() {
        if value > 0 {
            println!("{:>15}  {value}", name.replace('_', " "));
        }
    }
    if status.unsure > 0 {
        println!("{} were sent without an answer so far", status.unsure);
    }
    for lane in lanes.iter().take(SHOWN) {
        println!("{}: {} wait", lane.lane, lane.waiting);
    }
    for one in parked.iter().take(SHOWN) {
        println!("refused, of {}: {}", one.lane, one.reason);
    }
    if parked.len().max(lanes.len()) > SHOWN {
        println!("...: --json shows all");
    }
    match (&status.halted, &status.trouble) {
        (Some(halted), _) => println!("nothing is delivered until this is mended: {halted}"),
        (None, Some(trouble)) => println!("the last delivery failed: {trouble}"),
        (None, None) => {}
    }
    Ok(())
}

fn retry(outbox: &Outbox, args: &OutboxArgs, quiet: bool) -> Result<Outcome, Failure> {
    let target = outbox.target()?.ok_or("the outbox has no target: run `predict --upload-mode` once")?;
    let retried = outbox.retry()?;
    if !quiet && retried > 0 {
        eprintln!("{retried} refused results are tried again");
    }
    let (client, address) = client()?;
    if address != target.server {
        let reason = format!(
            "the results are for {}, SERVER_ADDRESS is {address}: set it to the former",
            target.server
        );
        return Err(reason.into());
    }
    let deliverers = target.deliverers(&client, outbox, 4);
    let worker = match Worker::start(outbox, deliverers, WorkerOptions::default()) {
        Ok(worker) => worker,
        Err(error @ OutboxError::Delivering { .. }) => {
            eprintln!("{error}");
            return Ok(Outcome::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let drained = worker.finish(args.wait())?;
    report(outbox, &drained, quiet)
}
