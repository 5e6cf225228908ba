//! `--set NAME=VALUE`: settings of the model, and another way to say what flags say.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;

use eyespot_runtime::Settings;

use crate::Failure;
use crate::args::{Setting, Size};

/// The names that clients of serving apps give what every model knows, and the flag for it.
const COMMON: [(&str, &[&str]); 5] = [
    ("conf", &["conf", "confidence", "confidence_threshold", "confidence_thresh"]),
    ("iou", &["iou", "iou_threshold", "nms_iou_thresh"]),
    ("batch_size", &["batch_size"]),
    ("img_size", &["img_size"]),
    ("classes", &["classes"]),
];

/// Settings by name. What is given twice is an error.
pub(crate) fn by_name(given: &[Setting]) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    for Setting { name, value } in given {
        if all.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("--set {name}={value}: `{name}` is set twice: leave one out").into());
        }
    }
    Ok(all)
}

/// Puts what every model knows into `settings`, and gives the others: they are the model's own.
pub(crate) fn common(
    given: &[Setting],
    settings: &mut Settings,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut own = by_name(given)?;
    let flags = [
        settings.conf.is_some(),
        settings.iou.is_some(),
        settings.batch_size.is_some(),
        settings.img_size.is_some(),
        settings.classes.is_some(),
    ];
    for ((flag, names), said) in COMMON.into_iter().zip(flags) {
        let mut found = names.iter().filter_map(|name| own.remove_entry(*name));
        let Some((name, value)) = found.next() else { continue };
        let dashed = flag.replace('_', "-");
        if said {
            return Err(format!("--{dashed} and --set {name}={value} say the same: leave one out").into());
        }
        if let Some((other, _)) = found.next() {
            return Err(format!("--set {name} and --set {other} say the same: leave one out").into());
        }
        match flag {
            "conf" => settings.conf = Some(read(&name, &value)?),
            "iou" => settings.iou = Some(read(&name, &value)?),
            "batch_size" => settings.batch_size = Some(read::<NonZeroUsize>(&name, &value)?),
            "img_size" => settings.img_size = Some(read::<Size>(&name, &value)?.0),
            _ => settings.classes = Some(value.split(',').map(|class| class.trim().to_owned()).collect()),
        }
    }
    Ok(own)
}

fn read<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, Failure> {
    value.parse().map_err(|error| format!("--set {name}={value}: {error}").into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(given: &[&str], conf: Option<f32>) -> Result<(Settings, BTreeMap<String, String>), String> {
        let given: Vec<Setting> = given.iter().map(|text| text.parse().unwrap()).collect();
        let mut settings = Settings { conf, ..Settings::default() };
        let own = common(&given, &mut settings).map_err(|error| error.to_string())?;
        Ok((settings, own))
    }

    #[test]
    fn what_every_model_knows_is_told_from_what_is_the_models_own() {
        let all =
            ["confidence_threshold=0.4", "img_size=480x640", "classes=a, b", "min_area=0.01", "url=a=b"];
        let (read, own) = settings(&all, None).unwrap();
        assert_eq!((read.conf, read.img_size.unwrap().height), (Some(0.4), 480));
        assert_eq!(read.classes, Some(vec!["a".to_owned(), "b".to_owned()]));
        let expected = [("min_area", "0.01"), ("url", "a=b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(own, BTreeMap::from(expected));
    }

    #[test]
    fn contradictions_name_both_sides() {
        for (given, parts) in [
            (&["conf=0.3"][..], &["--conf", "--set conf=0.3"][..]),
            (&["iou=0.3", "iou=0.4"], &["`iou` is set twice"]),
            (&["iou=0.3", "nms_iou_thresh=0.4"], &["--set iou", "--set nms_iou_thresh"]),
            (&["batch_size=0"], &["--set batch_size=0"]),
            (&["img_size=big"], &["--set img_size=big", "HEIGHTxWIDTH"]),
        ] {
            let error = settings(given, Some(0.5)).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{given:?}: {error}");
        }
    }
}
