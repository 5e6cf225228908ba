//! The result of an item, in the words of the protocol.

use eyespot_supervisely::format::Annotation;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::job::Items;

/// What a client hears of an item.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    source: Option<()>,
    annotation: Option<&'a Annotation>,
    /// Name of the file, as the client gave it.
    name: Option<&'a str>,
    /// The older client's word for the name.
    image_name: Option<&'a str>,
    path: Option<()>,
    url: Option<&'a str>,
    project_id: Option<u64>,
    dataset_id: Option<u64>,
    image_id: Option<u64>,
    video_id: Option<u64>,
    frame_index: Option<u64>,
    slides_data: Empty,
    data: Empty,
    /// Why there is nothing; the annotation is then empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct Empty {}

impl<'a> Answer<'a> {
    /// For the item at this position, and of a video for this frame.
    pub(crate) fn of(items: &'a Items, position: usize, frame: Option<u64>) -> Self {
        let mut answer = Self {
            source: None,
            annotation: None,
            name: None,
            image_name: None,
            path: None,
            url: None,
            project_id: None,
            dataset_id: None,
            image_id: None,
            video_id: None,
            frame_index: None,
            slides_data: Empty {},
            data: Empty {},
            error: None,
        };
        match items {
            Items::Files(names) => answer.name = names.get(position).map(String::as_str),
            Items::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                (answer.name, answer.url) = (path.rsplit('/').next(), Some(url.as_str()));
            }
            Items::Images(images) => {
                if let Some(image) = images.get(position) {
                    answer.name = Some(&image.name);
                    (answer.project_id, answer.dataset_id) = (image.project, image.dataset);
                    answer.image_id = Some(image.id);
                }
            }
            Items::Video { name, from, .. } => {
                (answer.name, answer.frame_index) = (Some(name.as_str()), frame);
                if let Some(video) = from {
                    (answer.project_id, answer.dataset_id) = (video.project, video.dataset);
                    answer.video_id = Some(video.id);
                }
            }
        }
        answer.image_name = answer.name;
        answer
    }

    /// With what was found.
    pub(crate) fn with(mut self, annotation: &'a Annotation) -> Option<Box<RawValue>> {
        self.annotation = Some(annotation);
        self.raw()
    }

    /// For an item that could not be read or predicted: an empty annotation that says why.
    pub(crate) fn failed(self, message: &str) -> Option<Box<RawValue>> {
        let annotation = Annotation { description: format!("error: {message}"), ..Annotation::new(0, 0) };
        Answer { annotation: Some(&annotation), error: Some(message), ..self }.raw()
    }

    fn raw(&self) -> Option<Box<RawValue>> {
        // Plain data, which JSON takes.
        to_raw_value(self).ok()
    }
}
