//! Manifests: where the official weights of a model family are, and how to recognise them.

use std::collections::HashSet;

use eyespot_core::{Error, ErrorKind};
use serde::Deserialize;

/// The models of one family, as its package declares them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Short name of the family; the folder of its weights in the [`Store`](crate::Store).
    pub family: String,
    /// SPDX expression of the licence of the weights.
    pub licence: String,
    /// Page of the project that published the weights.
    pub source: String,
    /// The models; names and files are unique.
    pub models: Vec<Model>,
}

/// One model: a file of weights and what a person wants to know before pulling it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// `family/model`.
    pub name: String,
    /// The family, which is the first part of the name.
    pub family: String,
    /// SPDX expression of the licence of the weights.
    pub licence: String,
    /// Where the publisher serves the file.
    pub url: String,
    /// Name of the file in the store: no folders.
    pub file: String,
    /// SHA-256 of the file, 64 lower-case hex digits. `None`: trusted on first use.
    pub sha256: Option<String>,
    /// Size of the file in bytes, where known.
    pub bytes: Option<u64>,
    /// Height and width of the input in pixels.
    pub input: [u32; 2],
    /// Name of the label table, such as `coco`.
    pub labels: String,
    /// Number of parameters.
    pub params: u64,
}

/// A manifest is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, a field is missing, unknown or of the wrong type.
    #[error("the manifest does not have the form of a manifest: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A family or model name is not usable in a path.
    #[error(
        "`{0}` is not a usable name: use ASCII letters, digits, `.`, `_` and `-`, starting with a letter or digit"
    )]
    Name(String),
    /// A model's name does not begin with the name of its family.
    #[error("the model `{model}` must be named `{family}/...`, as its family is")]
    Family {
        /// Name of the model.
        model: String,
        /// Name of the family.
        family: String,
    },
    /// The file name could leave the store's folder or clash with the store's own files.
    #[error(
        "`{file}` of the model `{model}` is not a usable file name: no folders, no `..`, and none of the \
         endings .part, .etag, .lock, .sha256 and .cache, which the store uses"
    )]
    File {
        /// Name of the model.
        model: String,
        /// The file name.
        file: String,
    },
    /// Two models have the same name or the same file.
    #[error("`{0}` is declared twice: names and files of models must be unique")]
    Duplicate(String),
    /// The digest is not 64 hex digits.
    #[error("`{sha256}` of the model `{model}` is not a SHA-256 digest: give 64 hex digits or null")]
    Sha256 {
        /// Name of the model.
        model: String,
        /// The digest.
        sha256: String,
    },
    /// The address is not http or https.
    #[error("`{url}` of the model `{model}` must begin with https:// or http://")]
    Url {
        /// Name of the model.
        model: String,
        /// The address.
        url: String,
    },
    /// A size of zero.
    #[error("`{field}` of the model `{model}` must not be zero")]
    Zero {
        /// Name of the model.
        model: String,
        /// The field.
        field: &'static str,
    },
}

impl Error for ManifestError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    family: String,
    licence: String,
    source: String,
    models: Vec<RawModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    name: String,
    url: String,
    file: String,
    sha256: Option<String>,
    bytes: Option<u64>,
    input: [u32; 2],
    labels: String,
    params: u64,
}

impl Manifest {
    /// Reads a manifest from JSON and checks every field.
    ///
    /// # Errors
    /// [`ManifestError`] names the model and the field that is wrong.
    pub fn parse(json: &str) -> Result<Self, ManifestError> {
        let raw: RawManifest = serde_json::from_str(json)?;
        if !is_plain_name(&raw.family) {
            return Err(ManifestError::Name(raw.family));
        }
        let mut seen = HashSet::new();
        let mut models = Vec::with_capacity(raw.models.len());
        for model in raw.models {
            let model = check(model, &raw.family, &raw.licence)?;
            // Some file systems ignore case, so names that differ by it alone would share a file.
            for unique in [&model.name, &model.file] {
                if !seen.insert(unique.to_ascii_lowercase()) {
                    return Err(ManifestError::Duplicate(unique.clone()));
                }
            }
            models.push(model);
        }
        Ok(Self { family: raw.family, licence: raw.licence, source: raw.source, models })
    }
}

fn check(raw: RawModel, family: &str, licence: &str) -> Result<Model, ManifestError> {
    let model = || raw.name.clone();
    match raw.name.split_once('/') {
        Some((first, short)) if first == family => {
            if !is_plain_name(short) {
                return Err(ManifestError::Name(raw.name));
            }
        }
        _ => return Err(ManifestError::Family { model: raw.name, family: family.into() }),
    }
    if !is_plain_name(&raw.file) || is_store_file(&raw.file) {
        return Err(ManifestError::File { model: raw.name, file: raw.file });
    }
    if let Some(sha256) = &raw.sha256
        && (sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(ManifestError::Sha256 { model: model(), sha256: sha256.clone() });
    }
    if !raw.url.starts_with("https://") && !raw.url.starts_with("http://") {
        return Err(ManifestError::Url { model: raw.name, url: raw.url });
    }
    let zero = |field| Err(ManifestError::Zero { model: model(), field });
    if raw.bytes == Some(0) {
        return zero("bytes");
    }
    if raw.input.contains(&0) {
        return zero("input");
    }
    Ok(Model {
        name: raw.name,
        family: family.into(),
        licence: licence.into(),
        url: raw.url,
        file: raw.file,
        sha256: raw.sha256.map(|sha256| sha256.to_ascii_lowercase()),
        bytes: raw.bytes,
        input: raw.input,
        labels: raw.labels,
        params: raw.params,
    })
}

/// A name that is one path component on every platform, and not a hidden one.
fn is_plain_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !name.ends_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_store_file(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".part", ".etag", ".lock", ".sha256", ".cache"].iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn manifest(change: impl FnOnce(&mut Value)) -> Result<Manifest, ManifestError> {
        let mut value = json!({
            "family": "yolox", "licence": "Apache-2.0", "source": "https://example.org/yolox",
            "models": [{
                "name": "yolox/yolox-nano", "url": "https://example.org/yolox_nano.pth",
                "file": "yolox_nano.pth", "sha256": "AB".repeat(32), "bytes": 3, "input": [416, 320],
                "labels": "coco", "params": 910_000
            }]
        });
        change(&mut value);
        Manifest::parse(&value.to_string())
    }

    #[test]
    fn a_manifest_gives_its_models_family_licence_and_a_lower_case_digest() {
        let manifest = manifest(|_| ()).unwrap();
        assert_eq!(manifest.source, "https://example.org/yolox");
        let model = &manifest.models[0];
        assert_eq!((model.family.as_str(), model.licence.as_str()), ("yolox", "Apache-2.0"));
        assert_eq!(model.sha256.as_deref(), Some("ab".repeat(32).as_str()));
        assert_eq!((model.input, model.bytes, model.params), ([416, 320], Some(3), 910_000));
    }

    #[test]
    fn every_field_is_checked() {
        let edits: &[(&str, Value, &str)] = &[
            ("/models/0/name", json!("rtmdet/yolox-nano"), "must be named `yolox/...`"),
            ("/models/0/name", json!("yolox/../nano"), "not a usable name"),
            ("/models/0/url", json!("file:///etc/passwd"), "must begin with https://"),
            ("/models/0/sha256", json!("abc"), "not a SHA-256 digest"),
            ("/models/0/sha256", json!("g".repeat(64)), "not a SHA-256 digest"),
            ("/models/0/bytes", json!(0), "`bytes` of the model"),
            ("/models/0/bytes", json!(-1), "form of a manifest"),
            ("/models/0/input", json!([416, 0]), "`input` of the model"),
            ("/models/0/input", json!([416]), "form of a manifest"),
            ("/models/0/sha265", json!("ab"), "unknown field `sha265`"),
            ("/famly", json!("yolox"), "unknown field `famly`"),
            ("/family", json!("../yolox"), "not a usable name"),
        ];
        for (pointer, value, message) in edits {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let error =
                manifest(|json| json.pointer_mut(parent).unwrap()[field] = value.clone()).unwrap_err();
            assert!(error.to_string().contains(message), "{pointer} = {value}: {error}");
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        let twice = manifest(|json| {
            let copy = json["models"][0].clone();
            json["models"].as_array_mut().unwrap().push(copy);
        });
        assert!(matches!(twice, Err(ManifestError::Duplicate(name)) if name == "yolox/yolox-nano"));
    }

    #[test]
    fn files_that_leave_the_folder_or_clash_with_the_store_are_refused() {
        for file in [
            "/etc/passwd",
            "../a",
            "a/b",
            r"a\b",
            "C:a",
            "..",
            ".",
            "",
            ".hidden",
            "a.",
            "a.part",
            "a.SHA256",
        ] {
            let error = manifest(|json| json["models"][0]["file"] = json!(file)).unwrap_err();
            assert!(matches!(error, ManifestError::File { .. }), "{file}: {error}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_file_name_is_one_plain_path_component(file in "[a-z./\\\\:~ -]{0,6}|\\PC{0,6}") {
            if manifest(|json| json["models"][0]["file"] = json!(file)).is_ok() {
                let components: Vec<_> = std::path::Path::new(&file).components().collect();
                prop_assert_eq!(components, [std::path::Component::Normal(file.as_ref())]);
            }
        }
    }
}
