//! The official SDK drives the emulated platform as our client does: what is kept is the same. `EYESPOT_SDK_PYTHON` is a
//! Python that has it (`pip install supervisely`).

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

use eyespot_supervisely::client::{Client, ClientOptions, Connection, ImageContent, Token};
use eyespot_supervisely::format::{
    Annotation, Geometry, ObjClass, Object, Polygon, ProjectMeta, ProjectType, Rectangle, Shape, Tag,
    TagMeta, ValueType,
};
use eyespot_supervisely::project::{Project, ProjectWriter};
use eyespot_supervisely::{Deliver as _, Delivery, Item, Pixels, Source, UploadMode, Uploader};
use platform_emulator::Platform;

fn python() -> Option<std::ffi::OsString> {
    let python = std::env::var_os("EYESPOT_SDK_PYTHON");
    if python.is_none() {
        eprintln!("IGNORED: set EYESPOT_SDK_PYTHON to a Python that has the package supervisely");
    }
    python
}

fn run(command: &mut Command) {
    let run = command.output().unwrap();
    let text = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(run.status.success(), "{}{}", text[0], text[1]);
}

fn script(python: &std::ffi::OsStr, name: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name));
    command
}

fn rectangle(left: f64, top: f64, right: f64, bottom: f64) -> Geometry {
    Geometry::Rectangle(Rectangle { left, top, right, bottom })
}

fn meta() -> ProjectMeta {
    ProjectMeta {
        classes: vec![
            ObjClass::new("car", Shape::Rectangle, [1, 2, 3]),
            ObjClass::new("star", Shape::Point, [4, 5, 6]),
            ObjClass::new("field", Shape::Polygon, [7, 8, 9]),
        ],
        tags: vec![TagMeta::confidence(), TagMeta::new("night", ValueType::None, [0; 3])],
        ..ProjectMeta::default()
    }
}

/// The steps of `sdk/steps.py`.
fn ours(client: &Client, picture: &Path) {
    let file = std::fs::read(picture).unwrap();
    let project = client.add_project(1, "ours", &ProjectType::Images, "").unwrap().id;
    client.set_meta(project, &meta()).unwrap();
    let day = client.add_dataset(project, "day", None).unwrap().id;
    let noon = client.add_dataset(project, "noon", Some(day)).unwrap().id;
    let hash = client.upload_images(&[&file]).unwrap().pop().unwrap();
    let image =
        client.add_images(noon, &[("a.png".into(), ImageContent::Hash(hash))]).unwrap().pop().unwrap();
    let (width, height) = (image.width.unwrap(), image.height.unwrap());
    let by_hand = |class: &str, geometry| Object {
        nn_created: false,
        nn_updated: false,
        tags: vec![],
        ..Object::predicted(class, geometry, 0.0)
    };
    let triangle = Polygon { exterior: vec![[1.0, 1.0], [30.0, 1.0], [30.0, 12.0]], interior: vec![] };
    let mut drawn = Annotation::new(width, height);
    drawn.objects.push(by_hand("car", rectangle(1.0, 2.0, 20.0, 9.0)));
    drawn.objects.push(by_hand("field", Geometry::Polygon(triangle)));
    drawn.tags.push(Tag::new("night", None));
    client.set_annotations(noon, &[(image.id, drawn)]).unwrap();

    let deliver = |uploader: &mut Uploader, source, pixels, objects| {
        let annotation = Annotation { objects, ..Annotation::new(width, height) };
        let item = Item { key: "k".into(), source, pixels, annotation, meta: meta() };
        assert_eq!(uploader.deliver(&[item], false).unwrap(), [Delivery::Done]);
    };
    let mut append = Uploader::new(client.clone(), UploadMode::Append).unwrap();
    let results = vec![
        Object::predicted("car", rectangle(0.0, 0.0, 9.0, 9.0), 0.5),
        Object::predicted("star", Geometry::Point([4.0, 3.0]), 0.25),
    ];
    deliver(&mut append, Source::Image { id: image.id }, Pixels::None, results);
    let local = Source::Local { name: "b.png".into(), dataset: vec!["day".into()] };
    let results = vec![Object::predicted("car", rectangle(0.0, 0.0, 9.0, 9.0), 1.0)];
    deliver(
        &mut Uploader::into_project(client.clone(), project),
        local,
        Pixels::File(picture.into()),
        results,
    );
    client.add_images(day, &[("copy.png".into(), ImageContent::Copy(image.id))]).unwrap();
}

#[test]
fn the_platform_keeps_the_same_from_the_sdk_and_from_us() {
    let Some(python) = python() else { return };
    let platform = Platform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("a.png");
    std::fs::write(&picture, platform_emulator::png(64, 48, 77)).unwrap();
    let connection = Connection::new(&platform.url(), Token::new(platform.token()).unwrap()).unwrap();
    ours(&Client::new(connection, ClientOptions::default()), &picture);
    run(script(&python, "steps.py")
        .arg(&picture)
        .arg("theirs")
        .env("SERVER_ADDRESS", platform.url())
        .env("API_TOKEN", platform.token())
        .env("SUPERVISELY_SKIP_HTTPS_USER_HELPER_CHECK", "1"));
    let stored = platform.snapshot();
    assert_eq!(
        stored["ours"]["datasets"]["day/noon"]["items"]["a.png"]["objects"].as_array().unwrap().len(),
        4
    );
    let [ours, theirs] = ["ours", "theirs"].map(|name| serde_json::to_string_pretty(&stored[name]).unwrap());
    assert_eq!(ours, theirs);
}

#[test]
fn the_sdk_reads_our_projects_and_we_read_its() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let dataset = |path: &str| -> Vec<String> { path.split('/').map(str::to_owned).collect() };
    let mut writer = ProjectWriter::open(at("images"), ProjectType::Images).unwrap();
    let mut annotation = Annotation::new(64, 48);
    annotation.objects.push(Object::predicted("car", rectangle(3.0, 1.0, 8.0, 9.0), 0.5));
    let picture = platform_emulator::png(64, 48, 77);
    for place in ["day", "day/noon"] {
        writer.add_image(&dataset(place), "a.png", &picture, &annotation, &meta()).unwrap();
    }
    let mut writer = ProjectWriter::open(at("videos"), ProjectType::Videos).unwrap();
    let key = |digit: &str| digit.repeat(32);
    let video = serde_json::json!({
        "size": {"height": 48, "width": 64}, "framesCount": 3, "description": "", "key": key("c"), "tags": [],
        "objects": [{"key": key("b"), "classTitle": "car", "tags": []}],
        "frames": [{"index": 1, "figures": [{"key": key("a"), "objectKey": key("b"), "geometryType": "rectangle",
            "geometry": {"points": {"exterior": [[2, 1], [7, 9]], "interior": []}}, "nnCreated": true,
            "nnUpdated": true, "trackId": "7"}]}],
    });
    let video = serde_json::from_value(video).unwrap();
    // What is in the file is nobody's concern here.
    writer.add_video(&dataset("day"), "a.mp4", &at("images/meta.json"), &video, &meta()).unwrap();

    run(script(&python, "project.py").arg(folder.path()));

    let theirs = Project::open(at("their-images")).unwrap();
    let lefts = theirs.items.iter().map(|item| {
        let annotation = item.read_annotation().unwrap().unwrap();
        let bounds = annotation.objects[0].geometry.bounds().unwrap();
        (item.dataset.join("/"), item.name.clone(), bounds.left, annotation.objects[0].score())
    });
    let expected = [("day", 3.0), ("day/noon", 20.0)];
    let expected = expected.map(|(dataset, left)| (dataset.to_owned(), "b.png".to_owned(), left, Some(0.5)));
    assert_eq!(lefts.collect::<Vec<_>>(), expected);
    let theirs = Project::open(at("their-videos")).unwrap();
    let read = theirs.items[0].read_video_annotation().unwrap().unwrap();
    assert!(theirs.is_video());
    assert_eq!((read.frames_count, read.objects[0].class_title.as_str()), (3, "car"));
    assert_eq!(read.frames[0].figures[0].geometry, rectangle(2.0, 1.0, 7.0, 9.0));
    assert_eq!(read.frames[0].figures[0].track_id.as_deref(), Some("7"));
}
