//! A platform that only remembers, and results for it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use eyespot_supervisely::format::{Annotation, Geometry, Object, ProjectMeta, Rectangle};
use eyespot_supervisely::{Deliver, DeliverError, Delivery, Item, Pixels, Source};

/// Result `number` of a camera, with one object of this score.
pub(crate) fn item(camera: &str, number: usize, score: f32) -> Item {
    let rectangle = Rectangle { left: 1.0, top: 2.0, right: 30.0, bottom: 40.0 };
    let mut annotation = Annotation::new(640, 480);
    annotation.objects.push(Object::predicted("car", Geometry::Rectangle(rectangle), score));
    Item {
        key: format!("{camera}/{number}"),
        source: Source::Local { name: format!("{number}.jpg"), dataset: vec![camera.to_owned()] },
        pixels: Pixels::Encoded(vec![0xff; 100]),
        annotation,
        meta: ProjectMeta::default(),
    }
}

pub(crate) fn items(camera: &str, range: std::ops::Range<usize>) -> Vec<Item> {
    range.map(|number| item(camera, number, 0.5)).collect()
}

/// What happens to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It never arrives.
    Lost,
    /// So many of its results are stored, but nobody hears of it.
    Unanswered(usize),
}

/// Stores what it is given. What comes with `again` is looked up first, all else is stored blindly: a worker that forgets
/// to say `again` stores results twice.
#[derive(Clone, Default)]
pub(crate) struct Platform {
    pub(crate) stored: Arc<Mutex<Vec<Item>>>,
    pub(crate) batches: Arc<Mutex<Vec<usize>>>,
}

impl Platform {
    pub(crate) fn keys(&self) -> Vec<String> {
        self.stored.lock().unwrap().iter().map(|item| item.key.clone()).collect()
    }

    /// The numbers of the results of a camera, in the order in which they came.
    pub(crate) fn numbers(&self, camera: &str) -> Vec<usize> {
        let prefix = format!("{camera}/");
        self.keys().iter().filter_map(|key| key.strip_prefix(&prefix)?.parse().ok()).collect()
    }

    pub(crate) fn deliverer<F: FnMut(&[Item]) -> Result<Fault, DeliverError> + Send>(
        &self,
        fault: F,
    ) -> Deliverer<F> {
        Deliverer { platform: self.clone(), fault }
    }
}

pub(crate) struct Deliverer<F> {
    platform: Platform,
    fault: F,
}

pub(crate) fn error(reason: &str) -> DeliverError {
    DeliverError { reason: reason.to_owned(), retry_after: None, lasting: false }
}

impl<F: FnMut(&[Item]) -> Result<Fault, DeliverError>> Deliver for Deliverer<F> {
    fn deliver(&mut self, batch: &[Item], again: bool) -> Result<Vec<Delivery>, DeliverError> {
        let fault = (self.fault)(batch)?;
        let arrive = match fault {
            Fault::None => batch.len(),
            Fault::Lost => 0,
            Fault::Unanswered(arrive) => arrive,
        };
        let mut stored = self.platform.stored.lock().unwrap();
        for item in batch.iter().take(arrive) {
            if !again || !stored.iter().any(|known| known.key == item.key) {
                stored.push(item.clone());
            }
        }
        self.platform.batches.lock().unwrap().push(batch.len());
        if fault == Fault::None {
            Ok(vec![Delivery::Done; batch.len()])
        } else {
            Err(error("the line broke"))
        }
    }
}
