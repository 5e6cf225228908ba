//! A request that is being worked on.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use eyespot_core::{Boxed, ErrorType, Record, Sink};
use eyespot_runtime::{RuntimeError, Session};
use eyespot_supervisely::Converter;
use eyespot_supervisely::format::Annotation;
use serde_json::value::RawValue;

use crate::answer::Answer;
use crate::app::{App, Served};
use crate::job::{Begun, Items, Job, Plan};
use crate::live::Viewer;
use crate::platform::{PlatformImage, Uploading};
use crate::upload::Stored;

/// How long a request that has to stop may go on waiting for a file or a network.
const SOON: Duration = Duration::from_millis(200);
/// Predictions that go to a platform at once.
const UPLOAD_BATCH: usize = 50;

/// A session and what becomes of its results.
pub(crate) struct Running {
    served: Arc<Served>,
    converter: Converter,
    session: Session,
    items: Items,
    /// Items that came, broken ones included.
    position: usize,
    /// Results that are told from the last to the first.
    backward: Vec<Box<RawValue>>,
    upload: Option<Box<dyn Uploading>>,
    to_upload: Vec<(PlatformImage, Annotation)>,
    viewer: Viewer,
    // Dropped last: the session reads from it.
    stored: Option<Stored>,
}

impl Running {
    fn start(plan: Plan) -> Result<Self, RuntimeError> {
        let Plan { served, sources, settings, items, stored, upload, total: _ } = plan;
        let session = Session::new(&served.model, sources, &settings)?;
        let viewer = Viewer::new(&served.model, settings.tracking.is_some());
        // What is no confirmed track has no id, and clients want one for each.
        let converter = served.converter.clone().tracked_only(settings.tracking.is_some());
        Ok(Self {
            served,
            converter,
            session,
            items,
            position: 0,
            backward: Vec::new(),
            upload,
            to_upload: Vec::new(),
            viewer,
            stored,
        })
    }

    /// Deals with the next item if it comes soon; tells whether there may be more.
    fn step(&mut self, job: &Job, app: &App) -> Result<bool, String> {
        let mut collector = Collector {
            job,
            app,
            converter: &self.converter,
            items: &self.items,
            position: self.position,
            viewer: &mut self.viewer,
            result: None,
            upload: self.upload.is_some().then_some(&mut self.to_upload),
        };
        let Ok(stepped) = self.session.step_timeout(&mut Boxed(&mut collector), SOON) else {
            return Ok(true);
        };
        let mut result = collector.result.take();
        let failed = match stepped {
            Ok(Some(_)) => false,
            Ok(None) => return Ok(false),
            Err(error) => {
                let message = self.public(&error.to_string());
                if error.is_fatal() {
                    return Err(message);
                }
                log::warn!("request {}: {message}", job.id);
                // A frame that is missing in a video has no number; an image has its place.
                if !matches!(self.items, Items::Video { .. }) {
                    result = Answer::of(&self.items, self.position, None).failed(&message);
                }
                true
            }
        };
        self.position += 1;
        if failed {
            app.metrics.failed.add(1);
        }
        if matches!(self.items, Items::Video { backward: true, .. }) {
            self.backward.extend(result);
            job.add(None, failed);
        } else {
            job.add(result, failed);
        }
        if self.to_upload.len() >= UPLOAD_BATCH {
            self.send()?;
        }
        Ok(true)
    }

    /// All items came.
    fn finish(&mut self, job: &Job) -> Result<(), String> {
        job.add_late(self.backward.drain(..).rev());
        self.send()?;
        let (failed, done) = job.failures();
        if failed == done && done > 0 && matches!(self.items, Items::Video { .. }) {
            return Err(format!("none of {done} frames could be processed"));
        }
        Ok(())
    }

    /// Hands predictions to the platform.
    fn send(&mut self) -> Result<(), String> {
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let batch = std::mem::take(&mut self.to_upload);
        if batch.is_empty() {
            return Ok(());
        }
        let sent = upload.add(&self.served.converter.meta(), batch);
        sent.map_err(|error| format!("upload: {error}"))
    }

    /// A message without the folder that uploads are kept in.
    fn public(&self, message: &str) -> String {
        self.stored.as_ref().map_or_else(|| message.to_owned(), |stored| stored.public(message))
    }
}

/// Works on a request until it is over, has to stop or has to pause.
pub(crate) fn work(job: &Arc<Job>, app: &App) {
    let Some(begun) = job.begin() else { return };
    let mut running = match begun {
        Begun::Again(running) => running,
        Begun::First(plan) => match Running::start(*plan) {
            Ok(running) => Box::new(running),
            Err(error) => return job.end(Some(error.to_string())),
        },
    };
    let error = loop {
        if job.must_stop() {
            break None;
        }
        if job.is_full() {
            match job.park(running) {
                None => return,
                Some(back) => running = back,
            }
            continue;
        }
        match running.step(job, app) {
            Ok(true) => {}
            Ok(false) => break running.finish(job).err(),
            Err(message) => break Some(message),
        }
    };
    let times = running.session.times();
    app.metrics.predict_us.add(u64::try_from(times.predict.as_micros()).unwrap_or(u64::MAX));
    // The files are gone before the client hears that it is over.
    drop(running);
    match (&error, job.must_stop()) {
        (Some(message), _) => {
            log::warn!("request {}: {message}", job.id);
            app.metrics.errors.add(1);
        }
        (None, true) => app.metrics.stopped.add(1),
        (None, false) => app.metrics.finished.add(1),
    }
    job.end(error);
}

/// Turns the results of a frame into an answer, and shows them.
struct Collector<'a> {
    job: &'a Job,
    app: &'a App,
    converter: &'a Converter,
    items: &'a Items,
    position: usize,
    viewer: &'a mut Viewer,
    result: Option<Box<RawValue>>,
    upload: Option<&'a mut Vec<(PlatformImage, Annotation)>>,
}

impl ErrorType for Collector<'_> {
    type Error = Infallible;
}

impl Sink for Collector<'_> {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        let tracked = matches!(self.items, Items::Video { tracked: true, .. });
        let annotation = self.converter.annotation(record.info.width, record.info.height, record.predictions);
        self.result = Answer::of(self.items, self.position, Some(record.info.index)).with(&annotation);
        if tracked {
            self.job.record(record);
        }
        if let (Some(list), Items::Images(images)) = (&mut self.upload, self.items)
            && let Some(image) = images.get(self.position)
        {
            list.push((image.clone(), annotation));
        }
        self.app.metrics.frames.add(1);
        self.app.metrics.objects.add(record.predictions.len() as u64);
        self.viewer.show(record, &self.app.live);
        Ok(())
    }
}
