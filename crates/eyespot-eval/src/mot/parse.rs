//! Lines of MOT Challenge files.

use std::collections::HashSet;

use super::Row;
use crate::LineProblem;

/// The rows of a text, or the number of the first bad line and what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Row>, (usize, LineProblem)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let mut seen = HashSet::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let row = parse_line(line).map_err(|problem| (number, problem))?;
        if row.id >= 0 && !seen.insert((row.frame, row.id)) {
            return Err((number, LineProblem::DuplicateId { frame: row.frame, id: row.id }));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn parse_line(line: &str) -> Result<Row, LineProblem> {
    // A comma may end the line.
    let line = line.trim().trim_end_matches(',');
    let mut fields = [""; 9];
    let mut count = 0;
    let mut add = |field| {
        if let Some(slot) = fields.get_mut(count) {
            *slot = field;
        }
        count += 1;
    };
    if line.contains(',') {
        line.split(',').map(str::trim).for_each(&mut add);
    } else {
        line.split_whitespace().for_each(&mut add);
    }
    if count < 6 {
        return Err(LineProblem::TooFewFields(count));
    }
    let [frame, id, x, y, width, height, score, class, visibility] = fields;
    let class = if count > 7 { whole("class", class, -1)? } else { -1 };
    let visibility = if count > 8 { number("visibility", visibility)? } else { -1.0 };
    Ok(Row {
        frame: whole("frame", frame, 1)?,
        id: whole("id", id, -1)?,
        bbox: [number("x", x)?, number("y", y)?, number("width", width)?, number("height", height)?],
        score: if count > 6 { number("score", score)? } else { 1.0 },
        class: u32::try_from(class).ok(),
        visibility: (visibility >= 0.0).then_some(visibility),
    })
}

fn number(field: &'static str, text: &str) -> Result<f64, LineProblem> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(LineProblem::NotANumber { field, text: text.into() }),
    }
}

/// A whole number from `min`, maybe written as a float.
fn whole<T: TryFrom<i64>>(field: &'static str, text: &str, min: i64) -> Result<T, LineProblem> {
    let exact = text.parse::<i64>().ok().or_else(|| {
        let number = text.parse::<f64>().ok()?;
        // Up to here every whole number is a float.
        (number.trunc() == number && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    });
    let valid = exact.filter(|&number| number >= min).and_then(|number| T::try_from(number).ok());
    valid.ok_or_else(|| LineProblem::NotWhole { field, text: text.into(), min })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_lines_are_read() {
        let text = "\u{feff}1,2,3.5,4,5,6,1,7,0.25\r\n\n 2 3 1 2 3 4 \n3.0,1e0,1,2,3,4,0.5,-1,-1,-1,\n4,-1,1,2,3,4,0.7";
        let rows = parse(text).unwrap();
        assert_eq!(rows.len(), 4);
        let full = Row {
            frame: 1,
            id: 2,
            bbox: [3.5, 4.0, 5.0, 6.0],
            score: 1.0,
            class: Some(7),
            visibility: Some(0.25),
        };
        assert_eq!(rows[0], full);
        let plain =
            Row { frame: 2, id: 3, bbox: [1.0, 2.0, 3.0, 4.0], score: 1.0, class: None, visibility: None };
        assert_eq!(rows[1], plain);
        assert_eq!(rows[2], Row { frame: 3, id: 1, score: 0.5, ..plain });
        assert_eq!(rows[3], Row { frame: 4, id: -1, score: 0.7, ..plain });
    }

    #[test]
    fn bad_lines_are_named() {
        let problem = |line: &str| parse(&format!("1,1,1,1,1,1\n\n{line}\n")).unwrap_err();
        assert_eq!(problem("1,2,3"), (3, LineProblem::TooFewFields(3)));
        let not_whole = |field, text: &str, min| LineProblem::NotWhole { field, text: text.into(), min };
        assert_eq!(problem("0,1,1,1,1,1"), (3, not_whole("frame", "0", 1)));
        assert_eq!(problem("1.5,1,1,1,1,1"), (3, not_whole("frame", "1.5", 1)));
        assert_eq!(problem("9999999999,1,1,1,1,1"), (3, not_whole("frame", "9999999999", 1)));
        assert_eq!(problem("1,-2,1,1,1,1"), (3, not_whole("id", "-2", -1)));
        let not_a_number = |field, text: &str| LineProblem::NotANumber { field, text: text.into() };
        assert_eq!(problem("2,1,1,1,nan,1"), (3, not_a_number("width", "nan")));
        assert_eq!(problem("2,1,1,1,1,1e999"), (3, not_a_number("height", "1e999")));
        assert_eq!(problem("2,1,1,,1,1"), (3, not_a_number("y", "")));
        assert_eq!(problem("1,1,9,9,1,1"), (3, LineProblem::DuplicateId { frame: 1, id: 1 }));
    }
}
