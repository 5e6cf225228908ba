//! A model as a predictor.

use std::path::Path;

use eyespot_core::{
    ErrorType, Frame, InputSize, ModelSpec, Outputs, PredictOptions, PredictionsMut, Predictor, coco,
};
use eyespot_decode::{Candidate, DecodeOptions};
use eyespot_image::Letterbox;

use crate::head::{Context, Head, Scratch};
use crate::input::{ImageInput, Preparation};
use crate::outputs::{self, Facts};
use crate::{Engine, EngineChoice, Graph, Kind, Manifest, OnnxError, Tensor, labels, recognise, resolve};

/// Candidates of one frame that there is room for before suppression.
const CANDIDATES: usize = 4096;

/// The score threshold of most models.
const CONF: f32 = 0.25;

/// The IoU threshold of most models.
const IOU: f32 = 0.45;

/// An ONNX model as a predictor.
///
/// Memory for images and candidates is kept from call to call. Where a frame has more candidates than there is room for,
/// the best are kept and the loss is counted.
pub struct OnnxPredictor {
    engine: Box<dyn Engine>,
    preparation: Preparation,
    kind: Kind,
    head: Head,
    /// Of a head that was told by the graph there is no line in the manifest.
    told: bool,
    outputs: String,
    name: String,
    labels: &'static [&'static str],
    skeleton: Vec<(u8, u8)>,
    conf: f32,
    iou: f32,
    scratch: Scratch,
}

impl std::fmt::Debug for OnnxPredictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (engine, head) = (self.engine.name(), &self.head);
        f.debug_struct("OnnxPredictor")
            .field("name", &self.name)
            .field("engine", &engine)
            .field("head", head)
            .finish()
    }
}

impl OnnxPredictor {
    /// Opens a model, with the manifest beside it where there is one.
    ///
    /// The graph runs once on a blank image: what its outputs are is told by those, since exporters are often wrong about
    /// their shapes.
    ///
    /// # Errors
    /// [`OnnxError`] where a file can't be read or is damaged, the engine can't run the graph, or it can't be told what
    /// its outputs mean.
    pub fn open(path: impl AsRef<Path>, engine: EngineChoice) -> Result<Self, OnnxError> {
        let path = path.as_ref();
        let manifest = Manifest::beside(path)?;
        Self::with_manifest(path, manifest, engine)
    }

    /// Opens a model with this manifest, whatever lies beside it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with_manifest(
        path: impl AsRef<Path>,
        manifest: Manifest,
        engine: EngineChoice,
    ) -> Result<Self, OnnxError> {
        let path = path.as_ref();
        let graph = Graph::open(path)?;
        let given = labels::given(path, &graph, &manifest)?;
        let image = ImageInput::of(&graph, &manifest)?;
        let input = image.size;
        let mut preparation = Preparation::new(&graph, image)?;
        let mut engine = engine.open(path)?;
        let results = engine.run(preparation.inputs())?;
        let found = outputs::outputs(&graph, &results);
        let names = given.as_ref().map(Vec::len);
        let facts = Facts { graph: &graph, manifest: &manifest, outputs: &found, input, names };
        let listed = outputs::listed(&found);
        let kind = match manifest.head {
            Some(kind) => kind,
            None => recognise::recognise(&facts).map_err(|kinds| OnnxError::Unrecognised {
                outputs: listed.clone(),
                path: Manifest::path_of(path),
                lines: lines(&kinds),
            })?,
        };
        let wrong = |reason| OnnxError::Head { head: kind.name(), reason, outputs: listed.clone() };
        let (head, classes) = resolve::resolve(kind, &facts).map_err(wrong)?;
        if let (Some(names), Some(classes)) = (names, classes)
            && names != classes
            && kind != Kind::Depth
        {
            return Err(wrong(format!("there are names for {names} classes, but it has {classes}")));
        }
        let names = given.unwrap_or_else(|| labels::usual(kind, &head, classes));
        preparation.set(kind, &manifest);
        let skeleton = match manifest.skeleton {
            Some(skeleton) => skeleton,
            None if head.keypoints() == coco::KEYPOINTS.len() => coco::SKELETON.to_vec(),
            None => Vec::new(),
        };
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            engine,
            preparation,
            kind,
            head,
            told: manifest.head.is_some(),
            outputs: listed,
            name: manifest.name.or(stem).unwrap_or_default(),
            labels: leak(names),
            skeleton,
            conf: manifest.conf.unwrap_or(CONF),
            iou: manifest.iou.unwrap_or(IOU),
            scratch: Scratch {
                candidates: vec![Candidate::EMPTY; CANDIDATES],
                values: Vec::new(),
                labels: Vec::new(),
            },
        })
    }

    /// What its outputs mean.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The engine that runs it.
    #[must_use]
    pub fn engine(&self) -> &str {
        self.engine.name()
    }

    /// What is to know about it, a line for each: what, and the value.
    #[must_use]
    pub fn describe(&self) -> Vec<(&'static str, String)> {
        let InputSize { width, height } = self.preparation.image().size;
        let open = if self.preparation.image().open { ", or any other" } else { "" };
        let by = if self.told { "told by the manifest" } else { "recognised" };
        let mut lines = vec![
            ("name", self.name.clone()),
            ("head", format!("{} ({by})", self.kind.name())),
            ("outputs", self.outputs.clone()),
            ("input", format!("{height} x {width} (height x width){open}")),
            ("classes", self.labels.len().to_string()),
        ];
        if self.head.keypoints() > 0 {
            lines.push(("keypoints", self.head.keypoints().to_string()));
        }
        lines.push(("engine", self.engine.name().to_owned()));
        lines
    }

    /// The outputs of the graph on an image as they are, in the order of the graph, and where the image lies in its input:
    /// for what the results have no place for, such as the numbers of a map of depths.
    ///
    /// # Errors
    /// As [`predict`](Predictor::predict).
    pub fn run(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
    ) -> Result<(Vec<Tensor>, Letterbox), OnnxError> {
        let size = options.img_size_or(self.preparation.image().size);
        let letterbox = self.preparation.fill(&frame.image, size)?;
        Ok((self.engine.run(self.preparation.inputs())?, letterbox))
    }
}

/// The lines of a manifest that a user may have to write.
fn lines(kinds: &[Kind]) -> Vec<String> {
    let kinds = if kinds.is_empty() { &Kind::ALL[..] } else { kinds };
    kinds.iter().map(|kind| format!(r#"{{"head": "{}"}}"#, kind.name())).collect()
}

/// Names for [`ModelSpec::labels`]. They stay in memory until the process ends: a process loads few models.
fn leak(names: Vec<String>) -> &'static [&'static str] {
    Vec::leak(names.into_iter().map(|name| &*String::leak(name)).collect())
}

impl ErrorType for OnnxPredictor {
    type Error = OnnxError;
}

impl Predictor for OnnxPredictor {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec {
            name: &self.name,
            input: Some(self.preparation.image().size),
            labels: self.labels,
            outputs: Outputs {
                masks: self.head.has_masks(),
                angles: self.head.has_angles(),
                keypoints: u8::try_from(self.head.keypoints()).unwrap_or(u8::MAX),
            },
            skeleton: &self.skeleton,
            conf: self.conf,
        }
    }

    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), OnnxError> {
        let (outputs, letterbox) = self.run(frame, options)?;
        let context = Context {
            letterbox: &letterbox,
            options: DecodeOptions::of(options, self.conf),
            iou: options.iou_or(self.iou),
        };
        Ok(self.head.decode(&outputs, &context, &mut self.scratch, &mut out)?)
    }
}
