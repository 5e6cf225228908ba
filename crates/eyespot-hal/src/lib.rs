#![doc = include_str!("../README.md")]
#![no_std]

mod alarm;
mod arducam;
#[cfg(feature = "flash")]
mod flash;
mod huskylens;
mod ticks;

pub use alarm::{Alarm, AlarmConfig, AlarmError};
pub use arducam::{ArduCam, CameraConfig, CameraError, CameraFormat, CameraPart, CameraSize, Register};
#[cfg(feature = "flash")]
pub use flash::{FlashError, FlashSink, ForwardError, WhenFull};
pub use huskylens::{Algorithm, HuskyLens, HuskyLensError};
pub use ticks::Ticks;
