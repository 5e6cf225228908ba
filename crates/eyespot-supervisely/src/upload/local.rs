//! Images that are not on the platform, many at once.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{DATASET, Trouble, Uploader};
use crate::client::{ClientError, ImageContent};
use crate::format::{Annotation, Object};
use crate::item::{Item, Pixels, Source};
use crate::plan::{Operation, plan};

/// Name and dataset of a local image; `None` for another source.
pub(super) fn place_of(item: &Item) -> Option<(&str, Vec<&str>)> {
    let Source::Local { name, dataset } = &item.source else { return None };
    let path: Vec<&str> = dataset.iter().map(String::as_str).collect();
    Some((name, if path.is_empty() { vec![DATASET] } else { path }))
}

fn file_of(item: &Item) -> Result<Cow<'_, [u8]>, Trouble> {
    match &item.pixels {
        Pixels::Encoded(bytes) => Ok(bytes.into()),
        Pixels::File(path) => std::fs::read(path)
            .map(Cow::from)
            .map_err(|error| Trouble::Refused(format!("{}: {error}", path.display()))),
        Pixels::None => Err(Trouble::Refused("the result came without its image".into())),
    }
}

impl Uploader {
    /// Stores the results of images of one dataset, in a few requests for all of them. Where it is refused, any of them may
    /// be to blame.
    ///
    /// Results of images that this call adds are set, with their tags, in one step: nobody else knows the images yet. What
    /// was there is looked at, and added to.
    pub(super) fn deliver_locals(&mut self, project: u64, run: &[Item], again: bool) -> Result<(), Trouble> {
        let places: Vec<(&str, Vec<&str>)> = run.iter().filter_map(place_of).collect();
        let path =
            places.first().map(|(_, path)| path.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        let names: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
        let files = run.iter().map(file_of).collect::<Result<Vec<_>, _>>()?;
        let dataset = self.ensure_dataset(project, &path.unwrap_or_default())?;
        let mut annotations = Vec::with_capacity(run.len());
        for item in run {
            let renamed = self.ensure_meta(project, &item.meta)?;
            let mut annotation = item.annotation.clone();
            renamed.apply(&mut annotation);
            self.check(project, &annotation)?;
            annotations.push(annotation);
        }
        let hashes = self.client.upload_images(&files.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        let images = self.ensure_images(dataset, &names, &hashes, again)?;

        let known: Vec<u64> = images.iter().filter(|(_, old)| *old).map(|(id, _)| *id).collect();
        let existing =
            if known.is_empty() { Vec::new() } else { self.client.annotations(dataset, &known)? };
        let mut existing: HashMap<u64, Annotation> = known.into_iter().zip(existing).collect();
        let (mut new, mut objects, mut tags) = (Vec::new(), Vec::<(u64, Object)>::new(), Vec::new());
        for ((image, old), annotation) in images.into_iter().zip(annotations) {
            let Some(there) = existing.remove(&image).filter(|_| old) else {
                new.push((image, annotation));
                continue;
            };
            match plan(self.mode, annotation, &there, true) {
                Operation::Nothing => {}
                Operation::Add(additions) => {
                    objects.extend(additions.objects.into_iter().map(|object| (image, object)));
                    tags.extend(additions.tags);
                }
                Operation::Set(annotation) => new.push((image, annotation)),
            }
        }
        self.client.set_annotations(dataset, &new)?;
        let meta = self.metas.get(&project).cloned().unwrap_or_default();
        self.client.add_objects(project, dataset, &objects, &meta)?;
        self.client.add_tags(project, &tags, &meta)?;
        Ok(())
    }

    /// The images of these names, and whether each was there. An image of that name with other pixels is not ours.
    fn ensure_images(
        &self,
        dataset: u64,
        names: &[&str],
        hashes: &[String],
        again: bool,
    ) -> Result<Vec<(u64, bool)>, Trouble> {
        let mut known = if again { self.client.images_named(dataset, names)? } else { Vec::new() };
        let mut looked = again;
        let added = loop {
            let is_new = |(name, _): &(&&str, &String)| known.iter().all(|info| info.name != **name);
            let new = names.iter().zip(hashes).filter(is_new);
            let new: Vec<_> =
                new.map(|(name, hash)| ((*name).to_owned(), ImageContent::Hash(hash.clone()))).collect();
            match self.client.add_images(dataset, &new) {
                // A name is taken: by a try before this one, or by somebody else.
                Err(ClientError::Status { status: 400, .. }) if !looked => {
                    known = self.client.images_named(dataset, names)?;
                    looked = true;
                }
                added => break added?,
            }
        };
        let found = |(name, hash): (&&str, &String)| {
            if let Some(info) = added.iter().find(|info| info.name == **name) {
                return Ok((info.id, false));
            }
            match known.iter().find(|info| info.name == **name) {
                Some(info) if info.hash.as_ref() == Some(hash) => Ok((info.id, true)),
                Some(_) => {
                    Err(Trouble::Refused(format!("{name}: the dataset has another image of that name")))
                }
                None => Err(Trouble::Refused(format!("{name}: the platform did not take the image"))),
            }
        };
        names.iter().zip(hashes).map(found).collect()
    }
}
