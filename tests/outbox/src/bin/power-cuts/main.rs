//! Kills a process that uploads, again and again, and counts what arrived.
//!
//! `cargo run --release -p outbox-trials -- 500`

mod device;
mod judge;

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use platform_emulator::{Fault, Options, Platform, Rule};

type Failure = Box<dyn std::error::Error>;

/// Kills a process that uploads, again and again, and counts what arrived.
#[derive(Debug, Parser)]
struct Args {
    /// How often the process is killed.
    #[arg(default_value_t = 25)]
    runs: u32,
    /// Results in all.
    #[arg(long, default_value_t = 10_000)]
    results: usize,
    /// Cameras that they come from.
    #[arg(long, default_value_t = 5)]
    cameras: usize,
    /// Another number is another course of events.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The longest life of a process in milliseconds.
    #[arg(long, default_value_t = 400)]
    life: u64,
    /// The process itself: works in this folder, up to so many results per camera.
    #[arg(long, hide = true, num_args = 2, value_names = ["FOLDER", "UNTIL"])]
    device: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match &args.device {
        Some(device) => device::run(device, args.cameras),
        None => cut(&args),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Kills and counts; `false` where something was lost, doubled or mixed up.
fn cut(args: &Args) -> Result<bool, Failure> {
    let folder = tempfile::tempdir()?;
    let platform = Platform::start_with(Options { page_size: 500, ..Options::default() })?;
    bad_line(&platform, args.seed);
    let start = Instant::now();
    let per_camera = args.results.div_ceil(args.cameras.max(1));
    let mut random = args.seed;
    let mut lives = Duration::ZERO;
    for run in 1..=args.runs {
        // Every life has something new to commit.
        let until = per_camera * run as usize / args.runs as usize;
        let mut device = Ended(device(args, &platform, folder.path().to_path_buf(), until)?);
        let life = Duration::from_millis(next(&mut random) % args.life.max(1));
        lives += life;
        std::thread::sleep(life);
        // No signal that could be caught: the process is gone in the middle of whatever it does.
        device.0.kill()?;
        device.0.wait()?;
    }
    // The last life is not cut short: what is left has to arrive, over the same line.
    let mut last = Ended(device(args, &platform, folder.path().to_path_buf(), per_camera)?);
    let deadline = Instant::now() + Duration::from_secs(600);
    let ended = loop {
        if let Some(status) = last.0.try_wait()? {
            break status.success();
        }
        if Instant::now() > deadline {
            break false;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let (hits, requests) = (platform.faults().hits(), platform.calls().len());
    platform.faults().clear();
    let outbox = folder.path().join(device::OUTBOX);
    let verdict = judge::judge(&platform, &outbox, args.cameras, per_camera)?;
    println!(
        "| kills | results | cameras | requests | faults | sent again | missing | doubled | out of order | parked | time |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {} | {} | {} | {requests} | {hits} | {} | {} | {} | {} | {} | {:.0} s |",
        args.runs,
        per_camera * args.cameras,
        args.cameras,
        verdict.failures,
        verdict.missing,
        verdict.doubled,
        verdict.out_of_order,
        verdict.parked,
        start.elapsed().as_secs_f64(),
    );
    for complaint in &verdict.complaints {
        println!("{complaint}");
    }
    Ok(ended && verdict.is_clean())
}

/// A process that is not left behind.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn device(args: &Args, platform: &Platform, folder: PathBuf, until: usize) -> Result<Child, Failure> {
    let child = Command::new(std::env::current_exe()?)
        .arg("--cameras")
        .arg(args.cameras.to_string())
        .arg("--device")
        .arg(folder)
        .arg(until.to_string())
        .env("SERVER_ADDRESS", platform.url())
        .env("API_TOKEN", platform.token())
        .stdout(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// About one request of six goes wrong, in every way but one: that a proxy does everything twice can't be mended by a
/// client where the platform adds what it is told to add.
fn bad_line(platform: &Platform, seed: u64) {
    let mut faults = platform.faults();
    faults.seed(seed);
    for (fault, chance) in [
        (Fault::Drop, 0.02),
        (Fault::CutBody, 0.02),
        (Fault::Delay(Duration::from_millis(20)), 0.03),
        (Fault::Busy { retry_after: 0 }, 0.02),
        (Fault::Status(503), 0.02),
        (Fault::LoseAnswer, 0.03),
        (Fault::LateStatus(502), 0.02),
        (Fault::Truncate, 0.02),
    ] {
        faults.add(Rule::new(fault).chance(chance));
    }
}

/// Numbers that look random: `SplitMix64`.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
