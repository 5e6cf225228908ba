//! Memory that starts at a cache line.

use core::ops::{Deref, DerefMut};
use std::vec;
use std::vec::Vec;

const LINE: usize = 64;

/// Floats, the first at the start of a cache line: a vector that is as wide as a line is then loaded from one.
#[derive(Debug, Default)]
pub(crate) struct Aligned {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub(crate) fn new(len: usize) -> Self {
        let data = vec![0.0; len + LINE / 4];
        let start = data.as_ptr().align_offset(LINE).min(LINE / 4);
        Self { data, start, len }
    }
}

impl Deref for Aligned {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

/// Memory for a network on a host, aligned for its vectors.
#[derive(Debug, Default)]
pub struct Arena(Aligned);

impl Arena {
    /// An arena of zeros with room for [`Description::arena_words`](crate::Description::arena_words) words.
    #[must_use]
    pub fn new(words: usize) -> Self {
        Self(Aligned::new(2 * words))
    }
}

impl AsRef<[u64]> for Arena {
    fn as_ref(&self) -> &[u64] {
        bytemuck::cast_slice(&self.0)
    }
}

impl AsMut<[u64]> for Arena {
    fn as_mut(&mut self) -> &mut [u64] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
