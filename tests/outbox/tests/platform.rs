//! `predict(.., upload_mode)` against the emulated platform.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use eyespot_core::{
    BBox, Boxed, ClassId, Detection, ErrorType, Frame, ModelSpec, NullSink, PredictOptions, PredictionsMut,
    Predictor,
};
use eyespot_media::{Canvas, Input, VideoWriter};
use eyespot_outbox::{Destination, Drained, Target, Upload, UploadError, UploadInput, predict};
use eyespot_runtime::{Model, Settings, Tracking};
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
        out.push(Detection::new(bbox, 0.75, ClassId(0)));
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
        self.run_with(mode, destination, input, &Settings::default())
    }

    fn run_with(
        &self,
        mode: UploadMode,
        destination: Destination,
        input: UploadInput,
        settings: &Settings,
    ) -> Result<Drained, UploadError> {
        let target = Target { server: self.platform.url(), mode, destination };
        let upload = Upload::new(target, self.folder.path().join("outbox.db"));
        let model = Model::from_predictor(Cars);
        let mut run = predict(&model, input, settings, &self.client, &upload)?;
        while run.step(&mut Boxed(NullSink)).unwrap().is_some() {}
        Ok(run.finish(Duration::from_secs(60))?)
    }

    /// A video of the folder, in black.
    fn video_file(&self, frames: u64) -> PathBuf {
        let file = self.folder.path().join("road.mp4");
        let mut writer = VideoWriter::create(&file, None, 25.0).unwrap();
        for frame in 0..frames {
            writer.write(&Canvas::new(64, 48), frame * 40_000).unwrap();
        }
        writer.finish().unwrap();
        file
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
        assert_eq!((widths(&objects), objects[0].score()), (vec![width], Some(0.75)), "{name}");
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
    let file = setup.video_file(7);
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
    let objects = &stored[videos]["datasets"][folder]["items"]["road.mp4"]["objects"];
    // No tracks: all cars are one object.
    assert_eq!(frames(objects), [(0..7).collect::<Vec<_>>()], "{stored}");
}

/// By the number of a video, of its dataset and of its project, each mode that there is.
#[test]
fn videos_of_the_platform_get_their_results() {
    let setup = setup();
    let file = std::fs::read(setup.video_file(5)).unwrap();
    let video = setup.platform.store().add_video_file_project("walks", "walk.mp4", &file, (64, 48), 5);
    let info = setup.client.video(video).unwrap().unwrap();
    let objects = |project: &str| {
        let stored = setup.platform.snapshot();
        assert_eq!(stored[project]["type"], "videos", "{stored}");
        stored[project]["datasets"]["ds0"]["items"]["walk.mp4"]["objects"].clone()
    };
    let all = || (0..5).collect::<Vec<_>>();
    let append = |input: UploadInput, settings: &Settings| {
        setup.run_with(UploadMode::Append, Destination::Sources, input, settings).unwrap()
    };
    let plain = Settings::default();
    assert_eq!(append(UploadInput::Videos(vec![video]), &plain), Drained::All);
    assert_eq!(frames(&objects("walks")), [all()]);
    let stored = setup.platform.snapshot();
    assert_eq!(stored["walks"]["classes"][0]["title"], "car", "{stored}");
    let figure = &objects("walks")[0]["figures"][0];
    assert_eq!((&figure["shape"], &figure["nnCreated"]), (&"rectangle".into(), &true.into()), "{figure}");
    // The same results again are known, however the video was named.
    assert_eq!(append(UploadInput::Datasets(vec![info.dataset_id]), &plain), Drained::All);
    assert_eq!(append(UploadInput::Projects(vec![info.project_id]), &plain), Drained::All);
    assert_eq!(frames(&objects("walks")), [all()]);
    // A track is an object of its own.
    let tracking = Settings { tracking: Some(Tracking::default()), ..Settings::default() };
    assert_eq!(append(UploadInput::Videos(vec![video]), &tracking), Drained::All);
    assert_eq!(frames(&objects("walks")), [all(), all()]);
    // Chosen frames, with the numbers that they have in the video.
    let mut some = Settings::default();
    some.video.start_frame = 3;
    let new = |name: &str| Destination::NewProject { workspace: 1, name: name.into() };
    let chosen = UploadInput::Videos(vec![video]);
    assert_eq!(setup.run_with(UploadMode::Create, new("late"), chosen, &some).unwrap(), Drained::All);
    assert_eq!(frames(&objects("late")), [[3, 4]]);
    // A copy is the same file; the source stays as it is.
    assert_eq!(frames(&objects("walks")), [all(), all()]);
    let stored = setup.platform.snapshot();
    let hash = |project: &str| stored[project]["datasets"]["ds0"]["items"]["walk.mp4"]["hash"].clone();
    assert!(hash("walks").is_string() && hash("walks") == hash("late"), "{stored}");
}

/// Images and videos of the platform in one run; and where a mode is only for images, that is said when the platform has told
/// that there are videos, before anything is done.
#[test]
fn projects_of_both_kinds_get_their_results() {
    let setup = setup();
    let file = std::fs::read(setup.video_file(3)).unwrap();
    let video = setup.platform.store().add_video_file_project("walks", "walk.mp4", &file, (64, 48), 3);
    let info = setup.client.video(video).unwrap().unwrap();
    let images = setup.platform.store().project_of(setup.dataset).unwrap();
    let projects = || UploadInput::Projects(vec![images, info.project_id]);
    let before = setup.platform.snapshot();
    for mode in [UploadMode::Replace, UploadMode::IOU_MERGE] {
        for input in [projects(), UploadInput::Datasets(vec![info.dataset_id])] {
            let error = setup.run(mode, Destination::Sources, input).unwrap_err();
            assert!(matches!(error, UploadError::Mode(_)), "{mode:?}: {error}");
        }
        let error = setup.run(mode, Destination::Sources, UploadInput::Videos(vec![video])).unwrap_err();
        assert!(matches!(error, UploadError::Mode(_)), "{mode:?}: {error}");
    }
    assert_eq!(setup.platform.snapshot(), before);
    assert!(!setup.folder.path().join("outbox.db").exists());

    assert_eq!(setup.run(UploadMode::Append, Destination::Sources, projects()).unwrap(), Drained::All);
    let stored = setup.platform.snapshot();
    let walk = |project: &str| &stored[project]["datasets"]["ds0"]["items"]["walk.mp4"]["objects"];
    assert_eq!(frames(walk("walks")), [[0, 1, 2]], "{stored}");
    assert_eq!(widths(&setup.objects("b.png")), [40.0]);

    let new = Destination::NewProject { workspace: 1, name: "found".into() };
    assert_eq!(setup.run(UploadMode::Create, new, projects()).unwrap(), Drained::All);
    let stored = setup.platform.snapshot();
    let of_kind = |kind: &str| {
        let mut names = ["found", "found_001"].into_iter();
        names.find(|name| stored[*name]["type"] == kind).unwrap()
    };
    let items = |name: &str| &stored[name]["datasets"]["ds0"]["items"];
    assert_eq!(frames(&items(of_kind("videos"))["walk.mp4"]["objects"]), [[0, 1, 2]], "{stored}");
    let found = items(of_kind("images")).as_object().unwrap();
    let counts = found.values().map(|image| image["objects"].as_array().unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 1, 1], "{stored}");
}

/// The frames in which each object of a video is.
fn frames(objects: &serde_json::Value) -> Vec<Vec<u64>> {
    let figures = |object: &serde_json::Value| object["figures"].as_array().unwrap().clone();
    let frame = |figure: serde_json::Value| figure["frame"].as_u64().unwrap();
    let objects = objects.as_array().unwrap().iter();
    objects.map(|object| figures(object).into_iter().map(frame).collect()).collect()
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
