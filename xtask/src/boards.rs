//! The firmware boards: built, linted, run in QEMU, and compared with what the same pipeline sees on a computer.

use std::fmt::Write as _;
use std::path::Path;

use eyespot_core::{PredictionsStorage as _, TrackId};
use eyespot_launch::{Board, Line, PROFILE, Runner, Toolchain, build, execute};

use eyespot_wire::{Event, Stream};

use crate::run::{Result, root, run as command};

/// Predictors by the firmware's argument, and what every board logs with them at the level `INFO`, which is what the
/// pipeline prints on a computer.
const EXPECTED: [(&[&str], &str); 2] = [
    (&[], "examples/fixed-memory/expected.txt"),
    (&["spotter"], "examples/fixed-memory/expected_spotter.txt"),
];

/// Ends that are provoked by an argument: its exit code and what the log must say.
const ENDS: [(&str, u8, &str); 3] = [
    ("panic", 101, "index out of bounds: the len is 3 but the index is 5"),
    ("fault", 102, "hard fault at 0x"),
    ("overflow", 102, "stack overflow"),
];

pub(crate) fn run() -> Result {
    let mut failures = Vec::new();
    for board in boards()? {
        eprintln!("board {} ({})", board.package, board.target);
        if let Err(message) = check(&board) {
            failures.push(format!("{}: {message}", board.package));
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// All firmware boards; it is an error if there is none.
pub(crate) fn boards() -> Result<Vec<Board>> {
    let boards = Board::all().map_err(|error| error.to_string())?;
    if boards.is_empty() { Err("the workspace has no firmware boards".to_owned()) } else { Ok(boards) }
}

fn check(board: &Board) -> Result {
    let toolchain = Toolchain::core_only(&board.target).map_err(|error| error.to_string())?;
    let toolchain = toolchain.tuned_for(board.cpu.as_deref());
    let mut clippy = toolchain.cargo("clippy");
    clippy.args(["--quiet", "--profile", PROFILE, "-p", &board.package, "--", "-D", "warnings"]);
    command(&mut clippy)?;
    let firmware = build(board, &toolchain).map_err(|error| error.to_string())?;
    if !matches!(board.runner, Runner::Qemu { .. }) {
        return Ok(());
    }
    let run = |arguments: &[&str]| {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let mut lines = Vec::new();
        execute(board, &firmware, &arguments, |line| lines.push(line.clone()))
            .map(|code| (code, lines))
            .map_err(|error| error.to_string())
    };
    let wire = firmware.with_extension("wire");
    for (predictor, expected) in EXPECTED {
        let serial = format!("file:{}", wire.display());
        let lines = compare(run(&[&["--serial", serial.as_str()], predictor].concat())?, expected)?;
        listen(&wire, &lines)?;
    }
    for (how, code, says) in ENDS {
        let (found, lines) = run(&[how])?;
        if found != code || !lines.iter().any(|line| line.level == "ERROR" && line.text.contains(says)) {
            let said: String = lines.iter().map(|line| format!("\n  {line}")).collect();
            return Err(format!(
                "`{how}` must end with {code} and say `{says}`, but ended with {found}:{said}"
            ));
        }
    }
    Ok(())
}

/// The lines that are the same in every run, if they are.
fn compare((code, lines): (u8, Vec<Line>), document: &str) -> Result<Vec<String>> {
    let path = root().join(document);
    let expected = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let seen: Vec<&str> =
        lines.iter().filter(|line| line.level != "DEBUG").map(|line| line.text.as_str()).collect();
    for (number, expected) in expected.lines().enumerate() {
        match seen.get(number) {
            Some(&line) if line == expected => {}
            other => {
                let found = other.unwrap_or(&"nothing");
                return Err(format!(
                    "line {} of {document} is `{expected}`, but the board logged `{found}`",
                    number + 1
                ));
            }
        }
    }
    match seen.get(expected.lines().count()) {
        Some(line) => Err(format!("the board logged more than {document}: `{line}`")),
        None if code != 0 => Err(format!("the firmware ended with exit code {code}")),
        None => Ok(seen.into_iter().map(str::to_owned).collect()),
    }
}

/// What came over the serial port must be what the board logged.
fn listen(wire: &Path, lines: &[String]) -> Result {
    let io = |error: std::io::Error| format!("{}: {error}", wire.display());
    let mut stream = Stream::new(std::fs::File::open(wire).map_err(io)?);
    let mut logged = lines.iter().filter(|line| line.starts_with("frame "));
    for event in &mut stream {
        let Event::Results { info, predictions } = event.map_err(|error| error.to_string())? else {
            continue;
        };
        let mut line = format!("frame {}:", info.index);
        for found in predictions.view().detections() {
            let [x1, y1, x2, y2] = found.bbox.xyxy().map(|side| side as i32);
            let track = found.track.map_or(0, TrackId::get);
            let _ = write!(line, " #{track} {x1},{y1}..{x2},{y2}");
        }
        if logged.next() != Some(&line) {
            return Err(format!("the wire says `{line}`, which was not logged"));
        }
    }
    let counts = stream.counts();
    match logged.next() {
        Some(line) => Err(format!("the wire lacks `{line}`")),
        None if counts.hellos == 0 => Err("no hello came over the wire".to_owned()),
        None if counts.corrupt + counts.missed > 0 => Err(format!("the wire is not clean: {counts:?}")),
        None => Ok(()),
    }
}
