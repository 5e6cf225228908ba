//! Reading ONNX models. Tensors of four dimensions are channels first in the file and channels last in memory.

pub(crate) mod model;
mod ops;
mod protobuf;
mod shuffle;

use std::collections::HashMap;

use eyespot_nn::graph::Element;
use model::{Constant, Model};

use crate::ConvertError;
use crate::builder::{image_sizes, shape_of};
use crate::ir::Graph;
use crate::view::View;

/// Height and width.
pub(crate) type Size = [usize; 2];

/// Most values that a model's operators make of its constants: 256 MiB.
const ROOM: usize = 1 << 26;

/// A model on the way to a graph.
struct Reader {
    graph: Graph,
    constants: HashMap<String, Constant>,
    /// Values that may still become constants.
    room: usize,
    views: HashMap<String, View>,
    /// Shapes of all values at the file's own size, and the size of its input, where another size is asked for.
    original: Option<Original>,
}

#[derive(Debug, Clone)]
struct Original {
    shapes: HashMap<String, Vec<usize>>,
    size: Size,
    wanted: Size,
}

impl Reader {
    /// A value that was computed, or a constant made a tensor.
    fn view(&mut self, name: &str) -> Result<View, ConvertError> {
        if let Some(view) = self.views.get(name) {
            return Ok(view.clone());
        }
        let constant = self.constants.get(name);
        let constant =
            constant.ok_or_else(|| ConvertError::layer(name, "it is read before anything computes it"))?;
        let Some(values) = constant.floats() else {
            return Err(ConvertError::layer(name, "integers as values of a network"));
        };
        let (shape, data) =
            (constant.shape.clone(), values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        // Images lie in memory with the channels last.
        let view = if let [1, c, h, w] = *shape {
            let source = values.to_vec();
            let data = (0..h * w)
                .flat_map(|pixel| (0..c).map(move |channel| channel * h * w + pixel))
                .flat_map(|at| source[at].to_le_bytes())
                .collect();
            let id = self.graph.constant(name, [h, w, c], Element::F32, None, data)?;
            View::channels_first(id, [h, w, c])
        } else {
            let id = self.graph.constant(name, image_sizes(&shape), Element::F32, None, data)?;
            View::dense(id, shape)
        };
        self.views.insert(name.to_owned(), view.clone());
        Ok(view)
    }
}

/// The graph of a model; with `size` its input has another height and width than in the file.
pub(crate) fn graph(model: &Model, size: Option<Size>) -> Result<Graph, ConvertError> {
    let own = own_size(model);
    match (size, own) {
        (Some(wanted), Some(own)) if wanted != own => {
            let first = run(model, own, None)?;
            let shapes = first.views.iter().map(|(name, view)| (name.clone(), view.shape.clone())).collect();
            Ok(run(model, wanted, Some(Original { shapes, size: own, wanted }))?.graph)
        }
        (Some(size), _) | (None, Some(size)) => Ok(run(model, size, None)?.graph),
        (None, None) => {
            let name = model.inputs.first().map_or(String::new(), |(name, _)| name.clone());
            Err(ConvertError::Input { name, reason: "has no fixed size: say which to take".to_owned() })
        }
    }
}

/// The size of the input that the file says.
fn own_size(model: &Model) -> Option<Size> {
    let sizes = &model.inputs.first()?.1;
    match **sizes {
        [_, _, h, w] => Some([h?, w?]),
        // Not an image.
        _ => Some([1, 1]),
    }
}

fn run(model: &Model, size: Size, original: Option<Original>) -> Result<Reader, ConvertError> {
    let mut reader = Reader {
        graph: Graph::new(),
        constants: model.constants.clone(),
        room: ROOM,
        views: HashMap::new(),
        original,
    };
    let own = own_size(model);
    for (name, sizes) in &model.inputs {
        let mut shape: Vec<usize> = sizes.iter().map(|size| size.unwrap_or(1)).collect();
        let error = |reason: &str| ConvertError::Input { name: name.clone(), reason: reason.to_owned() };
        let image = if let [n, c, h, w] = &mut shape[..] {
            if *n != 1 {
                return Err(error("has a batch of more than one: export the model with a batch of 1"));
            }
            // The size is that of the first input, and of those that are as large.
            if sizes[2..].contains(&None) || own == Some([*h, *w]) {
                [*h, *w] = size;
            }
            [*h, *w, *c]
        } else {
            image_sizes(&shape)
        };
        let tensor = shape_of(image).ok_or_else(|| error("has no size or is too large"))?;
        let id = reader.graph.tensor(name, tensor, Element::F32, None);
        reader.graph.inputs.push(id);
        let view = if shape.len() == 4 { View::channels_first(id, image) } else { View::dense(id, shape) };
        reader.views.insert(name.clone(), view);
    }
    for node in &model.nodes {
        ops::add(&mut reader, node)?;
    }
    for name in &model.outputs {
        let view = reader.view(name)?;
        // Images leave as they lie in memory, with the channels last.
        let (view, sizes) = match *view.shape {
            [1, c, h, w] => (view.transposed(&[0, 2, 3, 1]).unwrap_or(view), [h, w, c]),
            _ => {
                let sizes = image_sizes(&view.shape);
                (view, sizes)
            }
        };
        let id = reader.graph.dense(name, &view, sizes)?;
        reader.graph.tensors[id].name.clone_from(name);
        reader.graph.outputs.push(id);
    }
    reader.graph.drop_dead();
    Ok(reader)
}
