//! Reading TensorFlow Lite models.

mod flatbuffer;
mod ops;
mod reader;

pub(crate) use ops::{apply, binary_numbers, fold_zero, table};
pub(crate) use reader::{half, read};
