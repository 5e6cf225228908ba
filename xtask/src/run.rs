//! Running other programs.

use std::path::PathBuf;
use std::process::Command;

/// What went wrong, for a person.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or_else(|| manifest.clone(), PathBuf::from)
}

/// The folder of the test data; `None`, said loudly, where `part` of it is not there.
pub(crate) fn data(part: &str) -> Option<PathBuf> {
    let data = std::env::var_os("EYESPOT_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if data.join(part).is_dir() {
        return Some(data);
    }
    eprintln!("IGNORED: no test data at {}", data.display());
    None
}

/// Shows a command, runs it at the root of the workspace, and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result {
    let line = format!("{command:?}").replace('"', "");
    eprintln!("+ {line}");
    match command.current_dir(root()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status}): {line}")),
        Err(error) => Err(format!("can't run: {line}: {error}")),
    }
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
