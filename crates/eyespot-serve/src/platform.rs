//! Items that clients name by their ids: a small door to whatever keeps them.

use std::path::{Path, PathBuf};

use eyespot_core::AnyError;
use eyespot_supervisely::format::{Annotation, ProjectMeta};

/// Who asks, as the request says. Printing it shows no token.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The token of the platform; `None` leaves it to the server's own.
    pub token: Option<String>,
    /// The address of the platform; `None` leaves it to the server's own.
    pub address: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let token = self.token.as_ref().map(|_| "..");
        f.debug_struct("Credentials").field("token", &token).field("address", &self.address).finish()
    }
}

/// An image that a platform keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformImage {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The project that it is in.
    pub project: Option<u64>,
    /// The dataset that it is in.
    pub dataset: Option<u64>,
}

/// A video that a platform keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlatformVideo {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The project that it is in.
    pub project: Option<u64>,
    /// The dataset that it is in.
    pub dataset: Option<u64>,
    /// The file that it was written to.
    pub path: PathBuf,
}

/// What is to become of predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// `create`, `append`, `replace` or `iou_merge`.
    pub mode: String,
    /// From this overlap with an object that is there a prediction is left out, `0..=1`; `None` is the mode's own.
    pub iou: Option<f64>,
    /// The project that they go to; `None` is that of the images, or a new one.
    pub project: Option<u64>,
    /// What is added to the name of a class that the project has with another shape; `None` is the platform's own.
    pub suffix: Option<String>,
}

/// What keeps items and takes predictions. Calls wait for a network; they run on threads of their own.
pub trait Platform: Send + Sync {
    /// The images of these ids, in this order.
    ///
    /// # Errors
    /// Where one does not exist, or the platform can't be reached.
    fn images(&self, who: &Credentials, ids: &[u64]) -> Result<Vec<PlatformImage>, AnyError>;

    /// The images of a project; of these datasets only, where any are named.
    ///
    /// # Errors
    /// Where it does not exist, or the platform can't be reached.
    fn project(
        &self,
        who: &Credentials,
        project: u64,
        datasets: &[u64],
    ) -> Result<Vec<PlatformImage>, AnyError>;

    /// The file of an image.
    ///
    /// # Errors
    /// Where it does not exist, or the platform can't be reached.
    fn download(&self, who: &Credentials, image: &PlatformImage) -> Result<Vec<u8>, AnyError>;

    /// Writes a video into a folder.
    ///
    /// # Errors
    /// Where it does not exist, the platform can't be reached or the folder has no room.
    fn video(&self, who: &Credentials, id: u64, folder: &Path) -> Result<PlatformVideo, AnyError>;

    /// Gets ready to take the predictions of these images. It is asked before anything is predicted.
    ///
    /// # Errors
    /// Where the upload makes no sense for these images, or the platform can't be reached.
    fn uploading(
        &self,
        who: &Credentials,
        upload: &Upload,
        images: &[PlatformImage],
    ) -> Result<Box<dyn Uploading>, AnyError>;
}

/// Takes the predictions of a request, batch by batch.
pub trait Uploading: Send {
    /// Takes annotations, and the meta of their classes and tags.
    ///
    /// # Errors
    /// Where the platform can't be reached or refuses one of them.
    fn add(
        &mut self,
        meta: &ProjectMeta,
        annotations: Vec<(PlatformImage, Annotation)>,
    ) -> Result<(), AnyError>;
}
