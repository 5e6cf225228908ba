//! `gateway --port ..`: shows, records and uploads what boards send.

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};
use std::rc::Rc;

use eyespot_core::Boxed;
use eyespot_gateway::{Hub, HubCounts, HubOptions};
use eyespot_media::{JsonLines, MediaError};
use eyespot_runtime::Sources;
use eyespot_supervisely::{Converter, SourceKind};

use crate::args::Gateway as Args;
use crate::{Failure, Outcome};

/// Everything that takes the results of a board.
type Sinks = (Boxed<JsonLines<Lines>>, Option<Boxed<eyespot_outbox::SuperviselySink>>);

pub(crate) fn run(args: &Args, quiet: bool) -> Result<Outcome, Failure> {
    let upload = args.upload.plan(SourceKind::Local, "boards")?;
    let mut options = HubOptions::default();
    if args.once {
        options.line.retry = None;
    }
    let hub = Hub::start(args.port.clone(), options)?;
    if !quiet {
        hub.local_addrs().iter().for_each(|address| eprintln!("listening on {address}"));
    }
    let upload = upload.map(crate::upload::Plan::start).transpose()?;
    let lines = Lines(Rc::new(RefCell::new(writer(args)?)));
    let counts = hub.pump(
        // All boards write to the same file, a line at once.
        |device, _: Option<Sinks>| {
            let json = Boxed(JsonLines::new(lines.clone(), &device.labels));
            let upload =
                upload.as_ref().map(|upload| upload.sink(Converter::new(&device.labels), Sources::default()));
            Ok((json, upload))
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
    let uploaded = upload.map_or(Ok(Outcome::Done), |upload| upload.finish(quiet))?;
    if counts.lines.connections == 0 {
        let ports: Vec<String> = args.port.iter().map(ToString::to_string).collect();
        return Err(format!("{}: no connection was made", ports.join(", ")).into());
    }
    let wire = &counts.lines.wire;
    let lost = wire.corrupt + wire.oversized + wire.malformed + wire.missed + counts.turned_away;
    Ok(if lost == 0 { uploaded } else { Outcome::Partial })
}

/// A writer that the sinks of all boards share.
#[derive(Clone)]
struct Lines(Rc<RefCell<Box<dyn Write>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}

/// Where the results go. Standard output is written line by line, so that a reader sees them at once.
fn writer(args: &Args) -> Result<Box<dyn Write>, MediaError> {
    if args.json.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let failed = |source| MediaError::Write { path: args.json.clone(), source };
    Ok(Box::new(BufWriter::new(std::fs::File::create(&args.json).map_err(failed)?)))
}

fn summary(counts: &HubCounts) {
    let wire = &counts.lines.wire;
    eprintln!(
        "{} results of {} boards, {} connections, {} failures",
        wire.results, counts.boards, counts.lines.connections, counts.lines.failures
    );
    let broken = wire.corrupt + wire.oversized + wire.malformed;
    if broken + wire.missed > 0 {
        eprintln!("{broken} broken frames were left out, {} are missing", wire.missed);
    }
    if counts.turned_away > 0 {
        eprintln!("{} boards were turned away: there are too many", counts.turned_away);
    }
}
