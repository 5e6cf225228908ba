//! What surrounds a network on a GPU: frames go up as the bytes that they are and become its input there, and of its results
//! only the rows come back that can hold something.

mod frames;
mod rows;

pub(crate) use frames::Frames;
pub(crate) use rows::{Kept, Sparse};

#[cfg(test)]
mod tests;
