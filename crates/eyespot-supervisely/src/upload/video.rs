//! Results of frames to videos of the platform: one object per track, with its figures.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::images::place_of;
use super::{Trouble, Uploader};
use crate::client::{Client, ClientError, NewFigure, VideoInfo, hash_of_file};
use crate::convert::track_ids;
use crate::format::{Figure, Names, ProjectMeta, VideoAnnotation};
use crate::item::{Item, Pixels, Source};
use crate::plan::{ModeError, SourceKind};

/// Names an object of a video: its track, or nothing for all that is in none, and its class.
type Owner = (Option<String>, String);

/// What uploaders that work side by side know of the objects of videos. Each track has one object, whichever of them meets it
/// first: they share this.
#[derive(Debug, Clone, Default)]
pub struct Videos(Arc<Mutex<HashMap<u64, Video>>>);

/// The objects of one video; `None` until they are read. Held by the uploader that adds to it.
type Video = Arc<Mutex<Option<Objects>>>;

/// The objects of a video that figures of models belong to.
#[derive(Debug, Default)]
struct Objects {
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

/// Where a video of the target comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// The video of this number.
    Copy(u64),
    /// The file of this name, for this dataset.
    File(u64, String),
}

/// Hashes of files, with the length and the time of change that they had.
pub(super) type Hashes = HashMap<PathBuf, (u64, Option<SystemTime>, String)>;

impl Uploader {
    /// Delivers frames of one video of the platform, or of its copy in the target.
    pub(super) fn deliver_frames(&mut self, id: u64, items: &[Item], again: bool) -> Result<(), Trouble> {
        self.mode.check(SourceKind::PlatformVideo).map_err(|error| Trouble::Refused(error.to_string()))?;
        if let Some(copy) = self.copies.get(&Origin::Copy(id)).cloned() {
            return self.deliver_to(&copy, items, again);
        }
        let source = self.client.video(id)?;
        let source = source
            .ok_or_else(|| Trouble::Refused(format!("video {id} is not on the platform (any more)")))?;
        let Some(target) = self.target else { return self.deliver_to(&source, items, again) };
        let path = self.path_of(source.dataset_id)?;
        let dataset = self.ensure_dataset(target, &path)?;
        let add = |client: &Client| client.copy_video(dataset, &source);
        let (copy, old) = self.ensure_video(dataset, &source.name, source.hash.as_deref(), add)?;
        self.copies.insert(Origin::Copy(id), copy.clone());
        self.deliver_to(&copy, items, again || old)
    }

    /// Delivers frames of one video file, which goes up first.
    pub(super) fn deliver_frames_of_file(&mut self, items: &[Item], again: bool) -> Result<(), Trouble> {
        let project = self.target.ok_or_else(|| Trouble::Refused(ModeError::NeedsPlatform.to_string()))?;
        let Some((first, (name, path))) = items.first().and_then(|first| Some((first, place_of(first)?)))
        else {
            return Ok(());
        };
        let Pixels::File(file) = &first.pixels else {
            return Err(Trouble::Refused("the result came without its video".into()));
        };
        let dataset = self.ensure_dataset(project, &path)?;
        let origin = Origin::File(dataset, name.to_owned());
        if let Some(video) = self.copies.get(&origin).cloned() {
            return self.deliver_to(&video, items, again);
        }
        let hash = self.hash_of(file)?;
        let add = |client: &Client| {
            client.upload_video(file, &hash)?;
            client.add_video(dataset, name, &hash)
        };
        let (video, old) = self.ensure_video(dataset, name, Some(&hash), add)?;
        self.copies.insert(origin, video.clone());
        self.deliver_to(&video, items, again || old)
    }

    /// The hash of a file; it is read only where it may have changed.
    fn hash_of(&mut self, file: &Path) -> Result<String, Trouble> {
        let state = std::fs::metadata(file).map_err(|error| ClientError::file(file, error))?;
        let (len, changed) = (state.len(), state.modified().ok());
        if let Some((_, _, hash)) = self.hashes.get(file).filter(|known| (known.0, known.1) == (len, changed))
        {
            return Ok(hash.clone());
        }
        let hash = hash_of_file(file)?;
        self.hashes.insert(file.to_path_buf(), (len, changed, hash.clone()));
        Ok(hash)
    }

    /// Adds the results of frames to a video.
    ///
    /// A track that the video has already is gone on with: a process that was stopped within a video continues its objects.
    fn deliver_to(&mut self, video: &VideoInfo, items: &[Item], again: bool) -> Result<(), Trouble> {
        let project = self.project_of(video.dataset_id)?;
        let mut new = Vec::new();
        for item in items {
            let names = self.ensure_meta(project, &without_tags(&item.meta))?;
            new.extend(figures(item, &names));
        }
        let shared = self.videos.of(video.id);
        let mut shared = lock(&shared);
        // Until all is well: what came up to a failure is read from the platform the next time.
        let mut objects = match shared.take() {
            Some(known) if !again => known,
            _ => {
                let stored =
                    self.client.video_annotations(video.dataset_id, &[video.id])?.pop().unwrap_or_default();
                if again {
                    leave_out_known(&mut new, &stored);
                }
                Objects::of(&stored, again)
            }
        };
        self.add_figures(project, video, &mut objects, new)?;
        *shared = Some(objects);
        Ok(())
    }

    fn add_figures(
        &self,
        project: u64,
        video: &VideoInfo,
        objects: &mut Objects,
        new: Vec<New>,
    ) -> Result<(), Trouble> {
        let Self { client, metas, .. } = self;
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

    /// The video of a name and hash in a dataset, and whether it was there.
    fn ensure_video(
        &self,
        dataset: u64,
        name: &str,
        hash: Option<&str>,
        add: impl FnOnce(&Client) -> Result<VideoInfo, ClientError>,
    ) -> Result<(VideoInfo, bool), Trouble> {
        let known = || -> Result<Option<VideoInfo>, ClientError> {
            Ok(self.client.videos(dataset)?.into_iter().find(|video| video.name == name))
        };
        let known = match known()? {
            Some(known) => known,
            None => match add(&self.client) {
                // Another writer may have been quicker.
                Err(error @ ClientError::Status { status: 400, .. }) => {
                    known()?.ok_or_else(|| Trouble::from(error))?
                }
                added => return Ok((added?, false)),
            },
        };
        if known.hash.as_deref() == hash {
            Ok((known, true))
        } else {
            Err(Trouble::Refused(format!("{name}: the dataset has another video of that name")))
        }
    }
}

/// A panic leaves nothing that is wrong: objects that are worked on are taken out.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Videos {
    fn of(&self, video: u64) -> Video {
        Arc::clone(lock(&self.0).entry(video).or_default())
    }

    /// They may be out of date.
    pub(super) fn forget(&self) {
        // Those that are held are forgotten by their holder if it fails.
        for video in lock(&self.0).values() {
            if let Ok(mut objects) = video.try_lock() {
                *objects = None;
            }
        }
    }
}

/// The figures of a frame.
fn figures(item: &Item, names: &Names) -> Vec<New> {
    let (Source::Video { frame, .. } | Source::LocalVideo { frame, .. }) = item.source else { return vec![] };
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
