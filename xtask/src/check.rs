//! Format, lints and docs.

use crate::run::{Result, cargo, run as execute};

pub(crate) fn run_all(commands: &[&[&str]]) -> Result {
    // All are run, so that one push tells of everything that is to be mended.
    let failures: Vec<String> =
        commands.iter().filter_map(|arguments| execute(cargo().args(*arguments)).err()).collect();
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

pub(crate) fn run() -> Result {
    run_all(&[
        &["fmt", "--all", "--check"],
        &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &["doc", "--workspace", "--no-deps", "--config", "build.rustdocflags=['-D','warnings']"],
    ])
}
