//! The process that is killed: cameras that commit results, and a worker that delivers them.

use std::path::Path;
use std::time::Duration;

use eyespot_outbox::{Destination, Drained, Limits, Outbox, OutboxError, Target, Worker, WorkerOptions};
use eyespot_supervisely::client::{Client, ClientOptions, Connection};
use eyespot_supervisely::format::{
    Annotation, Geometry, ObjClass, Object, ProjectMeta, Rectangle, Shape, TagMeta,
};
use eyespot_supervisely::{Item, Pixels, Source, UploadMode};

use crate::Failure;

/// Name of the outbox in the folder.
pub(crate) const OUTBOX: &str = "outbox.db";

/// Commits what is new up to `until` per camera, and delivers everything.
pub(crate) fn run(device: &[String], cameras: usize) -> Result<bool, Failure> {
    let [folder, until] = device else { return Err("--device takes a folder and a number".into()) };
    let (folder, until): (&Path, usize) = (Path::new(folder), until.parse()?);
    let outbox = Outbox::open(folder.join(OUTBOX), Limits::default())?;
    let connection = Connection::from_env()?;
    let destination = Destination::NewProject { workspace: 1, name: "power cuts".into() };
    let target = Target { server: connection.address.clone(), mode: UploadMode::Create, destination };
    outbox.bind(&target)?;
    let client = Client::new(
        connection,
        ClientOptions {
            tries: 2,
            retry_sleep: Duration::from_millis(1),
            timeout: Duration::from_secs(5),
            ..ClientOptions::default()
        },
    );
    let (pause, longest_pause) = (Duration::from_millis(2), Duration::from_millis(50));
    let options = WorkerOptions { batch: 20, pause, longest_pause, ..WorkerOptions::default() };
    let worker = Worker::start(&outbox, target.deliverers(&client, &outbox, 4), options)?;
    std::thread::scope(|scope| {
        let cameras: Vec<_> = (0..cameras)
            .map(|camera| {
                let outbox = &outbox;
                scope.spawn(move || commit(outbox, folder, camera, until))
            })
            .collect();
        cameras.into_iter().try_for_each(|camera| {
            let ended = camera.join().map_err(|_| Failure::from("a camera panicked"))?;
            ended.map_err(Failure::from)
        })
    })?;
    Ok(worker.finish(Duration::from_secs(500))? == Drained::All)
}

/// A camera: it knows how far it came only by a note that it writes after each commit, so that it commits the last result
/// again where it is killed in between.
fn commit(outbox: &Outbox, folder: &Path, camera: usize, until: usize) -> Result<(), OutboxError> {
    let note = folder.join(format!("camera-{camera}"));
    let part = folder.join(format!("camera-{camera}.part"));
    let first = std::fs::read_to_string(&note).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    for number in first..until {
        outbox.commit(vec![item(camera, number)])?;
        // Whole or not at all. A note that is not written costs a commit that is known.
        let _ = std::fs::write(&part, (number + 1).to_string()).and_then(|()| std::fs::rename(&part, &note));
    }
    Ok(())
}

/// Name of the dataset of a camera.
pub(crate) fn camera_name(camera: usize) -> String {
    format!("camera-{camera}")
}

/// Result `number` of a camera: its box tells which one it is.
pub(crate) fn item(camera: usize, number: usize) -> Item {
    let (left, top) = ((number % 40) as f64, (number / 40 % 40) as f64);
    let rectangle = Rectangle { left, top, right: left + 9.0, bottom: top + 9.0 };
    let mut annotation = Annotation::new(64, 64);
    let score = (number % 100) as f32 / 100.0;
    annotation.objects.push(Object::predicted("car", Geometry::Rectangle(rectangle), score));
    let meta = ProjectMeta {
        classes: vec![ObjClass::new("car", Shape::Rectangle, [200, 0, 0])],
        tags: vec![TagMeta::confidence()],
        ..ProjectMeta::default()
    };
    Item {
        key: format!("{camera}/{number}"),
        source: Source::Local { name: format!("{number:06}.png"), dataset: vec![camera_name(camera)] },
        pixels: Pixels::Encoded(platform_emulator::png(64, 64, (number % 251) as u8)),
        annotation,
        meta,
    }
}
