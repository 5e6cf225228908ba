//! The inputs of a graph, and how images become one.

use eyespot_core::{ImageView, InputSize};
use eyespot_image::{Channels, Fit, Layout, Letterbox, Normalize, Scratch, Tap, TensorFormat};

use crate::manifest::LIMIT;
use crate::{Element, Graph, Kind, Manifest, OnnxError, Port};

/// The input that takes an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageInput {
    index: usize,
    layout: Layout,
    channels: usize,
    /// Is its size left open?
    pub(crate) open: bool,
    /// The size that it was made for.
    pub(crate) size: InputSize,
}

/// Its size where neither graph nor manifest tell.
const USUAL: InputSize = InputSize::square(640);

fn wrong(port: &Port, reason: impl Into<String>) -> OnnxError {
    let sizes: Vec<_> =
        port.dims.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string())).collect();
    OnnxError::Input { port: format!("`{}` [{}]", port.name, sizes.join(", ")), reason: reason.into() }
}

impl ImageInput {
    pub(crate) fn of(graph: &Graph, manifest: &Manifest) -> Result<Self, OnnxError> {
        let images = graph.inputs.iter().enumerate().find(|(_, port)| port.dims.len() == 4);
        let Some((index, port)) = images else {
            let first = graph.inputs.first().cloned();
            let port = first.unwrap_or(Port { name: String::new(), element: None, dims: Vec::new() });
            return Err(wrong(&port, "an image is [1, 3, height, width] or [1, height, width, 3]"));
        };
        if !matches!(port.dims.first(), Some(None | Some(1))) {
            return Err(wrong(port, "it takes several images at once: export it for 1"));
        }
        if matches!(port.element, None | Some(Element::Bool)) {
            return Err(wrong(port, "it is no tensor of numbers: export it for float32"));
        }
        let is_color = |dim: Option<usize>| matches!(dim, Some(1 | 3));
        let [_, a, b, c] = port.dims[..] else { return Err(wrong(port, "it has not four dimensions")) };
        let layout = match manifest.input.layout {
            Some(layout) => layout,
            None if is_color(c) && !is_color(a) => Layout::Interleaved,
            None => Layout::Planar,
        };
        let (channels, height, width) = match layout {
            Layout::Planar => (a, b, c),
            Layout::Interleaved => (c, a, b),
        };
        let channels = match (channels, manifest.input.channels) {
            (None, Some(channels)) => channels.count(),
            (None, None) => 3,
            (Some(count @ (1 | 3)), None) => count,
            (Some(count), Some(channels)) if count == channels.count() => count,
            (Some(count), _) => {
                return Err(wrong(
                    port,
                    format!("an image of {count} channels: it must be 1 or 3, as the manifest says"),
                ));
            }
        };
        let noted: Option<[u16; 2]> =
            graph.metadata("imgsz").and_then(|size| serde_json::from_str(size).ok());
        let [told_height, told_width] = manifest.input.size.map_or([None; 2], |size| size.map(Some));
        let [noted_height, noted_width] = noted.map_or([None; 2], |size| size.map(Some));
        let side = |fixed: Option<usize>, told: Option<u16>, usual: u16| match (fixed, told) {
            (Some(fixed), Some(told)) if fixed != usize::from(told) => Err(wrong(
                port,
                format!(
                    "its size can't be changed to {told} as the manifest says: export it with sizes that are left open"
                ),
            )),
            (Some(fixed), _) => Ok(u16::try_from(fixed).unwrap_or(u16::MAX)),
            (None, told) => Ok(told.unwrap_or(usual)),
        };
        let size = InputSize::new(
            side(width, told_width, noted_width.unwrap_or(USUAL.width))?,
            side(height, told_height, noted_height.unwrap_or(USUAL.height))?,
        );
        check(port, size)?;
        Ok(Self { index, layout, channels, open: height.is_none() && width.is_none(), size })
    }
}

/// Is a size one that can be dealt with?
fn check(port: &Port, size: InputSize) -> Result<(), OnnxError> {
    let fits = |side: u16| side > 0 && side <= LIMIT;
    if fits(size.width) && fits(size.height) {
        Ok(())
    } else {
        Err(wrong(port, format!("width and height must be from 1 to {LIMIT}")))
    }
}

/// Makes tensors of images. The memory is kept from call to call.
#[derive(Debug)]
pub(crate) struct Preparation {
    format: TensorFormat<Normalize>,
    fit: Fit,
    inputs: Vec<crate::Input>,
    image: ImageInput,
    size: InputSize,
    taps: Vec<Tap>,
    rows: Vec<u16>,
}

impl Preparation {
    /// For a graph whose head is not known yet: for blank images.
    pub(crate) fn new(graph: &Graph, image: ImageInput) -> Result<Self, OnnxError> {
        let mut inputs = Vec::with_capacity(graph.inputs.len());
        for (index, port) in graph.inputs.iter().enumerate() {
            let known = ["orig_target_sizes", "im_shape", "scale_factor"].contains(&port.name.as_str());
            if index != image.index && !known {
                return Err(wrong(
                    port,
                    "it is no image, and nothing else is known of it: export the graph with the image alone",
                ));
            }
            let element = port.element.ok_or_else(|| wrong(port, "it is no tensor of a known type"))?;
            inputs.push(crate::Input { name: port.name.clone(), element, tensor: crate::Tensor::default() });
        }
        let channels = if image.channels == 1 { Channels::Gray } else { Channels::Rgb };
        let size = image.size;
        let mut preparation = Self {
            format: TensorFormat::new(image.layout, channels, Normalize::LEVELS),
            fit: Fit::Stretch,
            inputs,
            image,
            size: InputSize::square(0),
            taps: Vec::new(),
            rows: Vec::new(),
        };
        preparation.resize(size);
        Ok(preparation)
    }

    /// As the networks with this head are given images, and as the manifest says.
    pub(crate) fn set(&mut self, kind: Kind, manifest: &Manifest) {
        let preset = kind.preset();
        let told = &manifest.input;
        let integers = self.inputs.get(self.image.index).is_some_and(|input| input.element.is_integer());
        // Whole numbers are levels.
        let (mean, std) = if integers { ([0.0; 3], [1.0; 3]) } else { (preset.mean, preset.std) };
        let channels =
            if self.image.channels == 1 { Channels::Gray } else { told.channels.unwrap_or(preset.channels) };
        let normalize = Normalize::mean_std(told.mean.unwrap_or(mean), told.std.unwrap_or(std));
        self.format = TensorFormat::new(self.image.layout, channels, normalize)
            .with_pad(told.pad.unwrap_or(preset.pad));
        self.fit = told.fit.unwrap_or(preset.fit);
    }

    /// Makes the inputs of that size.
    fn resize(&mut self, size: InputSize) {
        if size == self.size {
            return;
        }
        self.size = size;
        let (width, height) = (usize::from(size.width), usize::from(size.height));
        let (x, y) = (f32::from(size.width), f32::from(size.height));
        let channels = self.image.channels;
        for (index, input) in self.inputs.iter_mut().enumerate() {
            let tensor = &mut input.tensor;
            if index == self.image.index {
                tensor.dims = match self.image.layout {
                    Layout::Planar => vec![1, channels, height, width],
                    Layout::Interleaved => vec![1, height, width, channels],
                };
                tensor.values = vec![0.0; channels * height * width];
                continue;
            }
            tensor.dims = vec![1, 2];
            tensor.values = match input.name.as_str() {
                // The size that boxes are to have: RT-DETR.
                "orig_target_sizes" => vec![x, y],
                // The size and how it came about: PaddleDetection.
                "im_shape" => vec![y, x],
                _ => vec![1.0, 1.0],
            };
        }
        self.taps = vec![Tap::default(); width];
        self.rows = vec![0; width * 6];
    }

    pub(crate) fn inputs(&self) -> &[crate::Input] {
        &self.inputs
    }

    pub(crate) const fn image(&self) -> &ImageInput {
        &self.image
    }

    /// Fills the input from an image. Gives where the image lies in it.
    pub(crate) fn fill(&mut self, view: &ImageView<'_>, size: InputSize) -> Result<Letterbox, OnnxError> {
        let own = self.image.size;
        if size != own && !self.image.open {
            return Err(OnnxError::FixedSize { width: own.width, height: own.height });
        }
        if size.width.max(size.height) > LIMIT {
            return Err(OnnxError::Size { limit: LIMIT });
        }
        let letterbox = Letterbox::of(view, size, self.fit)?;
        self.resize(size);
        let scratch = Scratch::new(&mut self.taps, &mut self.rows);
        if let Some(input) = self.inputs.get_mut(self.image.index) {
            letterbox.apply(view, &self.format, scratch, &mut input.tensor.values)?;
        }
        Ok(letterbox)
    }
}
