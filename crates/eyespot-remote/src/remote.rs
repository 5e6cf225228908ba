//! A model elsewhere as a predictor.

use std::sync::Arc;

use eyespot_core::{
    BatchOutput, ClassId, ErrorType, Frame, InputSize, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_supervisely::format::Annotation;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::decode::Names;
use crate::description::Description;
use crate::encode::{encode, extension};
use crate::http::Http;
use crate::{Encoding, Endpoint, RemoteError, RemoteOptions};

/// Frames of a request. More of them wait for the next one.
pub(crate) const FRAMES: usize = 32;

/// A model elsewhere: each `predict` is a request, each batch one request for up to 32 frames. Unlike other predictors it
/// waits for a network; a session calls it on a thread of its own.
#[derive(Debug)]
pub struct Remote {
    asker: Asker,
    names: Names,
    described: Described,
}

impl Remote {
    /// Asks what model is there.
    ///
    /// # Errors
    /// [`RemoteError`] where it can't be reached, lets nobody in, or is none.
    pub fn connect(endpoint: &Endpoint, options: &RemoteOptions) -> Result<Self, RemoteError> {
        let asker = Asker::new(endpoint, options)?;
        let description = Description::of(&asker.http)?;
        let names = Names::new(&description.labels, &description.keypoints);
        Ok(Self { asker, names, described: Described::new(description) })
    }
}

impl ErrorType for Remote {
    type Error = RemoteError;
}

impl Predictor for Remote {
    fn spec(&self) -> ModelSpec<'_> {
        self.described.spec()
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), RemoteError> {
        self.asker.ask(std::slice::from_ref(frame), options, self.described.labels, |_, annotation| {
            self.names.read(annotation, options, &mut out);
        })
    }

    fn predict_batch(
        &mut self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        out: &mut dyn BatchOutput,
    ) -> Result<(), RemoteError> {
        for (number, chunk) in frames.chunks(FRAMES).enumerate() {
            self.asker.ask(chunk, options, self.described.labels, |index, annotation| {
                self.names.read(annotation, options, &mut out.output(number * FRAMES + index));
            })?;
        }
        Ok(())
    }
}

/// What is to know about a model, for as long as the program runs: a [`ModelSpec`] lends names.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) description: Description,
    pub(crate) labels: &'static [&'static str],
}

impl Described {
    pub(crate) fn new(description: Description) -> Self {
        let labels: Vec<&'static str> =
            description.labels.iter().map(|label| &*label.clone().leak()).collect();
        Self { description, labels: labels.leak() }
    }

    pub(crate) fn spec(&self) -> ModelSpec<'_> {
        let Description { name, outputs, skeleton, input, conf, .. } = &self.description;
        ModelSpec { name, input: *input, labels: self.labels, outputs: *outputs, skeleton, conf: *conf }
    }
}

/// Sends frames and hears what was found.
#[derive(Debug)]
pub(crate) struct Asker {
    pub(crate) http: Arc<Http>,
    encoding: Encoding,
    settings: Map<String, Value>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "annotation_json")]
    annotation: Option<Annotation>,
    error: Option<String>,
}

impl Asker {
    pub(crate) fn new(endpoint: &Endpoint, options: &RemoteOptions) -> Result<Self, RemoteError> {
        let http = Arc::new(Http::new(endpoint, options)?);
        Ok(Self { http, encoding: options.encoding, settings: options.settings.clone() })
    }

    /// Gives `take` what was found in each frame: in all of them, or after an error in none.
    pub(crate) fn ask(
        &self,
        frames: &[Frame<'_>],
        options: &PredictOptions<'_>,
        labels: &[&str],
        mut take: impl FnMut(usize, &Annotation),
    ) -> Result<(), RemoteError> {
        // No file can hold it by chance.
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let mut body = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let extension = extension(self.encoding);
            part(&mut body, &boundary, &format!("name=\"files\"; filename=\"{index}.{extension}\""));
            body.extend(encode(&frame.image, self.encoding)?);
        }
        part(&mut body, &boundary, "name=\"state\"");
        let mut all = self.settings.clone();
        all.extend(settings(options, labels));
        body.extend(json!({"settings": all, "batch_size": frames.len()}).to_string().bytes());
        body.extend(format!("\r\n--{boundary}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let answers: Vec<Answer> = self.http.post("inference_batch", &content_type, &body)?;
        if answers.len() != frames.len() {
            let reason = format!("{} results for {} frames", answers.len(), frames.len());
            return Err(RemoteError::Answer { remote: self.http.name(), reason });
        }
        let mut annotations = Vec::with_capacity(answers.len());
        for answer in answers {
            let message = match answer {
                Answer { error: None, annotation: Some(annotation) } => {
                    annotations.push(annotation);
                    continue;
                }
                Answer { error, .. } => error.unwrap_or_else(|| "a result without an annotation".to_owned()),
            };
            return Err(RemoteError::Frame { remote: self.http.name(), message });
        }
        annotations.iter().enumerate().for_each(|(index, annotation)| take(index, annotation));
        Ok(())
    }
}

/// The head of a part.
fn part(body: &mut Vec<u8>, boundary: &str, disposition: &str) {
    let line = if body.is_empty() { "" } else { "\r\n" };
    body.extend(
        format!("{line}--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").bytes(),
    );
}

/// The settings that were given, in the words of the protocol. What is left out is the other side's default.
fn settings(options: &PredictOptions<'_>, labels: &[&str]) -> Map<String, Value> {
    // Outside of the range of both options, so it can only be the default.
    const UNSET: f32 = -1.0;
    const NO_SIZE: InputSize = InputSize::new(0, 0);
    let mut settings = Map::new();
    let mut number = |name: &str, value: f32| {
        if value >= 0.0 {
            // The shortest number that is the same f32, as a person would write it.
            let value: f64 = value.to_string().parse().unwrap_or(f64::from(value));
            settings.insert(name.to_owned(), value.into());
        }
    };
    number("conf", options.conf_or(UNSET));
    number("iou", options.iou_or(UNSET));
    let size = options.img_size_or(NO_SIZE);
    if size != NO_SIZE {
        settings.insert("img_size".to_owned(), json!([size.height, size.width]));
    }
    let classes = options.classes();
    if !classes.is_all() {
        let numbered = labels.iter().zip(0..=u16::MAX);
        let kept: Vec<&str> =
            numbered.filter(|(_, class)| classes.keeps(ClassId(*class))).map(|(label, _)| *label).collect();
        settings.insert("classes".to_owned(), kept.into());
    }
    settings
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eyespot_core::ClassSet;

    use super::*;

    #[test]
    fn only_settings_that_were_given_are_sent() {
        assert!(settings(&PredictOptions::new(), &["a"]).is_empty());
        let mut set = ClassSet::<1>::new();
        set.insert(ClassId(1)).unwrap();
        let options = PredictOptions::new()
            .with_conf(0.4)
            .unwrap()
            .with_iou(0.0)
            .unwrap()
            .with_img_size(InputSize::new(320, 640))
            .with_classes(set.as_filter());
        let expected = json!({"conf": 0.4, "iou": 0.0, "img_size": [640, 320], "classes": ["b"]});
        assert_eq!(Value::Object(settings(&options, &["a", "b"])), expected);
    }
}
