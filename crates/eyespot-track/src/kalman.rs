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
    /// Covariance of the coordinates: 00, 01, 11.
    a: [f32; 3],
    /// Covariance of coordinates (rows) with velocities (columns): 00, 01, 10, 11.
    b: [f32; 4],
    /// Covariance of the velocities: 00, 01, 11.
    c: [f32; 3],
}

impl Pair {
    pub(crate) const ZERO: Self =
        Self { at: [0.0; 2], velocity: [0.0; 2], a: [0.0; 3], b: [0.0; 4], c: [0.0; 3] };

    /// At rest, with these variances of coordinates and velocities.
    pub(crate) fn at_rest(at: [f32; 2], [a0, a1]: [f32; 2], [c0, c1]: [f32; 2]) -> Self {
        Self { at, velocity: [0.0; 2], a: [a0, 0.0, a1], b: [0.0; 4], c: [c0, 0.0, c1] }
    }

    /// `dt` frames later, with process noise of these variances per frame.
    ///
    /// For whole numbers this equals `dt` predictions of one frame with the same noise: the sums over the steps,
    /// `Σk` and `Σk²`, are written in closed form, which also serves fractions.
    #[inline]
    pub(crate) fn predict(&mut self, dt: f32, noise: [f32; 2], velocity_noise: [f32; 2]) {
        let ([a0, a1, a2], [b0, b1, b2, b3], [c0, c1, c2]) = (self.a, self.b, self.c);
        let [v0, v1] = velocity_noise;
        let steps = dt * (dt - 1.0) * 0.5;
        let squares = steps * (2.0 * dt - 1.0) * (1.0 / 3.0);
        self.at[0] += dt * self.velocity[0];
        self.at[1] += dt * self.velocity[1];
        self.a = [
            a0 + dt * (2.0 * b0 + dt * c0 + noise[0]) + squares * v0,
            a1 + dt * (b1 + b2 + dt * c1),
            a2 + dt * (2.0 * b3 + dt * c2 + noise[1]) + squares * v1,
        ];
        self.b = [b0 + dt * c0 + steps * v0, b1 + dt * c1, b2 + dt * c1, b3 + dt * c2 + steps * v1];
        self.c = [c0 + dt * v0, c1, c2 + dt * v1];
    }

    /// Takes a measurement of the coordinates with noise of these variances, which must be positive.
    ///
    /// With `S = A + R` the gain is `[A; Bᵀ] S⁻¹`, and since `I - A S⁻¹ = R S⁻¹` the new blocks are `R S⁻¹ A` and
    /// `R S⁻¹ B`: products of positive terms, where the usual difference would cancel in `f32`.
    #[inline]
    pub(crate) fn update(&mut self, measured: [f32; 2], [r0, r1]: [f32; 2]) {
        let ([a0, a1, a2], [b0, b1, b2, b3], [c0, c1, c2]) = (self.a, self.b, self.c);
        let (s0, s2) = (a0 + r0, a2 + r1);
        let inverse = 1.0 / (s0 * s2 - a1 * a1);
        let (g0, g1, g2) = (s2 * inverse, -a1 * inverse, s0 * inverse);
        let (e0, e1) = (measured[0] - self.at[0], measured[1] - self.at[1]);
        let (y0, y1) = (g0 * e0 + g1 * e1, g1 * e0 + g2 * e1);
        self.at[0] += a0 * y0 + a1 * y1;
        self.at[1] += a1 * y0 + a2 * y1;
        self.velocity[0] += b0 * y0 + b2 * y1;
        self.velocity[1] += b1 * y0 + b3 * y1;
        // S⁻¹ B.
        let (h0, h1, h2, h3) = (g0 * b0 + g1 * b2, g0 * b1 + g1 * b3, g1 * b0 + g2 * b2, g1 * b1 + g2 * b3);
        self.a = [r0 * (g0 * a0 + g1 * a1), r0 * (g0 * a1 + g1 * a2), r1 * (g1 * a1 + g2 * a2)];
        self.b = [r0 * h0, r0 * h1, r1 * h2, r1 * h3];
        self.c = [c0 - (b0 * h0 + b2 * h2), c1 - (b0 * h1 + b2 * h3), c2 - (b1 * h1 + b3 * h3)];
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
        let symmetric = |[x0, x1, x2]: [f32; 3]| {
            let [y0, y1, _, y3] = conjugate([x0, x1, x1, x2]);
            [y0, y1, y3]
        };
        self.at = apply(self.at);
        self.velocity = apply(self.velocity);
        self.a = symmetric(self.a);
        self.b = conjugate(self.b);
        self.c = symmetric(self.c);
    }

    /// Coordinates and velocities times a number.
    #[inline]
    pub(crate) fn scale(&mut self, factor: f32) {
        let square = factor * factor;
        self.at = self.at.map(|x| x * factor);
        self.velocity = self.velocity.map(|x| x * factor);
        self.a = self.a.map(|x| x * square);
        self.b = self.b.map(|x| x * square);
        self.c = self.c.map(|x| x * square);
    }

    /// The covariance as a row-major 4x4 matrix over coordinates and velocities.
    #[cfg(test)]
    pub(crate) fn covariance(&self) -> [[f32; 4]; 4] {
        let ([a0, a1, a2], [b0, b1, b2, b3], [c0, c1, c2]) = (self.a, self.b, self.c);
        [[a0, a1, b0, b1], [a1, a2, b2, b3], [b0, b2, c0, c1], [b1, b3, c1, c2]]
    }
}
