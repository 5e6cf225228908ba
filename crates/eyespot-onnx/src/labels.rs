//! Names of classes.

use std::path::Path;

use eyespot_core::coco;

use crate::head::{BANDS, Head};
use crate::{Graph, Kind, Manifest, OnnxError};

/// The names that somebody gave: in the manifest, in the file, or in a text file beside it, a line for each.
pub(crate) fn given(
    path: &Path,
    graph: &Graph,
    manifest: &Manifest,
) -> Result<Option<Vec<String>>, OnnxError> {
    if let Some(classes) = &manifest.classes {
        return Ok(Some(classes.clone()));
    }
    if let Some(names) = graph.metadata("names").map(parse).filter(|names| !names.is_empty()) {
        return Ok(Some(names));
    }
    let file = path.with_extension("txt");
    match std::fs::read_to_string(&file) {
        Ok(text) => Ok(Some(text.lines().map(|line| line.trim().to_owned()).collect())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OnnxError::Read { path: file, error }),
    }
}

/// The names in an exporter's note: JSON, or Python's `{0: 'person', 1: 'bicycle'}`.
fn parse(note: &str) -> Vec<String> {
    if let Ok(names) = serde_json::from_str(note) {
        return names;
    }
    let mut names = Vec::new();
    let mut rest = note;
    while let Some(start) = rest.find(['\'', '"']) {
        let (quote, text) = rest.split_at(start).1.split_at(1);
        let Some(end) = text.find(quote) else { break };
        let (name, after) = text.split_at(end);
        names.push(name.to_owned());
        rest = after.get(1..).unwrap_or_default();
    }
    names
}

/// Names where nobody gave any. Heads that choose the class in the graph don't tell how many there are: they are taken to
/// have those of COCO.
pub(crate) fn usual(kind: Kind, head: &Head, classes: Option<usize>) -> Vec<String> {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let numbered = |what: &str, count: usize| (0..count).map(|class| format!("{what} {class}")).collect();
    match (kind, classes) {
        (Kind::Depth, _) => (1..=BANDS).map(|band| format!("depth {band} of {BANDS}")).collect(),
        (_, Some(1)) if head.keypoints() == coco::KEYPOINTS.len() => owned(&["person"]),
        (Kind::TfDetections | Kind::DetectionOutput, _) => numbered("class", 90),
        (_, Some(80)) => owned(&coco::LABELS),
        (Kind::Semantic, None) => numbered("class", 256),
        (_, None) => owned(&coco::LABELS),
        (_, Some(count)) => numbered("class", count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_exporters() {
        assert_eq!(parse("{0: 'person', 1: \"driver's seat\", 2: 'x'}"), ["person", "driver's seat", "x"]);
        assert_eq!(parse(r#"["a", "b"]"#), ["a", "b"]);
        assert!(parse("{0: 'open").is_empty());
    }
}
