//! The result of one frame, owned, with the attributes of the Prediction API.

use std::path::Path;
use std::sync::Arc;

use eyespot_core::{
    BBox, ClassId, FrameInfo, Keypoint, Losses, MaskView, PredictionsBuf, PredictionsRef, PredictionsStorage,
    TrackId,
};
use eyespot_media::{Canvas, DrawOptions, MediaError, MemoryImage, PlatformIds, draw, save_image};

/// What was found in one image or frame, and where it came from.
#[derive(Debug, Clone)]
pub struct Prediction {
    pub(crate) info: FrameInfo,
    /// Path or address.
    pub(crate) name: String,
    pub(crate) is_video: bool,
    pub(crate) labels: Arc<[String]>,
    pub(crate) skeleton: Arc<[(u8, u8)]>,
    pub(crate) results: PredictionsBuf,
    /// The input itself, if it was an image in memory.
    pub(crate) memory: Option<MemoryImage>,
}

impl Prediction {
    /// Boxes, `x1, y1, x2, y2` in pixels.
    pub fn boxes(&self) -> impl ExactSizeIterator<Item = BBox> + '_ {
        self.results().boxes()
    }

    /// Scores, `0..=1`.
    pub fn scores(&self) -> impl ExactSizeIterator<Item = f32> + '_ {
        self.results().scores()
    }

    /// Class names.
    pub fn classes(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.class_idxs().map(|class| self.labels.get(class.index()).map_or("", String::as_str))
    }

    /// Class indices.
    pub fn class_idxs(&self) -> impl ExactSizeIterator<Item = ClassId> + '_ {
        self.results().class_idxs()
    }

    /// Track ids; `None` for what is no confirmed track.
    pub fn track_ids(&self) -> impl ExactSizeIterator<Item = Option<TrackId>> + '_ {
        self.results().track_ids()
    }

    /// The mask of each object, if the model gives masks.
    pub fn masks(&self) -> impl ExactSizeIterator<Item = Option<MaskView<'_>>> + '_ {
        self.results().masks()
    }

    /// The keypoints of each object, empty if the model gives none.
    pub fn keypoints(&self) -> impl ExactSizeIterator<Item = &[Keypoint]> + '_ {
        self.results().keypoints()
    }

    /// Everything that was found.
    #[must_use]
    pub fn results(&self) -> PredictionsRef<'_> {
        self.results.view()
    }

    /// What did not fit or was refused.
    #[must_use]
    pub fn losses(&self) -> Losses {
        self.results().losses()
    }

    /// Number, time and size of the frame.
    #[must_use]
    pub const fn info(&self) -> FrameInfo {
        self.info
    }

    /// Where it comes from, as it was given: the path or the address of the image or
    /// video, or the name of an image in memory.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.name
    }

    /// Path of the image or video, if it is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        let named = self.memory.is_none() && !self.name.is_empty();
        (named && !self.name.contains("://")).then(|| Path::new(&self.name))
    }

    /// Address of the image or video, if it came from a network.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        let named = self.memory.is_none() && self.name.contains("://");
        (named && self.platform_ids().is_none()).then_some(&self.name)
    }

    /// The numbers that Supervisely's platform gives it, if it came from there.
    #[must_use]
    pub fn platform_ids(&self) -> Option<PlatformIds> {
        PlatformIds::of(&self.name)
    }

    /// The project of the platform that the image or video is in, if it came from there.
    #[must_use]
    pub fn project_id(&self) -> Option<u64> {
        self.platform_ids()?.project
    }

    /// The dataset of the platform that the image or video is in, if it came from there.
    #[must_use]
    pub fn dataset_id(&self) -> Option<u64> {
        self.platform_ids()?.dataset
    }

    /// The image of the platform, if it came from there.
    #[must_use]
    pub fn image_id(&self) -> Option<u64> {
        self.platform_ids()?.image
    }

    /// The video of the platform, if the frame came from there.
    #[must_use]
    pub fn video_id(&self) -> Option<u64> {
        self.platform_ids()?.video
    }

    /// File name of the image or video.
    #[must_use]
    pub fn name(&self) -> &str {
        let path = match self.url() {
            Some(url) => url.split(['?', '#']).next().unwrap_or_default(),
            None => &self.name,
        };
        path.rsplit(['/', '\\']).next().unwrap_or_default()
    }

    /// Number of the frame, from 0, if the input was a video.
    #[must_use]
    pub const fn frame_index(&self) -> Option<u64> {
        if self.is_video { Some(self.info.index) } else { None }
    }

    /// The image or frame, read again from where it came from. An image in memory is kept; a live stream gives its next
    /// frame.
    ///
    /// # Errors
    /// [`MediaError`] where that is gone or changed, and for what is on Supervisely's platform: `eyespot-supervisely` fetches it.
    pub fn load_image(&self) -> Result<Canvas, MediaError> {
        if let Some(image) = &self.memory {
            return image.load();
        }
        eyespot_media::read_frame(&self.name, if self.is_video { self.info.index } else { 0 })
    }

    /// The image with what was found drawn on it.
    ///
    /// # Errors
    /// As [`load_image`](Self::load_image).
    pub fn visualize(&self, options: &DrawOptions) -> Result<Canvas, MediaError> {
        let mut canvas = self.load_image()?;
        draw(&mut canvas, self.results(), &self.labels, &self.skeleton, options);
        Ok(canvas)
    }

    /// Like [`visualize`](Self::visualize), into a file: `.jpg` or `.png`. Its folder is created.
    ///
    /// # Errors
    /// As [`load_image`](Self::load_image), and [`MediaError::OutputFormat`], [`MediaError::WouldOverwrite`],
    /// [`MediaError::Write`].
    pub fn save_visualization(
        &self,
        path: impl AsRef<Path>,
        options: &DrawOptions,
    ) -> Result<(), MediaError> {
        let path = path.as_ref();
        if let Some(folder) = path.parent() {
            let write = |source| MediaError::Write { path: folder.to_path_buf(), source };
            std::fs::create_dir_all(folder).map_err(write)?;
        }
        save_image(&self.visualize(options)?, path, self.path())
    }
}
