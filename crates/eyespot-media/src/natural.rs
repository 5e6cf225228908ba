//! The order in which people number files: `img2` before `img10`.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::Path;

/// Compares paths part by part, runs of digits by their number and letters without their case.
pub(crate) fn compare_paths(a: &Path, b: &Path) -> Ordering {
    let (mut left, mut right) = (a.components(), b.components());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match compare_names(x.as_os_str(), y.as_os_str()) {
                Ordering::Equal => {}
                different => return different,
            },
        }
    }
}

fn compare_names(a: &OsStr, b: &OsStr) -> Ordering {
    let (a, b) = (a.as_encoded_bytes(), b.as_encoded_bytes());
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(&x), Some(&y)) = (left.first(), right.first()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number_x, rest_x) = split_number(left);
            let (number_y, rest_y) = split_number(right);
            match number_x.len().cmp(&number_y.len()).then_with(|| number_x.cmp(number_y)) {
                Ordering::Equal => (left, right) = (rest_x, rest_y),
                different => return different,
            }
        } else {
            match x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()) {
                Ordering::Equal => (left, right) = (&left[1..], &right[1..]),
                different => return different,
            }
        }
    }
}

/// The digits at the start without zeros in front, and what follows them.
fn split_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, rest) = bytes.split_at(end);
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    #[test]
    fn numbers_sort_by_value() {
        let mut names =
            ["b/1.png", "img10.jpg", "img2.jpg", "IMG3.jpg", "img002.jpg", "img1.jpg", "a10/x", "a9/x"]
                .map(PathBuf::from);
        names.sort_by(|a, b| compare_paths(a, b));
        let sorted = names.map(|name| name.to_string_lossy().into_owned());
        assert_eq!(
            sorted,
            ["a9/x", "a10/x", "b/1.png", "img1.jpg", "img002.jpg", "img2.jpg", "IMG3.jpg", "img10.jpg"]
        );
    }

    proptest! {
        #[test]
        fn it_is_a_total_order(a in "[a-cA-C0-2/]{0,8}", b in "[a-cA-C0-2/]{0,8}", c in "[a-cA-C0-2/]{0,8}") {
            let (a, b, c) = (Path::new(&a), Path::new(&b), Path::new(&c));
            prop_assert_eq!(compare_paths(a, b), compare_paths(b, a).reverse());
            if compare_paths(a, b).is_le() && compare_paths(b, c).is_le() {
                prop_assert!(compare_paths(a, c).is_le());
            }
        }
    }
}
