//! Accuracy and time on known warps of photos, beside OpenCV where `python3` has it.
//!
//! `EYESPOT_DATA=... cargo run --release -p eyespot-flow --example figures`

#![allow(clippy::expect_used, missing_docs, reason = "a figure that can't be taken ends the program")]

#[path = "../tests/scenes/mod.rs"]
mod scenes;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use eyespot_core::{Affine, CameraMotion, Frame, ImageView, PixelFormat};
use eyespot_flow::{FlowStorage, OrbFlow, OrbStorage, SparseFlow};
use scenes::{Move, Pair, Picture, Trouble, corner_error, data};

const SIZE: (usize, usize) = (1920, 1080);
const ROUNDS: usize = 9;

const PHOTOS: [&str; 7] = [
    "highres/traffic_3630x2418.jpg",
    "highres/mosaic_coco_5120x3200.jpg",
    "highres/small-vehicles1.jpeg",
    "images/street.png",
    "images/bus.jpg",
    "images/dog.jpg",
    "images/bench_cars.jpg",
];

const MOVES: [(&str, Move); 6] = [
    ("shift", Move { degrees: 0.0, zoom: 1.0, shift: [7.3, -4.6] }),
    ("half pixel", Move { degrees: 0.0, zoom: 1.0, shift: [1.5, 0.5] }),
    ("turn", Move { degrees: 1.5, zoom: 1.0, shift: [2.1, 1.3] }),
    ("zoom", Move { degrees: 0.0, zoom: 1.03, shift: [-3.4, 2.2] }),
    ("all", Move { degrees: -0.7, zoom: 0.985, shift: [-12.4, 6.7] }),
    ("large", Move { degrees: 3.0, zoom: 1.05, shift: [60.0, -35.0] }),
];

struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start() -> Option<Self> {
        let known = Command::new("python3").args(["-c", "import cv2"]).stderr(Stdio::null()).status();
        if !known.is_ok_and(|status| status.success()) {
            eprintln!("python3 with cv2 is not there: no comparison");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/opencv.py");
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Some(Self { child, input, output })
    }

    fn measure(&mut self, pair: &Pair) -> [(Affine, f32); 2] {
        writeln!(self.input, "{} {} {ROUNDS}", pair.width, pair.height).expect("the peer reads");
        for frame in &pair.frames {
            self.input.write_all(frame.as_flattened()).expect("the peer reads");
        }
        self.input.flush().expect("the peer reads");
        [(); 2].map(|()| {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("the peer answers");
            let mut numbers = line.split(' ').map(|word| word.trim().parse::<f32>().expect("a number"));
            let mut next = || numbers.next().expect("seven numbers");
            let affine = Affine::from_rows([next(), next(), next()], [next(), next(), next()]);
            (affine, next())
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The pipe closes with the struct; the script ends then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The motion between the two frames and the best time of a frame in milliseconds.
fn measure(motion: &mut impl CameraMotion, frames: &[Frame<'_>; 2]) -> (Affine, f32) {
    let mut best = f32::INFINITY;
    let mut found = Affine::IDENTITY;
    motion.reset();
    for _ in 0..ROUNDS {
        motion.estimate(&frames[0], &[]);
        let start = Instant::now();
        found = motion.estimate(&frames[1], &[]);
        best = best.min(start.elapsed().as_secs_f32() * 1e3);
    }
    (found, best)
}

fn luma(pixels: &[[u8; 3]]) -> Vec<u8> {
    pixels.iter().map(|&[a, b, c]| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) / 4) as u8).collect()
}

fn median(values: &mut [f32]) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let Some(data) = data() else { return };
    let only = std::env::args().nth(1);
    let mut peer = if only.as_deref() == Some("alone") { None } else { Peer::start() };
    let mut small = SparseFlow::new(Box::new(FlowStorage::<{ 480 * 270 }, 512>::new()));
    let mut middle = SparseFlow::new(Box::new(FlowStorage::<{ 640 * 360 }, 960>::new()));
    let mut large = SparseFlow::new(Box::new(FlowStorage::<{ 960 * 540 }, 2048>::new()));
    let mut orb = OrbFlow::new(Box::new(OrbStorage::<{ 640 * 360 }, 960>::new()));
    let mut columns = vec![
        ("480x270, BGR", vec![], vec![]),
        ("640x360, BGR", vec![], vec![]),
        ("640x360, luma", vec![], vec![]),
        ("960x540, BGR", vec![], vec![]),
        ("ORB 640x360", vec![], vec![]),
    ];
    if peer.is_some() {
        columns.push(("OpenCV flow", vec![], vec![]));
        columns.push(("OpenCV ORB", vec![], vec![]));
    }
    println!("mean corner error in pixels (milliseconds) at {}x{}", SIZE.0, SIZE.1);
    println!("{:<34}{}", "", columns.iter().map(|column| format!("{:>17}", column.0)).collect::<String>());
    for (number, photo) in PHOTOS.iter().enumerate() {
        let picture = Picture::open(&data.join(photo));
        for (index, (name, turn)) in MOVES.iter().enumerate() {
            let trouble = Trouble { noise: 2.0, movers: 4, brighter: 0.0 };
            let pair = Pair::new(&picture, SIZE, *turn, trouble, (number * 100 + index) as u64);
            let (width, height) = (SIZE.0 as u16, SIZE.1 as u16);
            let gray = [0, 1].map(|frame| luma(&pair.frames[frame]));
            let colour = [0, 1].map(|frame| {
                let bytes = pair.frames[frame].as_flattened();
                Frame::still(ImageView::packed(bytes, width, height, PixelFormat::Bgr8).expect("a frame"))
            });
            let gray = [0, 1].map(|frame| {
                Frame::still(
                    ImageView::packed(&gray[frame], width, height, PixelFormat::Gray8).expect("a frame"),
                )
            });
            let mut results = vec![
                measure(&mut small, &colour),
                measure(&mut middle, &colour),
                measure(&mut middle, &gray),
                measure(&mut large, &colour),
                measure(&mut orb, &colour),
            ];
            if let Some(peer) = &mut peer {
                results.extend(peer.measure(&pair));
            }
            print!("{:<34}", format!("{} {name}", photo.rsplit('/').next().unwrap_or(photo)));
            for (column, (affine, time)) in columns.iter_mut().zip(&results) {
                let error = corner_error(affine, &pair.truth, SIZE.0, SIZE.1);
                column.1.push(error);
                column.2.push(*time);
                print!("{:>17}", format!("{error:.4} ({time:.2})"));
            }
            println!();
        }
    }
    for (title, pick) in [("mean", 0), ("median", 1), ("largest", 2)] {
        print!("{title:<34}");
        for (_, errors, times) in &mut columns {
            let error = match pick {
                0 => errors.iter().sum::<f32>() / errors.len() as f32,
                1 => median(errors),
                _ => errors.iter().copied().fold(0.0, f32::max),
            };
            let time = match pick {
                0 => times.iter().sum::<f32>() / times.len() as f32,
                1 => median(times),
                _ => times.iter().copied().fold(0.0, f32::max),
            };
            print!("{:>17}", format!("{error:.4} ({time:.2})"));
        }
        println!();
    }
}
