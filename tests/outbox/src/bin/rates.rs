//! How fast results get to the disk, and from there over a long line.
//!
//! `cargo run --release -p outbox-trials --bin rates`

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use clap::Parser;
use eyespot_outbox::{Destination, Drained, Limits, Outbox, Target, Worker, WorkerOptions};
use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token};
use eyespot_supervisely::format::{
    Annotation, Geometry, ObjClass, Object, ProjectMeta, Rectangle, Shape, TagMeta,
};
use eyespot_supervisely::{Item, Pixels, Source, UploadMode};
use platform_emulator::{Fault, Options, Platform, Rule};

type Failure = Box<dyn std::error::Error>;

/// Measures commits and uploads.
#[derive(Debug, Parser)]
struct Args {
    /// Results per measurement.
    #[arg(long, default_value_t = 4000)]
    results: usize,
    /// Bytes of each frame.
    #[arg(long, default_value_t = 20_000)]
    frame: usize,
    /// Round trip of the line in milliseconds.
    #[arg(long, default_value_t = 100)]
    delay: u64,
    /// Objects per result.
    #[arg(long, default_value_t = 5)]
    objects: usize,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    println!("| commits: threads | frame | results per second | peak memory |\n|---|---|---|---|");
    for (threads, frame) in [(1, 0), (8, 0), (1, args.frame), (8, args.frame), (100, args.frame)] {
        let rate = commit(&args, threads, frame)?;
        println!("| {threads} | {frame} bytes | {rate:.0} | {} MiB |", peak_memory());
    }
    println!(
        "\n| upload: cameras | uploaders | batch | results per second | requests per result | peak memory |\n|---|---|---|---|---|---|"
    );
    for (cameras, uploaders, batch) in [(1, 1, 1), (1, 1, 50), (1, 1, 200), (4, 4, 200), (8, 8, 200)] {
        let (rate, requests) = upload(&args, cameras, uploaders, batch)?;
        println!("| {cameras} | {uploaders} | {batch} | {rate:.0} | {requests:.2} | {} MiB |", peak_memory());
    }
    Ok(())
}

/// Results per second that are on the disk.
fn commit(args: &Args, threads: usize, frame: usize) -> Result<f64, Failure> {
    let folder = tempfile::tempdir()?;
    let outbox = Outbox::open(folder.path().join("outbox.db"), Limits::default())?;
    let each = args.results / threads;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|camera| {
                let outbox = &outbox;
                // As the sink does it: the next frame does not wait for the disk.
                scope.spawn(move || {
                    let mut pending = Vec::new();
                    for number in 0..each {
                        pending.push(outbox.submit(vec![item(args, camera, number, frame)])?);
                        if pending.len() == 64 {
                            for pending in pending.drain(..) {
                                pending.wait()?;
                            }
                        }
                    }
                    pending.into_iter().try_for_each(|pending| pending.wait().map(|_| ()))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    Ok((each * threads) as f64 / start.elapsed().as_secs_f64())
}

/// Results per second that the platform has, and requests per result.
fn upload(args: &Args, cameras: usize, uploaders: usize, batch: usize) -> Result<(f64, f64), Failure> {
    let folder = tempfile::tempdir()?;
    let outbox = Outbox::open(folder.path().join("outbox.db"), Limits::default())?;
    let platform = Platform::start_with(Options { page_size: 500, ..Options::default() })?;
    platform.faults().add(Rule::new(Fault::Delay(Duration::from_millis(args.delay))));
    // One by one is slow; a few tell as much.
    let results = if batch == 1 { 40 } else { args.results };
    for number in 0..results {
        let _ = outbox.submit(vec![item(args, number % cameras, number, args.frame)])?;
    }
    outbox.commit(Vec::new())?;
    let connection = Connection::new(&platform.url(), Token::new(platform.token())?)?;
    let client = Client::new(connection, ClientOptions::default());
    let destination = Destination::NewProject { workspace: 1, name: "rates".into() };
    let target = Target { server: platform.url(), mode: UploadMode::Create, destination };
    let options = WorkerOptions { batch, ..WorkerOptions::default() };
    let start = Instant::now();
    let worker = Worker::start(&outbox, target.deliverers(&client, &outbox, uploaders), options)?;
    match worker.finish(Duration::from_secs(600))? {
        Drained::All => {}
        Drained::Left { waiting, trouble } => return Err(format!("{waiting} are left: {trouble:?}").into()),
    }
    let rate = results as f64 / start.elapsed().as_secs_f64();
    Ok((rate, platform.calls().len() as f64 / results as f64))
}

fn item(args: &Args, camera: usize, number: usize, frame: usize) -> Item {
    let mut annotation = Annotation::new(640, 480);
    for object in 0..args.objects {
        let left = (object * 40) as f64;
        let rectangle = Rectangle { left, top: 10.0, right: left + 30.0, bottom: 90.0 };
        annotation.objects.push(Object::predicted("car", Geometry::Rectangle(rectangle), 0.5));
    }
    let meta = ProjectMeta {
        classes: vec![ObjClass::new("car", Shape::Rectangle, [200, 0, 0])],
        tags: vec![TagMeta::confidence()],
        ..ProjectMeta::default()
    };
    // A picture, and behind it bytes that make it as large as a photo and unlike all others.
    static PNG: LazyLock<Vec<u8>> = LazyLock::new(|| platform_emulator::png(640, 480, 9));
    let mut pixels = PNG.clone();
    pixels.extend_from_slice(&number.to_le_bytes());
    pixels.extend_from_slice(&camera.to_le_bytes());
    pixels.resize(pixels.len().max(frame), 0x5a);
    Item {
        key: format!("{camera}/{number}"),
        source: Source::Local { name: format!("{number:06}.png"), dataset: vec![format!("camera-{camera}")] },
        pixels: if frame == 0 { Pixels::None } else { Pixels::Encoded(pixels) },
        annotation,
        meta,
    }
}

/// The most memory that this process had, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
