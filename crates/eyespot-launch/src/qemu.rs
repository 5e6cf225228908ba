//! Running a firmware in QEMU.

use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::log::{Line, Log};
use crate::{Error, Result};

const PROGRAM: &str = "qemu-system-arm";

/// Runs a firmware to its end. The arguments reach it by semihosting, but for a first `--serial WHERE`, which says in
/// QEMU's words where its serial port leads.
pub(crate) fn run(
    machine: &str,
    firmware: &Path,
    arguments: &[String],
    mut line: impl FnMut(&Line),
) -> Result<u8> {
    let io = |error| Error::Io { what: PROGRAM.to_owned(), error };
    let elf =
        std::fs::read(firmware).map_err(|error| Error::Io { what: firmware.display().to_string(), error })?;
    let log = Log::new(&elf)?;
    let (serial, arguments) = match arguments {
        [option, serial, rest @ ..] if option == "--serial" => (serial.as_str(), rest),
        rest => ("none", rest),
    };
    let mut semihosting = "enable=on,target=native,arg=firmware".to_owned();
    for argument in arguments {
        // QEMU's way to write a comma.
        semihosting.push_str(&format!(",arg={}", argument.replace(',', ",,")));
    }
    let mut child = Command::new(PROGRAM)
        .args(["-machine", machine, "-display", "none", "-monitor", "none", "-serial", serial])
        // One nanosecond of the board's time per instruction: timers count instructions, the same ones in every run.
        .args(["-icount", "shift=0"])
        .args(["-semihosting-config", &semihosting])
        .arg("-kernel")
        .arg(firmware)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::Missing { program: PROGRAM, install: "sudo apt-get install qemu-system-arm" }
            }
            _ => io(error),
        })?;
    let errors = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        errors.map_or(Ok(0), |mut errors| errors.read_to_string(&mut text)).map(|_| text)
    });
    if let Some(output) = child.stdout.take() {
        log.decode(output, &mut line).map_err(io)?;
    }
    let status = child.wait().map_err(io)?;
    let said = errors.join().ok().and_then(std::result::Result::ok).unwrap_or_default();
    match status.code() {
        Some(code) => {
            eprint!("{said}");
            Ok(code.clamp(0, 255) as u8)
        }
        None => Err(Error::Emulator { said: said.lines().next().unwrap_or("no message").to_owned() }),
    }
}
