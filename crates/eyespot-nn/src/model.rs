//! A model in flash: checked once, read in place.

use core::ops::Deref;

use crate::format::Parts;
use crate::graph::{Info, Op, Port};
use crate::reader::Reader;
use crate::{LayerName, LoadError, check, format};

/// What a model's file says of it: everything but the weights. It was checked, borrows the bytes and is small enough to be
/// copied.
#[derive(Debug, Clone, Copy)]
pub struct Description<'m> {
    info: Info<'m>,
    arena: u32,
    inputs: &'m [u8],
    outputs: &'m [u8],
    layers: &'m [u8],
}

/// A model that was checked: its [description](Description) and its weights. It borrows the bytes and is small enough to be
/// copied.
#[derive(Debug, Clone, Copy)]
pub struct Model<'m> {
    description: Description<'m>,
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
    // Not in the frame of a caller, which may be the `main` of a firmware and never return.
    #[inline(never)]
    pub fn load(bytes: &'m [u8]) -> Result<Self, LoadError> {
        let Parts { arena, description, weights } = format::read(bytes)?;
        Ok(Self { description: Description::new(description, arena, weights.len())?, weights })
    }

    pub(crate) const fn weights(&self) -> &'m [u8] {
        self.weights
    }
}

impl<'m> Deref for Model<'m> {
    type Target = Description<'m>;
    fn deref(&self) -> &Description<'m> {
        &self.description
    }
}

impl<'m> Description<'m> {
    /// Reads and checks a description; `arena` and `weights` are numbers of bytes.
    pub(crate) fn new(bytes: &'m [u8], arena: u32, weights: usize) -> Result<Self, LoadError> {
        let mut reader = Reader::new(bytes);
        let info = reader.info();
        let inputs = reader.rest();
        if reader.failed() {
            return Err(LoadError::Graph);
        }
        let mut skip = |ports: u16| {
            for _ in 0..ports {
                let port = reader.port();
                if reader.failed() {
                    return Err(LoadError::Graph);
                }
                check::port(&port, arena)?;
            }
            Ok(reader.rest())
        };
        let outputs = skip(info.inputs)?;
        let layers = skip(info.outputs)?;
        for _ in 0..info.layers {
            let name = reader.text();
            if reader.failed() {
                return Err(LoadError::Graph);
            }
            let op = reader.op();
            if reader.failed() {
                return Err(LoadError::Operator { layer: LayerName::new(name) });
            }
            check::op(&op, arena, weights)
                .map_err(|reason| LoadError::Layer { layer: LayerName::new(name), reason })?;
        }
        Ok(Self { info, arena, inputs, outputs, layers })
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
        nth(self.inputs, self.info.inputs, index)
    }

    /// An output, counted from 0.
    #[must_use]
    pub fn output(&self, index: usize) -> Option<Port<'m>> {
        nth(self.outputs, self.info.outputs, index)
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'m>> + use<'m> {
        let mut reader = Reader::new(self.layers);
        (0..self.info.layers).map_while(move |_| {
            let layer = Layer { name: reader.text(), op: reader.op() };
            (!reader.failed()).then_some(layer)
        })
    }
}

fn nth(ports: &[u8], count: u16, index: usize) -> Option<Port<'_>> {
    if index >= usize::from(count) {
        return None;
    }
    let mut reader = Reader::new(ports);
    for _ in 0..index {
        reader.port();
    }
    let port = reader.port();
    (!reader.failed()).then_some(port)
}
