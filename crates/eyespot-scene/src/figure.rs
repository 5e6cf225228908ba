//! What stands in a scene: figures built of discs, capsules and rounded boxes.

use eyespot_core::BBox;

use crate::camera::Affine;
use crate::math::{Point, length, sin_turns};

/// An outline with a signed distance: negative inside.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Centre, radius.
    Disc(Point, f32),
    /// Two ends, radius.
    Capsule(Point, Point, f32),
    /// Centre, half width and half height, corner radius.
    Box(Point, Point, f32),
}

impl Shape {
    /// Distance of a point from the outline in pixels.
    #[inline]
    pub(crate) fn distance(&self, (x, y): Point) -> f32 {
        match *self {
            Self::Disc((cx, cy), radius) => length((x - cx, y - cy)) - radius,
            Self::Capsule((ax, ay), (bx, by), radius) => {
                let (px, py, dx, dy) = (x - ax, y - ay, bx - ax, by - ay);
                let along = (px * dx + py * dy) / (dx * dx + dy * dy).max(1e-6);
                let along = along.clamp(0.0, 1.0);
                length((px - along * dx, py - along * dy)) - radius
            }
            Self::Box((cx, cy), (half_width, half_height), radius) => {
                let dx = (x - cx).abs() - half_width + radius;
                let dy = (y - cy).abs() - half_height + radius;
                length((dx.max(0.0), dy.max(0.0))) + dx.max(dy).min(0.0) - radius
            }
        }
    }

    /// The box around the shape after an affine map that is `scale` times a rotation.
    pub(crate) fn bounds(&self, map: &Affine, scale: f32) -> BBox {
        let around = |(x, y): Point, radius: f32| {
            let (x, y) = map.apply(x, y);
            BBox::new(x - radius * scale, y - radius * scale, x + radius * scale, y + radius * scale)
        };
        match *self {
            Self::Disc(center, radius) => around(center, radius),
            Self::Capsule(a, b, radius) => around(a, radius).union_box(&around(b, radius)),
            Self::Box((x, y), (half_width, half_height), radius) => {
                let (w, h) = (half_width - radius, half_height - radius);
                [(x + w, y - h), (x - w, y + h), (x + w, y + h)]
                    .into_iter()
                    .fold(around((x - w, y - h), radius), |bbox, corner| {
                        bbox.union_box(&around(corner, radius))
                    })
            }
        }
    }
}

/// A shape and its colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    pub(crate) shape: Shape,
    pub(crate) color: [u8; 3],
}

/// Most parts that a figure has.
const MAX_PARTS: usize = 11;

/// The parts of a figure, from back to front.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    parts: [Part; MAX_PARTS],
    len: usize,
}

impl Parts {
    fn of(list: &[Part]) -> Self {
        let mut parts = [Part { shape: Shape::Disc((0.0, 0.0), 0.0), color: [0; 3] }; MAX_PARTS];
        let len = list.len().min(MAX_PARTS);
        parts[..len].copy_from_slice(&list[..len]);
        Self { parts, len }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().take(self.len)
    }

    pub(crate) fn covers(&self, point: Point) -> bool {
        self.iter().any(|part| part.shape.distance(point) < 0.0)
    }

    /// The box around all parts, in the frame.
    pub(crate) fn bounds(&self, map: &Affine, scale: f32) -> BBox {
        let mut boxes = self.iter().map(|part| part.shape.bounds(map, scale));
        let first = boxes.next().unwrap_or_default();
        boxes.fold(first, |bbox, next| bbox.union_box(&next))
    }
}

/// What a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Person,
    Car,
    Ball,
    Tree,
    Lamp,
    Bench,
}

/// One thing in the scene at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure {
    pub(crate) kind: Kind,
    /// Where it touches the ground, scene pixels.
    pub(crate) foot: Point,
    /// Its main measure: height of a person, a tree and a lamp, length of a car and a bench, diameter of a ball.
    pub(crate) size: f32,
    /// 1 where it looks right, -1 left.
    pub(crate) facing: f32,
    /// Turns of its gait or rotation.
    pub(crate) phase: f32,
    /// How far it is above the ground, pixels.
    pub(crate) lift: f32,
    /// Clothes, paint.
    pub(crate) color: [u8; 3],
    /// Trousers, stripe.
    pub(crate) second: [u8; 3],
}

const SKIN: [u8; 3] = [226, 172, 138];
const TYRE: [u8; 3] = [34, 34, 38];
const GLASS: [u8; 3] = [176, 212, 232];

impl Figure {
    /// Half width and half height of its shadow on the ground.
    pub(crate) fn shadow(&self) -> Point {
        match self.kind {
            Kind::Person => (0.20 * self.size, 0.045 * self.size),
            Kind::Car => (0.54 * self.size, 0.06 * self.size),
            Kind::Ball => (0.5 * self.size, 0.16 * self.size),
            Kind::Tree => (0.30 * self.size, 0.05 * self.size),
            Kind::Lamp => (0.05 * self.size, 0.015 * self.size),
            Kind::Bench => (0.54 * self.size, 0.08 * self.size),
        }
    }

    pub(crate) fn parts(&self) -> Parts {
        match self.kind {
            Kind::Person => self.person(),
            Kind::Car => self.car(),
            Kind::Ball => self.ball(),
            Kind::Tree => self.tree(),
            Kind::Lamp => self.lamp(),
            Kind::Bench => self.bench(),
        }
    }

    /// A point given in sizes, forward and up from the foot.
    fn at(&self, forward: f32, up: f32) -> Point {
        (self.foot.0 + self.facing * forward * self.size, self.foot.1 - self.lift - up * self.size)
    }

    fn disc(&self, forward: f32, up: f32, radius: f32, color: [u8; 3]) -> Part {
        Part { shape: Shape::Disc(self.at(forward, up), radius * self.size), color }
    }

    fn limb(&self, from: (f32, f32), to: (f32, f32), radius: f32, color: [u8; 3]) -> Part {
        let (a, b) = (self.at(from.0, from.1), self.at(to.0, to.1));
        Part { shape: Shape::Capsule(a, b, radius * self.size), color }
    }

    fn block(&self, forward: f32, up: f32, half: (f32, f32), radius: f32, color: [u8; 3]) -> Part {
        let half = (half.0 * self.size, half.1 * self.size);
        Part { shape: Shape::Box(self.at(forward, up), half, radius * self.size), color }
    }

    fn person(&self) -> Parts {
        let swing = 0.13 * sin_turns(self.phase);
        let dark = darker(self.second, 3);
        let sleeve = darker(self.color, 3);
        Parts::of(&[
            self.limb((0.0, 0.70), (swing * 1.1, 0.44), 0.036, darker(sleeve, 3)),
            self.limb((0.0, 0.46), (-swing, 0.055), 0.052, dark),
            self.limb((0.0, 0.46), (swing, 0.055), 0.052, self.second),
            self.limb((-swing, 0.035), (0.05 - swing, 0.035), 0.034, TYRE),
            self.limb((swing, 0.035), (0.05 + swing, 0.035), 0.034, TYRE),
            self.limb((0.0, 0.52), (0.0, 0.72), 0.10, self.color),
            self.limb((0.0, 0.70), (-swing * 1.1, 0.44), 0.036, sleeve),
            self.disc(-swing * 1.1, 0.43, 0.032, SKIN),
            self.disc(-0.012, 0.912, 0.088, darker(self.second, 2)),
            self.disc(0.014, 0.895, 0.080, SKIN),
        ])
    }

    fn car(&self) -> Parts {
        let hub = [196, 198, 204];
        Parts::of(&[
            self.block(-0.03, 0.285, (0.27, 0.095), 0.075, darker(self.color, 1)),
            self.block(-0.15, 0.29, (0.105, 0.058), 0.03, GLASS),
            self.block(0.09, 0.29, (0.105, 0.058), 0.03, GLASS),
            self.block(0.0, 0.165, (0.5, 0.09), 0.06, self.color),
            self.block(0.0, 0.115, (0.47, 0.022), 0.02, darker(self.color, 3)),
            self.disc(0.455, 0.18, 0.028, [255, 244, 190]),
            self.disc(-0.465, 0.18, 0.024, [196, 40, 36]),
            self.disc(-0.28, 0.083, 0.083, TYRE),
            self.disc(0.28, 0.083, 0.083, TYRE),
            self.disc(-0.28, 0.083, 0.042, hub),
            self.disc(0.28, 0.083, 0.042, hub),
        ])
    }

    fn ball(&self) -> Parts {
        let (sin, cos) = (sin_turns(self.phase), sin_turns(self.phase + 0.25));
        Parts::of(&[
            self.disc(0.0, 0.5, 0.5, self.color),
            self.limb((-0.36 * cos, 0.5 - 0.36 * sin), (0.36 * cos, 0.5 + 0.36 * sin), 0.085, self.second),
            self.disc(-0.14, 0.67, 0.09, [255, 250, 240]),
        ])
    }

    fn tree(&self) -> Parts {
        let (leaf, light) = (self.color, lighter(self.color));
        Parts::of(&[
            self.limb((0.0, 0.02), (0.0, 0.5), 0.035, [104, 78, 58]),
            self.disc(-0.15, 0.58, 0.17, darker(leaf, 1)),
            self.disc(0.16, 0.60, 0.17, darker(leaf, 1)),
            self.disc(0.0, 0.74, 0.22, leaf),
            self.disc(-0.07, 0.82, 0.10, light),
            self.disc(0.11, 0.69, 0.07, light),
            self.disc(-0.16, 0.62, 0.06, leaf),
        ])
    }

    fn lamp(&self) -> Parts {
        Parts::of(&[
            self.limb((0.0, 0.0), (0.0, 0.95), 0.014, [70, 76, 84]),
            self.limb((0.0, 0.95), (0.12, 0.97), 0.012, [70, 76, 84]),
            self.block(0.14, 0.955, (0.05, 0.02), 0.015, [250, 240, 200]),
            self.block(0.0, 0.02, (0.03, 0.03), 0.01, [56, 60, 66]),
        ])
    }

    fn bench(&self) -> Parts {
        let leg = [78, 80, 84];
        Parts::of(&[
            self.limb((-0.38, 0.02), (-0.38, 0.24), 0.03, leg),
            self.limb((0.38, 0.02), (0.38, 0.24), 0.03, leg),
            self.block(0.0, 0.42, (0.48, 0.05), 0.03, self.color),
            self.block(0.0, 0.25, (0.5, 0.045), 0.03, darker(self.color, 1)),
        ])
    }
}

/// Darker by so many eighths.
fn darker(color: [u8; 3], eighths: u16) -> [u8; 3] {
    color.map(|level| (u16::from(level) * (8 - eighths.min(8)) / 8) as u8)
}

fn lighter(color: [u8; 3]) -> [u8; 3] {
    color.map(|level| level.saturating_add(level / 6).saturating_add(8))
}
