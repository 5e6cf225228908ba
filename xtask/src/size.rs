//! RAM of the static parts of a pipeline, read from the object code for a 32-bit microcontroller.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSymbol as _, SymbolKind};

use crate::firmware::{TARGET, cargo_for_target};
use crate::run::{Result, root, run as execute};

const PACKAGE: &str = "fixed-memory";
const START: &str = "<!-- made by `cargo xtask size` -->\n";
const END: &str = "<!-- end -->";

pub(crate) fn print() -> Result {
    print!("{}", table()?);
    Ok(())
}

/// Fails where MEMORY.md says something else than the compiler.
pub(crate) fn check() -> Result {
    let path = root().join("MEMORY.md");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let said = text
        .split_once(START)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(table, _)| table)
        .ok_or("MEMORY.md has no table made by `cargo xtask size`")?;
    let found = table()?;
    if said.trim() == found.trim() {
        Ok(())
    } else {
        Err(format!("MEMORY.md is out of date. It must say:\n{found}"))
    }
}

fn table() -> Result<String> {
    // With link-time optimisation a library holds no object code to measure.
    let lto = "profile.release.lto=false";
    let mut command = cargo_for_target(&["build", "--release", "--config", lto, "-p", PACKAGE, "--lib"])?;
    execute(&mut command)?;
    let mut text = String::from("| static | bytes |\n|---|---:|\n");
    let statics = statics(&archive(&command))?;
    for (name, bytes) in &statics {
        let _ = writeln!(text, "| `{name}` | {bytes} |");
    }
    let _ = writeln!(text, "| all | {} |", statics.values().sum::<u64>());
    Ok(text)
}

/// Where the command put the library of the package.
fn archive(command: &std::process::Command) -> PathBuf {
    let target = command
        .get_envs()
        .find(|(name, _)| *name == "CARGO_TARGET_DIR")
        .and_then(|(_, value)| value.map(PathBuf::from))
        .or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| root().join("target"));
    let library = format!("lib{}.rlib", PACKAGE.replace('-', "_"));
    target.join(TARGET).join("release").join(library)
}

/// The statics of the library with their sizes in bytes.
fn statics(path: &std::path::Path) -> Result<BTreeMap<String, u64>> {
    let data = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let broken = |error: object::Error| format!("{}: {error}", path.display());
    let mut sizes = BTreeMap::new();
    for member in ArchiveFile::parse(&*data).map_err(broken)?.members() {
        let member = member.map_err(broken)?;
        // Metadata and the like are no object files.
        let Ok(file) = object::File::parse(member.data(&*data).map_err(broken)?) else { continue };
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Data && symbol.size() > 0) {
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name().map_err(broken)?));
            if let Some(name) = name.strip_prefix("fixed_memory::") {
                sizes.insert(name.to_owned(), symbol.size());
            }
        }
    }
    if sizes.is_empty() { Err(format!("{}: no statics found", path.display())) } else { Ok(sizes) }
}
