//! What the sink makes of records.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use eyespot_core::{
    BBox, ClassId, Detection, FrameInfo, Predictions, PredictionsStorage as _, Record, Sink as _, SourceId,
};
use eyespot_media::{Canvas, MemoryImage};
use eyespot_outbox::{Limits, Outbox, OutboxError, Sampling, SuperviselySink};
use eyespot_runtime::SourceInfo;
use eyespot_supervisely::{Converter, Item, Pixels, Source, UploadMode, image_name};

struct Setup {
    _folder: tempfile::TempDir,
    outbox: Outbox,
}

fn setup() -> Setup {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path().join("outbox.db"), Limits::default()).unwrap();
    Setup { _folder: folder, outbox }
}

impl Setup {
    fn sink(&self, mode: UploadMode) -> SuperviselySink {
        SuperviselySink::new(&self.outbox, mode, Converter::new(&["person", "car"]))
    }

    fn items(&self) -> Vec<Item> {
        let mut text = Vec::new();
        self.outbox.export(&mut text).unwrap();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}

/// Writes a frame of 64 x 48 with one car.
fn write(
    sink: &mut SuperviselySink,
    name: Option<&str>,
    source: u16,
    index: u64,
    picture: Option<&Canvas>,
) -> Result<(), OutboxError> {
    let mut found = Predictions::<1>::new();
    found.view_mut().push(Detection::new(BBox::new(10.0, 20.0, 30.0, 40.0), 0.75, ClassId(1)));
    let info = FrameInfo { index, width: 64, height: 48, source: SourceId(source), ..FrameInfo::default() };
    let image = picture.and_then(Canvas::view);
    sink.write(&Record { info, name, image, predictions: found.view() })
}

fn video(id: u16, name: &str, frame_count: Option<u64>) -> SourceInfo {
    SourceInfo { id: SourceId(id), name: name.into(), fps: Some(25.0), frame_count }
}

fn local(item: &Item) -> (&str, Vec<&str>) {
    let Source::Local { name, dataset } = &item.source else { panic!("{:?}", item.source) };
    (name, dataset.iter().map(String::as_str).collect())
}

#[test]
fn each_kind_of_source_has_its_name_and_its_pixels() {
    let setup = setup();
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    std::fs::create_dir(&photos).unwrap();
    let photo = photos.join("a.png");
    let picture = Canvas::new(64, 48);
    eyespot_media::save_image(&picture, &photo, None).unwrap();

    let sources = [video(1, "clips/street.mp4", Some(9)), video(2, "rtsp://host/door?x=1", None)];
    let mut sink = setup.sink(UploadMode::Create).with_sources(sources.iter().cloned().collect());
    write(&mut sink, photo.to_str(), 0, 0, Some(&picture)).unwrap();
    write(&mut sink, Some("clips/street.mp4"), 1, 7, Some(&picture)).unwrap();
    write(&mut sink, Some("rtsp://host/door?x=1"), 2, 7, Some(&picture)).unwrap();
    write(&mut sink, Some("gate-3"), 3, 8, None).unwrap();
    write(&mut sink, Some(&image_name(55)), 4, 0, Some(&picture)).unwrap();
    sink.flush().unwrap();
    let items = setup.items();
    assert_eq!(items.len(), 5);

    assert_eq!(local(&items[0]), ("a.png", vec!["photos"]));
    assert_eq!(items[0].pixels, Pixels::File(photo.clone()));
    assert_eq!(local(&items[1]), ("street_000007.jpg", vec!["street"]));
    let Pixels::Encoded(jpeg) = &items[1].pixels else { panic!("a frame is stored") };
    assert!(jpeg.starts_with(&[0xff, 0xd8]));
    let loaded = MemoryImage::encoded(jpeg.clone()).load().unwrap();
    assert_eq!((loaded.width(), loaded.height()), (64, 48));
    let (name, dataset) = local(&items[2]);
    assert!(name.starts_with("door_1") && name.ends_with("_000007.jpg") && dataset == ["door"], "{name}");
    let (name, dataset) = local(&items[3]);
    assert!(name.starts_with("gate-3_1") && name.ends_with("_000008.png") && dataset == ["gate-3"], "{name}");
    let Pixels::Encoded(png) = &items[3].pixels else { panic!("a black image is made") };
    assert_eq!(MemoryImage::encoded(png.clone()).load().unwrap(), Canvas::new(64, 48));
    assert_eq!((&items[4].source, &items[4].pixels), (&Source::Image { id: 55 }, &Pixels::None));

    let object = &items[4].annotation.objects[0];
    assert_eq!((object.class_title.as_str(), object.score()), ("car", Some(0.75)));
    assert!(items[4].meta.class("car").is_some() && items[4].meta.class("person").is_none());
}

#[test]
fn a_video_file_goes_up_whole_where_it_is_wanted() {
    let setup = setup();
    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips");
    std::fs::create_dir(&clips).unwrap();
    let file = clips.join("street.mp4");
    std::fs::write(&file, b"").unwrap();
    let sources = [
        video(1, file.to_str().unwrap(), Some(9)),
        video(2, "gone.mp4", Some(9)),
        video(3, "/dev/video0", None),
    ];
    let picture = Canvas::new(64, 48);
    let mut sink = setup
        .sink(UploadMode::Create)
        .with_sources(sources.iter().cloned().collect())
        .with_whole_videos(true);
    write(&mut sink, file.to_str(), 1, 7, Some(&picture)).unwrap();
    write(&mut sink, Some("gone.mp4"), 2, 7, Some(&picture)).unwrap();
    write(&mut sink, Some("/dev/video0"), 3, 7, Some(&picture)).unwrap();
    sink.flush().unwrap();
    let items = setup.items();
    let whole = Source::LocalVideo { name: "street.mp4".into(), dataset: vec!["clips".into()], frame: 7 };
    assert_eq!((&items[0].source, &items[0].pixels), (&whole, &Pixels::File(file)));
    assert_eq!(local(&items[1]).0, "gone_000007.jpg");
    assert!(local(&items[2]).0.starts_with("video0_"));
}

/// A run that is broken off is run again: what is known is not stored twice. What comes only once is.
#[test]
fn the_same_result_is_stored_once_unless_it_is_of_another_moment() {
    let setup = setup();
    let picture = Canvas::new(64, 48);
    let sources = [video(1, "street.mp4", Some(9)), video(2, "/dev/video0", None)];
    // Created twice: the camera's frame. Replaced twice: all of them.
    for (mode, stored) in [(UploadMode::Create, 4), (UploadMode::Replace, 6)] {
        setup.outbox.discard(true).unwrap();
        for _run in 0..2 {
            let mut sink = setup.sink(mode).with_sources(sources.iter().cloned().collect());
            write(&mut sink, Some("street.mp4"), 1, 7, Some(&picture)).unwrap();
            write(&mut sink, Some(&image_name(5)), 0, 0, Some(&picture)).unwrap();
            write(&mut sink, Some("/dev/video0"), 2, 3, Some(&picture)).unwrap();
            sink.flush().unwrap();
        }
        assert_eq!(setup.items().len(), stored, "{mode:?}");
    }
}

#[test]
fn a_board_that_starts_again_does_not_reuse_names() {
    let setup = setup();
    let mut sink = setup.sink(UploadMode::Create);
    for index in [0, 1, 2, 0, 1, 2] {
        write(&mut sink, Some("gate-3"), 0, index, None).unwrap();
    }
    // A size that no board has.
    let mut found = Predictions::<1>::new();
    found.view_mut().push(Detection::new(BBox::new(1.0, 2.0, 3.0, 4.0), 0.5, ClassId(0)));
    let info = FrameInfo { index: 9, width: u16::MAX, height: u16::MAX, ..FrameInfo::default() };
    sink.write(&Record { info, name: None, image: None, predictions: found.view() }).unwrap();
    sink.flush().unwrap();
    let items = setup.items();
    let names: std::collections::BTreeSet<_> = items.iter().map(|item| local(item).0).collect();
    assert_eq!(names.len(), 7);
    assert_eq!(items[6].pixels, Pixels::None);
}

#[test]
fn only_frames_that_are_worth_it_are_stored() {
    let setup = setup();
    let mut sink =
        setup.sink(UploadMode::Create).with_sampling(Sampling { every: Some(10), ..Sampling::default() });
    for index in 0..25 {
        write(&mut sink, Some("gate-3"), 0, index, None).unwrap();
    }
    sink.flush().unwrap();
    assert_eq!((setup.items().len(), sink.skipped()), (3, 22));
}
