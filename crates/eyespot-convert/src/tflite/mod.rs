//! Reading TensorFlow Lite models.

mod flatbuffer;
mod ops;
mod reader;

pub(crate) use ops::{apply, binary_numbers, fold_zero, mean_rescale, table};
pub(crate) use reader::{half, read};
