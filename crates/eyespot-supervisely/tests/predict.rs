//! Projects on disk and items of the platform through a model.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::path::Path;
use std::time::{Duration, Instant};

use eyespot_core::{
    BBox, Boxed, ClassId, Detection, ErrorType, Frame, FrameSource as _, ModelSpec, PredictOptions,
    PredictionsMut, Predictor,
};
use eyespot_media::{Canvas, Input, VideoWriter};
use eyespot_runtime::{Model, Prediction, Session, SessionError, Settings};
use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token};
use eyespot_supervisely::format::{Annotation, ProjectMeta, ProjectType, Rectangle};
use eyespot_supervisely::project::{Project, ProjectError, ProjectSink, ProjectWriter};
use eyespot_supervisely::{Converter, PlatformInput, SourceKind, ToAnnotation as _, load_image};
use platform_emulator::{Fault, Platform, Rule, png};

/// Finds one box, as wide as the first pixel is bright.
struct Level;

impl ErrorType for Level {
    type Error = Infallible;
}

impl Predictor for Level {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("level", None, &["other", "level"])
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        _: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        let level = f32::from(frame.image.rgb(0, 0)[0]);
        out.push(Detection::new(BBox::new(0.0, 0.0, level, 8.0), 0.75, ClassId(1)));
        Ok(())
    }
}

#[test]
fn each_prediction_finds_its_place_in_the_project_again() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let project = write_source(&source);
    let model = Model::from_predictor(Level);
    let mut results = ProjectWriter::open(&target, ProjectType::Images).unwrap();
    let meta = Converter::of_model(&model).meta();
    for prediction in model.predict(project.files(), &Settings::default()).unwrap() {
        let prediction = prediction.unwrap();
        let item = prediction.path().and_then(|path| project.item(path)).unwrap();
        let image = std::fs::read(&item.file).unwrap();
        results.add_image(&item.dataset, &item.name, &image, &prediction.annotation(), &meta).unwrap();
    }

    check_target(&target);
}

/// The sink does the same, and keeps the images byte for byte.
#[test]
fn a_sink_writes_the_results_of_a_project_as_a_project() {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let project = write_source(&source);
    let own = ProjectSink::new(source.join("../source")).with_project(&project);
    assert!(matches!(own, Err(ProjectError::Same { .. })));
    write_project(&target, Some(&project), project.files().into());
    check_target(&target);
    for (from, to) in project.items.iter().zip(Project::open(&target).unwrap().items) {
        assert_eq!(std::fs::read(&from.file).unwrap(), std::fs::read(&to.file).unwrap());
    }
}

/// Without a project the folders are datasets; two of one name, and two images of one name, don't meet.
#[test]
fn a_sink_makes_a_project_of_folders_and_images_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = Vec::new();
    for (place, level) in [("a/day", 10), ("b/day", 20), ("b/.night", 30)] {
        let place = folder.path().join(place);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("1.png"), png(64, 48, level)).unwrap();
        inputs.push(Input::from(place));
    }
    inputs.push(Canvas::new(64, 48).into());
    let target = folder.path().join("target");
    write_project(&target, None, inputs.into());
    let items = Project::open(&target).unwrap().items.into_iter();
    let found: Vec<_> = items.map(|item| format!("{}/{}", item.dataset.join("/"), item.name)).collect();
    assert_eq!(found, ["Predictions/image_0.jpg", "_night/1.png", "day/1-2.png", "day/1.png"]);
}

/// A video file becomes a video with its objects; with a project of images in the same place that is refused.
#[test]
fn a_sink_makes_a_project_of_videos() {
    let folder = tempfile::tempdir().unwrap();
    let (file, target) = (folder.path().join("street.mp4"), folder.path().join("target"));
    write_video(&file, 5);
    write_project(&target, None, file.as_path().into());
    let project = Project::open(&target).unwrap();
    assert!(project.is_video() && project.items.len() == 1);
    assert_eq!(std::fs::read(&project.items[0].file).unwrap(), std::fs::read(&file).unwrap());
    let annotation = project.items[0].read_video_annotation().unwrap().unwrap();
    assert_eq!((annotation.frames_count, annotation.frames.len(), annotation.objects.len()), (5, 5, 1));
    assert_eq!(annotation.objects[0].class_title, "level");

    let images = folder.path().join("images");
    std::fs::create_dir(&images).unwrap();
    std::fs::write(images.join("1.png"), png(64, 48, 10)).unwrap();
    let model = Model::from_predictor(Level);
    let mut session = model.predict(images.as_path(), &Settings::default()).unwrap();
    let mut sink = Boxed(ProjectSink::new(&target).with_sources(session.sources()));
    let error = session.step(&mut sink).unwrap_err();
    assert!(error.to_string().contains("either images or videos"), "{error}");
}

/// By all four kinds of numbers; what is missing costs only itself.
#[test]
fn items_of_the_platform_are_predicted_by_their_numbers() {
    let platform = Platform::start().unwrap();
    let images = [("a.png", png(64, 48, 10)), ("b/c.png", png(40, 48, 20))];
    let dataset = platform.store().add_images_project("street", &images);
    let project = platform.store().project_of(dataset).unwrap();
    let [a, b] = ["a.png", "b/c.png"].map(|name| platform.store().item(dataset, name).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("walk.mp4");
    write_video(&file, 3);
    let file = std::fs::read(file).unwrap();
    let video = platform.store().add_video_file_project("walk", "walk.mp4", &file, (64, 48), 3);
    let client = connect(&platform, 1);
    let videos = client.video(video).unwrap().unwrap();

    let run = |input: PlatformInput| -> Vec<Result<Prediction, SessionError>> {
        let model = Model::from_predictor(Level);
        let settings = Settings::default();
        let sources = input.sources(&settings.source_options());
        Session::open_sources(&model, sources, &settings).unwrap().collect()
    };
    let ids = |prediction: &Prediction| {
        assert_eq!((prediction.path(), prediction.url()), (None, None));
        let inner = prediction.image_id().or(prediction.video_id());
        (prediction.project_id(), prediction.dataset_id(), inner, prediction.name().to_owned())
    };
    let image = |id: u64, name: &str| (Some(project), Some(dataset), Some(id), name.to_owned());
    let all = [image(a, "a.png"), image(b, "b_c.png")];
    for input in [
        PlatformInput::of_images(&client, &[a, b]),
        PlatformInput::of_datasets(&client, &[dataset]).unwrap(),
        PlatformInput::of_projects(&client, &[project]).unwrap(),
    ] {
        assert_eq!(input.kinds().collect::<Vec<_>>(), [SourceKind::PlatformImages]);
        let results: Vec<_> = run(input).into_iter().map(Result::unwrap).collect();
        assert_eq!(results.iter().map(ids).collect::<Vec<_>>(), all);
        assert_eq!((results[0].video_id(), results[0].frame_index()), (None, None));
        assert_eq!(results[1].boxes().next().unwrap().xyxy()[2], 20.0);
        assert_eq!(load_image(&client, &results[1]).unwrap().pixels()[0], [20; 3]);
    }
    let frames = |index| (Some(videos.project_id), Some(videos.dataset_id), Some(video), index);
    for input in [
        PlatformInput::of_videos(&client, &[video]),
        PlatformInput::of_datasets(&client, &[videos.dataset_id]).unwrap(),
        PlatformInput::of_projects(&client, &[videos.project_id]).unwrap(),
    ] {
        assert_eq!(input.kinds().collect::<Vec<_>>(), [SourceKind::PlatformVideo]);
        let results: Vec<_> = run(input).into_iter().map(Result::unwrap).collect();
        let found = results.iter().map(|result| {
            assert_eq!((result.name(), result.image_id(), result.url()), ("walk.mp4", None, None));
            (result.project_id(), result.dataset_id(), result.video_id(), result.frame_index().unwrap())
        });
        assert_eq!(found.collect::<Vec<_>>(), [frames(0), frames(1), frames(2)]);
        let level = load_image(&client, &results[2]).unwrap().pixels()[0][0];
        assert!(level.abs_diff(60) < 8, "{level}");
    }
    // Both kinds in one run.
    let both = PlatformInput::of_projects(&client, &[project, videos.project_id]).unwrap();
    assert_eq!(run(both).len(), 5);
    // What is not there.
    let results = run(PlatformInput::of_images(&client, &[a, 999_999, b]));
    let missing = results[1].as_ref().unwrap_err().to_string();
    assert!(missing.contains("supervisely://image/999999"), "{missing}");
    assert!(results[0].is_ok() && results[2].is_ok() && results.len() == 3);
    let results = run(PlatformInput::of_videos(&client, &[a, video]));
    assert!(results[0].is_err() && results.len() == 4);
    assert!(PlatformInput::of_projects(&client, &[999_999]).is_err());
    assert!(PlatformInput::of_datasets(&client, &[999_999]).is_err());
}

fn connect(platform: &Platform, tries: u32) -> Client {
    let connection = Connection::new(&platform.url(), Token::new(platform.token()).unwrap()).unwrap();
    Client::new(connection, ClientOptions { tries, ..ClientOptions::default() })
}

/// A project of images, the brighter the later, and the numbers of the images.
fn shades(platform: &Platform, count: u8) -> Vec<u64> {
    let names: Vec<_> = (0..count).map(|number| format!("{number:02}.png")).collect();
    let images = names.iter().zip(0..count).map(|(name, shade)| (name.as_str(), png(64, 48, 10 + shade)));
    let dataset = platform.store().add_images_project("shades", &images.collect::<Vec<_>>());
    names.iter().map(|name| platform.store().item(dataset, name).unwrap()).collect()
}

/// Over a long line several images are under way at a time; they still come in their order, and one that is not there costs
/// only itself.
#[test]
fn images_of_the_platform_are_fetched_ahead() {
    let platform = Platform::start().unwrap();
    let mut ids = shades(&platform, 24);
    ids[7] = 999_999;
    for method in ["images.info", "images.download"] {
        platform.faults().add(Rule::new(Fault::Delay(Duration::from_millis(50))).on(method));
    }
    let model = Model::from_predictor(Level);
    let settings = Settings::default();
    let run = |ids: &[u64]| {
        let sources =
            PlatformInput::of_images(&connect(&platform, 1), ids).sources(&settings.source_options());
        Session::open_sources(&model, sources, &settings).unwrap()
    };
    let level = |result: Result<Prediction, SessionError>| {
        result.ok().map(|prediction| prediction.boxes().next().unwrap().xyxy()[2])
    };
    let levels: Vec<_> = run(&ids).map(level).collect();
    let expected = (0..24_u8).map(|shade| (shade != 7).then_some(f32::from(10 + shade)));
    assert_eq!(levels, expected.collect::<Vec<_>>());
    for method in ["images.info", "images.download"] {
        let most = platform.most_at_once(method);
        assert!((4..=8).contains(&most), "{method}: {most}");
    }
    // A session that ends early leaves nothing behind that goes on asking.
    let mut session = run(&ids);
    assert_eq!(level(session.next().unwrap()), Some(10.0));
    drop(session);
    let calls = platform.calls().len();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(platform.calls().len(), calls);
}

/// Also where the platform has asked for a minute of patience.
#[test]
fn a_source_that_waits_for_the_platform_can_be_stopped() {
    let platform = Platform::start().unwrap();
    let ids = shades(&platform, 20);
    platform.faults().add(Rule::new(Fault::Busy { retry_after: 60 }).on("images.download"));
    let input = PlatformInput::of_images(&connect(&platform, 10), &ids);
    let mut source = input.sources(&Settings::default().source_options()).next().unwrap().unwrap();
    let stopper = source.stopper().unwrap();
    let start = Instant::now();
    std::thread::scope(|scope| {
        let taker = scope.spawn(|| source.next_frame().map(|frame| frame.is_none()));
        while platform.faults().hits() < 8 {
            std::thread::sleep(Duration::from_millis(1));
        }
        stopper.stop();
        assert!(taker.join().unwrap().unwrap());
    });
    drop(source);
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!(platform.faults().hits(), 8);
}

/// A project of images with a dataset within another one.
fn write_source(folder: &Path) -> Project {
    let mut writer = ProjectWriter::open(folder, ProjectType::Images).unwrap();
    let empty = Annotation::new(64, 48);
    let day = vec!["day".to_owned()];
    let noon = vec!["day".to_owned(), "noon".to_owned()];
    for (dataset, level) in [(&day, 10), (&noon, 20), (&noon, 30)] {
        let name = format!("{}.png", level % 20);
        writer.add_image(dataset, &name, &png(64, 48, level), &empty, &ProjectMeta::default()).unwrap();
    }
    Project::open(folder).unwrap()
}

/// What [`Level`] finds in [`write_source`]'s project.
fn check_target(target: &Path) {
    let found = Project::open(target).unwrap().items.into_iter().map(|item| {
        let annotation = item.read_annotation().unwrap().unwrap();
        assert_eq!(
            (annotation.objects[0].class_title.as_str(), annotation.objects[0].score()),
            ("level", Some(0.75))
        );
        let Some(Rectangle { right, .. }) = annotation.objects[0].geometry.bounds() else { unreachable!() };
        (item.dataset.join("/"), item.name, right)
    });
    let expected = [("day", "10.png", 9.0), ("day/noon", "0.png", 19.0), ("day/noon", "10.png", 29.0)];
    let expected = expected.map(|(dataset, name, right)| (dataset.to_owned(), name.to_owned(), right));
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

/// Runs [`Level`] over an input into a project.
fn write_project(target: &Path, project: Option<&Project>, input: Input) {
    let model = Model::from_predictor(Level);
    let mut session = model.predict(input, &Settings::default()).unwrap();
    let sink = ProjectSink::new(target).with_converter(Converter::of_model(&model));
    let sink = sink.with_sources(session.sources());
    let sink = match project {
        Some(project) => sink.with_project(project).unwrap(),
        None => sink,
    };
    let mut sink = Boxed(sink);
    while session.step(&mut sink).unwrap().is_some() {}
}

/// Gray frames that become brighter: 20, 40, 60 and so on.
fn write_video(path: &Path, frames: u8) {
    let mut writer = VideoWriter::create(path, None, 10.0).unwrap();
    for number in 1..=frames {
        let gray = vec![number * 20; 64 * 48];
        let view = eyespot_core::ImageView::packed(&gray, 64, 48, eyespot_core::PixelFormat::Gray8).unwrap();
        writer.write(&Canvas::from_view(&view), u64::from(number - 1) * 100_000).unwrap();
    }
    writer.finish().unwrap();
}
