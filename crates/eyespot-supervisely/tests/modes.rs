//! The tables of `docs/supervisely.md`, row by row, against the emulated platform: without trouble, and with each fault at
//! each request.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;
use std::sync::{Barrier, LazyLock};
use std::time::Duration;

use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token, VideoInfo};
use eyespot_supervisely::format::{
    Annotation, BitMask, Bitmap, Geometry, ObjClass, Object, Polygon, ProjectMeta, ProjectType, Rectangle,
    Shape, Tag, TagMeta, ValueType,
};
use eyespot_supervisely::{Deliver, Delivery, Item, Pixels, Source, UploadMode, Uploader, Videos};
use platform_emulator::{Fault, Platform, Rule};

const WIDTH: u32 = 100;
const HEIGHT: u32 = 20;

/// The rows of the table that begins with these columns.
fn table(columns: &str) -> Vec<Vec<String>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/supervisely.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with(columns)).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    rows.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// The entries of a cell.
fn entries(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").filter(|entry| *entry != "nothing")
}

/// An object from its description, such as `car#7 0..10 mask by hand`.
fn object(text: &str) -> (Object, Option<u32>) {
    let (what, by_hand) = text.strip_suffix(" by hand").map_or((text, false), |what| (what, true));
    let mut words = what.split(' ');
    let (name, columns, shape) = (words.next().unwrap(), words.next().unwrap(), words.next());
    let (class, track) =
        name.split_once('#').map_or((name, None), |(class, track)| (class, track.parse().ok()));
    let (left, end) = columns.split_once("..").unwrap();
    let (left, end): (u32, u32) = (left.parse().unwrap(), end.parse().unwrap());
    let [x1, x2] = [left, end - 1].map(f64::from);
    let geometry = match shape {
        None => Geometry::Rectangle(Rectangle { left: x1, top: 0.0, right: x2, bottom: 9.0 }),
        Some("polygon") => {
            let exterior = vec![[x1, 0.0], [x2, 0.0], [x2, 9.0], [x1, 9.0]];
            Geometry::Polygon(Polygon { exterior, interior: vec![] })
        }
        Some("mask") => {
            let mask = BitMask::from_fn([i64::from(left), 0], end - left, 10, |_, _| true).unwrap();
            Geometry::Bitmap(Bitmap::encode(&mask).unwrap())
        }
        Some(other) => panic!("no shape `{other}`"),
    };
    let mut object = Object::predicted(class, geometry, 0.5);
    if by_hand {
        object = Object { nn_created: false, nn_updated: false, tags: vec![], ..object };
    }
    (object, track)
}

fn columns(geometry: &Geometry) -> String {
    let bounds = geometry.bounds().unwrap();
    format!("{}..{}", bounds.left, bounds.right + 1.0)
}

/// The description of an object of the platform.
fn describe(object: &Object) -> String {
    let shape = match object.geometry.shape() {
        Shape::Rectangle => "",
        Shape::Bitmap => " mask",
        _ => " polygon",
    };
    let made = match (object.nn_created, object.score(), object.tags.len()) {
        (true, Some(0.5), 1) => "",
        (false, None, 0) => " by hand",
        other => panic!("{other:?}"),
    };
    format!("{} {}{shape}{made}", object.class_title, columns(&object.geometry))
}

fn annotation(cell: &str) -> Annotation {
    let mut annotation = Annotation::new(WIDTH, HEIGHT);
    let mut tracks = Vec::new();
    for entry in entries(cell) {
        match entry.strip_prefix("tag ") {
            Some(name) => annotation.tags.push(Tag::new(name, None)),
            None => {
                let (object, track) = object(entry);
                annotation.objects.push(object);
                tracks.push(track);
            }
        }
    }
    if tracks.iter().any(Option::is_some) {
        annotation.custom_big_data = serde_json::json!(tracks);
    }
    annotation
}

/// All that an annotation uses.
fn meta_of(annotation: &Annotation) -> ProjectMeta {
    let mut meta = ProjectMeta::default();
    for object in &annotation.objects {
        let class = ObjClass::new(&object.class_title, object.geometry.shape(), [1, 2, 3]);
        if !meta.classes.contains(&class) {
            meta.classes.push(class);
        }
    }
    if annotation.objects.iter().any(|object| !object.tags.is_empty()) {
        meta.tags.push(TagMeta::confidence());
    }
    meta.tags.extend(annotation.tags.iter().map(|tag| TagMeta::new(&tag.name, ValueType::None, [0; 3])));
    meta
}

fn client(platform: &Platform) -> Client {
    let options = ClientOptions {
        tries: 2,
        retry_sleep: Duration::from_millis(1),
        timeout: Duration::from_millis(2000),
        ..ClientOptions::default()
    };
    Client::new(Connection::new(&platform.url(), Token::new(platform.token()).unwrap()).unwrap(), options)
}

fn mode(text: &str) -> UploadMode {
    let (name, threshold) =
        text.split_once(' ').map_or((text, None), |(name, threshold)| (name, Some(threshold)));
    let mode = UploadMode::parse(name).unwrap();
    threshold.map_or(mode, |threshold| mode.with_threshold(threshold.parse().unwrap()).unwrap())
}

/// What differs from a delivery without trouble.
#[derive(Debug, Clone, Copy)]
struct Trouble {
    fault: Fault,
    /// How many requests pass before it.
    after: u32,
}

/// Delivers until it is done, as an outbox would.
fn deliver(
    platform: &Platform,
    uploader: &mut Uploader,
    items: &[Item],
    trouble: Option<Trouble>,
) -> Vec<Delivery> {
    if let Some(Trouble { fault, after }) = trouble {
        platform.faults().add(Rule::new(Fault::Delay(Duration::ZERO)).times(after));
        // As often as the client tries by itself.
        platform.faults().add(Rule::new(fault).times(2));
    }
    let mut again = false;
    for _ in 0..10 {
        match uploader.deliver(items, again) {
            Ok(deliveries) => {
                platform.faults().clear();
                return deliveries;
            }
            Err(_) => again = true,
        }
    }
    panic!("never delivered");
}

struct Image {
    platform: Platform,
    client: Client,
    /// The image that the results are about, and where the answer is to be looked for.
    dataset: u64,
    target: u64,
    before: String,
}

impl Image {
    fn new(before: &str) -> Self {
        let platform = Platform::start().unwrap();
        let picture = platform_emulator::png(WIDTH, HEIGHT, 7);
        let dataset = platform.store().add_images_project("street", &[("a.png", picture)]);
        let target = platform.store().add_images_project("target", &[]);
        let client = client(&platform);
        let own = annotation(before);
        let project = platform.store().project_of(dataset).unwrap();
        client.set_meta(project, &meta_of(&own)).unwrap();
        let image = platform.store().item(dataset, "a.png").unwrap();
        client.set_annotations(dataset, &[(image, own)]).unwrap();
        let target = platform.store().project_of(target).unwrap();
        Self { platform, client, dataset, target, before: before.to_owned() }
    }

    fn stored(&self, dataset: u64, name: &str) -> String {
        let image = self.platform.store().item(dataset, name).unwrap();
        let stored = self.client.annotations(dataset, &[image]).unwrap().pop().unwrap();
        let mut all: Vec<String> = stored.objects.iter().map(describe).collect();
        all.extend(stored.tags.iter().map(|tag| format!("tag {}", tag.name)));
        if all.is_empty() { "nothing".into() } else { all.join(", ") }
    }

    /// A result, and the dataset of its image where it is copied or uploaded.
    fn items(&self, source: &str, results: &str) -> (Vec<Item>, &'static str) {
        let image = self.platform.store().item(self.dataset, "a.png").unwrap();
        let (source, pixels, dataset) = match source {
            "image" => (Source::Image { id: image }, Pixels::None, "ds0"),
            _ => {
                let source =
                    Source::Local { name: "a.png".into(), dataset: vec!["day".into(), "noon".into()] };
                (source, Pixels::Encoded(platform_emulator::png(WIDTH, HEIGHT, 9)), "day/noon")
            }
        };
        let annotation = annotation(results);
        let meta = meta_of(&annotation);
        (vec![Item { key: "k".into(), source, pixels, annotation, meta }], dataset)
    }

    fn uploader(&self, mode: UploadMode) -> Uploader {
        match mode {
            UploadMode::Create => Uploader::into_project(self.client.clone(), self.target),
            mode => Uploader::new(self.client.clone(), mode).unwrap(),
        }
    }

    /// Where the results are.
    fn home(&self, mode: UploadMode, dataset: &str) -> u64 {
        match mode {
            UploadMode::Create => self.platform.store().dataset_at(self.target, dataset).unwrap(),
            _ => self.dataset,
        }
    }

    /// The outcome of a row; number of requests that it took.
    fn run(
        &self,
        mode: UploadMode,
        source: &str,
        results: &str,
        trouble: Option<Trouble>,
    ) -> (String, usize) {
        let ((items, dataset), mut uploader) = (self.items(source, results), self.uploader(mode));
        let before = self.platform.calls().len();
        let done = deliver(&self.platform, &mut uploader, &items, trouble);
        let requests = self.platform.calls().len() - before;
        if let [Delivery::Refused { reason }] = &done[..] {
            assert!(reason.contains("use create"), "{reason}");
            assert_eq!(self.stored(self.dataset, "a.png"), self.before);
            return ("refused".into(), requests);
        }
        if mode == UploadMode::Create {
            assert_eq!(self.stored(self.dataset, "a.png"), self.before);
        }
        let place = self.home(mode, dataset);
        let after = self.stored(place, "a.png");
        // Once more changes nothing, whoever delivers it.
        assert_eq!(uploader.deliver(&items, true).unwrap(), [Delivery::Done]);
        assert_eq!(self.stored(place, "a.png"), after);
        (after, requests)
    }
}

/// What a request may meet. A busy platform is asked again at once, as the tests have no time.
const FAULTS: [Fault; 7] = [
    Fault::Drop,
    Fault::CutBody,
    Fault::Busy { retry_after: 0 },
    Fault::Status(503),
    Fault::LoseAnswer,
    Fault::LateStatus(504),
    Fault::Truncate,
];

/// One of the faults at each request of a row; over the rows, each fault at each kind of request.
fn troubles(row: usize, requests: usize) -> impl Iterator<Item = Trouble> {
    let fault = move |number: usize| FAULTS[(row + number) % FAULTS.len()];
    (0..requests).map(move |number| Trouble { fault: fault(number), after: u32::try_from(number).unwrap() })
}

#[test]
fn images() {
    let rows = table("| mode | source |");
    assert!(rows.len() > 15);
    for (index, row) in rows.iter().enumerate() {
        let [mode_text, source, before, results, after] = &row[..] else { panic!("{row:?}") };
        let mode = mode(mode_text);
        let (outcome, requests) = Image::new(before).run(mode, source, results, None);
        assert_eq!(&outcome, after, "{row:?}");
        for trouble in troubles(index, requests) {
            let (outcome, _) = Image::new(before).run(mode, source, results, Some(trouble));
            assert_eq!(&outcome, after, "{row:?} with {trouble:?}");
        }
    }
}

/// Frames such as `0: car#7 0..10`, several objects of a frame one after the other; `source` says of what.
fn frames(cell: &str, source: impl Fn(u64) -> (Source, Pixels)) -> Vec<Item> {
    let mut frames: Vec<(u64, Vec<&str>)> = Vec::new();
    for entry in entries(cell) {
        let (frame, object) = entry.split_once(": ").unwrap();
        let frame = frame.parse().unwrap();
        match frames.last_mut().filter(|(last, _)| *last == frame) {
            Some((_, objects)) => objects.push(object),
            None => frames.push((frame, vec![object])),
        }
    }
    let item = |(frame, objects): (u64, Vec<&str>)| {
        let annotation = annotation(&objects.join(", "));
        let meta = meta_of(&annotation);
        let (source, pixels) = source(frame);
        Item { key: frame.to_string(), source, pixels, annotation, meta }
    };
    frames.into_iter().map(item).collect()
}

/// A video on the platform, a file of one, and a project for copies.
struct Video {
    platform: Platform,
    client: Client,
    video: u64,
    file: PathBuf,
    target: u64,
    _folder: tempfile::TempDir,
}

impl Video {
    fn new(before: &str) -> Self {
        let platform = Platform::start().unwrap();
        let video = platform.store().add_video_project("road", "a.mp4", (WIDTH, HEIGHT), 5);
        let client = client(&platform);
        let earlier = frames(before, |frame| (Source::Video { id: video, frame }, Pixels::None));
        let mut uploader = Uploader::new(client.clone(), UploadMode::Append).unwrap();
        deliver(&platform, &mut uploader, &earlier, None);
        let target = client.add_project(1, "copies", &ProjectType::Videos, "").unwrap().id;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.mp4");
        std::fs::write(&file, &*MOVIE).unwrap();
        Self { platform, client, video, file, target, _folder: folder }
    }

    fn items(&self, source: &str, cell: &str) -> Vec<Item> {
        frames(cell, |frame| match source {
            "video" => (Source::Video { id: self.video, frame }, Pixels::None),
            _ => {
                let source = Source::LocalVideo { name: "a.mp4".into(), dataset: vec!["ds0".into()], frame };
                (source, Pixels::File(self.file.clone()))
            }
        })
    }

    fn uploader(&self, mode: UploadMode) -> Uploader {
        match mode {
            UploadMode::Create => Uploader::into_project(self.client.clone(), self.target),
            mode => Uploader::new(self.client.clone(), mode).unwrap(),
        }
    }

    /// The video where its results are.
    fn stored(&self, mode: UploadMode) -> String {
        let place = if mode == UploadMode::Create {
            let dataset = self.platform.store().dataset_at(self.target, "ds0").unwrap();
            self.client.videos(dataset).unwrap().pop().unwrap()
        } else {
            self.client.video(self.video).unwrap().unwrap()
        };
        stored_video(&self.client, &place)
    }

    /// The outcome of a row; number of requests that it took.
    fn run(&self, mode: UploadMode, source: &str, cell: &str, trouble: Option<Trouble>) -> (String, usize) {
        let (items, mut uploader) = (self.items(source, cell), self.uploader(mode));
        let calls = self.platform.calls().len();
        let done = deliver(&self.platform, &mut uploader, &items, trouble);
        let requests = self.platform.calls().len() - calls;
        if let [Delivery::Refused { reason }, ..] = &done[..] {
            assert!(reason.contains("create"), "{reason}");
            return ("refused".into(), requests);
        }
        assert!(done.iter().all(|done| *done == Delivery::Done), "{done:?}");
        let after = self.stored(mode);
        // Once more changes nothing, whoever delivers it.
        assert!(uploader.deliver(&items, true).is_ok() && self.uploader(mode).deliver(&items, true).is_ok());
        assert_eq!(self.stored(mode), after);
        (after, requests)
    }
}

/// Five frames.
static MOVIE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mp4");
    let mut writer = eyespot_media::VideoWriter::create(&path, None, 25.0).unwrap();
    let canvas = eyespot_media::Canvas::new(WIDTH as u16, HEIGHT as u16);
    for frame in 0..5 {
        writer.write(&canvas, frame * 40_000).unwrap();
    }
    writer.finish().unwrap();
    std::fs::read(path).unwrap()
});

fn stored_video(client: &Client, video: &VideoInfo) -> String {
    let stored = client.video_annotations(video.dataset_id, &[video.id]).unwrap().pop().unwrap();
    let mut all = Vec::new();
    for object in &stored.objects {
        let mut text = object.class_title.clone();
        let figures = stored.frames.iter().flat_map(|frame| &frame.figures);
        for (number, figure) in figures.filter(|figure| figure.object_id == object.id).enumerate() {
            if let (0, Some(track)) = (number, &figure.track_id) {
                text = format!("{text}#{track}");
            }
            text = format!("{text} {}", columns(&figure.geometry));
        }
        all.push(text);
    }
    all.join(", ")
}

#[test]
fn videos() {
    let rows = table("| mode | source | before | frames |");
    assert!(rows.len() >= 8);
    for (index, row) in rows.iter().enumerate() {
        let [mode_text, source, before, frames, after] = &row[..] else { panic!("{row:?}") };
        let mode = mode(mode_text);
        let (outcome, requests) = Video::new(before).run(mode, source, frames, None);
        assert_eq!(&outcome, after, "{row:?}");
        for trouble in troubles(index, requests) {
            let (outcome, _) = Video::new(before).run(mode, source, frames, Some(trouble));
            assert_eq!(&outcome, after, "{row:?} with {trouble:?}");
        }
    }
}

/// The entries of a text in an order of their own.
fn sorted(text: &str) -> Vec<&str> {
    let mut all: Vec<&str> = text.split(", ").collect();
    all.sort_unstable();
    all
}

#[test]
fn two_writers_at_once() {
    let rows = table("| mode | source | before | one |");
    assert!(rows.len() >= 8);
    for row in &rows {
        let [modes, source, before, one, other, after] = &row[..] else { panic!("{row:?}") };
        let (first, second) = modes.split_once(" and ").unwrap_or((modes, modes));
        let modes = [mode(first), mode(second)];
        for _ in 0..5 {
            let outcome = if source.contains("video") {
                let place = Video::new(before);
                let source = source.trim_end_matches(" video");
                at_once(|which, start| {
                    let (items, mut uploader) =
                        (place.items(source, [one, other][which]), place.uploader(modes[which]));
                    start.wait();
                    deliver(&place.platform, &mut uploader, &items, None)
                });
                place.stored(modes[0])
            } else {
                let place = Image::new(before);
                let dataset = at_once(|which, start| {
                    let (items, dataset) = place.items(source, [one, other][which]);
                    let mut uploader = place.uploader(modes[which]);
                    start.wait();
                    deliver(&place.platform, &mut uploader, &items, None);
                    dataset
                });
                place.stored(place.home(modes[0], dataset[0]), "a.png")
            };
            let fits = after.split(" or ").any(|after| sorted(after) == sorted(&outcome));
            assert!(fits, "{row:?}: {outcome}");
        }
    }
}

/// Does two things at the same moment.
fn at_once<T: Send>(work: impl Fn(usize, &Barrier) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(2);
    std::thread::scope(|scope| {
        let threads = [0, 1].map(|which| {
            scope.spawn({
                let (work, start) = (&work, &start);
                move || work(which, start)
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Batches of one video may be delivered by one after the other of those that work side by side.
#[test]
fn uploaders_in_turn_make_one_object_of_a_track() {
    let batches = ["0: car#7 0..10", "1: car#7 1..11, 1: car#8 0..3", "2: car#7 2..12, 2: car#8 1..4"];
    for (mode, source) in [(UploadMode::Append, "video"), (UploadMode::Create, "local")] {
        let place = Video::new("nothing");
        let videos = Videos::default();
        let mut uploaders = [0, 1].map(|_| place.uploader(mode).sharing(videos.clone()));
        for (turn, cell) in batches.iter().enumerate() {
            let done = uploaders[turn % 2].deliver(&place.items(source, cell), false).unwrap();
            assert!(done.iter().all(|done| *done == Delivery::Done), "{done:?}");
        }
        assert_eq!(place.stored(mode), "car#7 0..10 1..11 2..12, car#8 0..3 1..4");
    }
}

#[test]
fn a_frame_that_is_refused_does_not_hold_up_the_others() {
    let place = Video::new("nothing");
    // Frame 5 is behind the end.
    for (mode, source) in [(UploadMode::Append, "video"), (UploadMode::Create, "local")] {
        let items = place.items(source, "4: car#7 0..10, 5: car#7 1..11");
        let done = place.uploader(mode).deliver(&items, false).unwrap();
        assert_eq!(done[0], Delivery::Done);
        assert!(matches!(&done[1], Delivery::Refused { reason } if reason.contains("frame 5")), "{done:?}");
        assert_eq!(place.stored(mode), "car#7 0..10");
    }
}

#[test]
fn a_video_file_that_is_gone_or_another_one_is_refused() {
    let place = Video::new("nothing");
    let items = place.items("local", "0: car#7 0..10");
    std::fs::remove_file(&place.file).unwrap();
    let refused = |uploader: &mut Uploader, what: &str| {
        let done = uploader.deliver(&items, false).unwrap();
        assert!(matches!(&done[..], [Delivery::Refused { reason }] if reason.contains(what)), "{done:?}");
    };
    refused(&mut place.uploader(UploadMode::Create), "a.mp4");
    std::fs::write(&place.file, b"no video").unwrap();
    refused(&mut place.uploader(UploadMode::Create), "is no video");
    std::fs::write(&place.file, &*MOVIE).unwrap();
    let mut uploader = place.uploader(UploadMode::Create);
    assert_eq!(uploader.deliver(&items, false).unwrap(), [Delivery::Done]);
    // A change is noticed by the next process at the latest.
    std::fs::write(&place.file, [&MOVIE[..], &[0, 0, 0, 9, b'f', b'r', b'e', b'e', 0]].concat()).unwrap();
    refused(&mut place.uploader(UploadMode::Create), "another video of that name");
    // A project of images takes none.
    let images = place.client.add_project(1, "images", &ProjectType::Images, "").unwrap().id;
    let calls = place.platform.calls().len();
    refused(&mut Uploader::into_project(place.client.clone(), images), "is for images");
    assert!(place.platform.calls()[calls..].iter().all(|call| call.method == "projects.info"));
}

/// Both add their own classes, while the platform takes metas only as a whole.
#[test]
fn two_writers_at_once_lose_nothing_of_each_other() {
    let platform = Platform::start().unwrap();
    let names: Vec<String> = (0..8).map(|index| format!("{index}.png")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), platform_emulator::png(WIDTH, HEIGHT, name.as_bytes()[0])))
        .collect();
    let dataset = platform.store().add_images_project("street", &files);
    let images: Vec<u64> = names.iter().map(|name| platform.store().item(dataset, name).unwrap()).collect();
    let write = |writer: &str| {
        let mut uploader = Uploader::new(client(&platform), UploadMode::Append).unwrap();
        for (number, &image) in images.iter().enumerate() {
            let annotation = annotation(&format!("{writer}{number} 0..{}", number + 1));
            let meta = meta_of(&annotation);
            let item = Item {
                key: number.to_string(),
                source: Source::Image { id: image },
                pixels: Pixels::None,
                annotation,
                meta,
            };
            assert_eq!(deliver(&platform, &mut uploader, &[item], None), [Delivery::Done]);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write("a"));
        scope.spawn(|| write("b"));
    });
    let stored = client(&platform).annotations(dataset, &images).unwrap();
    for (number, stored) in stored.iter().enumerate() {
        let mut found: Vec<String> = stored.objects.iter().map(describe).collect();
        found.sort();
        let expected = ["a", "b"].map(|writer| format!("{writer}{number} 0..{}", number + 1));
        assert_eq!(found, expected);
    }
}

#[test]
fn a_class_that_was_removed_meanwhile_is_added_again() {
    let place = Image::new("nothing");
    let image = place.platform.store().item(place.dataset, "a.png").unwrap();
    let project = place.platform.store().project_of(place.dataset).unwrap();
    let mut uploader = Uploader::new(place.client.clone(), UploadMode::Append).unwrap();
    let item = |text: &str| {
        let annotation = annotation(text);
        let meta = meta_of(&annotation);
        Item { key: text.into(), source: Source::Image { id: image }, pixels: Pixels::None, annotation, meta }
    };
    assert_eq!(deliver(&place.platform, &mut uploader, &[item("car 0..10")], None), [Delivery::Done]);
    place.client.set_annotations(place.dataset, &[(image, Annotation::new(WIDTH, HEIGHT))]).unwrap();
    place.client.set_meta(project, &ProjectMeta::default()).unwrap();
    assert_eq!(deliver(&place.platform, &mut uploader, &[item("car 5..15")], None), [Delivery::Done]);
    assert_eq!(place.stored(place.dataset, "a.png"), "car 5..15");
}
