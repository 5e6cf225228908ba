//! How fast results get to the disk, and from there over a long line.
//!
//! `cargo run --release -p outbox-trials --bin rates`

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use clap::Parser;
use eyespot_outbox::{Destination, Drained, Limits, Outbox, Target, Worker, WorkerOptions};
use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token};
use eyespot_supervisely::format::{
    Annotation, Geometry, ObjClass, Object, ProjectMeta, Rectangle, Shape, TagMeta,
};
use eyespot_supervisely::{Item, Pixels, Source, UploadMode};
use platform_emulator::{Line, Options, Platform};

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
    /// What the line carries, in megabits per second.
    #[arg(long, default_value_t = 100)]
    megabits: u64,
    /// Only uploads.
    #[arg(long)]
    uploads: bool,
    /// The platform itself: a process of its own, so that what it keeps is not counted as ours.
    #[arg(long, hide = true)]
    platform: bool,
    /// Objects per result.
    #[arg(long, default_value_t = 5)]
    objects: usize,
}

fn main() -> Result<(), Failure> {
    let args = Args::parse();
    if args.platform {
        return serve(&args);
    }
    if !args.uploads {
        println!("| commits: threads | frame | results per second | peak memory |\n|---|---|---|---|");
        for (threads, frame) in [(1, 0), (8, 0), (1, args.frame), (8, args.frame), (100, args.frame)] {
            let rate = commit(&args, threads, frame)?;
            println!("| {threads} | {frame} bytes | {rate:.0} | {} MiB |", peak_memory());
        }
        println!();
    }
    println!(
        "| upload: cameras | uploaders | batch | results per second | of what the round trips allow | of what the line carries | requests per result | connections | peak memory |\n|---|---|---|---|---|---|---|---|---|"
    );
    for (cameras, uploaders, batch) in [(1, 1, 1), (1, 1, 50), (1, 1, 1000), (4, 4, 1000), (8, 8, 1000)] {
        let done = upload(&args, cameras, uploaders, batch)?;
        println!(
            "| {cameras} | {uploaders} | {batch} | {:.0} | {:.0} % | {:.0} % | {:.3} | {} | {} MiB |",
            done.rate,
            done.of_trips * 100.0,
            done.of_line * 100.0,
            done.requests,
            done.connections,
            peak_memory()
        );
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

/// How an upload went.
struct Uploaded {
    /// Results per second that the platform has.
    rate: f64,
    /// The least time that the round trips take, of the time that it took.
    of_trips: f64,
    /// The least time that the bytes take, of the time that it took.
    of_line: f64,
    /// Requests per result.
    requests: f64,
    /// Connections that were made.
    connections: u64,
}

/// Images of one request, as the platform takes them.
const REQUEST: usize = 50;

/// Round trips that have to come one after the other for the results of a camera: images get their numbers in their order,
/// one request after the other. Before the first of them its files are asked for and sent, and after the last of them its
/// annotations are.
fn least_trips(results: usize, batch: usize) -> usize {
    let of_batch = |results: usize| 3 + results.div_ceil(REQUEST);
    let (whole, rest) = (results / batch, results % batch);
    whole * of_batch(batch) + if rest == 0 { 0 } else { of_batch(rest) }
}

fn upload(args: &Args, cameras: usize, uploaders: usize, batch: usize) -> Result<Uploaded, Failure> {
    let folder = tempfile::tempdir()?;
    let outbox = Outbox::open(folder.path().join("outbox.db"), Limits::default())?;
    let line = line(args);
    let mut platform = Remote::start()?;
    // One by one is slow; a few tell as much.
    let results = if batch == 1 { 40 } else { args.results * cameras.min(4) };
    for number in 0..results {
        let _ = outbox.submit(vec![item(args, number % cameras, number, args.frame)])?;
    }
    outbox.commit(Vec::new())?;
    let connection = Connection::new(&platform.url, Token::new(TOKEN)?)?;
    let client = Client::new(connection, ClientOptions::default());
    let destination = Destination::NewProject { workspace: 1, name: "rates".into() };
    let target = Target { server: platform.url.clone(), mode: UploadMode::Create, destination };
    let options = WorkerOptions { batch, ..WorkerOptions::default() };
    let start = Instant::now();
    let worker = Worker::start(&outbox, target.deliverers(&client, &outbox, uploaders), options)?;
    match worker.finish(Duration::from_secs(600))? {
        Drained::All => {}
        Drained::Left { waiting, trouble } => return Err(format!("{waiting} are left: {trouble:?}").into()),
    }
    let seconds = start.elapsed().as_secs_f64();
    let trips = least_trips(results.div_ceil(cameras), batch) * cameras.div_ceil(uploaders);
    let [requests, bytes, connections] = platform.counts()?;
    Ok(Uploaded {
        rate: results as f64 / seconds,
        of_trips: trips as f64 * line.round_trip.as_secs_f64() / seconds,
        of_line: bytes as f64 / line.bytes_per_second as f64 / seconds,
        requests: requests as f64 / results as f64,
        connections,
    })
}

fn line(args: &Args) -> Line {
    let round_trip = Duration::from_millis(args.delay);
    Line { round_trip, bytes_per_second: args.megabits * 1_000_000 / 8 }
}

const TOKEN: &str = "emulator";

/// Says where it is; after a line of input, what came.
fn serve(args: &Args) -> Result<(), Failure> {
    let options =
        Options { page_size: 500, line: Some(line(args)), token: TOKEN.into(), ..Options::default() };
    let platform = Platform::start_with(options)?;
    println!("{}", platform.url());
    std::io::stdin().read_line(&mut String::new())?;
    println!("{} {} {}", platform.calls().len(), platform.received_bytes(), platform.connections());
    Ok(())
}

/// A platform in another process.
struct Remote {
    process: Child,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Remote {
    fn start() -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args_os().skip(1)).arg("--platform");
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(process.stdout.take().ok_or("the platform says nothing")?);
        let mut url = String::new();
        output.read_line(&mut url)?;
        Ok(Self { process, output, url: url.trim().to_owned() })
    }

    /// Requests, bytes of their bodies, connections.
    fn counts(&mut self) -> Result<[u64; 3], Failure> {
        self.process.stdin.take().ok_or("asked twice")?.write_all(b"\n")?;
        let mut text = String::new();
        self.output.read_line(&mut text)?;
        let counts = text.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        counts.try_into().map_err(|_| Failure::from(format!("no counts: {text}")))
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
