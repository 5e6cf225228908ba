//! What surrounds a network on a GPU: frames go up as the bytes that they are and become its input there, and of its results
//! only the rows come back that can hold something.

mod frames;
mod reading;
mod rows;

pub(crate) use frames::Frames;
pub(crate) use reading::Reading;
pub(crate) use rows::{Kept, Selection, Sparse};

#[cfg(test)]
mod tests;
