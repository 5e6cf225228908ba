//! What arrived.

use std::path::Path;

use eyespot_outbox::{Limits, Outbox};
use eyespot_supervisely::Source;
use eyespot_supervisely::client::{Client, ClientOptions, Connection, Token};
use platform_emulator::Platform;

use crate::Failure;
use crate::device::{camera_name, item};

/// What is wrong with what arrived.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) missing: usize,
    pub(crate) doubled: usize,
    pub(crate) out_of_order: usize,
    pub(crate) parked: u64,
    /// Batches that had to be sent again because their delivery failed.
    pub(crate) failures: u64,
    pub(crate) complaints: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.missing + self.doubled + self.out_of_order == 0 && self.parked == 0 && self.complaints.is_empty()
    }

    fn complain(&mut self, complaint: String) {
        if self.complaints.len() < 20 {
            self.complaints.push(complaint);
        }
    }
}

/// Compares what the platform has with what was committed, through the client, as everyone would see it.
pub(crate) fn judge(
    platform: &Platform,
    outbox: &Path,
    cameras: usize,
    per_camera: usize,
) -> Result<Verdict, Failure> {
    let connection = Connection::new(&platform.url(), Token::new(platform.token())?)?;
    let client = Client::new(connection, ClientOptions::default());
    let mut verdict = Verdict::default();
    let status = Outbox::open(outbox, Limits::default())?.status()?;
    verdict.parked = status.parked;
    verdict.failures = status.counts.failures;
    if status.items > status.parked {
        verdict.complain(format!("{} results still wait", status.items));
    }
    let projects = client.projects(1, "power cuts")?;
    let others = client.projects(1, "power cuts_001")?;
    let ([project], []) = (&projects[..], &others[..]) else {
        verdict.complain(format!("{} projects instead of one", projects.len() + others.len()));
        return Ok(verdict);
    };
    let datasets = client.datasets(project.id)?;
    if datasets.len() != cameras {
        verdict.complain(format!("{} datasets for {cameras} cameras", datasets.len()));
    }
    for camera in 0..cameras {
        let Some(dataset) = datasets.iter().find(|dataset| dataset.name == camera_name(camera)) else {
            verdict.missing += per_camera;
            continue;
        };
        let mut images = client.images(dataset.id)?;
        // The platform numbers what it gets.
        images.sort_by_key(|image| image.id);
        let ids: Vec<u64> = images.iter().map(|image| image.id).collect();
        let annotations = client.annotations(dataset.id, &ids)?;
        verdict.out_of_order +=
            images.windows(2).filter(|pair| matches!(pair, [a, b] if a.name >= b.name)).count();
        for number in 0..per_camera {
            let expected = item(camera, number);
            let Source::Local { name, .. } = &expected.source else { continue };
            let found: Vec<_> = images
                .iter()
                .zip(&annotations)
                .filter(|(image, _)| image.name == *name)
                .map(|(_, found)| found)
                .collect();
            let objects: usize = found.iter().map(|annotation| annotation.objects.len()).sum();
            match (found.len(), objects) {
                (0, _) | (_, 0) => verdict.missing += 1,
                (1, 1) => {}
                _ => verdict.doubled += 1,
            }
            let wanted = &expected.annotation.objects[..];
            let same = |annotation: &&eyespot_supervisely::format::Annotation| {
                annotation.objects.iter().zip(wanted).all(|(object, wanted)| {
                    object.geometry == wanted.geometry
                        && object.class_title == wanted.class_title
                        && object.score() == wanted.score()
                })
            };
            if let Some(other) = found.iter().find(|annotation| !same(annotation)) {
                verdict.complain(format!("camera {camera}, result {number}: {:?}", other.objects));
            }
        }
        if images.len() > per_camera {
            verdict.doubled += images.len() - per_camera;
        }
    }
    Ok(verdict)
}
