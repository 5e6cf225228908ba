//! A model by its name: fetched, checked, cached and used.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use eyespot_burn::{CpuPredictor, Host};
use eyespot_core::{AnyError, Boxed, Detection, Error as _, ErrorKind};
use eyespot_models::{NoProgress, PullOptions, Store};
use eyespot_runtime::{Family, LoadOptions, Loaded, Loader, Registry, Settings, Weights};
use eyespot_tests::data;
use eyespot_tests::http::{Server, serve};
use sha2::Digest as _;
use yolox::Yolox;

/// YOLOX with weights of another publisher: what a plugin of a user looks like.
struct Mirrored {
    manifest: String,
}

impl Mirrored {
    fn new(url: &str, sha256: &str) -> Self {
        let manifest = serde_json::json!({
            "family": "mirrored", "licence": "Apache-2.0", "source": "https://example.org",
            "models": [{
                "name": "mirrored/nano", "url": format!("{url}/nano.onnx"), "file": "nano.onnx",
                "sha256": sha256, "bytes": null, "input": [416, 416], "labels": "coco", "params": 910_000
            }]
        });
        Self { manifest: manifest.to_string() }
    }
}

impl Family for Mirrored {
    fn name(&self) -> &'static str {
        "mirrored"
    }
    fn manifest(&self) -> &str {
        &self.manifest
    }
    fn reads(&self, _: &Path) -> bool {
        false
    }
    fn load(&self, weights: Weights<'_>, _: &LoadOptions) -> Result<Loaded, AnyError> {
        let predictor = CpuPredictor::load::<Yolox>(weights.file, weights.cache, Host::default());
        let plugin = Box::new(Boxed(predictor.map_err(AnyError::new)?));
        Ok(Loaded { plugin, device: "cpu".to_owned() })
    }
}

fn loader(home: &Path, url: &str, sha256: &str, offline: bool) -> Loader {
    let mut registry = Registry::new();
    registry.family(Mirrored::new(url, sha256));
    let pull = PullOptions { offline, proxy: false, retries: 0, ..PullOptions::default() };
    Loader { registry, store: Store::new(home), pull }
}

fn detections(loader: &Loader, image: &Path) -> Vec<Detection> {
    let model = loader.load("mirrored/nano", &LoadOptions::default(), &mut NoProgress).unwrap();
    let prediction = model.predict(image, &Settings::default()).unwrap().next().unwrap().unwrap();
    let classes: Vec<&str> = prediction.classes().collect();
    assert!(classes.contains(&"dog") && classes.contains(&"bicycle"), "{classes:?}");
    prediction.results().detections().to_vec()
}

#[test]
fn a_named_model_is_fetched_once_and_then_works_without_a_network() {
    let (Some(weights), Some(image)) = (data("models/yolox_nano.onnx"), data("images/dog.jpg")) else {
        return;
    };
    let file = std::fs::read(weights).unwrap();
    let sha256: String = sha2::Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    let server =
        Server::start(move |_, request, stream| serve(stream, &file, request.offset(), "\"1\"", usize::MAX));
    let home = tempfile::tempdir().unwrap();
    let fetched = detections(&loader(home.path(), &server.url(), &sha256, false), &image);
    let again = detections(&loader(home.path(), &server.url(), &sha256, true), &image);
    assert_eq!(fetched, again);
    assert_eq!(server.requests().len(), 1);

    // Other content than the manifest's: refused, and nothing is left that a later start could take for the model.
    let home = tempfile::tempdir().unwrap();
    let other = "0".repeat(64);
    let error = loader(home.path(), &server.url(), &other, false)
        .load("mirrored/nano", &LoadOptions::default(), &mut NoProgress)
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains(&sha256), "{error}");
    let missing = loader(home.path(), &server.url(), &other, true)
        .load("mirrored/nano", &LoadOptions::default(), &mut NoProgress)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
}
