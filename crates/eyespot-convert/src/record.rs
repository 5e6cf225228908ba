//! Networks that are written down as code: what the code does with its input is recorded, as nodes of ONNX.

use std::cell::RefCell;
use std::rc::Rc;

use crate::onnx::model::{Attribute, Constant, Model, Node, Numbers};
use crate::{ConvertError, Graph};

/// A network that was recorded. It can be planned for any size of its input.
#[derive(Debug, Clone)]
pub struct Recording {
    model: Model,
}

impl Recording {
    /// Records what `network` does with an image of so many channels, and gives back as outputs.
    pub fn of(channels: usize, network: impl FnOnce(Recorded) -> Vec<Recorded>) -> Self {
        let model = Model { inputs: vec![("image".to_owned(), sizes(channels))], ..Model::default() };
        let model = Rc::new(RefCell::new(model));
        let outputs = network(Recorded { model: Rc::clone(&model), name: "image".to_owned() });
        let outputs = outputs.into_iter().map(|output| output.name).collect();
        Self { model: Model { outputs, ..model.take() } }
    }

    /// The network as a graph, for an input of this height and width.
    ///
    /// # Errors
    /// [`ConvertError`] names the layer: the n-th that was recorded.
    pub fn graph(&self, size: [usize; 2]) -> Result<Graph, ConvertError> {
        Graph::from_model(&self.model, Some(size))
    }
}

/// Of an image: a batch of one, and height and width as they are asked for.
fn sizes(channels: usize) -> Vec<Option<usize>> {
    vec![Some(1), Some(channels), None, None]
}

/// The constants of a convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Output channels, input channels per group, height and width.
    pub shape: [usize; 4],
    /// The weights, in this order.
    pub weights: Vec<f32>,
    /// One for each output channel.
    pub bias: Option<Vec<f32>>,
    /// Pixels from one position to the next, down and to the right.
    pub stride: [usize; 2],
    /// Zeros above, left, below and right.
    pub padding: [usize; 4],
    /// Groups of channels: 1, or one for each.
    pub groups: usize,
}

/// A pooling: a square, its steps and the padding on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Square {
    /// Its side.
    pub side: usize,
    /// Pixels from one position to the next.
    pub stride: usize,
    /// Pixels around the image. They count as zeros in a mean, and not at all in a maximum.
    pub padding: usize,
}

/// A value of a network that is being recorded: `[1, channels, height, width]`, or rows.
#[derive(Debug, Clone)]
pub struct Recorded {
    model: Rc<RefCell<Model>>,
    name: String,
}

impl Recorded {
    fn node(&self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute)]) -> Self {
        let mut model = self.model.borrow_mut();
        let name = format!("{operator} {}", model.nodes.len());
        model.nodes.push(Node {
            name: name.clone(),
            operator: operator.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            outputs: vec![name.clone()],
            attributes: attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        });
        Self { model: Rc::clone(&self.model), name }
    }

    fn map(&self, operator: &str, attributes: &[(&str, Attribute)]) -> Self {
        self.node(operator, &[&self.name], attributes)
    }

    fn with(&self, operator: &str, other: &Self) -> Self {
        self.node(operator, &[&self.name, &other.name], &[])
    }

    fn constant(&self, shape: Vec<usize>, numbers: Numbers) -> String {
        let mut model = self.model.borrow_mut();
        let name = format!("constant {}", model.constants.len());
        model.constants.insert(name.clone(), Constant { shape, numbers });
        name
    }

    fn integers(&self, values: &[i64]) -> String {
        self.constant(vec![values.len()], Numbers::Integers(values.to_vec()))
    }

    /// A convolution.
    #[must_use]
    pub fn conv(&self, kernel: Kernel) -> Self {
        let [channels, ..] = kernel.shape;
        let weights = self.constant(kernel.shape.to_vec(), Numbers::Floats(kernel.weights));
        let mut inputs = vec![self.name.clone(), weights];
        inputs.extend(kernel.bias.map(|bias| self.constant(vec![channels], Numbers::Floats(bias))));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = [
            ("strides", integers(kernel.stride)),
            ("pads", integers(kernel.padding)),
            ("group", Attribute::Integer(kernel.groups as i64)),
        ];
        self.node("Conv", &inputs, &attributes)
    }

    /// `1 / (1 + exp(-x))`.
    #[must_use]
    pub fn sigmoid(&self) -> Self {
        self.map("Sigmoid", &[])
    }

    /// `x * sigmoid(x)`.
    #[must_use]
    pub fn silu(&self) -> Self {
        self.with("Mul", &self.sigmoid())
    }

    /// Values between these bounds.
    #[must_use]
    pub fn clamp(&self, least: f32, most: f32) -> Self {
        self.map("Clip", &[("min", Attribute::Float(least)), ("max", Attribute::Float(most))])
    }

    /// Sums of values at the same place.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.with("Add", other)
    }

    /// Products of values at the same place; a single pixel is taken for all.
    #[must_use]
    pub fn mul(&self, other: &Self) -> Self {
        self.with("Mul", other)
    }

    /// The maxima of squares.
    #[must_use]
    pub fn max_pool(&self, square: Square) -> Self {
        self.map("MaxPool", &square.attributes())
    }

    /// The means of squares.
    #[must_use]
    pub fn average_pool(&self, square: Square) -> Self {
        let [kernel, strides, pads] = square.attributes();
        let counted = ("count_include_pad", Attribute::Integer(1));
        self.map("AveragePool", &[kernel, strides, pads, counted])
    }

    /// The mean of each channel.
    #[must_use]
    pub fn mean(&self) -> Self {
        self.map("GlobalAveragePool", &[])
    }

    /// Twice the height and width: each value repeated, or with `linear` interpolated between the pixels' centres.
    #[must_use]
    pub fn twice(&self, linear: bool) -> Self {
        let scales = self.constant(vec![4], Numbers::Floats(vec![1.0, 1.0, 2.0, 2.0]));
        let mode = if linear { "linear" } else { "nearest" };
        self.node("Resize", &[&self.name, "", &scales], &[("mode", Attribute::Text(mode.to_owned()))])
    }

    /// Shares of the channels that add up to 1 for each pixel.
    #[must_use]
    pub fn softmax(&self) -> Self {
        self.map("Softmax", &[("axis", Attribute::Integer(1))])
    }

    /// Every second entry of an axis, from the first or the second on.
    #[must_use]
    pub fn every_second(&self, axis: usize, from: usize) -> Self {
        let bounds = [from as i64, i64::MAX, axis as i64, 2].map(|bound| self.integers(&[bound]));
        let [start, end, axis, step] = bounds.each_ref().map(String::as_str);
        self.node("Slice", &[&self.name, start, end, axis, step], &[])
    }

    /// One after the other along an axis.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn concat(parts: &[Self], axis: usize) -> Self {
        let inputs: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        parts[0].node("Concat", &inputs, &[("axis", Attribute::Integer(axis as i64))])
    }

    /// Rows for the channels, `[1, channels, pixels]`.
    #[must_use]
    pub fn planes(&self) -> Self {
        let shape = self.integers(&[0, 0, -1]);
        self.node("Reshape", &[&self.name, &shape], &[])
    }

    /// Rows for the pixels, `[1, pixels, channels]`.
    #[must_use]
    pub fn pixels(&self) -> Self {
        self.planes().map("Transpose", &[("perm", integers([0, 2, 1]))])
    }
}

impl Square {
    fn attributes(self) -> [(&'static str, Attribute); 3] {
        [
            ("kernel_shape", integers([self.side; 2])),
            ("strides", integers([self.stride; 2])),
            ("pads", integers([self.padding; 4])),
        ]
    }
}

fn integers<const N: usize>(values: [usize; N]) -> Attribute {
    Attribute::Integers(values.iter().map(|&value| value as i64).collect())
}
