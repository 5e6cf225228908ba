//! Pairs of frames whose motion is known: a picture seen by a camera that turns, zooms and shifts, with noise and
//! with things that move on their own.
#![allow(dead_code, clippy::panic, reason = "each test uses some of it, and a broken photo ends it")]

use eyespot_core::Affine;

/// Numbers that are the same in each run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
    /// `0..1`.
    pub(crate) fn unit(&mut self) -> f32 {
        self.next() as f32 / (1u64 << 31) as f32
    }
    pub(crate) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
    /// About normal: mean 0, deviation 1.
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

/// A picture with three colours, `0..=255`.
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// A picture of boxes and waves: texture of all sizes, corners everywhere.
    pub(crate) fn procedural(width: usize, height: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut pixels = vec![[0u8; 3]; width * height];
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let (x, y) = ((index % width) as f32, (index / width) as f32);
            let wave = 12.0 * ((x * 0.071).sin() + (y * 0.053).sin() + (0.02 * (x + y)).sin());
            *pixel = [110.0 + wave, 120.0 + wave, 100.0 - wave].map(|value| value as u8);
        }
        for _ in 0..width * height / 600 {
            let (w, h) = (random.between(4.0, 40.0) as usize, random.between(4.0, 40.0) as usize);
            let (left, top) = (random.next() as usize % width, random.next() as usize % height);
            let colour = [0; 3].map(|_| random.between(10.0, 245.0) as u8);
            for y in top..(top + h).min(height) {
                for x in left..(left + w).min(width) {
                    pixels[y * width + x] = colour;
                }
            }
        }
        Self { width, height, pixels }
    }

    pub(crate) fn open(path: &std::path::Path) -> Self {
        let picture =
            image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).to_rgb8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        Self { width, height, pixels: picture.pixels().map(|pixel| pixel.0).collect() }
    }

    /// Bicubic (Catmull-Rom) at `x, y`, where the middle of the first pixel is at 0.5, 0.5; mirrored at the borders.
    fn sample(&self, x: f32, y: f32) -> [f32; 3] {
        let mirror = |index: isize, side: usize| {
            let folded = index.rem_euclid(2 * side as isize) as usize;
            folded.min(2 * side - 1 - folded)
        };
        let kernel = |t: f32| {
            [
                ((-0.5 * t + 1.0) * t - 0.5) * t,
                (1.5 * t - 2.5) * t * t + 1.0,
                ((-1.5 * t + 2.0) * t + 0.5) * t,
                (0.5 * t - 0.5) * t * t,
            ]
        };
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (kernel(x - left), kernel(y - top));
        let columns = [0, 1, 2, 3].map(|tap| mirror(left as isize - 1 + tap, self.width));
        let mut sum = [0.0; 3];
        for (tap, weight_y) in down.iter().enumerate() {
            let row = mirror(top as isize - 1 + tap as isize, self.height) * self.width;
            for (&column, weight_x) in columns.iter().zip(across) {
                let pixel = self.pixels[row + column];
                for (sum, colour) in sum.iter_mut().zip(pixel) {
                    *sum += weight_x * weight_y * f32::from(colour);
                }
            }
        }
        sum
    }
}

/// A turn in degrees and a zoom about the middle of the frame, then a shift in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move {
    pub(crate) degrees: f32,
    pub(crate) zoom: f32,
    pub(crate) shift: [f32; 2],
}

impl Move {
    pub(crate) fn affine(&self, width: usize, height: usize) -> Affine {
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let (a, b) = (self.zoom * cos, self.zoom * sin);
        let (x, y) = (width as f32 / 2.0, height as f32 / 2.0);
        Affine {
            linear: [a, -b, b, a],
            shift: [x - a * x + b * y + self.shift[0], y - b * x - a * y + self.shift[1]],
        }
    }
}

/// What is added to the moved picture.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Trouble {
    /// Standard deviation of the noise in grey levels.
    pub(crate) noise: f32,
    /// Discs of another part of the picture that move on their own.
    pub(crate) movers: usize,
    /// Change of brightness of the second frame.
    pub(crate) brighter: f32,
}

/// Two frames and the true motion from the first to the second.
pub(crate) struct Pair {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) frames: [Vec<[u8; 3]>; 2],
    pub(crate) truth: Affine,
    /// Boxes of the movers in each frame: x1, y1, x2, y2.
    pub(crate) boxes: [Vec<[f32; 4]>; 2],
}

impl Pair {
    pub(crate) fn new(
        picture: &Picture,
        (width, height): (usize, usize),
        turn: Move,
        trouble: Trouble,
        seed: u64,
    ) -> Self {
        let mut random = Random(seed);
        let truth = turn.affine(width, height);
        // Large pictures are seen pixel by pixel, small ones are magnified.
        let fit = (picture.width as f32 / width as f32).min(picture.height as f32 / height as f32).min(1.0);
        let origin = [
            (picture.width as f32 - fit * width as f32) / 2.0,
            (picture.height as f32 - fit * height as f32) / 2.0,
        ];
        let radius = height as f32 * 0.11;
        let movers: Vec<_> = (0..trouble.movers)
            .map(|_| {
                let place =
                    [random.between(0.1, 0.9) * width as f32, random.between(0.1, 0.9) * height as f32];
                let own =
                    [random.between(-0.02, 0.02) * width as f32, random.between(-0.02, 0.02) * height as f32];
                (place, own)
            })
            .collect();
        let [a, b, c, d] = truth.linear;
        let determinant = a * d - b * c;
        let frames = [0, 1].map(|frame| {
            let mut pixels = Vec::with_capacity(width * height);
            for y in 0..height {
                for x in 0..width {
                    let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
                    let time = frame as f32;
                    let inside = movers.iter().find(|(place, own)| {
                        (x - place[0] - time * own[0]).hypot(y - place[1] - time * own[1]) < radius
                    });
                    let (mut u, mut v) = (x, y);
                    if let Some((_, own)) = inside {
                        (u, v) = (x - time * own[0] + 333.0, y - time * own[1] + 177.0);
                    } else if frame == 1 {
                        let (p, q) = (x - truth.shift[0], y - truth.shift[1]);
                        (u, v) = ((d * p - b * q) / determinant, (a * q - c * p) / determinant);
                    }
                    let pixel = picture.sample(origin[0] + fit * u, origin[1] + fit * v);
                    pixels.push(pixel.map(|colour| {
                        let noise = if trouble.noise > 0.0 { trouble.noise * random.normal() } else { 0.0 };
                        (colour + time * trouble.brighter + noise + 0.5).clamp(0.0, 255.0) as u8
                    }));
                }
            }
            pixels
        });
        let boxes = [0.0, 1.0].map(|time| {
            movers
                .iter()
                .map(|(place, own)| {
                    let (x, y) = (place[0] + time * own[0], place[1] + time * own[1]);
                    [x - radius, y - radius, x + radius, y + radius]
                })
                .collect()
        });
        Self { width, height, frames, truth, boxes }
    }
}

/// Mean distance of the four corners of the frame under two transforms, in pixels.
pub(crate) fn corner_error(one: &Affine, two: &Affine, width: usize, height: usize) -> f32 {
    let (right, bottom) = (width as f32, height as f32);
    let corners = [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)];
    let distance = |(x, y): (f32, f32)| {
        let ((ax, ay), (bx, by)) = (one.apply(x, y), two.apply(x, y));
        (ax - bx).hypot(ay - by)
    };
    corners.into_iter().map(distance).sum::<f32>() / 4.0
}

/// The folder with photos and videos, if there is one. Says so loudly where there is none.
pub(crate) fn data() -> Option<std::path::PathBuf> {
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = std::env::var_os("EYESPOT_DATA").map_or_else(|| fallback.into(), std::path::PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}
