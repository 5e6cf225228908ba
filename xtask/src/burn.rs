//! A network of Burn on a microcontroller, beside the same network by `eyespot-nn`.

use std::fmt::Write as _;
use std::path::Path;

use eyespot_convert::Converted;
use eyespot_launch::{Board, PROFILE, Runner, Toolchain, execute};
use network::made_up::{SIDE, image, recording};
use object::{Object as _, ObjectSection as _, SectionFlags};

use crate::networks::{Run, build, code_of};
use crate::run::{Result, run as command};

const PACKAGE: &str = "burn-network";
const TARGET: &str = "thumbv7em-none-eabihf";
const MACHINE: &str = "mps2-an500";

/// Images that the network is quantised with.
const SAMPLES: u32 = 16;

pub(crate) fn print() -> Result {
    let mut text = String::from(
        "| engine | code and constants in flash | weights | RAM beside the stack | stack | instructions |\n\
         |---|---:|---:|---:|---:|---:|\n",
    );
    let [flash, instructions, weights, heap, stack] = burn()?;
    let _ = writeln!(
        text,
        "| Burn, flex, f32 | {flash} | {weights} of the heap | heap, {heap} | {stack} | {instructions} |"
    );
    for (name, model, features) in [
        ("`eyespot-nn`, f32", made_up(false)?, &["--features", "float"][..]),
        ("`eyespot-nn`, int8", made_up(true)?, &[]),
    ] {
        let firmware = build(TARGET, None, "network-burn", features)?;
        let (code, _) = code_of(&firmware)?;
        let run = Run::of(MACHINE, TARGET, &firmware, &model.bytes, 1, None)?;
        let _ = writeln!(
            text,
            "| {name} | {code} | {} of flash | arena, {} | {} | {} |",
            model.report.flash, model.report.arena, run.stack, run.instructions
        );
    }
    print!("{text}");
    Ok(())
}

/// Bytes of flash, instructions of a run, bytes of heap with the weights alone and at most, and of stack.
fn burn() -> Result<[u64; 5]> {
    let toolchain = Toolchain::core_only(TARGET).map_err(|error| error.to_string())?;
    let mut cargo = toolchain.cargo("build");
    cargo.args(["--profile", PROFILE, "-p", PACKAGE, "--bin", PACKAGE]).env("DEFMT_LOG", "info");
    // Of use where `core` is built as well.
    command(cargo.env("CARGO_UNSTABLE_BUILD_STD", "core,alloc"))?;
    let firmware = toolchain.target_dir().join(TARGET).join(PROFILE).join(PACKAGE);
    let board = Board {
        package: PACKAGE.to_owned(),
        target: TARGET.to_owned(),
        cpu: None,
        runner: Runner::Qemu { machine: MACHINE.to_owned() },
    };
    let mut lines = Vec::new();
    let code = execute(&board, &firmware, &[], |line| lines.push(line.text.clone()))
        .map_err(|error| error.to_string())?;
    let numbers = lines
        .iter()
        .find_map(|line| line.strip_prefix("instructions, weights, heap, stack: "))
        .map(|numbers| numbers.split(' ').filter_map(|number| number.parse().ok()).collect::<Vec<u64>>());
    match numbers.as_deref() {
        Some(&[instructions, weights, heap, stack]) if code == 0 => {
            Ok([flash(&firmware)?, instructions, weights, heap, stack])
        }
        _ => Err(format!("{PACKAGE} ended with {code}:\n{}", lines.join("\n"))),
    }
}

/// Bytes that are flashed.
fn flash(firmware: &Path) -> Result<u64> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", firmware.display());
    let bytes = std::fs::read(firmware).map_err(|error| wrong(&error))?;
    let file = object::File::parse(&*bytes).map_err(|error| wrong(&error))?;
    let flashed = |section: &object::Section<'_, '_>| {
        matches!(section.flags(), SectionFlags::Elf { sh_flags } if sh_flags & u64::from(object::elf::SHF_ALLOC) != 0)
            && section.kind() != object::SectionKind::UninitializedData
    };
    Ok(file.sections().filter(flashed).map(|section| section.size()).sum())
}

/// The made-up network for `eyespot-nn`.
fn made_up(quantised: bool) -> Result<Converted> {
    let graph = recording().graph([SIDE, SIDE]).map_err(|error| error.to_string())?.with_name("made up");
    let graph =
        if quantised { graph.quantized((0..SAMPLES).map(|index| image(index).collect())) } else { Ok(graph) };
    graph.and_then(|graph| graph.build()).map_err(|error| error.to_string())
}
