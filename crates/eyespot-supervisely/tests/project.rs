//! Projects on disk: what is written is read again, also over what is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use eyespot_supervisely::format::{
    Annotation, Figure, Geometry, ImageSize, ObjClass, Object, Polygon, ProjectMeta, ProjectType, Rectangle,
    Shape, TagMeta, VideoAnnotation, VideoFrame, VideoObject,
};
use eyespot_supervisely::project::{Project, ProjectError, ProjectItem, ProjectWriter};
use eyespot_supervisely::{Deliver as _, Delivery, Item, Pixels, Source};
use serde_json::Map;

fn dataset(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}

fn rectangle(left: f64) -> Geometry {
    Geometry::Rectangle(Rectangle { left, top: 1.0, right: left + 5.0, bottom: 9.0 })
}

fn meta(shape: Shape) -> ProjectMeta {
    let classes = vec![ObjClass::new("car", shape, [1, 2, 3])];
    ProjectMeta { classes, tags: vec![TagMeta::confidence()], ..ProjectMeta::default() }
}

fn image(geometry: Geometry) -> Annotation {
    let mut annotation = Annotation::new(64, 48);
    annotation.objects.push(Object::predicted("car", geometry, 0.5));
    annotation
}

/// Name with dataset, and the classes of the objects.
fn summary(item: &ProjectItem) -> (String, Vec<String>) {
    let annotation = item.read_annotation().unwrap().unwrap();
    let titles = annotation.objects.iter().map(|object| object.class_title.clone()).collect();
    (format!("{}/{}", item.dataset.join("/"), item.name), titles)
}

#[test]
fn images_in_nested_datasets_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ProjectWriter::open(folder.path(), ProjectType::Images).unwrap();
    let (boxes, polygons) = (meta(Shape::Rectangle), meta(Shape::Polygon));
    let triangle = Polygon { exterior: vec![[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]], interior: vec![] };
    writer.add_image(&dataset("day"), "b.png", b"b", &image(rectangle(1.0)), &boxes).unwrap();
    writer.add_image(&dataset("day/noon/late"), "a.png", b"a", &image(rectangle(2.0)), &boxes).unwrap();
    drop(writer);
    // Another run goes on with it, and has the class with another shape.
    let mut writer = ProjectWriter::open(folder.path(), ProjectType::Images).unwrap();
    writer.add_image(&dataset("day"), "a.png", b"c", &image(Geometry::Polygon(triangle)), &polygons).unwrap();
    writer.add_image(&dataset("day"), "b.png", b"new", &image(rectangle(3.0)), &boxes).unwrap();

    assert!(folder.path().join("day/datasets/noon/datasets/late/ann/a.png.json").is_file());
    let project = Project::open(folder.path()).unwrap();
    assert_eq!(&project.meta, writer.meta());
    let shapes: Vec<_> =
        project.meta.classes.iter().map(|class| (class.title.as_str(), &class.shape)).collect();
    assert_eq!(shapes, [("car", &Shape::Rectangle), ("car_nn", &Shape::Polygon)]);
    let found: Vec<_> = project.items.iter().map(summary).collect();
    let expected = [("day/a.png", "car_nn"), ("day/b.png", "car"), ("day/noon/late/a.png", "car")];
    assert_eq!(found, expected.map(|(name, class)| (name.to_owned(), vec![class.to_owned()])));
    assert_eq!(project.item(&project.files()[1]), Some(&project.items[1]));
    assert_eq!(std::fs::read(&project.items[1].file).unwrap(), b"new");
    assert_eq!(project.items[1].read_annotation().unwrap().unwrap(), image(rectangle(3.0)));
}

#[test]
fn items_are_delivered_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ProjectWriter::open(folder.path(), ProjectType::Images).unwrap();
    let item = |source, pixels| Item {
        key: String::new(),
        source,
        pixels,
        annotation: image(rectangle(1.0)),
        meta: meta(Shape::Rectangle),
    };
    let local = |name: &str| Source::Local { name: name.into(), dataset: vec![] };
    let batch = [
        item(local("a.png"), Pixels::Encoded(b"a".to_vec())),
        item(Source::Image { id: 5 }, Pixels::None),
        item(local("../a.png"), Pixels::Encoded(b"a".to_vec())),
        item(local("b.png"), Pixels::File("no/such/file".into())),
    ];
    for again in [false, true] {
        let done = writer.deliver(&batch, again).unwrap();
        let refused: Vec<bool> = done.iter().map(|done| matches!(done, Delivery::Refused { .. })).collect();
        assert_eq!(refused, [false, true, true, true]);
    }
    let found: Vec<_> = Project::open(folder.path()).unwrap().items.iter().map(summary).collect();
    assert_eq!(found, [("Predictions/a.png".to_owned(), vec!["car".to_owned()])]);
}

#[test]
fn what_is_no_project_or_no_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Project::open(folder.path()), Err(ProjectError::NoProject { .. })));
    let mut writer = ProjectWriter::open(folder.path(), ProjectType::Images).unwrap();
    for (dataset, name) in [("..", "a.png"), ("day", "../../a.png"), ("day", ""), ("C:", "a.png")] {
        let added = writer.add_image(
            &[dataset.to_owned()],
            name,
            b"",
            &image(rectangle(1.0)),
            &meta(Shape::Rectangle),
        );
        assert!(matches!(added, Err(ProjectError::Name { .. })), "{dataset} {name}");
    }
    let other = ProjectWriter::open(folder.path(), ProjectType::Videos);
    assert!(matches!(other, Err(ProjectError::Mixed { .. })));
    // Images beside a `meta.json` of something else.
    std::fs::write(folder.path().join("meta.json"), "{}").unwrap();
    std::fs::create_dir(folder.path().join("images")).unwrap();
    assert!(!Project::is_one(folder.path()));
    std::fs::create_dir(folder.path().join("images/img")).unwrap();
    assert!(Project::is_one(folder.path()));
    std::fs::write(folder.path().join("meta.json"), "{").unwrap();
    assert!(matches!(Project::open(folder.path()), Err(ProjectError::Format { .. })));
}

/// A video with one object, a box in frame 1.
fn video() -> VideoAnnotation {
    let key = |digit: &str| digit.repeat(32);
    let figure = Figure {
        key: key("a"),
        object_key: key("b"),
        geometry: rectangle(2.0),
        nn_created: true,
        nn_updated: true,
        track_id: Some("7".into()),
        id: None,
        object_id: None,
        geometry_extra: Map::new(),
        extra: Map::new(),
    };
    VideoAnnotation {
        size: ImageSize { height: 48, width: 64 },
        frames_count: 3,
        key: key("c"),
        objects: vec![VideoObject { key: key("b"), class_title: "car".into(), ..VideoObject::default() }],
        frames: vec![VideoFrame { index: 1, figures: vec![figure], extra: Map::new() }],
        ..VideoAnnotation::default()
    }
}

#[test]
fn videos_are_read_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let mut writer = ProjectWriter::open(folder.path(), ProjectType::Videos).unwrap();
    writer.add_video(&dataset("day"), "a.mp4", &file, &video(), &meta(Shape::Rectangle)).unwrap();
    // The class is a polygon in this one: its box gets a class of its own.
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path()).unwrap();
    let known = ProjectMeta { project_type: Some(ProjectType::Videos), ..meta(Shape::Polygon) };
    std::fs::write(other.path().join("meta.json"), serde_json::to_vec(&known).unwrap()).unwrap();
    let mut renamed = ProjectWriter::open(other.path(), ProjectType::Videos).unwrap();
    renamed.add_video(&dataset("day"), "a.mp4", &file, &video(), &meta(Shape::Rectangle)).unwrap();
    for (folder, class) in [(folder.path(), "car"), (other.path(), "car_nn")] {
        let project = Project::open(folder).unwrap();
        assert!(project.is_video() && folder.join("key_id_map.json").is_file());
        let read = project.items[0].read_video_annotation().unwrap().unwrap();
        let mut expected = video();
        expected.objects[0].class_title = class.into();
        assert_eq!(read, expected);
        assert_eq!(std::fs::read(&project.items[0].file).unwrap(), std::fs::read(&file).unwrap());
    }
}
