//! A model in flash: checked once, read in place.

use postcard::take_from_bytes;

use crate::graph::{Info, Op, Port};
use crate::{LayerName, LoadError, check, format};

/// A model that was checked. It borrows the bytes and is small enough to be copied.
#[derive(Debug, Clone, Copy)]
pub struct Model<'m> {
    info: Info<'m>,
    arena: u32,
    inputs: &'m [u8],
    outputs: &'m [u8],
    layers: &'m [u8],
    weights: &'m [u8],
}

/// A layer of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layer<'m> {
    /// Its name in the original model.
    pub name: &'m str,
    /// What it does.
    pub op: Op,
}

impl<'m> Model<'m> {
    /// Checks everything: version, checksum, every operator, every offset. What was loaded runs to its end.
    ///
    /// Takes a pass over the bytes, about 20 instructions each, for the checksum.
    ///
    /// # Errors
    /// [`LoadError`] says what is wrong and in which layer.
    pub fn load(bytes: &'m [u8]) -> Result<Self, LoadError> {
        let parts = format::read(bytes)?;
        let (info, inputs) = take_from_bytes::<Info<'m>>(parts.graph).map_err(|_| LoadError::Graph)?;
        let skip = |mut bytes: &'m [u8], ports: u16| {
            for _ in 0..ports {
                let (port, rest) = take_from_bytes::<Port<'m>>(bytes).map_err(|_| LoadError::Graph)?;
                check::port(&port, parts.arena)?;
                bytes = rest;
            }
            Ok(bytes)
        };
        let outputs = skip(inputs, info.inputs)?;
        let layers = skip(outputs, info.outputs)?;
        let mut rest = layers;
        for _ in 0..info.layers {
            let (name, after) = take_from_bytes::<&str>(rest).map_err(|_| LoadError::Graph)?;
            let (op, after) = operator(after).ok_or(LoadError::Operator { layer: LayerName::new(name) })?;
            check::op(&op, parts.arena, parts.weights)
                .map_err(|reason| LoadError::Layer { layer: LayerName::new(name), reason })?;
            rest = after;
        }
        Ok(Self { info, arena: parts.arena, inputs, outputs, layers, weights: parts.weights })
    }

    /// Name of the model.
    #[must_use]
    pub const fn name(&self) -> &'m str {
        self.info.name
    }

    /// What the file says about the whole model.
    #[must_use]
    pub const fn info(&self) -> Info<'m> {
        self.info
    }

    /// Bytes of arena that it needs.
    #[must_use]
    pub const fn arena_bytes(&self) -> usize {
        self.arena as usize
    }

    /// Words of arena that it needs.
    #[must_use]
    pub const fn arena_words(&self) -> usize {
        self.arena_bytes().div_ceil(8)
    }

    /// An input, counted from 0.
    #[must_use]
    pub fn input(&self, index: usize) -> Option<Port<'m>> {
        port(self.inputs, self.info.inputs, index)
    }

    /// An output, counted from 0.
    #[must_use]
    pub fn output(&self, index: usize) -> Option<Port<'m>> {
        port(self.outputs, self.info.outputs, index)
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'m>> + use<'m> {
        let mut rest = self.layers;
        (0..self.info.layers).map_while(move |_| {
            let (name, after) = take_from_bytes::<&str>(rest).ok()?;
            let (op, after) = operator(after)?;
            rest = after;
            Some(Layer { name, op })
        })
    }

    pub(crate) const fn weights(&self) -> &'m [u8] {
        self.weights
    }
}

/// Reads an operator. One copy of much code: it is used when a model is loaded and whenever it runs.
#[inline(never)]
fn operator(bytes: &[u8]) -> Option<(Op, &[u8])> {
    take_from_bytes::<Op>(bytes).ok()
}

fn port(mut bytes: &[u8], count: u16, index: usize) -> Option<Port<'_>> {
    if index >= usize::from(count) {
        return None;
    }
    for _ in 0..index {
        bytes = take_from_bytes::<Port<'_>>(bytes).ok()?.1;
    }
    take_from_bytes::<Port<'_>>(bytes).ok().map(|(port, _)| port)
}
