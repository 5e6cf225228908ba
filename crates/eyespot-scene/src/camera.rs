//! Where the camera looks at each moment.

use crate::CameraMotion;
use crate::math::{Point, sin_turns};

/// An affine map of the plane, row by row: `x' = a x + b y + tx`, `y' = c x + d y + ty`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// x to x'.
    pub a: f32,
    /// y to x'.
    pub b: f32,
    /// Shift of x', pixels.
    pub tx: f32,
    /// x to y'.
    pub c: f32,
    /// y to y'.
    pub d: f32,
    /// Shift of y', pixels.
    pub ty: f32,
}

impl Affine {
    /// Changes nothing.
    pub const IDENTITY: Self = Self { a: 1.0, b: 0.0, tx: 0.0, c: 0.0, d: 1.0, ty: 0.0 };

    /// Where a point goes.
    #[must_use]
    pub const fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        (self.a * x + self.b * y + self.tx, self.c * x + self.d * y + self.ty)
    }

    /// The map that goes back; the identity where there is none.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let determinant = self.a * self.d - self.b * self.c;
        if determinant == 0.0 {
            return Self::IDENTITY;
        }
        let (a, b) = (self.d / determinant, -self.b / determinant);
        let (c, d) = (-self.c / determinant, self.a / determinant);
        Self { a, b, tx: -(a * self.tx + b * self.ty), c, d, ty: -(c * self.tx + d * self.ty) }
    }

    /// First `first`, then this.
    #[must_use]
    pub const fn after(&self, first: &Self) -> Self {
        let (tx, ty) = self.apply(first.tx, first.ty);
        Self {
            a: self.a * first.a + self.b * first.c,
            b: self.a * first.b + self.b * first.d,
            tx,
            c: self.c * first.a + self.d * first.c,
            d: self.c * first.b + self.d * first.d,
            ty,
        }
    }
}

/// A position of the camera: scene to frame and back, and how many frame pixels a scene pixel is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Camera {
    pub(crate) to_frame: Affine,
    pub(crate) to_scene: Affine,
    pub(crate) scale: f32,
}

impl Camera {
    /// The camera `cycle` turns (in `0..1`) into its minute.
    pub(crate) fn at(motion: &CameraMotion, (width, height): Point, cycle: f32) -> Self {
        if *motion == CameraMotion::FIXED {
            return Self { to_frame: Affine::IDENTITY, to_scene: Affine::IDENTITY, scale: 1.0 };
        }
        // Whole numbers of turns per minute, so that the minutes join without a jump.
        let wave = |turns: f32, shift: f32| sin_turns(turns * cycle + shift);
        let scale = 1.0 + motion.zoom * wave(5.0, 0.0);
        let roll = motion.roll * (0.6 * wave(67.0, 0.1) + 0.4 * wave(131.0, 0.7));
        // Third-order sine and cosine: rolls are small, and the pair is normalised.
        let (sin, cos) = (roll - roll * roll * roll / 6.0, 1.0 - roll * roll / 2.0);
        let norm = libm::sqrtf(sin * sin + cos * cos);
        let (sin, cos) = (scale * sin / norm, scale * cos / norm);
        let dx =
            motion.pan * wave(6.0, 0.0) + motion.shake * (0.6 * wave(97.0, 0.2) + 0.4 * wave(211.0, 0.5));
        let dy = motion.shake * (0.6 * wave(89.0, 0.4) + 0.4 * wave(193.0, 0.9));
        let (cx, cy) = (width / 2.0, height / 2.0);
        let to_frame = Affine {
            a: cos,
            b: -sin,
            tx: cx + dx - cos * cx + sin * cy,
            c: sin,
            d: cos,
            ty: cy + dy - sin * cx - cos * cy,
        };
        Self { to_frame, to_scene: to_frame.inverse(), scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_goes_back() {
        let motion = CameraMotion { pan: 30.0, shake: 4.0, roll: 0.05, zoom: 0.1 };
        for step in 0..50 {
            let camera = Camera::at(&motion, (640.0, 360.0), step as f32 / 50.0);
            let (x, y) = camera.to_frame.apply(123.0, 45.0);
            let (x, y) = camera.to_scene.apply(x, y);
            assert!((x - 123.0).abs() < 0.01 && (y - 45.0).abs() < 0.01, "{x} {y}");
            let both = camera.to_scene.after(&camera.to_frame);
            assert!((both.a - 1.0).abs() < 1e-5 && both.tx.abs() < 0.01, "{both:?}");
        }
    }
}
