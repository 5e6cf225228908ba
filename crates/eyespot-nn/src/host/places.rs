//! Where the values of an operator lie in the arena.

use bytemuck::{Pod, cast_slice, cast_slice_mut};

use crate::check::bytes_of;
use crate::graph::{Element, Slot};
use crate::network::move_to;

/// What tensors hold.
pub(super) trait Number: Pod {
    /// How a model names it.
    const ELEMENT: Element;
}

impl Number for f32 {
    const ELEMENT: Element = Element::F32;
}

impl Number for i8 {
    const ELEMENT: Element = Element::I8;
}

/// A tensor that is read, and one that is written.
pub(super) fn two<'a, T: Number>(
    arena: &'a mut [u8],
    input: &Slot,
    output: &Slot,
) -> Option<(&'a [T], &'a mut [T])> {
    let ranges = [bytes_of(input, T::ELEMENT), bytes_of(output, T::ELEMENT)];
    let [input, output] = arena.get_disjoint_mut(ranges).ok()?;
    Some((cast_slice(input), cast_slice_mut(output)))
}

/// A tensor that is written, and holds the values of the one that is read.
pub(super) fn in_place<'a, T: Number>(
    arena: &'a mut [u8],
    input: &Slot,
    output: &Slot,
) -> Option<&'a mut [T]> {
    let to = bytes_of(output, T::ELEMENT);
    move_to(arena, bytes_of(input, T::ELEMENT), &to)?;
    Some(cast_slice_mut(arena.get_mut(to)?))
}
