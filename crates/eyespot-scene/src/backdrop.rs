//! The ground and the wall behind it: a colour for every point of the plane.

use crate::actor::{FAR_KERB, GRASS, NEAR_KERB, WALL};
use crate::math::{Point, Rng};

/// A procedural street: a wall with windows, grass, a pavement of tiles, a road and a pavement in front.
#[derive(Debug, Clone)]
pub(crate) struct Backdrop {
    /// Random levels for the texture.
    lattice: [u8; 256],
    height: f32,
}

type Color = [f32; 3];

const BRICK: Color = [184.0, 142.0, 118.0];
const MORTAR: Color = [204.0, 176.0, 152.0];
const PANE: Color = [92.0, 122.0, 146.0];
const FRAME: Color = [236.0, 230.0, 218.0];
const LAWN: Color = [128.0, 166.0, 92.0];
const SLAB: Color = [190.0, 184.0, 174.0];
const JOINT: Color = [156.0, 150.0, 142.0];
const ASPHALT: Color = [106.0, 108.0, 114.0];
const PAINT: Color = [226.0, 224.0, 212.0];
const KERB: Color = [212.0, 208.0, 200.0];

impl Backdrop {
    pub(crate) fn new(seed: u32, height: f32) -> Self {
        let mut rng = Rng::new(seed, 0xbac, 0);
        let mut lattice = [0; 256];
        for level in &mut lattice {
            *level = rng.bits() as u8;
        }
        Self { lattice, height }
    }

    /// The colour at a point of the scene, each channel in `0..=255`.
    pub(crate) fn color(&self, (x, y): Point) -> Color {
        // Fractions of the height, and the width of a pixel in them for soft edges.
        let (u, v) = (x / self.height, y / self.height);
        let soft = 1.0 / self.height;
        let fine = self.noise(x * 0.45, y * 0.45);
        let coarse = self.noise(u * 9.0 + 40.0, v * 9.0);
        let ground = if v < WALL {
            wall(u, v, soft)
        } else if v < GRASS {
            // Streaks of mown grass.
            let stripe = 6.0 * step(fold(u * 2.2 + v * 1.5) - 0.25, 4.0 * soft);
            shade(LAWN, stripe + 14.0 * coarse + 20.0 * fine)
        } else if v < FAR_KERB {
            shade(tiles(u - 0.35 * v, v, 0.055, soft), 8.0 * coarse + 7.0 * fine)
        } else if v < NEAR_KERB {
            shade(road(u, v, soft), 9.0 * coarse + 12.0 * fine)
        } else {
            shade(tiles(u + 0.4 * v, v, 0.10, soft), 8.0 * coarse + 7.0 * fine)
        };
        let kerb = step(0.008 - (v - FAR_KERB).abs(), soft).max(step(0.010 - (v - NEAR_KERB).abs(), soft));
        let plinth = step(0.008 - (v - WALL).abs(), soft);
        blend(blend(ground, KERB, kerb), [122.0, 104.0, 92.0], plinth)
    }

    /// Value noise in `-0.5..=0.5`: random levels on a lattice, smooth between.
    fn noise(&self, x: f32, y: f32) -> f32 {
        let (left, top) = (libm::floorf(x), libm::floorf(y));
        let (fx, fy) = (x - left, y - top);
        let (column, row) = (left as i32, top as i32);
        let level = |dx: i32, dy: i32| {
            let row = self.lattice[(row.wrapping_add(dy) & 255) as usize];
            let at = column.wrapping_add(dx).wrapping_add(i32::from(row)) & 255;
            f32::from(self.lattice[at as usize])
        };
        let (fx, fy) = (fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy));
        let upper = level(0, 0) + (level(1, 0) - level(0, 0)) * fx;
        let lower = level(0, 1) + (level(1, 1) - level(0, 1)) * fx;
        (upper + (lower - upper) * fy) / 255.0 - 0.5
    }
}

fn wall(u: f32, v: f32, soft: f32) -> Color {
    // Rows of bricks, every other one shifted by half a brick.
    let course = libm::floorf(v / 0.03);
    let shift = if course as i32 & 1 == 0 { 0.0 } else { 0.5 };
    let gap = edge(v / 0.03, 0.03).min(edge(u / 0.075 + shift, 0.075));
    let bricks = blend(MORTAR, BRICK, step(gap - 0.0022, soft));
    // A window every third of the height.
    let (wx, wy) = ((fold(u / 0.36 + 0.1) - 0.25).abs() * 0.72, (v - 0.115).abs());
    let outer = step((0.075 - wx).min(0.075 - wy), soft);
    let inner = step((0.064 - wx).min(0.064 - wy).min(wx - 0.004).min((wy - 0.004).max(v - 0.115)), soft);
    blend(blend(bricks, FRAME, outer), shade(PANE, 40.0 * (0.115 - v) / 0.07), inner)
}

fn tiles(u: f32, v: f32, size: f32, soft: f32) -> Color {
    let gap = edge(u / size, size).min(edge(v / (size * 0.6), size * 0.6));
    blend(JOINT, SLAB, step(gap - 0.002, soft))
}

fn road(u: f32, v: f32, soft: f32) -> Color {
    let middle = (FAR_KERB + NEAR_KERB) / 2.0 - 0.01;
    let dash = (0.006 - (v - middle).abs()).min((fold(u / 0.30) - 0.25) * 0.3);
    blend(ASPHALT, PAINT, step(dash, soft))
}

/// Distance to the nearest whole number, times `size`.
fn edge(x: f32, size: f32) -> f32 {
    (x - libm::floorf(x + 0.5)).abs() * size
}

/// A triangle wave: 0 at whole numbers, 0.5 half way between.
fn fold(x: f32) -> f32 {
    (x - libm::floorf(x + 0.5)).abs()
}

/// 0 to 1 over two pixels around zero.
fn step(x: f32, soft: f32) -> f32 {
    (x / (2.0 * soft) + 0.5).clamp(0.0, 1.0)
}

fn shade(color: Color, by: f32) -> Color {
    color.map(|level| level + by)
}

fn blend(below: Color, above: Color, alpha: f32) -> Color {
    core::array::from_fn(|channel| below[channel] + (above[channel] - below[channel]) * alpha)
}
