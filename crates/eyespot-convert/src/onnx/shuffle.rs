//! Shapes that a file gives as constants, for an input of another size.

use super::Original;
use crate::view::count;

/// The shape that a reshape should give. `old_from` and `old_to` are the shapes at the file's own size.
pub(super) fn resized(
    original: &Original,
    old_from: &[usize],
    old_to: &[usize],
    from: &[usize],
) -> Option<Vec<usize>> {
    if old_from.len() != from.len() || count(old_from) != count(old_to) {
        return None;
    }
    let mut shape = Vec::with_capacity(old_to.len());
    let (mut i, mut j) = (0, 0);
    // Groups of axes that have the same product on both sides.
    while i < old_from.len() || j < old_to.len() {
        let (start_i, start_j) = (i, j);
        let (mut a, mut b) = (1, 1);
        loop {
            if a == b && i > start_i && j > start_j {
                break;
            }
            if a <= b && i < old_from.len() {
                a *= old_from[i];
                i += 1;
            } else if j < old_to.len() {
                b *= old_to[j];
                j += 1;
            } else if i < old_from.len() {
                a *= old_from[i];
                i += 1;
            } else {
                break;
            }
        }
        shape.extend(group(original, &old_from[start_i..i], &old_to[start_j..j], &from[start_i..i])?);
    }
    (count(&shape) == count(from)).then_some(shape)
}

fn group(original: &Original, old_from: &[usize], old_to: &[usize], from: &[usize]) -> Option<Vec<usize>> {
    if old_from == from {
        return Some(old_to.to_vec());
    }
    let ([own_h, own_w], [h, w]) = (original.size, original.wanted);
    let scaled = |size: usize, own: usize, wanted: usize| {
        (size * wanted).is_multiple_of(own).then(|| size * wanted / own)
    };
    match *old_to {
        _ if old_to == old_from => Some(from.to_vec()),
        [_] => Some(vec![count(from)]),
        [ref ones @ .., rows, columns] if ones.iter().all(|&size| size == 1) => {
            let mut shape = vec![1; ones.len()];
            shape.extend([scaled(rows, own_h, h)?, scaled(columns, own_w, w)?]);
            Some(shape)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_shuffle_follows_the_size() {
        let shapes = std::collections::HashMap::new();
        let original = Original { shapes, size: [352, 352], wanted: [320, 256] };
        let merged = resized(&original, &[1, 48, 44, 44], &[24, 2, 1936], &[1, 48, 40, 32]).unwrap();
        assert_eq!(merged, [24, 2, 1280]);
        let split = resized(&original, &[2, 24, 1936], &[2, 1, 24, 44, 44], &[2, 24, 1280]).unwrap();
        assert_eq!(split, [2, 1, 24, 40, 32]);
        assert_eq!(resized(&original, &[7], &[7], &[5]), Some(vec![5]));
        assert_eq!(resized(&original, &[6], &[2, 3], &[5]), None);
    }
}
