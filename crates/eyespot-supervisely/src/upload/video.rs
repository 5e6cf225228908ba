//! Results of frames to videos of the platform: one object per track, with its figures.

use std::collections::{BTreeMap, HashMap};

use super::{Trouble, Uploader};
use crate::client::{NewFigure, VideoInfo};
use crate::convert::track_ids;
use crate::format::{Figure, Names, ProjectMeta, VideoAnnotation};
use crate::item::{Item, Source};
use crate::plan::SourceKind;

/// Names an object of a video: its track, or nothing for all that is in none, and its class.
type Owner = (Option<String>, String);

/// The objects of a video that figures of models belong to.
#[derive(Debug, Default)]
pub(super) struct Objects {
    known: HashMap<Owner, u64>,
    /// Objects without a figure, by their classes: a try that failed may have left them.
    spare: HashMap<String, Vec<u64>>,
}

/// A figure that is to be added.
struct New {
    owner: Owner,
    frame: u64,
    figure: Figure,
}

impl Uploader {
    /// Delivers frames of one video.
    ///
    /// A track that the video has already is gone on with: a process that was stopped within a video continues its objects.
    pub(super) fn deliver_frames(&mut self, id: u64, items: &[Item], again: bool) -> Result<(), Trouble> {
        self.mode.check(SourceKind::PlatformVideo).map_err(|error| Trouble::Refused(error.to_string()))?;
        let source = self.client.video(id)?;
        let source = source
            .ok_or_else(|| Trouble::Refused(format!("video {id} is not on the platform (any more)")))?;
        let (video, again) = match self.target {
            Some(target) => {
                let path = self.path_of(source.dataset_id)?;
                let dataset = self.ensure_dataset(target, &path)?;
                let (copy, old) = self.ensure_copy(dataset, &source)?;
                (copy, again || old)
            }
            None => (source, again),
        };
        let project = self.project_of(video.dataset_id)?;
        let mut new = Vec::new();
        for item in items {
            let names = self.ensure_meta(project, &without_tags(&item.meta))?;
            new.extend(figures(item, &names));
        }
        if again || !self.videos.contains_key(&video.id) {
            let stored =
                self.client.video_annotations(video.dataset_id, &[video.id])?.pop().unwrap_or_default();
            if again {
                leave_out_known(&mut new, &stored);
            }
            self.videos.insert(video.id, Objects::of(&stored, again));
        }
        let done = self.add_figures(project, &video, new);
        if done.is_err() {
            // What came up to then is read from the platform the next time.
            self.videos.remove(&video.id);
        }
        done
    }

    fn add_figures(&mut self, project: u64, video: &VideoInfo, new: Vec<New>) -> Result<(), Trouble> {
        let Self { client, videos, metas, .. } = self;
        let objects = videos.entry(video.id).or_default();
        let owners = objects.missing(new.iter().map(|new| &new.owner));
        let meta = metas.get(&project);
        let class = |title: &str| meta.and_then(|meta| meta.class(title)?.id);
        let unknown =
            |title: &str| Trouble::Refused(format!("the result uses `{title}`, which is not in its meta"));
        let classes = owners.iter().map(|(_, title)| class(title).ok_or_else(|| unknown(title)));
        let classes = classes.collect::<Result<Vec<_>, _>>()?;
        let ids = client.add_video_objects(video.dataset_id, video.id, &classes)?;
        objects.known.extend(owners.into_iter().cloned().zip(ids));
        let figure = |New { owner, frame, figure }| {
            Some(NewFigure { object_id: *objects.known.get(&owner)?, frame, figure })
        };
        let figures: Vec<NewFigure> = new.into_iter().filter_map(figure).collect();
        client.add_video_figures(video.id, &figures)?;
        Ok(())
    }

    /// The copy of a video in a dataset, and whether it was there.
    fn ensure_copy(&self, dataset: u64, source: &VideoInfo) -> Result<(VideoInfo, bool), Trouble> {
        let known = self.client.videos(dataset)?.into_iter().find(|video| video.name == source.name);
        match known {
            Some(known) if known.hash == source.hash => Ok((known, true)),
            Some(_) => {
                Err(Trouble::Refused(format!("{}: the dataset has another video of that name", source.name)))
            }
            None => Ok((self.client.copy_video(dataset, source)?, false)),
        }
    }
}

/// The figures of a frame.
fn figures(item: &Item, names: &Names) -> Vec<New> {
    let Source::Video { frame, .. } = item.source else { return vec![] };
    let tracks = track_ids(&item.annotation);
    let mut annotation = item.annotation.clone();
    names.apply(&mut annotation);
    let objects = annotation.objects.into_iter().zip(tracks);
    let figure = |(object, track): (crate::format::Object, Option<u32>)| {
        let track = track.map(|track| track.to_string());
        let figure = Figure {
            key: String::new(),
            object_key: String::new(),
            geometry: object.geometry,
            nn_created: object.nn_created,
            nn_updated: object.nn_updated,
            track_id: track.clone(),
            id: None,
            object_id: None,
            geometry_extra: serde_json::Map::new(),
            extra: serde_json::Map::new(),
        };
        New { owner: (track, object.class_title), frame, figure }
    };
    objects.map(figure).collect()
}

/// Figures have no tags of their own.
fn without_tags(meta: &ProjectMeta) -> ProjectMeta {
    ProjectMeta { tags: vec![], ..meta.clone() }
}

/// The owner of each object of a video by its number, from the figures that models have made.
fn owners(stored: &VideoAnnotation) -> BTreeMap<u64, Owner> {
    let title = |id: u64| {
        stored.objects.iter().find(|object| object.id == Some(id)).map(|object| &object.class_title)
    };
    let figures = stored.frames.iter().flat_map(|frame| &frame.figures).filter(|figure| figure.nn_created);
    let owner = |figure: &Figure| {
        let id = figure.object_id?;
        Some((id, (figure.track_id.clone(), title(id)?.clone())))
    };
    figures.filter_map(owner).collect()
}

/// Leaves out the figures that are there from a try before. Of two equal ones and one that is there, one stays.
fn leave_out_known(new: &mut Vec<New>, stored: &VideoAnnotation) {
    let owners = owners(stored);
    for frame in &stored.frames {
        for known in frame.figures.iter().filter(|figure| figure.nn_created) {
            let owner = known.object_id.and_then(|id| owners.get(&id));
            let same = |new: &New| {
                new.frame == frame.index && Some(&new.owner) == owner && new.figure.geometry == known.geometry
            };
            if let Some(place) = new.iter().position(same) {
                new.remove(place);
            }
        }
    }
}

impl Objects {
    fn of(stored: &VideoAnnotation, again: bool) -> Self {
        let mut objects = Self::default();
        for (id, owner) in owners(stored) {
            objects.known.entry(owner).or_insert(id);
        }
        if again {
            let figures = || stored.frames.iter().flat_map(|frame| &frame.figures);
            // The first one is taken first.
            for object in stored.objects.iter().rev() {
                let Some(id) = object.id else { continue };
                if figures().all(|figure| figure.object_id != Some(id)) {
                    objects.spare.entry(object.class_title.clone()).or_default().push(id);
                }
            }
        }
        objects
    }

    /// Takes spare objects for those of these owners that have none, and gives the owners that still have none.
    fn missing<'a>(&mut self, owners: impl IntoIterator<Item = &'a Owner>) -> Vec<&'a Owner> {
        let mut missing = Vec::new();
        for owner in owners {
            if self.known.contains_key(owner) || missing.contains(&owner) {
                continue;
            }
            match self.spare.get_mut(&owner.1).and_then(Vec::pop) {
                Some(id) => drop(self.known.insert(owner.clone(), id)),
                None => missing.push(owner),
            }
        }
        missing
    }
}
