//! Random bits for dithering.

/// A 32-bit xorshift (Marsaglia, 2003): three shifts per number, which is all that dithering needs.
#[derive(Debug, Clone)]
pub(crate) struct XorShift(u32);

impl XorShift {
    pub(crate) const SEED: Self = Self(0x9e37_79b9);

    #[inline]
    pub(crate) const fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}
