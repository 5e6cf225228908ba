//! Values that are known when a model is converted: its sizes, and what is made of them and of constants. Exporters write
//! them for models whose sizes may change.

use super::super::Reader;
use super::super::model::{Attribute, Constant, Node, Numbers};
use crate::builder::turned;
use crate::view::count;

/// The value of an operator whose inputs are known; `None` where they are not, or where it is another operator.
pub(super) fn value(reader: &Reader, node: &Node) -> Option<Constant> {
    if node.operator == "Shape" {
        let sizes = sizes(reader, node.optional(0)?)?;
        let bound = |name: &str, default: usize| {
            let at = node.integer(name, default as i64);
            let at = if at < 0 { at.saturating_add(sizes.len() as i64) } else { at };
            at.clamp(0, sizes.len() as i64) as usize
        };
        let sizes = sizes.get(bound("start", 0)..bound("end", sizes.len()))?;
        return Some(list(sizes.iter().map(|&size| size as i64).collect()));
    }
    let inputs = node.inputs.iter().map(|name| reader.constants.get(name)).collect::<Option<Vec<_>>>()?;
    let &first = inputs.first()?;
    // Axes are an input or, in older files, an attribute.
    let axes = || match inputs.get(1) {
        Some(axes) => axes.integers(),
        None => node.integers("axes"),
    };
    Some(match node.operator.as_str() {
        "Identity" => first.clone(),
        "Cast" => cast(first, node.integer("to", 0))?,
        "Concat" => concat(&inputs)?,
        "Gather" => gather(first, inputs.get(1)?)?,
        "Slice" => slice(&inputs)?,
        "Unsqueeze" => {
            let mut shape = first.shape.clone();
            let mut axes = axes()?.to_vec();
            let rank = (shape.len() + axes.len()) as i64;
            axes.iter_mut().filter(|axis| **axis < 0).for_each(|axis| *axis += rank);
            axes.sort_unstable();
            for axis in axes {
                let axis = usize::try_from(axis).ok().filter(|&axis| axis <= shape.len())?;
                shape.insert(axis, 1);
            }
            reshaped(first, shape)?
        }
        "Squeeze" => {
            let (rank, axes) = (first.shape.len() as i64, axes());
            let dropped = |at: usize, size: usize| match axes {
                Some(axes) => axes.contains(&(at as i64)) || axes.contains(&(at as i64 - rank)),
                None => size == 1,
            };
            let sizes = first.shape.iter().copied().enumerate();
            reshaped(first, sizes.filter(|&(at, size)| !dropped(at, size)).map(|(_, size)| size).collect())?
        }
        "Transpose" if first.shape.len() == 2 && node.integers("perm").is_none_or(|perm| perm == [1, 0]) => {
            transposed(first)
        }
        "Floor" | "Ceil" | "Neg" | "Sqrt" => {
            let function = match node.operator.as_str() {
                "Floor" => f32::floor,
                "Ceil" => f32::ceil,
                "Sqrt" => f32::sqrt,
                _ => std::ops::Neg::neg,
            };
            Constant {
                numbers: Numbers::Floats(first.floats()?.iter().map(|&value| function(value)).collect()),
                shape: first.shape.clone(),
            }
        }
        "Add" | "Sub" | "Mul" | "Div" => arithmetic(&node.operator, first, inputs.get(1)?)?,
        _ => return None,
    })
}

/// The sizes of a value.
fn sizes(reader: &Reader, name: &str) -> Option<Vec<usize>> {
    let view = reader.views.get(name).map(|view| &view.shape);
    view.or_else(|| Some(&reader.constants.get(name)?.shape)).cloned()
}

fn list(values: Vec<i64>) -> Constant {
    Constant { shape: vec![values.len()], numbers: Numbers::Integers(values) }
}

fn reshaped(from: &Constant, shape: Vec<usize>) -> Option<Constant> {
    (count(&shape) == count(&from.shape)).then(|| Constant { shape, numbers: from.numbers.clone() })
}

/// To another type of ONNX, of which there are two here.
fn cast(from: &Constant, to: i64) -> Option<Constant> {
    let numbers = match (to, &from.numbers) {
        (1 | 10 | 11, Numbers::Integers(values)) => {
            Numbers::Floats(values.iter().map(|&value| value as f32).collect())
        }
        (6 | 7, Numbers::Floats(values)) => {
            Numbers::Integers(values.iter().map(|&value| value as i64).collect())
        }
        (1 | 6 | 7 | 10 | 11, same) => same.clone(),
        _ => return None,
    };
    Some(Constant { shape: from.shape.clone(), numbers })
}

/// Lists one after the other.
fn concat(lists: &[&Constant]) -> Option<Constant> {
    if lists.iter().any(|list| list.shape.len() != 1) {
        return None;
    }
    let lists = lists.iter().map(|list| list.integers()).collect::<Option<Vec<_>>>()?;
    Some(list(lists.concat()))
}

/// Entries of a list.
fn gather(from: &Constant, at: &Constant) -> Option<Constant> {
    let (values, &[size]) = (from.integers()?, from.shape.as_slice()) else { return None };
    let entry = |&at: &i64| {
        let at = if at < 0 { at.checked_add(size as i64)? } else { at };
        values.get(usize::try_from(at).ok()?).copied()
    };
    let entries = at.integers()?.iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(Constant { shape: at.shape.clone(), numbers: Numbers::Integers(entries) })
}

/// A part of a list.
fn slice(inputs: &[&Constant]) -> Option<Constant> {
    let &[from, start, end, ref more @ ..] = inputs else { return None };
    let (values, &[size]) = (from.integers()?, from.shape.as_slice()) else { return None };
    let one = |list: &Constant| match list.integers()? {
        &[value] => Some(value),
        _ => None,
    };
    let bound = |at: i64| (if at < 0 { at.saturating_add(size as i64) } else { at }).clamp(0, size as i64);
    let (start, end) = (bound(one(start)?), bound(one(end)?));
    let axis = more.first().map_or(Some(0), |axis| one(axis))?;
    let step = more.get(1).map_or(Some(1), |step| one(step))?;
    if !matches!(axis, 0 | -1) || step < 1 {
        return None;
    }
    let part = values.get(start as usize..end.max(start) as usize)?;
    Some(list(part.iter().copied().step_by(usize::try_from(step).ok()?).collect()))
}

/// A matrix with its sides exchanged.
fn transposed(from: &Constant) -> Constant {
    let (rows, columns) = (from.shape[0], from.shape[1]);
    let numbers = match &from.numbers {
        Numbers::Floats(values) => Numbers::Floats(turned(values, columns)),
        Numbers::Integers(values) => Numbers::Integers(turned(values, columns)),
    };
    Constant { shape: vec![columns, rows], numbers }
}

/// Arithmetic of two constants of one shape, or of one with a single number.
fn arithmetic(operator: &str, a: &Constant, b: &Constant) -> Option<Constant> {
    fn pairs<T: Copy>(a: &[T], b: &[T], function: impl Fn(T, T) -> Option<T>) -> Option<Vec<T>> {
        let len = a.len().max(b.len());
        let fits = |side: &[T]| side.len() == len || side.len() == 1;
        if a.is_empty() || b.is_empty() || !fits(a) || !fits(b) {
            return None;
        }
        let of = |side: &[T], at: usize| side[if side.len() == 1 { 0 } else { at }];
        (0..len).map(|at| function(of(a, at), of(b, at))).collect()
    }
    let shape = match (count(&a.shape), count(&b.shape)) {
        _ if a.shape == b.shape => &a.shape,
        (_, 1) if a.shape.len() >= b.shape.len() => &a.shape,
        (1, _) if b.shape.len() >= a.shape.len() => &b.shape,
        _ => return None,
    };
    let numbers = match (&a.numbers, &b.numbers) {
        (Numbers::Integers(a), Numbers::Integers(b)) => {
            Numbers::Integers(pairs(a, b, |a, b| match operator {
                "Add" => a.checked_add(b),
                "Sub" => a.checked_sub(b),
                "Mul" => a.checked_mul(b),
                _ => a.checked_div(b),
            })?)
        }
        (Numbers::Floats(a), Numbers::Floats(b)) => Numbers::Floats(pairs(a, b, |a, b| {
            Some(match operator {
                "Add" => a + b,
                "Sub" => a - b,
                "Mul" => a * b,
                _ => a / b,
            })
        })?),
        _ => return None,
    };
    Some(Constant { shape: shape.clone(), numbers })
}

/// The number that an operator writes.
pub(super) fn literal(node: &Node) -> Option<Constant> {
    Some(match node.attributes.values().next()? {
        Attribute::Tensor(constant) => constant.clone(),
        Attribute::Float(value) => Constant { shape: vec![], numbers: Numbers::Floats(vec![*value]) },
        Attribute::Integer(value) => Constant { shape: vec![], numbers: Numbers::Integers(vec![*value]) },
        Attribute::Integers(values) => list(values.clone()),
        Attribute::Floats(values) => {
            Constant { shape: vec![values.len()], numbers: Numbers::Floats(values.clone()) }
        }
        Attribute::Text(_) => return None,
    })
}
