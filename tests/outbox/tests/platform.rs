//! `predict(.., upload_mode)` against the emulated platform.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::time::Duration;

use eyespot_core::{
    BBox, Boxed, ClassId, Detection, ErrorType, Frame, ModelSpec, NullSink, PredictOptions, PredictionsMut,
    Predictor,
};
use eyespot_media::{Canvas, Input, VideoWriter};
use eyespot_outbox::{Destination, Drained, Target, Upload, UploadError, UploadInput, predict};
use eyespot_runtime::{Model, Settings};
use eyespot_supervisely::UploadMode;
use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token};
use eyespot_supervisely::format::{Geometry, Object};
use platform_emulator::{Platform, png};

/// Finds a car in every image, as wide as the image is.
struct Cars;

impl ErrorType for Cars {
    type Error = Infallible;
}

impl Predictor for Cars {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("cars", None, &["car"])
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        _: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        let bbox = BBox::new(0.0, 0.0, f32::from(frame.image.width()), 10.0);
        out.push(Detection::new(bbox, 0.5, ClassId(0)));
        Ok(())
    }
}

struct Setup {
    platform: Platform,
    client: Client,
    folder: tempfile::TempDir,
    dataset: u64,
}

fn setup() -> Setup {
    let platform = Platform::start().unwrap();
    let images = [("a.png", png(64, 48, 1)), ("b.png", png(40, 48, 2)), ("c.png", png(32, 48, 3))];
    let dataset = platform.store().add_images_project("street", &images);
    let connection = Connection::new(&platform.url(), Token::new(platform.token()).unwrap()).unwrap();
    let client = Client::new(connection, ClientOptions { tries: 1, ..ClientOptions::default() });
    Setup { platform, client, folder: tempfile::tempdir().unwrap(), dataset }
}

impl Setup {
    fn run(
        &self,
        mode: UploadMode,
        destination: Destination,
        input: UploadInput,
    ) -> Result<Drained, UploadError> {
        let target = Target { server: self.platform.url(), mode, destination };
        let upload = Upload::new(target, self.folder.path().join("outbox.db"));
        let model = Model::from_predictor(Cars);
        let mut run = predict(&model, input, &Settings::default(), &self.client, &upload)?;
        while run.step(&mut Boxed(NullSink)).unwrap().is_some() {}
        Ok(run.finish(Duration::from_secs(60))?)
    }

    /// The objects of an image, as everyone sees them.
    fn objects(&self, name: &str) -> Vec<Object> {
        let id = self.platform.store().item(self.dataset, name).unwrap();
        self.client.annotations(self.dataset, &[id]).unwrap().remove(0).objects
    }
}

fn widths(objects: &[Object]) -> Vec<f64> {
    let width = |object: &Object| match &object.geometry {
        Geometry::Rectangle(rectangle) => Some(rectangle.width()),
        _ => None,
    };
    objects.iter().filter_map(width).collect()
}

#[test]
fn images_of_the_platform_get_their_results() {
    let setup = setup();
    let images = || UploadInput::Datasets(vec![setup.dataset]);
    assert_eq!(setup.run(UploadMode::Append, Destination::Sources, images()).unwrap(), Drained::All);
    for (name, width) in [("a.png", 64.0), ("b.png", 40.0), ("c.png", 32.0)] {
        let objects = setup.objects(name);
        assert_eq!((widths(&objects), objects[0].score()), (vec![width], Some(0.5)), "{name}");
        assert!(objects[0].nn_created);
    }
    // The same results again are known; merged they overlap what is there; replaced there is one again.
    assert_eq!(setup.run(UploadMode::Append, Destination::Sources, images()).unwrap(), Drained::All);
    assert_eq!(setup.run(UploadMode::IOU_MERGE, Destination::Sources, images()).unwrap(), Drained::All);
    assert_eq!(widths(&setup.objects("a.png")), [64.0]);
    let project = setup.platform.store().project_of(setup.dataset).unwrap();
    let all = UploadInput::Projects(vec![project]);
    assert_eq!(setup.run(UploadMode::Replace, Destination::Sources, all).unwrap(), Drained::All);
    assert_eq!(widths(&setup.objects("a.png")), [64.0]);
}

#[test]
fn results_go_into_a_new_project() {
    let setup = setup();
    let id = setup.platform.store().item(setup.dataset, "b.png").unwrap();
    let new = || Destination::NewProject { workspace: 1, name: "found".into() };
    assert_eq!(setup.run(UploadMode::Create, new(), UploadInput::Images(vec![id])).unwrap(), Drained::All);
    let photo = setup.folder.path().join("local.png");
    std::fs::write(&photo, png(50, 48, 9)).unwrap();
    let local = UploadInput::Local(photo.into());
    assert_eq!(setup.run(UploadMode::Create, new(), local).unwrap(), Drained::All);
    let stored = setup.platform.snapshot();
    let datasets = &stored["found"]["datasets"];
    assert_eq!(datasets["ds0"]["items"]["b.png"]["objects"].as_array().unwrap().len(), 1, "{stored}");
    let folder = setup.folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(datasets[folder]["items"]["local.png"]["objects"].as_array().unwrap().len(), 1, "{stored}");
    assert!(setup.objects("b.png").is_empty());
}

#[test]
fn videos_go_up_whole_and_get_their_results_where_they_are() {
    let setup = setup();
    let new = || Destination::NewProject { workspace: 1, name: "found".into() };
    let file = setup.folder.path().join("road.mp4");
    let mut writer = VideoWriter::create(&file, None, 25.0).unwrap();
    for frame in 0..7 {
        writer.write(&Canvas::new(64, 48), frame * 40_000).unwrap();
    }
    writer.finish().unwrap();
    // A photo beside it: the platform keeps images and videos apart.
    let photo = setup.folder.path().join("local.png");
    std::fs::write(&photo, png(50, 48, 9)).unwrap();
    let both = UploadInput::Local(vec![Input::from(file.clone()), Input::from(photo)].into());
    assert_eq!(setup.run(UploadMode::Create, new(), both).unwrap(), Drained::All);
    let folder = setup.folder.path().file_name().unwrap().to_str().unwrap();
    let stored = setup.platform.snapshot();
    let kinds = [&stored["found"], &stored["found_001"]].map(|project| project["type"].as_str().unwrap());
    assert!(kinds == ["images", "videos"] || kinds == ["videos", "images"], "{stored}");
    let videos = if kinds[0] == "videos" { "found" } else { "found_001" };
    let frames = |stored: &serde_json::Value, project: &str| {
        let objects = stored[project]["datasets"][folder]["items"]["road.mp4"]["objects"].clone();
        // No tracks: all cars are one object.
        assert_eq!(objects.as_array().unwrap().len(), 1, "{stored}");
        objects[0]["figures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|figure| figure["frame"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(frames(&stored, videos), (0..7).collect::<Vec<_>>());
}

#[test]
fn wrong_combinations_fail_before_anything_is_asked() {
    let setup = setup();
    let local = || UploadInput::Local("a.png".into());
    let images = || UploadInput::Images(vec![1]);
    let project = || Destination::Project { id: 1 };
    for (mode, destination, input) in [
        (UploadMode::Append, Destination::Sources, local()),
        (UploadMode::Replace, Destination::Sources, local()),
        (UploadMode::IOU_MERGE, Destination::Sources, local()),
        (UploadMode::Create, Destination::Sources, images()),
        (UploadMode::Append, project(), images()),
        (UploadMode::Replace, project(), images()),
    ] {
        let error = setup.run(mode, destination, input).unwrap_err();
        assert!(matches!(error, UploadError::Mode(_)), "{mode:?}: {error}");
    }
    assert_eq!(setup.platform.calls(), []);
    assert!(!setup.folder.path().join("outbox.db").exists());
}
