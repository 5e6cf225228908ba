//! The received part of a file, which a later pull resumes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::StoreError;

/// `<file>.part`, hashed as it grows, and `<file>.etag`: which version on the server it is a part of.
pub(crate) struct Part {
    path: PathBuf,
    etag_path: PathBuf,
    file: File,
    hash: Sha256,
    len: u64,
    etag: Option<String>,
}

impl Part {
    /// Opens the part of the file at `path`, which may be empty.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let etag_path = beside(path, "etag");
        let path = beside(path, "part");
        let at = || StoreError::at(&path);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(&path).map_err(at())?;
        let (mut hash, mut len) = (Sha256::new(), 0);
        if file.metadata().map_err(at())?.len() > 0 {
            (hash, len) = hash_of(&mut file).map_err(at())?;
        }
        let etag = fs::read_to_string(&etag_path).ok().filter(|etag| is_strong(etag));
        Ok(Self { path, etag_path, file, hash, len, etag })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(StoreError::at(&self.path))?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Drops what was received and begins a part of the version with this strong entity tag.
    pub(crate) fn restart(&mut self, etag: Option<&str>) -> Result<(), StoreError> {
        if self.len > 0 {
            self.file.set_len(0).map_err(StoreError::at(&self.path))?;
        }
        // A write that failed half-way moved the cursor without counting.
        self.file.rewind().map_err(StoreError::at(&self.path))?;
        self.hash = Sha256::new();
        self.len = 0;
        self.etag = etag.map(Into::into);
        match etag {
            Some(etag) => fs::write(&self.etag_path, etag).map_err(StoreError::at(&self.etag_path)),
            None => remove(&self.etag_path),
        }
    }

    pub(crate) fn digest(&self) -> String {
        hex(self.hash.clone())
    }

    /// Makes the part the file at `path`, on disk before it is visible.
    pub(crate) fn publish(self, path: &Path) -> Result<(), StoreError> {
        self.file.sync_all().map_err(StoreError::at(&self.path))?;
        drop(self.file);
        fs::rename(&self.path, path).map_err(StoreError::at(path))?;
        remove(&self.etag_path)?;
        sync_folder_of(path)
    }

    /// Deletes what was received.
    pub(crate) fn delete(self) -> Result<(), StoreError> {
        drop(self.file);
        remove(&self.path)?;
        remove(&self.etag_path)
    }
}

/// Is this a strong entity tag (RFC 9110, section 8.8.3)? Only such a tag may ask for the rest of a part.
pub(crate) fn is_strong(etag: &str) -> bool {
    etag.len() >= 2
        && etag.starts_with('"')
        && etag.ends_with('"')
        && etag.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `path` with `.ending` appended.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    path.into()
}

/// Writes a small file so that it is there as a whole or not at all.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), StoreError> {
    let part = beside(path, "part");
    let write = || {
        let mut file = File::create(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(StoreError::at(&part))?;
    fs::rename(&part, path).map_err(StoreError::at(path))?;
    sync_folder_of(path)
}

/// Deletes a file that need not exist.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StoreError::at(path)(error)),
        _ => Ok(()),
    }
}

/// Digest in hex of a whole file, and its length.
pub(crate) fn digest_of(path: &Path) -> io::Result<(String, u64)> {
    let (hash, len) = hash_of(&mut File::open(path)?)?;
    Ok((hex(hash), len))
}

fn hash_of(file: &mut File) -> io::Result<(Sha256, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut len = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hash, len)),
            Ok(read) => {
                hash.update(&buffer[..read]);
                len += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write;
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A rename lasts through a power cut only once its folder is on disk. Windows has no such call.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    if let (true, Some(folder)) = (cfg!(unix), path.parent()) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::at(folder))?;
    }
    Ok(())
}
