//! Where an image lands in a model's input, and the way back.

use eyespot_core::{BBox, ImageView, InputSize};

use crate::ResizeError;

/// How an image is fitted into a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fit {
    /// Keeps the aspect ratio; the image at the top left, the rest is padding. What YOLOX does.
    #[default]
    TopLeft,
    /// Keeps the aspect ratio; the image in the middle (the smaller half of an odd padding left and above).
    Center,
    /// Fills the whole input; the aspect ratio changes.
    Stretch,
}

/// Where an image lands in a model's input: the geometry, both ways. Small and `Copy`.
///
/// With an aspect ratio to keep, the arithmetic is that of YOLOX's preprocessing:
/// `ratio = min(height / h, width / w)`, the image takes `int(w * ratio)` x `int(h * ratio)` pixels (at least 1), and
/// boxes come back by a division by `ratio`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letterbox {
    source: InputSize,
    target: InputSize,
    x: u16,
    y: u16,
    width: u16,
    height: u16,
    scale_x: f32,
    scale_y: f32,
}

impl Letterbox {
    /// The geometry for an image of size `source` in an input of size `target`.
    ///
    /// # Errors
    /// [`ResizeError::Empty`] where a width or height is zero.
    pub fn new(source: InputSize, target: InputSize, fit: Fit) -> Result<Self, ResizeError> {
        if source.width == 0 || source.height == 0 || target.width == 0 || target.height == 0 {
            return Err(ResizeError::Empty);
        }
        let ratio_x = f64::from(target.width) / f64::from(source.width);
        let ratio_y = f64::from(target.height) / f64::from(source.height);
        if fit == Fit::Stretch {
            return Ok(Self {
                source,
                target,
                x: 0,
                y: 0,
                width: target.width,
                height: target.height,
                scale_x: ratio_x as f32,
                scale_y: ratio_y as f32,
            });
        }
        let ratio = ratio_y.min(ratio_x);
        // A cast rounds towards zero, as `int()` does.
        let fitted = |pixels: u16, limit: u16| ((f64::from(pixels) * ratio) as u16).clamp(1, limit);
        let (width, height) = (fitted(source.width, target.width), fitted(source.height, target.height));
        let (x, y) = match fit {
            Fit::Center => ((target.width - width) / 2, (target.height - height) / 2),
            Fit::TopLeft | Fit::Stretch => (0, 0),
        };
        let scale = ratio as f32;
        Ok(Self { source, target, x, y, width, height, scale_x: scale, scale_y: scale })
    }

    /// The geometry for an image.
    ///
    /// # Errors
    /// [`ResizeError::Empty`] where the target's width or height is zero.
    pub fn of(view: &ImageView<'_>, target: InputSize, fit: Fit) -> Result<Self, ResizeError> {
        Self::new(InputSize::new(view.width(), view.height()), target, fit)
    }

    /// Size of the image.
    #[must_use]
    pub const fn source(&self) -> InputSize {
        self.source
    }

    /// Size of the model's input.
    #[must_use]
    pub const fn target(&self) -> InputSize {
        self.target
    }

    /// Left and top edge of the image in the model's input, pixels.
    #[must_use]
    pub const fn origin(&self) -> (u16, u16) {
        (self.x, self.y)
    }

    /// Size of the image in the model's input; what lies around it is padding.
    #[must_use]
    pub const fn resized(&self) -> InputSize {
        InputSize::new(self.width, self.height)
    }

    /// A point of the model's input in pixels of the image.
    #[must_use]
    pub fn point_to_source(&self, x: f32, y: f32) -> (f32, f32) {
        ((x - f32::from(self.x)) / self.scale_x, (y - f32::from(self.y)) / self.scale_y)
    }

    /// A point of the image in pixels of the model's input.
    #[must_use]
    pub fn point_to_target(&self, x: f32, y: f32) -> (f32, f32) {
        (x * self.scale_x + f32::from(self.x), y * self.scale_y + f32::from(self.y))
    }

    /// A box of the model's input in pixels of the image. It may reach over the image's edge.
    #[must_use]
    pub fn to_source(&self, bbox: BBox) -> BBox {
        let (x1, y1) = self.point_to_source(bbox.x1, bbox.y1);
        let (x2, y2) = self.point_to_source(bbox.x2, bbox.y2);
        BBox::new(x1, y1, x2, y2)
    }

    /// A box of the model's input in pixels of the image, cut at the image's edge. A box in the padding becomes
    /// empty.
    #[must_use]
    pub fn to_source_clipped(&self, bbox: BBox) -> BBox {
        self.to_source(bbox).clipped(f32::from(self.source.width), f32::from(self.source.height))
    }
}
