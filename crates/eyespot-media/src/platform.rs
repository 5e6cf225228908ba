//! Images and videos of Supervisely's platform, by their names.

use std::fmt;

/// What the names of frames of the platform begin with.
const SCHEME: &str = "supervisely://";

/// The numbers that Supervisely's platform gives an image or a video, as the names of its frames carry them:
/// `supervisely://project/1/dataset/2/image/5/a.jpg`. Only that of the image or video is in all of them.
///
/// ```
/// use eyespot_media::PlatformIds;
///
/// let ids = PlatformIds::of("supervisely://project/1/dataset/2/image/5/a.jpg").unwrap();
/// assert_eq!((ids.project, ids.dataset, ids.image, ids.video), (Some(1), Some(2), Some(5), None));
/// assert_eq!(ids.named("a.jpg"), "supervisely://project/1/dataset/2/image/5/a.jpg");
/// assert_eq!(PlatformIds::video(7).to_string(), "supervisely://video/7");
/// assert_eq!(PlatformIds::of("photos/5.jpg"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct PlatformIds {
    /// The project that it is in.
    #[serde(rename = "project_id", skip_serializing_if = "Option::is_none")]
    pub project: Option<u64>,
    /// The dataset that it is in.
    #[serde(rename = "dataset_id", skip_serializing_if = "Option::is_none")]
    pub dataset: Option<u64>,
    /// The image.
    #[serde(rename = "image_id", skip_serializing_if = "Option::is_none")]
    pub image: Option<u64>,
    /// The video.
    #[serde(rename = "video_id", skip_serializing_if = "Option::is_none")]
    pub video: Option<u64>,
}

impl PlatformIds {
    /// An image of which nothing else is known.
    #[must_use]
    pub fn image(id: u64) -> Self {
        Self { image: Some(id), ..Self::default() }
    }

    /// A video of which nothing else is known.
    #[must_use]
    pub fn video(id: u64) -> Self {
        Self { video: Some(id), ..Self::default() }
    }

    /// With the dataset and the project that it is in.
    #[must_use]
    pub const fn within(mut self, project: Option<u64>, dataset: u64) -> Self {
        self.project = project;
        self.dataset = Some(dataset);
        self
    }

    /// The numbers in the name of a frame; `None` where that is no image or video of the platform.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix(SCHEME)?.split('/');
        let mut ids = Self::default();
        // The image or video is the last one; what follows is its file name.
        while ids.image.is_none() && ids.video.is_none() {
            let field = match parts.next()? {
                "project" => &mut ids.project,
                "dataset" => &mut ids.dataset,
                "image" => &mut ids.image,
                "video" => &mut ids.video,
                _ => return None,
            };
            *field = Some(parts.next()?.parse().ok()?);
        }
        Some(ids)
    }

    /// The name of its frames, with its file name.
    #[must_use]
    pub fn named(&self, file: &str) -> String {
        format!("{self}/{}", file.replace(['/', '\\'], "_"))
    }
}

/// The name of its frames, without a file name.
impl fmt::Display for PlatformIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, dataset, image, video } = *self;
        let all = [("project", project), ("dataset", dataset), ("image", image), ("video", video)];
        let known = all.iter().filter_map(|(kind, id)| Some((kind, (*id)?)));
        f.write_str(SCHEME)?;
        for (number, (kind, id)) in known.enumerate() {
            let slash = if number == 0 { "" } else { "/" };
            write!(f, "{slash}{kind}/{id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_their_numbers_back() {
        for ids in [
            PlatformIds::image(5),
            PlatformIds::video(u64::MAX),
            PlatformIds::image(5).within(None, 2),
            PlatformIds::video(7).within(Some(1), 2),
        ] {
            assert_eq!(PlatformIds::of(&ids.to_string()), Some(ids));
            // A file name can't be taken for a number of its own.
            for file in ["a.jpg", "", "video/8", "x/../y.png", "a?b#c"] {
                let name = ids.named(file);
                assert_eq!(PlatformIds::of(&name), Some(ids), "{name}");
                assert_eq!(name.rsplit('/').next(), Some(file.replace('/', "_").as_str()));
            }
        }
        for other in [
            "supervisely://",
            "supervisely://project/1",
            "supervisely://image/x",
            "image/5",
            "supervisely://5",
        ] {
            assert_eq!(PlatformIds::of(other), None, "{other}");
        }
    }
}
