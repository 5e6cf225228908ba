//! Reading TensorFlow Lite models.

mod flatbuffer;
mod ops;
mod reader;

pub(crate) use reader::{half, read};
