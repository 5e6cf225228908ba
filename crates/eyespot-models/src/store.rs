//! The local store of weights.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::fetch::Download;
use crate::part::{Part, beside, digest_of, remove, write_whole};
use crate::{Catalog, Model, Progress, PullOptions, StoreError};

/// A folder of weights: `<home>/models/<family>/<file>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    home: PathBuf,
}

/// Why the content of a file is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// It has the digest of the manifest.
    Pinned,
    /// The manifest has no digest; it has the one that was recorded at the first pull.
    Recorded,
    /// There is neither: whatever it is, the next pull records its digest.
    FirstUse,
}

/// A model in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// The model.
    pub model: &'a Model,
    /// Is it in the store?
    pub present: bool,
    /// Size in bytes: of the file if present, else as declared, where known.
    pub bytes: Option<u64>,
}

impl Store {
    /// A store in this folder, which need not exist yet.
    #[must_use]
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    /// The store of this user: `EYESPOT_HOME`, else `eyespot` in the cache directory of the platform
    /// (`XDG_CACHE_HOME` or `~/.cache`, `~/Library/Caches`, `%LOCALAPPDATA%`).
    ///
    /// # Errors
    /// [`StoreError::NoHome`] if the environment names none of them.
    pub fn from_env() -> Result<Self, StoreError> {
        home(|name| env::var_os(name), env::home_dir()).map(Self::new).ok_or(StoreError::NoHome)
    }

    /// The folder of the store.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Where the weights of the model are, or would be.
    #[must_use]
    pub fn path(&self, model: &Model) -> PathBuf {
        self.home.join("models").join(&model.family).join(&model.file)
    }

    /// Where a converted form of the weights belongs: `<file>.<tag>.cache` beside them. Let the tag name all that
    /// the conversion depends on; characters unfit for a file name become `-`. A pull that brings new weights
    /// deletes these files.
    #[must_use]
    pub fn cache_path(&self, model: &Model, tag: &str) -> PathBuf {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        beside(&self.path(model), &format!("{}.cache", tag.chars().map(fit).collect::<String>()))
    }

    /// Is the file there, in the declared size? Its content is not read: see [`verify`](Self::verify).
    #[must_use]
    pub fn is_present(&self, model: &Model) -> bool {
        self.size(model).is_some_and(|size| model.bytes.is_none_or(|bytes| bytes == size))
    }

    /// The models of the catalogue and which of them are here.
    pub fn list<'a>(&self, catalog: &'a Catalog) -> impl Iterator<Item = Entry<'a>> {
        catalog.models().map(|model| {
            let present = self.is_present(model);
            Entry { model, present, bytes: if present { self.size(model) } else { model.bytes } }
        })
    }

    /// Reads the file and checks its size and digest.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`Size`](StoreError::Size), [`Checksum`](StoreError::Checksum), or
    /// [`Io`](StoreError::Io) if it cannot be read.
    pub fn verify(&self, model: &Model) -> Result<Trust, StoreError> {
        self.examine(model).map(|(trust, _)| trust)
    }

    /// Makes sure that the weights are here and intact, and returns their path.
    ///
    /// An interrupted download is resumed if the server still has the same version. If the manifest has no
    /// digest, the one of the first pull is recorded in `<file>.sha256` (the format of `sha256sum`) and holds
    /// from then on: delete that file to accept new content. While another process pulls the same model, this
    /// one waits.
    ///
    /// # Errors
    /// [`StoreError`] says what to do. After a lost connection, a timeout or a full disk, what was received is
    /// kept; a file with a wrong digest or size is deleted.
    pub fn pull(
        &self,
        model: &Model,
        options: &PullOptions,
        progress: &mut dyn Progress,
    ) -> Result<PathBuf, StoreError> {
        let path = self.path(model);
        let url = options.mirror.as_ref().map_or_else(
            || model.url.clone(),
            |mirror| format!("{}/{}/{}", mirror.trim_end_matches('/'), model.family, model.file),
        );
        match self.accept(model) {
            Err(StoreError::Missing(path)) if options.offline => {
                return Err(StoreError::Offline { model: model.name.clone(), url, path });
            }
            Err(error) if options.offline || !can_be_pulled(&error) => return Err(error),
            Err(_) => {}
            Ok(()) => return Ok(path),
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::at(folder))?;
        }
        let _lock = lock(&beside(&path, "lock"), progress)?;
        // Another process may have pulled it before the lock was free.
        match self.accept(model) {
            Err(error) if !can_be_pulled(&error) => return Err(error),
            Err(_) => {}
            Ok(()) => return Ok(path),
        }
        let expected = self.expected(model)?;
        let mut part = Part::open(&path)?;
        let download = Download { url, path: &path, bytes: model.bytes, pinned: expected.is_some(), options };
        download.run(&mut part, progress)?;

        let (got, len) = (part.digest(), part.len());
        if let Err(error) = check(&path, model.bytes, len, expected.as_deref(), &got) {
            part.delete()?;
            return Err(error);
        }
        if expected.is_none() {
            self.record(model, &got)?;
        }
        self.delete_caches(model)?;
        part.publish(&path)?;
        progress.finish();
        Ok(path)
    }

    fn size(&self, model: &Model) -> Option<u64> {
        fs::metadata(self.path(model)).ok().filter(fs::Metadata::is_file).map(|file| file.len())
    }

    /// Verifies the file, and records its digest if there is none.
    fn accept(&self, model: &Model) -> Result<(), StoreError> {
        match self.examine(model)? {
            (Trust::FirstUse, digest) => self.record(model, &digest),
            _ => Ok(()),
        }
    }

    fn examine(&self, model: &Model) -> Result<(Trust, String), StoreError> {
        let path = self.path(model);
        let (got, len) = digest_of(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::Missing(path.clone()),
            _ => StoreError::at(&path)(error),
        })?;
        let expected = self.expected(model)?;
        check(&path, model.bytes, len, expected.as_deref(), &got)?;
        let trust = match (&model.sha256, expected) {
            (Some(_), _) => Trust::Pinned,
            (None, Some(_)) => Trust::Recorded,
            (None, None) => Trust::FirstUse,
        };
        Ok((trust, got))
    }

    /// The digest of the manifest, else the recorded one.
    fn expected(&self, model: &Model) -> Result<Option<String>, StoreError> {
        if model.sha256.is_some() {
            return Ok(model.sha256.clone());
        }
        let record = beside(&self.path(model), "sha256");
        match fs::read_to_string(&record) {
            Ok(text) => Ok(Some(text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::at(&record)(error)),
        }
    }

    fn record(&self, model: &Model, digest: &str) -> Result<(), StoreError> {
        write_whole(&beside(&self.path(model), "sha256"), &format!("{digest}  {}\n", model.file))
    }

    /// Deletes what was converted from the weights that are about to be replaced.
    fn delete_caches(&self, model: &Model) -> Result<(), StoreError> {
        let path = self.path(model);
        let (Some(folder), prefix) = (path.parent(), format!("{}.", model.file)) else { return Ok(()) };
        for entry in fs::read_dir(folder).map_err(StoreError::at(folder))? {
            let name = entry.map_err(StoreError::at(folder))?.file_name();
            if name.to_str().is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".cache")) {
                remove(&folder.join(name))?;
            }
        }
        Ok(())
    }
}

fn can_be_pulled(error: &StoreError) -> bool {
    matches!(error, StoreError::Missing(_) | StoreError::Size { .. } | StoreError::Checksum { .. })
}

fn check(
    path: &Path,
    bytes: Option<u64>,
    len: u64,
    sha256: Option<&str>,
    got: &str,
) -> Result<(), StoreError> {
    match (bytes, sha256) {
        (Some(expected), _) if expected != len => {
            Err(StoreError::Size { path: path.into(), expected, got: len })
        }
        (_, Some(expected)) if expected != got => {
            Err(StoreError::Checksum { path: path.into(), expected: expected.into(), got: got.into() })
        }
        _ => Ok(()),
    }
}

/// Locks the file until the handle is dropped or the process dies. The file stays: deleting it would let a process
/// that waits for it and one that makes it anew both go ahead.
fn lock(path: &Path, progress: &mut dyn Progress) -> Result<File, StoreError> {
    let file = File::create(path).map_err(StoreError::at(path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.waiting();
            file.lock().map_err(StoreError::at(path))?;
        }
        Err(TryLockError::Error(error)) => return Err(StoreError::at(path)(error)),
    }
    Ok(file)
}

fn home(var: impl Fn(&str) -> Option<OsString>, user: Option<PathBuf>) -> Option<PathBuf> {
    let folder = |name| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = folder("EYESPOT_HOME") {
        return Some(home);
    }
    let cache = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        user.map(|user| user.join("Library/Caches"))
    } else {
        // The XDG specification has relative paths ignored.
        let xdg = folder("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        xdg.or_else(|| user.map(|user| user.join(".cache")))
    };
    cache.map(|cache| cache.join("eyespot"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(unix, not(target_os = "macos")))]
    #[test]
    fn the_home_is_named_by_the_environment() {
        let with = |set: &[(&str, &str)], user: Option<&str>| {
            let var = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            home(var, user.map(Into::into))
        };
        let xdg = ("XDG_CACHE_HOME", "/cache");
        assert_eq!(with(&[("EYESPOT_HOME", "here"), xdg], Some("/u")), Some("here".into()));
        assert_eq!(with(&[("EYESPOT_HOME", ""), xdg], Some("/u")), Some("/cache/eyespot".into()));
        assert_eq!(with(&[("XDG_CACHE_HOME", "cache")], Some("/u")), Some("/u/.cache/eyespot".into()));
        assert_eq!(with(&[], None), None);
    }
}
