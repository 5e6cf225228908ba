//! Suggestions for mistyped names.

/// At most this many names are suggested.
const SUGGESTIONS: usize = 3;

/// The candidates that a person may have meant by `word`, best first, at most three.
///
/// A candidate counts if at most a third of the word (at least one letter) has to be edited, or if it contains
/// the word. Case is ignored. Equal distances keep the order of the candidates. The distance counts
/// insertions, deletions, substitutions and swaps of neighbours (optimal string alignment).
///
/// ```
/// assert_eq!(eyespot_models::nearest("preson", ["car", "person", "parson"]), ["person", "parson"]);
/// ```
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let limit = (word.len() / 3).max(1);
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.to_lowercase().chars().collect();
            let distance = distance(&word, &letters);
            let contains = word.len() >= 2 && letters.windows(word.len()).any(|part| part == word);
            (distance <= limit || contains).then_some((distance, candidate))
        })
        .collect();
    found.sort_by_key(|&(distance, _)| distance);
    found.truncate(SUGGESTIONS);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

fn distance(a: &[char], b: &[char]) -> usize {
    // Three rows of the table: the one before last is for swaps.
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row = last.clone();
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edits(a: &str, b: &str) -> usize {
        distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn distances_of_the_literature() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("ca", "abc", 3), ("ab", "ba", 1)]
        {
            assert_eq!((edits(a, b), edits(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn close_names_come_first_and_far_names_not_at_all() {
        let classes = ["bicycle", "car", "cat", "motorcycle", "Truck"];
        assert_eq!(nearest("cra", classes), ["car"]);
        assert_eq!(nearest("truk", classes), ["Truck"]);
        assert_eq!(nearest("cycle", classes), ["bicycle", "motorcycle"]);
        assert!(nearest("zebra", classes).is_empty());
        assert!(nearest("", ["elephant"]).is_empty());
    }

    proptest! {
        #[test]
        fn one_edit_is_one_edit_away(word in "[a-z]{2,12}", at in any::<prop::sample::Index>(), letter in "[A-Z]") {
            let at = at.index(word.len());
            let mut typo = word.clone();
            typo.insert_str(at, &letter);
            prop_assert_eq!(edits(&word, &typo), 1);
            prop_assert_eq!(nearest(&typo, [word.as_str()]), [word.as_str()]);
        }
    }
}
