//! What the pipeline takes on microcontrollers, read from object code and from the emulator.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use eyespot_launch::{Board, Runner, Toolchain, build, execute};
use object::read::archive::ArchiveFile;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::firmware::TARGET;
use crate::run::{Result, root, run as command};

const PACKAGE: &str = "fixed-memory";
const END: &str = "<!-- end -->";

/// Compilers differ a little: figures may differ by one part in so many.
const TOLERANCE: f64 = 10.0;

pub(crate) fn print() -> Result {
    print!("{}", tables()?);
    Ok(())
}

/// Fails where MEMORY.md says something else than the compiler and the emulator.
pub(crate) fn check() -> Result {
    compare("MEMORY.md", "size", &tables()?)
}

/// Fails where a document says something else than what a command of this program has found.
pub(crate) fn compare(document: &str, command: &str, found: &str) -> Result {
    let path = root().join(document);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let start = format!("<!-- made by `cargo xtask {command}` -->\n");
    let said = text
        .split_once(&start)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(tables, _)| tables)
        .ok_or_else(|| format!("{document} has no tables made by `cargo xtask {command}`"))?;
    if alike(said.trim(), found.trim()) {
        Ok(())
    } else {
        Err(format!("{document} is out of date. It must say:\n{found}"))
    }
}

/// The same words, and numbers that are the same within the tolerance.
fn alike(a: &str, b: &str) -> bool {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let close = |a: &String, b: &String| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() * TOLERANCE <= a.max(b),
        _ => a == b,
    };
    let (a, b) = (words(a), words(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| close(a, b))
}

fn tables() -> Result<String> {
    let mut text = String::from("| static | bytes |\n|---|---:|\n");
    let statics = statics()?;
    for (name, bytes) in &statics {
        let _ = writeln!(text, "| `{name}` | {bytes} |");
    }
    let all = |without: &str| -> u64 {
        statics.iter().filter(|(name, _)| !name.starts_with(without)).map(|(_, bytes)| bytes).sum()
    };
    let _ = writeln!(text, "| all, with the motion predictor | {} |", all("neural::"));
    let _ = writeln!(text, "| all, with the network | {} |", all("MOTION"));
    let mut costs = String::from(
        "\n| instructions per frame | motion | network | camera motion | tracker | sinks | (render) |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    text += "\n| board | flash | .data | .bss | stack | of it used | with the network |\n|---|---:|---:|---:|---:|---:|---:|\n";
    for board in crate::boards::boards()? {
        let toolchain = Toolchain::core_only(&board.target).map_err(|error| error.to_string())?;
        let toolchain = toolchain.tuned_for(board.cpu.as_deref());
        let firmware = build(&board, &toolchain).map_err(|error| error.to_string())?;
        let parts = Parts::of(&firmware)?;
        let motion = Run::of(&board, &firmware, &[])?;
        // A few frames: the network takes the same for each.
        let network = Run::of(&board, &firmware, &["spotter", "3"])?;
        let used =
            |run: &Option<Run>| run.as_ref().map_or_else(|| "-".to_owned(), |run| run.stack.to_string());
        let (used, with_network) = (used(&motion), used(&network));
        let Parts { flash, data, bss, stack } = parts;
        let _ = writeln!(
            text,
            "| {} | {flash} | {data} | {bss} | {stack} | {used} | {with_network} |",
            board.package
        );
        if let (Some(motion), Some(network)) = (motion, network) {
            let [render, motion, camera, tracker, sinks] = motion.costs;
            let (name, network) = (&board.package, network.costs[1]);
            let _ = writeln!(
                costs,
                "| {name} | {motion} | {network} | {camera} | {tracker} | {sinks} | {render} |"
            );
        }
    }
    Ok(text + &costs)
}

/// Bytes of a firmware's parts.
struct Parts {
    flash: u64,
    data: u64,
    bss: u64,
    stack: u64,
}

impl Parts {
    fn of(firmware: &Path) -> Result<Self> {
        let bytes = std::fs::read(firmware).map_err(|error| format!("{}: {error}", firmware.display()))?;
        let file =
            object::File::parse(&*bytes).map_err(|error| format!("{}: {error}", firmware.display()))?;
        let symbol = |name| file.symbol_by_name(name).map_or(0, |symbol| symbol.address());
        let mut parts =
            Self { flash: 0, data: 0, bss: 0, stack: symbol("_stack_start") - symbol("_stack_end") };
        for section in file.sections() {
            match section.name().unwrap_or_default() {
                ".bss" | ".uninit" => parts.bss += section.size(),
                ".data" => {
                    parts.data += section.size();
                    parts.flash += section.size();
                }
                ".vector_table" | ".text" | ".rodata" | ".start_block" => parts.flash += section.size(),
                _ => {}
            }
        }
        Ok(parts)
    }
}

/// What a board in the emulator says of itself at the end.
struct Run {
    /// Bytes of stack that were used at most.
    stack: u64,
    /// Mean instructions: render, predictor, camera motion, tracker, sinks.
    costs: [u64; 5],
}

impl Run {
    fn of(board: &Board, firmware: &Path, arguments: &[&str]) -> Result<Option<Self>> {
        if !matches!(board.runner, Runner::Qemu { .. }) {
            return Ok(None);
        }
        let mut lines = Vec::new();
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        execute(board, firmware, &arguments, |line| lines.push(line.text.clone()))
            .map_err(|error| error.to_string())?;
        let numbers = |start: &str| {
            let line = lines.iter().find_map(|line| line.strip_prefix(start))?;
            let digits =
                line.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse().ok());
            Some(digits.collect::<Vec<u64>>())
        };
        let stack = numbers("bytes: ").and_then(|all| all.get(1).copied());
        let costs = numbers("mean instructions: ").and_then(|all| all.try_into().ok());
        match (stack, costs) {
            (Some(stack), Some(costs)) => Ok(Some(Self { stack, costs })),
            _ => Err(format!("{} did not say what it took", board.package)),
        }
    }
}

/// The statics of the pipeline with their sizes in bytes, from its object code.
fn statics() -> Result<BTreeMap<String, u64>> {
    let toolchain = Toolchain::core_only(TARGET).map_err(|error| error.to_string())?;
    let mut cargo = toolchain.cargo("build");
    // With link-time optimisation a library holds no object code to measure.
    cargo.args(["--release", "--config", "profile.release.lto=false", "-p", PACKAGE, "--lib"]);
    command(&mut cargo)?;
    let library = format!("lib{}.rlib", PACKAGE.replace('-', "_"));
    let path = toolchain.target_dir().join(TARGET).join("release").join(library);
    let data = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
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

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn figures_may_differ_a_little_and_words_not_at_all() {
        assert!(alike("| m7 | 1000 |", "| m7 | 1090 |"));
        assert!(!alike("| m7 | 1000 |", "| m7 | 1120 |"));
        assert!(!alike("| m7 | 1000 |", "| m8 | 1000 |"));
        assert!(!alike("| m7 |", "| m7 | 1 |"));
    }
}
