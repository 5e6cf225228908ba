//! Images that are in memory already.

use std::path::Path;
use std::sync::Arc;

use eyespot_core::{ImageView, PixelFormat};
use image::DynamicImage;

use crate::image_file::PixelBuffer;
use crate::{Canvas, ImageOptions, MediaError};

/// An image in memory: an encoded file or pixels. Copies share the memory.
///
/// What is wrong with it is said when its turn comes, as with files, so that one broken image of a list costs only
/// itself.
#[derive(Debug, Clone)]
pub struct MemoryImage {
    name: Option<Arc<str>>,
    content: Content,
}

#[derive(Clone)]
enum Content {
    /// The bytes of a file.
    Encoded(Arc<[u8]>),
    /// Rows of pixels without gaps: height, width, channels (1 grey, 3 RGB, 4 RGBA).
    Pixels { bytes: Arc<[u8]>, shape: [usize; 3] },
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Encoded(bytes) => write!(f, "Encoded({} bytes)", bytes.len()),
            Self::Pixels { shape, .. } => write!(f, "Pixels({shape:?})"),
        }
    }
}

impl MemoryImage {
    /// The bytes of an image file of any format that is read from disk too.
    #[must_use]
    pub fn encoded(bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: None, content: Content::Encoded(bytes.into().into()) }
    }

    /// Pixels of 8 bits, row by row without gaps. `shape` is height, width, channels: 1 for grey, 3 for RGB, 4 for
    /// RGBA.
    #[must_use]
    pub fn pixels(bytes: impl Into<Vec<u8>>, shape: [usize; 3]) -> Self {
        Self { name: None, content: Content::Pixels { bytes: bytes.into().into(), shape } }
    }

    /// The same image under a name. Without one it is called `image_0`, `image_1` and so on, by its place among the
    /// images without a name.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into().into()), ..self }
    }

    /// Its name, if it was given one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The image, decoded.
    ///
    /// # Errors
    /// [`MediaError`] where it is broken, of an unknown format, too large or of a wrong shape.
    pub fn load(&self) -> Result<Canvas, MediaError> {
        let mut buffer = PixelBuffer::default();
        self.view(&mut buffer, ImageOptions::default().max_pixels).map(|view| Canvas::from_view(&view))
    }

    /// The pixels: those in memory, or those decoded into `buffer`.
    pub(crate) fn view<'a>(
        &'a self,
        buffer: &'a mut PixelBuffer,
        max_pixels: u64,
    ) -> Result<ImageView<'a>, MediaError> {
        let name = Path::new(self.name().unwrap_or("image"));
        match &self.content {
            Content::Encoded(bytes) => {
                buffer.read_bytes(name, bytes, max_pixels)?;
                buffer.view().ok_or_else(|| MediaError::BrokenImage {
                    path: name.into(),
                    reason: "it has no pixels".into(),
                })
            }
            Content::Pixels { bytes, shape: [height, width, channels] } => {
                let format = match channels {
                    1 => Some(PixelFormat::Gray8),
                    3 => Some(PixelFormat::Rgb8),
                    4 => Some(PixelFormat::Rgba8),
                    _ => None,
                };
                let side = |side: usize| u16::try_from(side).ok().filter(|&side| side > 0);
                let view = match (format, side(*width), side(*height)) {
                    (Some(format), Some(width), Some(height))
                        if u64::from(width) * u64::from(height) <= max_pixels =>
                    {
                        ImageView::packed(bytes, width, height, format).ok()
                    }
                    _ => None,
                };
                let shape = [*height, *width, *channels];
                view.ok_or_else(|| MediaError::Shape { name: name.display().to_string(), shape })
            }
        }
    }
}

/// Grey, RGB and RGBA of 8 bits stay as they are, all else becomes RGB.
impl From<DynamicImage> for MemoryImage {
    fn from(image: DynamicImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (bytes, channels) = match image {
            DynamicImage::ImageLuma8(gray) => (gray.into_raw(), 1),
            DynamicImage::ImageRgba8(rgba) => (rgba.into_raw(), 4),
            other => (other.into_rgb8().into_raw(), 3),
        };
        Self::pixels(bytes, [height, width, channels])
    }
}

impl From<Canvas> for MemoryImage {
    fn from(canvas: Canvas) -> Self {
        let shape = [usize::from(canvas.height()), usize::from(canvas.width()), 3];
        Self::pixels(canvas.pixels().as_flattened(), shape)
    }
}

/// The axes are height, width, channels (`HWC`), as with `image` in Python: 1 channel is grey, 3 are RGB, 4 are RGBA.
#[cfg(feature = "ndarray")]
impl From<ndarray::ArrayView3<'_, u8>> for MemoryImage {
    fn from(array: ndarray::ArrayView3<'_, u8>) -> Self {
        let (height, width, channels) = array.dim();
        Self::pixels(array.iter().copied().collect::<Vec<_>>(), [height, width, channels])
    }
}

/// The axes are height, width, channels (`HWC`): 1 channel is grey, 3 are RGB, 4 are RGBA.
#[cfg(feature = "ndarray")]
impl From<ndarray::Array3<u8>> for MemoryImage {
    fn from(array: ndarray::Array3<u8>) -> Self {
        array.view().into()
    }
}
