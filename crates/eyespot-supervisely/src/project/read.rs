//! Reading a project.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::{ANNOTATIONS, IMAGES, META, NESTED, ProjectError, VIDEOS};
use crate::format::{Annotation, ProjectMeta, ProjectType, VideoAnnotation};

/// A project on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// Its classes and tags.
    pub meta: ProjectMeta,
    /// Its images or videos: datasets by name, each before those within it, and their files by name.
    pub items: Vec<ProjectItem>,
}

/// An image or video of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectItem {
    /// The names of its dataset and of those around it, the outermost first.
    pub dataset: Vec<String>,
    /// The name of its file.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Its annotation; `None` where it has none.
    pub annotation: Option<PathBuf>,
}

impl Project {
    /// Is this folder a project with a dataset? Others keep a `meta.json` of their own beside their images.
    #[must_use]
    pub fn is_one(folder: &Path) -> bool {
        let is_dataset = |name: &String| {
            [IMAGES, VIDEOS, NESTED].iter().any(|inside| folder.join(name).join(inside).is_dir())
        };
        folder.join(META).is_file()
            && names(folder, Path::is_dir).is_ok_and(|names| names.iter().any(is_dataset))
    }

    /// Reads the meta of a project and lists its files. A folder of it without `img` or `video` is no dataset.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ProjectError> {
        let folder = folder.as_ref().to_path_buf();
        if !folder.join(META).is_file() {
            return Err(ProjectError::NoProject { folder });
        }
        let meta = read(&folder.join(META))?;
        let mut project = Self { folder: folder.clone(), meta, items: Vec::new() };
        project.add_datasets(&folder, &[])?;
        Ok(project)
    }

    /// Does it hold videos?
    #[must_use]
    pub fn is_video(&self) -> bool {
        self.meta.project_type == Some(ProjectType::Videos)
    }

    /// The files of its images or videos, as input for a model. Predictions have these paths.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.items.iter().map(|item| item.file.clone()).collect()
    }

    /// The image or video of this file.
    #[must_use]
    pub fn item(&self, file: &Path) -> Option<&ProjectItem> {
        self.items.iter().find(|item| item.file == file)
    }

    fn add_datasets(&mut self, folder: &Path, around: &[String]) -> Result<(), ProjectError> {
        for name in names(folder, Path::is_dir)? {
            let own = folder.join(&name);
            let files = own.join(if self.is_video() { VIDEOS } else { IMAGES });
            let nested = own.join(NESTED);
            if !files.is_dir() && !nested.is_dir() {
                continue;
            }
            let dataset = [around, &[name]].concat();
            if files.is_dir() {
                self.add_files(&own, &files, &dataset)?;
            }
            if nested.is_dir() {
                self.add_datasets(&nested, &dataset)?;
            }
        }
        Ok(())
    }

    fn add_files(&mut self, own: &Path, files: &Path, dataset: &[String]) -> Result<(), ProjectError> {
        for name in names(files, Path::is_file)? {
            let annotation = own.join(ANNOTATIONS).join(format!("{name}.json"));
            let annotation = annotation.is_file().then_some(annotation);
            let file = files.join(&name);
            self.items.push(ProjectItem { dataset: dataset.to_vec(), name, file, annotation });
        }
        Ok(())
    }
}

impl ProjectItem {
    /// The annotation of an image; `None` where it has none.
    ///
    /// # Errors
    /// [`ProjectError::File`], [`ProjectError::Format`].
    pub fn read_annotation(&self) -> Result<Option<Annotation>, ProjectError> {
        self.annotation.as_deref().map(read).transpose()
    }

    /// The annotation of a video; `None` where it has none.
    ///
    /// # Errors
    /// [`ProjectError::File`], [`ProjectError::Format`].
    pub fn read_video_annotation(&self) -> Result<Option<VideoAnnotation>, ProjectError> {
        self.annotation.as_deref().map(read).transpose()
    }
}

/// The names in a folder, in their order. Hidden files are none of a project.
fn names(folder: &Path, kind: fn(&Path) -> bool) -> Result<Vec<String>, ProjectError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(ProjectError::file(folder))? {
        let entry = entry.map_err(ProjectError::file(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && kind(&entry.path()) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ProjectError> {
    let text = fs::read(path).map_err(ProjectError::file(path))?;
    serde_json::from_slice(&text).map_err(|source| ProjectError::Format { path: path.to_path_buf(), source })
}
