//! `gateway --port ..`: shows and records what boards send.

use std::io::{BufWriter, Write};

use eyespot_gateway::{Gateway, GatewayCounts, Options, pump};
use eyespot_media::{JsonLines, MediaError};

use crate::args::Gateway as Args;
use crate::{Failure, Outcome};

pub(crate) fn run(args: &Args, quiet: bool) -> Result<Outcome, Failure> {
    let mut options = Options::default();
    if args.once {
        options.retry = None;
    }
    let mut gateway = Gateway::with_options(args.port.clone(), options)?;
    if let (Some(address), false) = (gateway.local_addr(), quiet) {
        eprintln!("listening on {address}");
    }
    let mut writer = Some(writer(args)?);
    let counts = pump(
        &mut gateway,
        // A device that says something new about its classes continues the same file.
        |device, old: Option<JsonLines<Box<dyn Write>>>| {
            let writer = match old {
                Some(old) => old.into_inner()?,
                None => writer.take().unwrap_or_else(|| Box::new(std::io::sink())),
            };
            Ok::<_, MediaError>(JsonLines::new(writer, &device.labels))
        },
        |notice| {
            if !quiet {
                eprintln!("{notice}");
            }
        },
    )?;
    if !quiet {
        summary(&counts);
    }
    if counts.connections == 0 {
        return Err(format!("{}: no connection was made", args.port).into());
    }
    let lost = counts.wire.corrupt + counts.wire.oversized + counts.wire.malformed + counts.wire.missed;
    Ok(if lost == 0 { Outcome::Done } else { Outcome::Partial })
}

/// Where the results go. Standard output is written line by line, so that a reader sees them at once.
fn writer(args: &Args) -> Result<Box<dyn Write>, MediaError> {
    if args.json.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdout()));
    }
    let failed = |source| MediaError::Write { path: args.json.clone(), source };
    Ok(Box::new(BufWriter::new(std::fs::File::create(&args.json).map_err(failed)?)))
}

fn summary(counts: &GatewayCounts) {
    let wire = &counts.wire;
    eprintln!("{} results, {} connections, {} failures", wire.results, counts.connections, counts.failures);
    let broken = wire.corrupt + wire.oversized + wire.malformed;
    if broken + wire.missed > 0 {
        eprintln!("{broken} broken frames were left out, {} are missing", wire.missed);
    }
}
