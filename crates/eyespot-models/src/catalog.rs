//! All models that a program knows.

use eyespot_core::{Error, ErrorKind};

use crate::{Manifest, ManifestError, Model, nearest};

/// The models of several manifests, found by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    models: Vec<Model>,
}

/// No model of the catalogue has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct UnknownModel {
    /// The name that was asked for.
    pub name: String,
    /// Full names of models that may have been meant, best first.
    pub nearest: Vec<String>,
    /// Was the name found in several families, so that it needs the family in front?
    pub ambiguous: bool,
}

impl std::fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, nearest, ambiguous } = self;
        match (nearest.join(" or "), ambiguous) {
            (names, true) => write!(f, "`{name}` is a model of several families: say {names}"),
            (names, false) if names.is_empty() => {
                write!(f, "there is no model `{name}`: list the models to see what there is")
            }
            (names, false) => write!(f, "there is no model `{name}`: did you mean {names}?"),
        }
    }
}

impl Error for UnknownModel {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
}

impl Catalog {
    /// Collects the models of the manifests, in their order.
    ///
    /// # Errors
    /// [`ManifestError::Duplicate`] if two manifests are of the same family.
    pub fn new(manifests: impl IntoIterator<Item = Manifest>) -> Result<Self, ManifestError> {
        let mut families: Vec<String> = Vec::new();
        let mut models = Vec::new();
        for manifest in manifests {
            // Ignoring case, as some file systems do.
            let family = manifest.family.to_ascii_lowercase();
            if families.contains(&family) {
                return Err(ManifestError::Duplicate(manifest.family));
            }
            families.push(family);
            models.extend(manifest.models);
        }
        Ok(Self { models })
    }

    /// Every model.
    pub fn models(&self) -> impl ExactSizeIterator<Item = &Model> {
        self.models.iter()
    }

    /// The model of this name, with or without the family in front.
    ///
    /// # Errors
    /// [`UnknownModel`] with the nearest names, if there is no such model or the name lacks the family and
    /// several families have it.
    pub fn find(&self, name: &str) -> Result<&Model, UnknownModel> {
        if let Some(model) = self.models.iter().find(|model| model.name == name) {
            return Ok(model);
        }
        let same: Vec<&Model> = self.called(name).collect();
        if let [model] = same[..] {
            return Ok(model);
        }
        let ambiguous = !same.is_empty();
        let meant: Vec<&str> = if ambiguous {
            same.into_iter().map(|model| model.name.as_str()).collect()
        } else if name.contains('/') {
            nearest(name, self.models.iter().map(|model| model.name.as_str()))
        } else {
            // A bare name is compared with bare names: the missing family is no typo.
            let mut shorts: Vec<&str> = self.models.iter().map(short_name).collect();
            shorts.sort_unstable();
            shorts.dedup();
            let near = nearest(name, shorts);
            near.into_iter().flat_map(|short| self.called(short)).map(|model| model.name.as_str()).collect()
        };
        let nearest = meant.into_iter().map(Into::into).collect();
        Err(UnknownModel { name: name.into(), nearest, ambiguous })
    }

    fn called(&self, short: &str) -> impl Iterator<Item = &Model> {
        self.models.iter().filter(move |model| short_name(model) == short)
    }
}

fn short_name(model: &Model) -> &str {
    model.name.split_once('/').map_or(model.name.as_str(), |(_, short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(family: &str, names: &[&str]) -> Manifest {
        let models: Vec<_> = names
            .iter()
            .map(|name| {
                serde_json::json!({
                    "name": format!("{family}/{name}"), "url": "https://example.org/w", "file": format!("{name}.pth"),
                    "sha256": null, "bytes": null, "input": [8, 8], "labels": "coco", "params": 1
                })
            })
            .collect();
        let json = serde_json::json!({ "family": family, "licence": "MIT", "source": "", "models": models });
        Manifest::parse(&json.to_string()).unwrap()
    }

    fn catalog() -> Catalog {
        Catalog::new([
            manifest("yolox", &["yolox-nano", "yolox-tiny", "tiny"]),
            manifest("rtmdet", &["tiny"]),
        ])
        .unwrap()
    }

    #[test]
    fn a_model_is_found_by_its_full_name_and_by_its_bare_one_if_that_is_unique() {
        let catalog = catalog();
        for name in ["yolox/yolox-nano", "yolox-nano"] {
            assert_eq!(catalog.find(name).unwrap().name, "yolox/yolox-nano");
        }
        assert_eq!(catalog.find("rtmdet/tiny").unwrap().family, "rtmdet");
        assert_eq!(catalog.models().len(), 4);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_ones() {
        let catalog = catalog();
        let message = |name| catalog.find(name).unwrap_err().to_string();
        assert_eq!(
            message("yolox-nan"),
            "there is no model `yolox-nan`: did you mean yolox/yolox-nano or yolox/yolox-tiny?"
        );
        assert_eq!(message("rtmdt/tiny"), "there is no model `rtmdt/tiny`: did you mean rtmdet/tiny?");
        assert_eq!(message("nano"), "there is no model `nano`: did you mean yolox/yolox-nano?");
        assert_eq!(message("tiny"), "`tiny` is a model of several families: say yolox/tiny or rtmdet/tiny");
        assert!(message("resnet-152").ends_with("list the models to see what there is"));
        assert_eq!(catalog.find("nano").unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_family_is_declared_once() {
        let twice = Catalog::new([manifest("yolox", &["a"]), manifest("YOLOX", &["b"])]);
        assert!(matches!(twice, Err(ManifestError::Duplicate(family)) if family == "YOLOX"));
    }
}
