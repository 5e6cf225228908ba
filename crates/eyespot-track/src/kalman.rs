//! The Kalman filter of the trackers, without 8x8 matrices.
//!
//! The state is four coordinates of a box and their velocities. A measurement sees each coordinate, noise is
//! independent per coordinate, and a camera rotation mixes x with y and width with height, but never the one pair
//! with the other. So the 8x8 covariance is at all times two independent symmetric 4x4 blocks, and the gain needs a
//! 2x2 inverse for each instead of an 8x4 solve. The result is that of the full filter.

/// Two coordinates, their velocities per frame, and the 4x4 covariance of the four.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    /// The coordinates.
    pub(crate) at: [f32; 2],
    /// Their change per frame.
    pub(crate) velocity: [f32; 2],
    /// Variances of the coordinates.
    a: [f32; 2],
    /// Covariances of each coordinate with its own velocity.
    b: [f32; 2],
    /// Variances of the velocities.
    c: [f32; 2],
    /// What the two coordinates have to do with one another.
    cross: Cross,
}

/// The covariances between two coordinates and their velocities. All are zero until a camera rotation mixes the two;
/// as long as they are, every step is done for each coordinate on its own, with half the work and the same result.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cross {
    /// Coordinate 0 with coordinate 1.
    a: f32,
    /// Coordinate 0 with velocity 1, and coordinate 1 with velocity 0.
    b: [f32; 2],
    /// Velocity 0 with velocity 1.
    c: f32,
}

impl Cross {
    const ZERO: Self = Self { a: 0.0, b: [0.0; 2], c: 0.0 };
}

impl Pair {
    pub(crate) const ZERO: Self =
        Self { at: [0.0; 2], velocity: [0.0; 2], a: [0.0; 2], b: [0.0; 2], c: [0.0; 2], cross: Cross::ZERO };

    /// At rest, with these variances of coordinates and velocities.
    pub(crate) const fn at_rest(at: [f32; 2], a: [f32; 2], c: [f32; 2]) -> Self {
        Self { at, a, c, ..Self::ZERO }
    }

    /// `dt` frames later, with process noise of these variances per frame.
    ///
    /// For whole numbers this equals `dt` predictions of one frame with the same noise: the sums over the steps,
    /// `Σk` and `Σk²`, are written in closed form, which also serves fractions.
    #[inline]
    pub(crate) fn predict(&mut self, dt: f32, noise: [f32; 2], velocity_noise: [f32; 2]) {
        let steps = dt * (dt - 1.0) * 0.5;
        let squares = steps * (2.0 * dt - 1.0) * (1.0 / 3.0);
        for i in 0..2 {
            let (b, c, v) = (self.b[i], self.c[i], velocity_noise[i]);
            self.at[i] += dt * self.velocity[i];
            self.a[i] += dt * (2.0 * b + dt * c + noise[i]) + squares * v;
            self.b[i] = b + dt * c + steps * v;
            self.c[i] = c + dt * v;
        }
        let cross = &mut self.cross;
        if *cross != Cross::ZERO {
            cross.a += dt * (cross.b[0] + cross.b[1] + dt * cross.c);
            cross.b = cross.b.map(|b| b + dt * cross.c);
        }
    }

    /// Takes a measurement of the coordinates with noise of these variances, which must be positive.
    ///
    /// With `S = A + R` the gain is `[A; Bᵀ] S⁻¹`, and since `I - A S⁻¹ = R S⁻¹` the new blocks are `R S⁻¹ A` and
    /// `R S⁻¹ B`: products of positive terms, where the usual difference would cancel in `f32`.
    #[inline]
    pub(crate) fn update(&mut self, measured: [f32; 2], noise: [f32; 2]) {
        if self.cross != Cross::ZERO {
            return self.update_both(measured, noise);
        }
        for i in 0..2 {
            let (a, b, r) = (self.a[i], self.b[i], noise[i]);
            let g = 1.0 / (a + r);
            let (y, h) = (g * (measured[i] - self.at[i]), g * b);
            self.at[i] += a * y;
            self.velocity[i] += b * y;
            self.a[i] = r * (g * a);
            self.b[i] = r * h;
            self.c[i] -= b * h;
        }
    }

    /// The same for coordinates that depend on one another.
    fn update_both(&mut self, measured: [f32; 2], [r0, r1]: [f32; 2]) {
        let ([a0, a2], a1) = (self.a, self.cross.a);
        let ([b0, b3], [b1, b2]) = (self.b, self.cross.b);
        let (s0, s2) = (a0 + r0, a2 + r1);
        // S⁻¹ by elimination: the determinant of S could leave the range of `f32`.
        let ratio = a1 / s2;
        let g0 = 1.0 / (s0 - ratio * a1);
        let (g1, g2) = (-ratio * g0, 1.0 / s2 + ratio * ratio * g0);
        let (e0, e1) = (measured[0] - self.at[0], measured[1] - self.at[1]);
        let (y0, y1) = (g0 * e0 + g1 * e1, g1 * e0 + g2 * e1);
        self.at[0] += a0 * y0 + a1 * y1;
        self.at[1] += a1 * y0 + a2 * y1;
        self.velocity[0] += b0 * y0 + b2 * y1;
        self.velocity[1] += b1 * y0 + b3 * y1;
        // S⁻¹ B.
        let (h0, h1, h2, h3) = (g0 * b0 + g1 * b2, g0 * b1 + g1 * b3, g1 * b0 + g2 * b2, g1 * b1 + g2 * b3);
        self.a = [r0 * (g0 * a0 + g1 * a1), r1 * (g1 * a1 + g2 * a2)];
        self.b = [r0 * h0, r1 * h3];
        self.c[0] -= b0 * h0 + b2 * h2;
        self.c[1] -= b1 * h1 + b3 * h3;
        self.cross.a = r0 * (g0 * a1 + g1 * a2);
        self.cross.b = [r0 * h1, r1 * h2];
        self.cross.c -= b0 * h1 + b2 * h3;
    }

    /// Coordinates and velocities through a linear map, given by rows.
    #[inline]
    pub(crate) fn transform(&mut self, m: [f32; 4]) {
        let apply = |[x, y]: [f32; 2]| [m[0] * x + m[1] * y, m[2] * x + m[3] * y];
        // M X Mᵀ for X = [x0 x1; x2 x3].
        let conjugate = |[x0, x1, x2, x3]: [f32; 4]| {
            let (l0, l1) = (m[0] * x0 + m[1] * x2, m[0] * x1 + m[1] * x3);
            let (l2, l3) = (m[2] * x0 + m[3] * x2, m[2] * x1 + m[3] * x3);
            [l0 * m[0] + l1 * m[1], l0 * m[2] + l1 * m[3], l2 * m[0] + l3 * m[1], l2 * m[2] + l3 * m[3]]
        };
        self.at = apply(self.at);
        self.velocity = apply(self.velocity);
        let [a0, a1, _, a3] = conjugate([self.a[0], self.cross.a, self.cross.a, self.a[1]]);
        let [b0, b1, b2, b3] = conjugate([self.b[0], self.cross.b[0], self.cross.b[1], self.b[1]]);
        let [c0, c1, _, c3] = conjugate([self.c[0], self.cross.c, self.cross.c, self.c[1]]);
        (self.a, self.b, self.c) = ([a0, a3], [b0, b3], [c0, c3]);
        self.cross = Cross { a: a1, b: [b1, b2], c: c1 };
    }

    /// Coordinates and velocities times a number.
    #[inline]
    pub(crate) fn scale(&mut self, factor: f32) {
        self.transform([factor, 0.0, 0.0, factor]);
    }

    /// The covariance as a row-major 4x4 matrix over coordinates and velocities.
    #[cfg(test)]
    pub(crate) fn covariance(&self) -> [[f32; 4]; 4] {
        let ([a0, a2], [b0, b3], [c0, c2]) = (self.a, self.b, self.c);
        let Cross { a: a1, b: [b1, b2], c: c1 } = self.cross;
        [[a0, a1, b0, b1], [a1, a2, b2, b3], [b0, b2, c0, c1], [b1, b3, c1, c2]]
    }
}

#[cfg(test)]
mod tests {
    use nalgebra::{SMatrix, SVector};
    use proptest::prelude::*;

    use super::*;

    type Matrix8 = SMatrix<f64, 8, 8>;

    /// The filter as in the textbook: 8 states, 8x8 matrices, 4x4 inverse, in `f64`.
    struct Full {
        x: SVector<f64, 8>,
        p: Matrix8,
    }

    impl Full {
        fn predict(&mut self, position: [f64; 4], velocity: [f64; 4]) {
            let mut f = Matrix8::identity();
            let mut q = Matrix8::zeros();
            for i in 0..4 {
                f[(i, i + 4)] = 1.0;
                q[(i, i)] = position[i];
                q[(i + 4, i + 4)] = velocity[i];
            }
            self.x = f * self.x;
            self.p = f * self.p * f.transpose() + q;
        }

        fn update(&mut self, z: [f64; 4], noise: [f64; 4]) {
            let h = SMatrix::<f64, 4, 8>::identity();
            let r = SMatrix::<f64, 4, 4>::from_diagonal(&SVector::from(noise));
            let s = h * self.p * h.transpose() + r;
            let k = self.p * h.transpose() * s.try_inverse().unwrap();
            self.x += k * (SVector::from(z) - h * self.x);
            self.p -= k * s * k.transpose();
        }

        /// Multiplies the four pairs (x, y), (w, h) and their velocities by a 2x2 matrix.
        fn transform(&mut self, m: [f64; 4]) {
            let mut r = Matrix8::zeros();
            for pair in 0..4 {
                for (i, &value) in m.iter().enumerate() {
                    r[(2 * pair + i / 2, 2 * pair + i % 2)] = value;
                }
            }
            self.x = r * self.x;
            self.p = r * self.p * r.transpose();
        }
    }

    fn compare(full: &Full, pair: &Pair, first: usize, tolerance: f64) -> Result<(), TestCaseError> {
        let states = [first, first + 1, first + 4, first + 5];
        let mean = [pair.at[0], pair.at[1], pair.velocity[0], pair.velocity[1]];
        let covariance = pair.covariance();
        for (i, &row) in states.iter().enumerate() {
            prop_assert!((full.x[row] - f64::from(mean[i])).abs() < tolerance * 100.0);
            for (j, &column) in states.iter().enumerate() {
                let scale = (full.p[(row, row)] * full.p[(column, column)]).sqrt().max(1e-3);
                let error = (full.p[(row, column)] - f64::from(covariance[i][j])).abs();
                prop_assert!(error < tolerance * scale, "{row} {column}: {error} of {scale}");
            }
        }
        Ok(())
    }

    #[derive(Debug, Clone)]
    enum Event {
        Predict,
        Measure([f32; 4]),
        Turn([f32; 4]),
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            3 => Just(Event::Predict),
            2 => [90.0f32..110.0, 90.0f32..110.0, 40.0f32..60.0, 90.0f32..110.0].prop_map(Event::Measure),
            1 => (0.95f32..1.05, -0.1f32..0.1).prop_map(|(a, b)| Event::Turn([a, b, -b, a])),
        ]
    }

    proptest! {
        /// Two pairs are the full filter, whatever happens in which order.
        #[test]
        fn equals_the_full_filter(events in prop::collection::vec(event(), 1..40)) {
            let start = [100.0f32, 100.0, 50.0, 100.0];
            let (position, velocity, noise) = ([6.25f32, 25.0], [0.1f32, 0.4], [6.0f32, 24.0]);
            let wide = |[a, b]: [f32; 2]| [a, b, a, b].map(f64::from);
            let mut center = Pair::at_rest([start[0], start[1]], [25.0, 100.0], [9.0, 36.0]);
            let mut size = Pair::at_rest([start[2], start[3]], [25.0, 100.0], [9.0, 36.0]);
            let mut full = Full { x: SVector::zeros(), p: Matrix8::zeros() };
            for (i, &value) in start.iter().enumerate() {
                full.x[i] = f64::from(value);
                full.p[(i, i)] = if i % 2 == 0 { 25.0 } else { 100.0 };
                full.p[(i + 4, i + 4)] = if i % 2 == 0 { 9.0 } else { 36.0 };
            }
            for event in events {
                match event {
                    Event::Predict => {
                        center.predict(1.0, position, velocity);
                        size.predict(1.0, position, velocity);
                        full.predict(wide(position), wide(velocity));
                    }
                    Event::Measure(z) => {
                        center.update([z[0], z[1]], noise);
                        size.update([z[2], z[3]], noise);
                        full.update(z.map(f64::from), wide(noise));
                    }
                    Event::Turn(m) => {
                        center.transform(m);
                        size.transform(m);
                        full.transform(m.map(f64::from));
                    }
                }
            }
            compare(&full, &center, 0, 1e-4)?;
            compare(&full, &size, 2, 1e-4)?;
        }

        /// One prediction over a gap is the same as one per frame.
        #[test]
        fn a_gap_equals_its_frames(frames in 1u8..40, before in 0u8..5) {
            let mut steps = Pair::at_rest([10.0, 20.0], [4.0, 9.0], [1.0, 2.0]);
            for k in 0..before {
                steps.predict(1.0, [1.0, 2.0], [0.1, 0.2]);
                steps.update([10.0 + f32::from(k), 20.0], [2.0, 3.0]);
            }
            let mut jump = steps;
            for _ in 0..frames {
                steps.predict(1.0, [1.0, 2.0], [0.1, 0.2]);
            }
            jump.predict(f32::from(frames), [1.0, 2.0], [0.1, 0.2]);
            for (a, b) in steps.covariance().as_flattened().iter().zip(jump.covariance().as_flattened()) {
                prop_assert!((a - b).abs() <= 1e-4 * a.abs().max(1.0), "{a} {b}");
            }
            prop_assert!((steps.at[0] - jump.at[0]).abs() < 1e-3);
        }

        /// Fractions of a frame keep the covariance one of possible states.
        #[test]
        fn fractions_keep_variances_positive(dt in 0.01f32..3.0, count in 1u8..60) {
            let mut pair = Pair::at_rest([0.0; 2], [4.0, 9.0], [1.0, 2.0]);
            for _ in 0..count {
                pair.predict(dt, [1.0, 2.0], [0.01, 0.02]);
                pair.update([0.0; 2], [1.0, 1.0]);
                let p = pair.covariance();
                for i in 0..2 {
                    prop_assert!(p[i][i] > 0.0 && p[i + 2][i + 2] > 0.0);
                    prop_assert!(p[i][i] * p[i + 2][i + 2] >= p[i][i + 2] * p[i][i + 2]);
                }
            }
        }
    }
}
