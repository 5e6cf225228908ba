//! What a scene looks like, and why one can't be made.

use eyespot_core::{ErrorKind, PixelFormat};

use crate::MAX_OBJECTS;

/// The pixel formats that a scene is rendered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SceneFormat {
    /// Red, green, blue.
    #[default]
    Rgb8,
    /// One byte of grey, the BT.601 luma of the colours.
    Gray8,
}

impl SceneFormat {
    /// The format as views name it.
    #[must_use]
    pub const fn pixel_format(self) -> PixelFormat {
        match self {
            Self::Rgb8 => PixelFormat::Rgb8,
            Self::Gray8 => PixelFormat::Gray8,
        }
    }
}

/// How the camera moves. The default stands still.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CameraMotion {
    /// Slow pan to and fro: how far it goes to either side, in pixels.
    pub pan: f32,
    /// Shake: how far it goes in each direction, in pixels.
    pub shake: f32,
    /// Shake of the roll angle, in radians to either side.
    pub roll: f32,
    /// Slow zoom: the largest change of scale, as a fraction (0.05 is 5 % in and out).
    pub zoom: f32,
}

impl CameraMotion {
    /// A fixed camera.
    pub const FIXED: Self = Self { pan: 0.0, shake: 0.0, roll: 0.0, zoom: 0.0 };
}

/// What a scene looks like. Equal settings give equal pixels on every target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneConfig {
    /// Width in pixels, at least 16.
    pub width: u16,
    /// Height in pixels, at least 16.
    pub height: u16,
    /// Pixel format of the rendered frames.
    pub format: SceneFormat,
    /// How many objects take part, at most [`MAX_OBJECTS`]. Some of them are outside the frame at any time.
    pub objects: u8,
    /// Another number is another scene.
    pub seed: u32,
    /// Frames per second, `1..=1000`; speeds are in the time of the scene, so that it looks the same at any rate.
    pub fps: u16,
    /// Standard deviation of the sensor noise in grey levels, `0..=32`.
    pub noise: f32,
    /// How much the light rises and falls over 20 seconds, as a fraction of its mean, `0..=0.5`.
    pub light: f32,
    /// Draw soft shadows below the objects.
    pub shadows: bool,
    /// How the camera moves.
    pub camera: CameraMotion,
}

impl SceneConfig {
    /// A scene of this size in colour: 8 objects at 30 frames per second, light noise, slowly changing light, soft
    /// shadows, a fixed camera.
    #[must_use]
    pub const fn new(width: u16, height: u16) -> Self {
        Self {
            width,
            height,
            format: SceneFormat::Rgb8,
            objects: 8,
            seed: 1,
            fps: 30,
            noise: 2.0,
            light: 0.05,
            shadows: true,
            camera: CameraMotion::FIXED,
        }
    }

    /// Bytes of one rendered frame.
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        self.format.pixel_format().image_bytes(self.width, self.height)
    }

    pub(crate) fn check(&self) -> Result<(), SceneError> {
        let within = |name, value: f32, low: f32, high: f32| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(SceneError::Setting { name, low, high }) }
        };
        within("width", f32::from(self.width), 16.0, 16384.0)?;
        within("height", f32::from(self.height), 16.0, 16384.0)?;
        within("objects", f32::from(self.objects), 0.0, MAX_OBJECTS as f32)?;
        within("fps", f32::from(self.fps), 1.0, 1000.0)?;
        within("noise", self.noise, 0.0, 32.0)?;
        within("light", self.light, 0.0, 0.5)?;
        within("camera.pan", self.camera.pan, 0.0, 16384.0)?;
        within("camera.shake", self.camera.shake, 0.0, 16384.0)?;
        within("camera.roll", self.camera.roll, 0.0, 0.5)?;
        within("camera.zoom", self.camera.zoom, 0.0, 0.5)
    }
}

/// Why a scene can't be made or rendered.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SceneError {
    /// A setting is outside its range.
    Setting {
        /// Name of the setting.
        name: &'static str,
        /// Smallest value.
        low: f32,
        /// Largest value.
        high: f32,
    },
    /// The buffer is too short for a frame.
    Buffer {
        /// Bytes that it has.
        len: usize,
        /// Bytes that a frame needs.
        needed: usize,
    },
}

impl core::fmt::Display for SceneError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::Setting { name, low, high } => {
                write!(f, "the scene's {name} must lie between {low} and {high}")
            }
            Self::Buffer { len, needed } => {
                write!(
                    f,
                    "a frame of the scene takes {needed} bytes, but the buffer has {len}: lend a larger one"
                )
            }
        }
    }
}

impl core::error::Error for SceneError {}

impl eyespot_core::Error for SceneError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::InvalidInput,
            Self::Buffer { .. } => ErrorKind::Capacity,
        }
    }
}
