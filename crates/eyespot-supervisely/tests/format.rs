//! The formats: what the official SDK wrote, and round trips of random shapes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use eyespot_core::{
    Angle, BBox, ClassId, Detection, Keypoint, MaskRect, Predictions, PredictionsStorage as _, TrackId,
};
use eyespot_supervisely::format::*;
use eyespot_supervisely::{Converter, VideoBuilder, track_ids};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn golden(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Reads and writes; nothing may change.
fn same<T: DeserializeOwned + serde::Serialize>(value: &Value) -> T {
    let read: T = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(&serde_json::to_value(&read).unwrap(), value);
    read
}

#[test]
fn what_the_sdk_writes_is_read_and_written_again() {
    let meta: ProjectMeta = same(&golden("meta.json"));
    assert_eq!(meta.class("person").unwrap().geometry_config.id_of("left_eye"), Some("left_eye"));
    assert_eq!(meta.tag("weather").unwrap().values.as_ref().unwrap().len(), 2);
    let annotation: Annotation = same(&golden("annotation.json"));
    let shapes: Vec<_> =
        annotation.objects.iter().map(|object| object.geometry.shape().to_string()).collect();
    let expected =
        "rectangle rectangle oriented_bbox bitmap bitmap bitmap polygon line point graph rectangle";
    assert_eq!(shapes.join(" "), expected);
    assert_eq!(annotation.objects[0].score(), Some(0.87));
    let video: VideoAnnotation = same(&golden("video.json"));
    assert_eq!(video.frames[2].figures[0].track_id.as_deref(), Some("7"));
    assert_eq!(video.tags[0].frame_range, Some([2, 3]));
}

#[test]
fn masks_of_the_sdk_have_its_pixels_and_ours_have_its_bytes() {
    for (name, case) in golden("masks.json").as_object().unwrap() {
        let bitmap = Bitmap { origin: [0, 0], data: case["data"].as_str().unwrap().to_owned() };
        let mask = bitmap.decode().unwrap();
        let rows: Vec<Vec<u8>> = serde_json::from_value(case["rows"].clone()).unwrap();
        assert_eq!((mask.height() as usize, mask.width() as usize), (rows.len(), rows[0].len()), "{name}");
        for (y, row) in rows.iter().enumerate() {
            for (x, &set) in row.iter().enumerate() {
                assert_eq!(mask.contains(x as i64, y as i64), set == 1, "{name} {x} {y}");
            }
        }
    }
}

/// Other encodings of a mask that the platform and old programs write.
#[test]
fn masks_in_any_png_are_read() {
    use base64::Engine as _;
    let encode = |color, depth, data: &[u8], zlib: bool| {
        let mut png = Vec::new();
        let mut encoder = png::Encoder::new(&mut png, 3, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        if zlib {
            use std::io::Write as _;
            let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(&png).unwrap();
            png = packed.finish().unwrap();
        }
        Bitmap { origin: [4, 2], data: base64::engine::general_purpose::STANDARD.encode(png) }
    };
    use png::{BitDepth::*, ColorType::*};
    for (color, depth, data) in [
        (Grayscale, One, &[0b1010_0000][..]),
        (Grayscale, Eight, &[255, 0, 1]),
        (Grayscale, Sixteen, &[255, 255, 0, 0, 255, 255]),
        (GrayscaleAlpha, Eight, &[0, 255, 9, 0, 0, 1]),
        (Rgb, Eight, &[1, 0, 0, 0, 0, 0, 0, 0, 9]),
        (Rgba, Eight, &[0, 0, 0, 255, 9, 9, 9, 0, 0, 0, 0, 7]),
    ] {
        for zlib in [true, false] {
            let mask = encode(color, depth, data, zlib).decode().unwrap();
            let set: Vec<_> = (3..9).filter(|&x| mask.contains(x, 2)).collect();
            assert_eq!((set, mask.area()), (vec![4, 6], 2), "{color:?} {depth:?} {zlib}");
        }
    }
    let no_base64 = Bitmap { origin: [0, 0], data: "!".into() };
    for (broken, reason) in [(no_base64, "base64"), (Bitmap { origin: [0, 0], data: "AAAA".into() }, "zlib")]
    {
        let error = broken.decode().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn coordinates_change_on_the_way_to_the_platform_as_in_the_sdk() {
    let annotation: Annotation = serde_json::from_value(golden("annotation.json")).unwrap();
    let there = subpixel::annotation_to_platform(annotation.clone());
    let expected: Annotation = serde_json::from_value(golden("platform.json")).unwrap();
    assert_eq!(there, expected);
    assert_eq!(subpixel::annotation_from_platform(there), annotation);
    for case in golden("edges.json").as_array().unwrap() {
        let read = |key| -> [[f64; 2]; 2] { serde_json::from_value(case[key].clone()).unwrap() };
        let rectangle = |[[left, top], [right, bottom]]: [[f64; 2]; 2]| {
            Geometry::Rectangle(Rectangle { left, top, right, bottom })
        };
        let mut geometry = rectangle(read("edges"));
        subpixel::from_platform(&mut geometry, ImageSize { height: 60, width: 80 });
        assert_eq!(geometry, rectangle(read("pixels")), "{case}");
    }
}

#[test]
fn broken_objects_are_named() {
    for (object, reason) in [
        (json!({"classTitle": "car", "tags": []}), "geometryType"),
        (json!({"classTitle": "car", "geometryType": "rectangle"}), "`points` is missing"),
        (
            json!({"classTitle": "car", "geometryType": "point", "points": {"exterior": []}}),
            "one point expected, 0",
        ),
        (json!({"classTitle": "car", "geometryType": "graph", "nodes": {"a": 3}}), "a graph: `nodes`"),
    ] {
        let error = serde_json::from_value::<Object>(object).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let shape_only = json!({"classTitle": "car", "shape": "point", "points": {"exterior": [[1, 2]]}});
    let object: Object = serde_json::from_value(shape_only).unwrap();
    assert_eq!(object.geometry, Geometry::Point([1.0, 2.0]));
}

fn class(title: &str, shape: Shape) -> ObjClass {
    ObjClass::new(title, shape, [1, 2, 3])
}

#[test]
fn metas_are_merged_and_never_narrowed() {
    let template = |names: &[&str]| Template::new(names, &[], [0; 3]);
    let person = class("person", Shape::Graph);
    let mut theirs = template(&["a", "b", "c"]);
    // The labelling tool gives its nodes ids of its own.
    let node = theirs.nodes.remove("a").unwrap();
    theirs.nodes.insert("7f3e".into(), node);
    let mut meta = ProjectMeta {
        classes: vec![
            class("car", Shape::Rectangle),
            class("truck", Shape::Polygon),
            class("bus", Shape::Any),
            class("bike", Shape::Polygon),
            class("bike_nn", Shape::Line),
            ObjClass { id: Some(5), ..person.clone().with_template(theirs) },
        ],
        tags: vec![TagMeta { classes: vec!["car".into()], ..TagMeta::confidence() }],
        ..ProjectMeta::default()
    };
    let before = meta.clone();
    let ours = ProjectMeta {
        classes: vec![
            class("car", Shape::Rectangle),
            class("truck ", Shape::Rectangle),
            class("bus", Shape::Bitmap),
            class("dog", Shape::Bitmap),
            person.clone().with_template(template(&["a", "b"])),
        ],
        tags: vec![TagMeta::confidence()],
        ..ProjectMeta::default()
    };
    let names = meta.merge(&ours, SUFFIX).unwrap();
    assert_eq!(names.class("car", &Shape::Rectangle), "car");
    assert_eq!(names.class("truck ", &Shape::Rectangle), "truck_nn");
    assert_eq!(names.class("bus", &Shape::Bitmap), "bus");
    let titles: Vec<_> = meta.classes.iter().map(|class| class.title.as_str()).collect();
    assert_eq!(titles, ["car", "truck", "bus", "bike", "bike_nn", "person", "truck_nn", "dog"]);
    assert_eq!(meta.classes[..6], before.classes);
    assert_eq!(meta.tags[0].classes, ["bus", "car", "dog", "person", "truck_nn"]);
    // Once more changes nothing.
    let once = meta.clone();
    meta.merge(&ours, SUFFIX).unwrap();
    assert_eq!(meta, once);

    let node = Node { loc: [1.0, 2.0], ..Node::default() };
    let graph = Graph { nodes: BTreeMap::from([("a".to_owned(), node.clone()), ("b".to_owned(), node)]) };
    let mut annotation = Annotation::new(9, 9);
    annotation.objects.push(Object::predicted("person", Geometry::Graph(graph), 0.5));
    names.apply(&mut annotation);
    let Geometry::Graph(graph) = &annotation.objects[0].geometry else { panic!() };
    assert_eq!(graph.nodes.keys().collect::<Vec<_>>(), ["7f3e", "b"]);

    // Keypoints that the project's class lacks ask for a class of their own.
    let more = person.with_template(template(&["a", "nose"]));
    let names = meta.merge(&ProjectMeta { classes: vec![more], ..ProjectMeta::default() }, SUFFIX).unwrap();
    assert_eq!(names.class("person", &Shape::Graph), "person_nn");

    let clash = ProjectMeta { classes: vec![class("bike", Shape::Bitmap)], ..ProjectMeta::default() };
    let error = meta.clone().merge(&clash, SUFFIX).unwrap_err();
    assert!(error.to_string().contains("`bike_nn`"), "{error}");
    assert_eq!(meta.merge(&clash, "_model").unwrap().class("bike", &Shape::Bitmap), "bike_model");
}

#[test]
fn results_become_objects_of_their_shape() {
    let mut results = Predictions::<6, 64, 17>::new();
    let mut out = results.view_mut();
    let detection = |x1, y1, x2, y2, class| Detection::new(BBox::new(x1, y1, x2, y2), 0.87, ClassId(class));
    let mut tracked = detection(-4.0, 1.6, 9.4, 2.4, 0);
    tracked.track = TrackId::new(3);
    out.push(tracked).unwrap();
    let index = out.push(detection(0.0, 0.0, 9.0, 9.0, 1)).unwrap();
    assert!(out.set_mask(index, MaskRect { x: 2, y: 3, width: 9, height: 2 }, &[0x20, 0, 0xff, 0x80]));
    let index = out.push(detection(0.0, 0.0, 9.0, 9.0, 2)).unwrap();
    let point = |x| Keypoint { x, y: 3.7, score: x / 20.0 };
    assert!(out.set_keypoints(index, &[point(2.9), point(12.0)]));
    let mut tilted = detection(1.0, 2.0, 5.0, 6.0, 7);
    tilted.angle = Angle::from_radians(0.5);
    out.push(tilted).unwrap();
    // Wholly outside.
    out.push(detection(30.0, 0.0, 40.0, 4.0, 0)).unwrap();

    let converter = Converter::new(&["car", "cell", "person"]);
    let annotation = converter.annotation(12, 8, results.view());
    let [car, cell, person, tilted] = &annotation.objects[..] else { panic!("{annotation:?}") };
    let expected = Rectangle { left: 0.0, top: 2.0, right: 8.0, bottom: 2.0 };
    assert_eq!(car.geometry, Geometry::Rectangle(expected));
    assert_eq!((car.tags[0].value.clone(), car.nn_created, car.nn_updated), (Some(json!(0.87)), true, true));
    let Geometry::Bitmap(bitmap) = &cell.geometry else { panic!() };
    let mask = bitmap.decode().unwrap();
    assert_eq!((bitmap.origin, mask.width(), mask.height(), mask.area()), ([2, 3], 9, 2, 10));
    assert!(mask.contains(4, 3) && !mask.contains(5, 3) && mask.contains(10, 4));
    let Geometry::Graph(graph) = &person.geometry else { panic!() };
    assert_eq!((graph.nodes["0"].loc, graph.nodes["0"].disabled), ([2.0, 3.0], true));
    assert_eq!((graph.nodes["1"].loc, graph.nodes["1"].disabled), ([11.0, 3.0], false));
    assert_eq!((tilted.class_title.as_str(), tilted.geometry.shape()), ("class 7", Shape::OrientedBox));
    assert_eq!(track_ids(&annotation), [Some(3), None, None, None]);

    let meta = converter.meta_of(results.view());
    let shapes: Vec<_> =
        meta.classes.iter().map(|class| (class.title.as_str(), class.shape.as_str())).collect();
    assert_eq!(
        shapes,
        [("car", "rectangle"), ("cell", "bitmap"), ("person", "graph"), ("class 7", "oriented_bbox")]
    );
    let tracked = converter.tracked_only(true).annotation(12, 8, results.view());
    assert_eq!((tracked.objects.len(), tracked.custom_big_data), (1, json!([3])));
}

#[test]
fn a_video_has_one_object_per_track() {
    let mut builder = VideoBuilder::new(Converter::new(&["car", "truck"]), "street.mp4");
    for (frame, class, score) in [(0, 1, 0.4), (2, 0, 0.9), (4, 1, 0.4)] {
        let mut results = Predictions::<3>::new();
        let bbox = BBox::new(frame as f32, 0.0, 10.0 + frame as f32, 5.0);
        let mut tracked = Detection::new(bbox, score, ClassId(class));
        tracked.track = TrackId::new(9);
        results.view_mut().push(tracked);
        results.view_mut().push(Detection::new(bbox, 0.3, ClassId(1)));
        let info = eyespot_core::FrameInfo { index: frame, width: 64, height: 48, ..Default::default() };
        builder.push(&info, results.view());
    }
    let again = builder.clone();
    let (video, meta) = builder.finish(Some(6));
    let objects: Vec<_> = video.objects.iter().map(|object| object.class_title.as_str()).collect();
    assert_eq!(objects, ["car", "truck"]);
    assert_eq!((video.frames_count, video.frames.len(), meta.classes.len()), (6, 3, 2));
    for frame in &video.frames {
        let [tracked, loose] = &frame.figures[..] else { panic!() };
        assert_eq!((&tracked.object_key, tracked.track_id.as_deref()), (&video.objects[0].key, Some("9")));
        assert_eq!((&loose.object_key, &loose.track_id), (&video.objects[1].key, &None));
    }
    assert_eq!(again.finish(None).0, VideoAnnotation { frames_count: 5, ..video });
}

fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![(-1000i32..5000).prop_map(f64::from), -1e4..1e6f64]
}

fn points(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Point>> {
    prop::collection::vec([coordinate(), coordinate()], count)
}

fn rectangle() -> impl Strategy<Value = Rectangle> {
    [coordinate(), coordinate(), coordinate(), coordinate()].prop_map(|[a, b, c, d]| Rectangle {
        left: a.min(c),
        top: b.min(d),
        right: a.max(c),
        bottom: b.max(d),
    })
}

fn mask() -> impl Strategy<Value = BitMask> {
    (1u32..40, 1u32..20, any::<u64>(), [-50i64..3000, -50i64..3000]).prop_map(
        |(width, height, seed, origin)| {
            let set = |x: u32, y: u32| seed.rotate_left(x * 7 + y * 13) & 1 == 1 || (x, y) == (0, 0);
            BitMask::from_fn(origin, width, height, set).unwrap()
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    ([coordinate(), coordinate()], any::<bool>()).prop_map(|(loc, disabled)| {
        let extra = Map::from_iter([("new".to_owned(), json!([1, null]))]);
        Node { loc, disabled, extra }
    })
}

fn geometry() -> impl Strategy<Value = Geometry> {
    prop_oneof![
        rectangle().prop_map(Geometry::Rectangle),
        (rectangle(), -7.0..7.0f64)
            .prop_map(|(rectangle, angle)| Geometry::OrientedBox(OrientedBox { rectangle, angle })),
        mask().prop_map(|mask| Geometry::Bitmap(Bitmap::encode(&mask).unwrap())),
        (points(0..9), prop::collection::vec(points(0..5), 0..3))
            .prop_map(|(exterior, interior)| Geometry::Polygon(Polygon { exterior, interior })),
        points(0..9).prop_map(Geometry::Line),
        [coordinate(), coordinate()].prop_map(Geometry::Point),
        prop::collection::btree_map("[a-z]{1,8}", node(), 0..6)
            .prop_map(|nodes| Geometry::Graph(Graph { nodes })),
        coordinate().prop_map(|size| Geometry::Other {
            shape: "cuboid".into(),
            fields: Map::from_iter([("faces".to_owned(), json!([[0, 1], size]))]),
        }),
    ]
}

proptest! {
    #[test]
    fn objects_and_figures_round_trip(geometry in geometry(), score in 0.0f32..=1.0, id in any::<Option<u64>>()) {
        let extra = match geometry {
            // What an unknown shape has can't be told from what the object has.
            Geometry::Other { .. } => Map::new(),
            _ => Map::from_iter([("labelerLogin".to_owned(), json!("max")), ("deep".to_owned(), json!({"a": [1.5]}))]),
        };
        let object = Object { id, extra, ..Object::predicted("a class", geometry.clone(), score) };
        let text = serde_json::to_string(&object).unwrap();
        let read: Object = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &object);
        prop_assert_eq!(read.score().map(|score| score as f32), Some(score));

        let figure = Figure {
            key: key_of(&["a"]), object_key: key_of(&["b"]), geometry, nn_created: true, nn_updated: false,
            track_id: Some("5".into()), id, object_id: id, geometry_extra: Map::new(),
            extra: Map::from_iter([("meta".to_owned(), json!({"frame": 3}))]),
        };
        let text = serde_json::to_string(&figure).unwrap();
        prop_assert_eq!(serde_json::from_str::<Figure>(&text).unwrap(), figure);
    }

    #[test]
    fn masks_round_trip(mask in mask()) {
        let bitmap = Bitmap::encode(&mask).unwrap();
        prop_assert_eq!(bitmap.size().unwrap(), (mask.width(), mask.height()));
        prop_assert_eq!(bitmap.decode().unwrap(), mask);
    }

    /// Cropping loses no pixel of the image and leaves no empty border.
    #[test]
    fn cropped_masks_keep_their_pixels(mask in mask()) {
        let (width, height) = (100, 90);
        let cropped = mask.cropped(width, height);
        for y in -50..120 {
            for x in -50..120 {
                let inside = (0..i64::from(width)).contains(&x) && (0..i64::from(height)).contains(&y);
                let expected = inside && mask.contains(x, y);
                prop_assert_eq!(cropped.as_ref().is_some_and(|mask| mask.contains(x, y)), expected);
            }
        }
        if let Some(cropped) = cropped {
            prop_assert_eq!(cropped.cropped(width, height).unwrap(), cropped);
        }
    }

    /// Whole pixels inside the image go to the platform and come back as they were.
    #[test]
    fn pixels_survive_the_platform(
        [x, y] in [0i32..79, 0..59], [width, height] in [0i32..20, 0..20], corners in prop::collection::vec([0u32..80, 0u32..60], 1..6)
    ) {
        let size = ImageSize { height: 60, width: 80 };
        let rectangle = Rectangle {
            left: x.into(), top: y.into(), right: (x + width).min(79).into(), bottom: (y + height).min(59).into(),
        };
        let points: Vec<Point> = corners.into_iter().map(|point| point.map(f64::from)).collect();
        let polygon = Polygon { exterior: points.clone(), interior: vec![points.clone()] };
        for geometry in [
            Geometry::Rectangle(rectangle), Geometry::OrientedBox(OrientedBox { rectangle, angle: 1.0 }),
            Geometry::Point(points[0]), Geometry::Line(points), Geometry::Polygon(polygon),
        ] {
            let mut there = geometry.clone();
            subpixel::to_platform(&mut there);
            prop_assert_ne!(&there, &geometry);
            subpixel::from_platform(&mut there, size);
            prop_assert_eq!(there, geometry);
        }
    }
}
