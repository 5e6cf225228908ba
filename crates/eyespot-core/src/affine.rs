//! Planar transforms: how the picture moved from one frame to the next.

use crate::{Error, ErrorKind};

/// A 2x3 affine transform of pixel coordinates: `x' = a x + b y + tx`, `y' = c x + d y + ty`.
///
/// As camera motion it maps pixels of the previous frame to pixels of the current one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// The linear part by rows: `a, b, c, d`.
    pub linear: [f32; 4],
    /// The shift in pixels: `tx, ty`.
    pub shift: [f32; 2],
}

impl Affine {
    /// Nothing moves.
    pub const IDENTITY: Self = Self { linear: [1.0, 0.0, 0.0, 1.0], shift: [0.0, 0.0] };

    /// From the two rows `a, b, tx` and `c, d, ty`.
    #[must_use]
    pub const fn from_rows([a, b, tx]: [f32; 3], [c, d, ty]: [f32; 3]) -> Self {
        Self { linear: [a, b, c, d], shift: [tx, ty] }
    }

    /// The point `x, y` moved.
    #[must_use]
    pub const fn apply(&self, x: f32, y: f32) -> (f32, f32) {
        let [a, b, c, d] = self.linear;
        (a * x + b * y + self.shift[0], c * x + d * y + self.shift[1])
    }

    /// First this transform, then `next`.
    #[must_use]
    pub const fn then(&self, next: &Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.linear, next.linear);
        let (tx, ty) = next.apply(self.shift[0], self.shift[1]);
        Self { linear: [e * a + f * c, e * b + f * d, g * a + h * c, g * b + h * d], shift: [tx, ty] }
    }

    /// By how much lengths grow: the square root of the area factor.
    #[must_use]
    pub fn scale(&self) -> f32 {
        let [a, b, c, d] = self.linear;
        libm::sqrtf((a * d - b * c).abs())
    }

    /// All numbers are finite and lengths change by less than a factor of ten: anything else is a failed estimate.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let finite = self.linear.iter().chain(&self.shift).all(|value| value.abs() < 1e6);
        finite && (0.1..10.0).contains(&self.scale())
    }

    /// Reads a line of a camera-motion file: frame number, then `a b tx c d ty`, separated by blanks.
    ///
    /// # Errors
    /// [`MotionLineError`] unless the line has these seven numbers.
    pub fn parse_line(line: &str) -> Result<(u64, Self), MotionLineError> {
        let mut fields = line.split_ascii_whitespace();
        let index = fields.next().and_then(|field| field.parse().ok()).ok_or(MotionLineError)?;
        let mut numbers = [0.0f32; 6];
        for number in &mut numbers {
            *number = fields.next().and_then(|field| field.parse().ok()).ok_or(MotionLineError)?;
        }
        let [a, b, tx, c, d, ty] = numbers;
        Ok((index, Self::from_rows([a, b, tx], [c, d, ty])))
    }
}

impl Default for Affine {
    fn default() -> Self {
        Self::IDENTITY
    }
}

/// A line of a camera-motion file has the wrong form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MotionLineError;

impl core::fmt::Display for MotionLineError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a camera-motion line needs seven numbers: frame a b tx c d ty")
    }
}

impl core::error::Error for MotionLineError {}

impl Error for MotionLineError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transforms_compose_in_order() {
        let turn = Affine::from_rows([0.0, -1.0, 0.0], [1.0, 0.0, 0.0]);
        let move_right = Affine::from_rows([1.0, 0.0, 5.0], [0.0, 1.0, 0.0]);
        let both = turn.then(&move_right);
        assert_eq!(both.apply(2.0, 3.0), (2.0, 2.0));
        assert_eq!(turn.then(&Affine::IDENTITY), turn);
        assert!((both.scale() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn lines_are_read_and_bad_ones_refused() {
        let (index, motion) = Affine::parse_line("7\t1.01 -0.5 3 0.5 1.01 -2.5\t\n").unwrap();
        assert_eq!((index, motion), (7, Affine::from_rows([1.01, -0.5, 3.0], [0.5, 1.01, -2.5])));
        for bad in ["", "1 2 3", "x 1 0 0 0 1 0", "1 1 0 a 0 1 0"] {
            assert_eq!(Affine::parse_line(bad), Err(MotionLineError));
        }
    }

    #[test]
    fn failed_estimates_are_told_apart() {
        assert!(Affine::IDENTITY.is_usable());
        assert!(!Affine::from_rows([f32::NAN, 0.0, 0.0], [0.0, 1.0, 0.0]).is_usable());
        assert!(!Affine::from_rows([0.0, 0.0, 0.0], [0.0, 1.0, 0.0]).is_usable());
        assert!(!Affine::from_rows([1.0, 0.0, f32::INFINITY], [0.0, 1.0, 0.0]).is_usable());
    }
}
