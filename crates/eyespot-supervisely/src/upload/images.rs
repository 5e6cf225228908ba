//! Results of images, many at once: those of the platform, copies of them, and images that it does not have yet.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{DATASET, Trouble, Uploader};
use crate::client::{
    BATCH, BATCH_BYTES, ClientError, ImageContent, ImageInfo, SIDE_BY_SIDE, ended, parts_of,
};
use crate::format::Annotation;
use crate::item::{Item, Pixels, Source};
use crate::plan::{ModeError, Operation, SourceKind, UploadMode, plan};

/// Name and dataset of what is not on the platform yet; `None` for another source.
pub(super) fn place_of(item: &Item) -> Option<(&str, Vec<String>)> {
    let (Source::Local { name, dataset } | Source::LocalVideo { name, dataset, .. }) = &item.source else {
        return None;
    };
    Some((name, if dataset.is_empty() { vec![DATASET.to_owned()] } else { dataset.clone() }))
}

/// An image that a dataset is to have, with its result.
struct New<'a> {
    name: &'a str,
    pixels: Origin<'a>,
    annotation: Annotation,
}

/// Where its pixels come from.
enum Origin<'a> {
    /// They have to be uploaded.
    Local(&'a Pixels),
    /// From an image that the platform has.
    Copy(&'a ImageInfo),
}

/// An image that the platform has, and the result that it is to get.
struct Ready {
    image: u64,
    annotation: Annotation,
    there: There,
}

/// What an image may have already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    /// Objects of others. Also where it was added a moment ago: another writer of the same image may have found it.
    Others,
    /// This very result.
    Maybe,
}

fn file_of(pixels: &Pixels) -> Result<Cow<'_, [u8]>, Trouble> {
    match pixels {
        Pixels::Encoded(bytes) => Ok(bytes.into()),
        Pixels::File(path) => std::fs::read(path)
            .map(Cow::from)
            .map_err(|error| Trouble::Refused(format!("{}: {error}", path.display()))),
        Pixels::None => Err(Trouble::Refused("the result came without its image".into())),
    }
}

impl New<'_> {
    /// Bytes to upload.
    fn bytes(&self) -> u64 {
        match self.pixels {
            Origin::Local(Pixels::Encoded(bytes)) => bytes.len() as u64,
            // One that can't be read says so when its turn comes.
            Origin::Local(Pixels::File(path)) => std::fs::metadata(path).map_or(0, |file| file.len()),
            _ => 0,
        }
    }
}

impl Uploader {
    /// Stores the results of images of the platform. Where it is refused, any of them may be to blame.
    pub(super) fn deliver_images(&mut self, run: &[Item], again: bool) -> Result<(), Trouble> {
        self.mode.check(SourceKind::PlatformImages).map_err(|error| Trouble::Refused(error.to_string()))?;
        let infos = self.infos_of(run)?;
        let mut by_dataset = BTreeMap::<u64, Vec<(&ImageInfo, &Item)>>::new();
        for (info, item) in infos.iter().zip(run) {
            by_dataset.entry(info.dataset_id).or_default().push((info, item));
        }
        let there = if again { There::Maybe } else { There::Others };
        for (dataset, images) in by_dataset {
            let project = self.project_of(dataset)?;
            let ready = |(info, item): (&ImageInfo, &Item)| {
                Ok(Ready { image: info.id, annotation: self.prepare(project, item)?, there })
            };
            let ready = images.into_iter().map(ready).collect::<Result<Vec<_>, Trouble>>()?;
            self.store(project, dataset, ready)?;
        }
        Ok(())
    }

    /// Copies images of the platform into a project, and stores their results there.
    pub(super) fn deliver_copies(&mut self, project: u64, run: &[Item], again: bool) -> Result<(), Trouble> {
        let infos = self.infos_of(run)?;
        let mut by_path = BTreeMap::<Vec<String>, Vec<(&ImageInfo, &Item)>>::new();
        for (info, item) in infos.iter().zip(run) {
            by_path.entry(self.path_of(info.dataset_id)?).or_default().push((info, item));
        }
        for (path, images) in by_path {
            let dataset = self.ensure_dataset(project, &path)?;
            let mut new = Vec::with_capacity(images.len());
            for (info, item) in images {
                let annotation = self.prepare(project, item)?;
                new.push(New { name: &info.name, pixels: Origin::Copy(info), annotation });
            }
            self.add(project, dataset, &new, again)?;
        }
        Ok(())
    }

    /// Stores images of one dataset that the platform does not have, and their results.
    pub(super) fn deliver_locals(&mut self, run: &[Item], again: bool) -> Result<(), Trouble> {
        let project = self.target.ok_or_else(|| Trouble::Refused(ModeError::NeedsPlatform.to_string()))?;
        let path = run.first().and_then(place_of).map(|(_, path)| path);
        let dataset = self.ensure_dataset(project, &path.unwrap_or_default())?;
        let mut new = Vec::with_capacity(run.len());
        for item in run {
            let Some((name, _)) = place_of(item) else { continue };
            new.push(New {
                name,
                pixels: Origin::Local(&item.pixels),
                annotation: self.prepare(project, item)?,
            });
        }
        self.add(project, dataset, &new, again)
    }

    /// The annotation of a result, with the names that its classes and tags have in a project, which has them all then.
    fn prepare(&mut self, project: u64, item: &Item) -> Result<Annotation, Trouble> {
        let names = self.ensure_meta(project, &item.meta)?;
        let mut annotation = item.annotation.clone();
        names.apply(&mut annotation);
        self.check(project, &annotation)?;
        Ok(annotation)
    }

    /// The images that results are about.
    fn infos_of(&mut self, run: &[Item]) -> Result<Vec<ImageInfo>, Trouble> {
        let id_of = |item: &Item| match item.source {
            Source::Image { id } => Some(id),
            _ => None,
        };
        let ids: Vec<u64> = run.iter().filter_map(id_of).collect();
        let mut found = HashMap::<u64, ImageInfo>::new();
        let missing = |found: &HashMap<u64, ImageInfo>| -> Vec<u64> {
            ids.iter().copied().filter(|id| !found.contains_key(id)).collect()
        };
        // Most of them are where those before them were.
        let mut home = self.home.filter(|_| ids.len() > 1);
        loop {
            let left = missing(&found);
            if let (Some(home), false) = (home, left.is_empty()) {
                match self.client.images_of_ids(home, &left) {
                    Ok(infos) => found.extend(infos.into_iter().map(|info| (info.id, info))),
                    // The dataset is gone.
                    Err(ClientError::Status { status: 404, .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(&id) = missing(&found).first() else { break };
            let info = self.client.image(id)?;
            let info = info
                .ok_or_else(|| Trouble::Refused(format!("image {id} is not on the platform (any more)")))?;
            home = Some(info.dataset_id);
            self.home = home;
            found.insert(id, info);
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// Adds images to a dataset, with their results: a few requests for all of them, as many as possible at a time. The
    /// files of later images go up, and the results of earlier ones are stored, while images are added in their order.
    fn add(&self, project: u64, dataset: u64, new: &[New<'_>], again: bool) -> Result<(), Trouble> {
        let parts = parts_of(new, BATCH, BATCH_BYTES, New::bytes);
        std::thread::scope(|scope| {
            let (mut sending, mut storing) = (VecDeque::new(), VecDeque::new());
            let mut next = parts.iter();
            for part in &parts {
                while sending.len() < SIDE_BY_SIDE
                    && let Some(part) = next.next()
                {
                    sending.push_back(scope.spawn(|| self.send(part)));
                }
                // After an error the threads that are under way end by themselves.
                let contents = sending.pop_front().map_or(Ok(vec![]), ended)?;
                let ready = self.add_in_order(dataset, part, contents, again)?;
                if storing.len() >= SIDE_BY_SIDE {
                    storing.pop_front().map_or(Ok(()), ended)?;
                }
                storing.push_back(scope.spawn(move || self.store(project, dataset, ready)));
            }
            storing.into_iter().try_for_each(ended)
        })
    }

    /// Uploads what has to be, and gives what the images are made of.
    fn send(&self, part: &[New<'_>]) -> Result<Vec<(ImageContent, Option<String>)>, Trouble> {
        let mut files = Vec::new();
        for new in part {
            if let Origin::Local(pixels) = new.pixels {
                files.push(file_of(pixels)?);
            }
        }
        let files: Vec<&[u8]> = files.iter().map(AsRef::as_ref).collect();
        let mut hashes =
            if files.is_empty() { vec![] } else { self.client.upload_images(&files)? }.into_iter();
        let content = |new: &New<'_>| match new.pixels {
            Origin::Copy(info) => Some((ImageContent::Copy(info.id), info.hash.clone())),
            Origin::Local(_) => hashes.next().map(|hash| (ImageContent::Hash(hash.clone()), Some(hash))),
        };
        Ok(part.iter().filter_map(content).collect())
    }

    /// Adds the images of a part that are not there. An image of a name with other pixels is not ours.
    fn add_in_order(
        &self,
        dataset: u64,
        part: &[New<'_>],
        contents: Vec<(ImageContent, Option<String>)>,
        again: bool,
    ) -> Result<Vec<Ready>, Trouble> {
        let names: Vec<&str> = part.iter().map(|new| new.name).collect();
        let by_name = |infos: Vec<ImageInfo>| -> HashMap<String, ImageInfo> {
            infos.into_iter().map(|info| (info.name.clone(), info)).collect()
        };
        let mut known = HashMap::new();
        if again {
            known = by_name(self.client.images_named(dataset, &names)?);
        }
        let mut looked = again;
        let added = loop {
            let new = names.iter().zip(&contents).filter(|(name, _)| !known.contains_key(**name));
            let new: Vec<_> = new.map(|(name, (content, _))| ((*name).to_owned(), content.clone())).collect();
            match self.client.add_images(dataset, &new) {
                // A name is taken: by a try before this one, or by somebody else.
                Err(ClientError::Status { status: 400, .. }) if !looked => {
                    known = by_name(self.client.images_named(dataset, &names)?);
                    looked = true;
                }
                added => break by_name(added?),
            }
        };
        let ready = |(new, (_, hash)): (&New<'_>, &(ImageContent, Option<String>))| {
            let ready = |image, there| Ready { image, annotation: new.annotation.clone(), there };
            let refused = |reason: &str| Err(Trouble::Refused(format!("{}: {reason}", new.name)));
            match (added.get(new.name), known.get(new.name)) {
                (Some(info), _) => Ok(ready(info.id, There::Others)),
                (None, Some(info)) if info.hash == *hash => Ok(ready(info.id, There::Maybe)),
                (None, Some(_)) => refused("the dataset has another image of that name"),
                (None, None) => refused("the platform did not take the image"),
            }
        };
        part.iter().zip(&contents).map(ready).collect()
    }

    /// Stores results of images of one dataset. What is there is looked at where the mode or an earlier try needs it.
    fn store(&self, project: u64, dataset: u64, ready: Vec<Ready>) -> Result<(), Trouble> {
        let merges = matches!(self.mode, UploadMode::Replace | UploadMode::IouMerge { .. });
        let looks = |there: There| there == There::Maybe || (there == There::Others && merges);
        let known: Vec<u64> =
            ready.iter().filter(|ready| looks(ready.there)).map(|ready| ready.image).collect();
        let existing = self.client.annotations(dataset, &known)?;
        let mut existing: HashMap<u64, Annotation> = known.into_iter().zip(existing).collect();
        let (mut set, mut objects, mut tags) = (Vec::new(), Vec::new(), Vec::new());
        for Ready { image, annotation, there } in ready {
            let size = annotation.size;
            let existing = existing.remove(&image);
            let existing = existing.unwrap_or_else(|| Annotation::new(size.width, size.height));
            match plan(self.mode, annotation, &existing, there == There::Maybe) {
                Operation::Nothing => {}
                Operation::Add(additions) => {
                    objects.extend(additions.objects.into_iter().map(|object| (image, object)));
                    tags.extend(additions.tags);
                }
                Operation::Set(annotation) => set.push((image, annotation)),
            }
        }
        self.client.set_annotations(dataset, &set)?;
        let meta = self.metas.get(&project).cloned().unwrap_or_default();
        self.client.add_objects(project, dataset, &objects, &meta)?;
        self.client.add_tags(project, &tags, &meta)?;
        Ok(())
    }
}
