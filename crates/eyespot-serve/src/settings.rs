//! The settings of a request, by all the names that clients give them.

use std::num::NonZeroUsize;

use eyespot_core::InputSize;
use eyespot_media::VideoOptions;
use eyespot_runtime::{Model, Settings, TrackerConfig, Tracking, WindowSettings};
use eyespot_window::Tiles;
use serde_json::{Map, Value, json};

use crate::call::{Call, flag, named, number, whole, wrong};
use crate::error::HttpError;

/// The largest batch: every frame of one has room for its results.
pub(crate) const MAX_BATCH: usize = 64;

const CONF: &[&str] = &["conf", "confidence", "confidence_threshold", "confidence_thresh"];
const IOU: &[&str] = &["iou", "iou_threshold", "nms_iou_thresh"];

/// What to ask of the model, for images and videos alike.
pub(crate) fn settings(call: &Call) -> Result<Settings, HttpError> {
    let mut settings = Settings::default();
    if let Some((name, value)) = call.get(CONF) {
        settings.conf = Some(number(name, value)? as f32);
    }
    if let Some((name, value)) = call.get(IOU) {
        settings.iou = Some(number(name, value)? as f32);
    }
    if let Some((name, value)) = call.get(&["batch_size"]) {
        let size = usize::try_from(whole(name, value)?).ok().filter(|&size| size <= MAX_BATCH);
        let size = size.and_then(NonZeroUsize::new);
        let wrong = || wrong(name, value, &format!("a whole number from 1 to {MAX_BATCH}"));
        settings.batch_size = Some(size.ok_or_else(wrong)?);
    }
    if let Some((name, value)) = call.get(&["img_size"]) {
        settings.img_size = Some(size(name, value)?);
    }
    settings.classes = call.get(&["classes"]).map_or(Ok(None), |(name, value)| classes(name, value))?;
    settings.sliding_window = window(&call.settings)?;
    Ok(settings)
}

/// `"all"`, one name or a list of names.
fn classes(name: &str, value: &Value) -> Result<Option<Vec<String>>, HttpError> {
    match value {
        Value::String(text) if text == "all" => Ok(None),
        Value::String(text) => Ok(Some(vec![text.clone()])),
        Value::Array(list) => {
            let names = list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>();
            names.map(Some).ok_or_else(|| wrong(name, value, "a list of class names"))
        }
        _ => Err(wrong(name, value, "a list of class names")),
    }
}

/// A side of a square, `[height, width]`, or either as text (`"640"`, `"480x640"`).
fn size(name: &str, value: &Value) -> Result<InputSize, HttpError> {
    let needs = "a number of pixels or [height, width], each from 1 to 65535";
    let wrong = || wrong(name, value, needs);
    let side = |value: &Value| {
        whole(name, value)
            .ok()
            .and_then(|side| u16::try_from(side).ok())
            .filter(|&side| side > 0)
            .ok_or_else(wrong)
    };
    match value {
        Value::Array(sides) => match sides.as_slice() {
            [height, width] => Ok(InputSize::new(side(width)?, side(height)?)),
            _ => Err(wrong()),
        },
        Value::String(text) => match text.split_once(['x', 'X']) {
            Some((height, width)) => Ok(InputSize::new(side(&width.into())?, side(&height.into())?)),
            None => Ok(InputSize::square(side(value)?)),
        },
        value => Ok(InputSize::square(side(value)?)),
    }
}

/// The sliding window: by the names of the Prediction API (`sliding_window`, `window_size`, `overlap`), or by those that
/// serving apps know (`inference_mode`, `sliding_window_params`).
fn window(settings: &Map<String, Value>) -> Result<Option<WindowSettings>, HttpError> {
    let mode = named(settings, &["inference_mode"]).and_then(|(_, value)| value.as_str());
    let old = match mode {
        None | Some("full_image" | "full") => false,
        Some("sliding_window") => true,
        Some(other) => {
            return Err(wrong("inference_mode", &other.into(), "`full_image` or `sliding_window`"));
        }
    };
    let new = named(settings, &["sliding_window"]).map_or(Ok(false), |(name, value)| flag(name, value))?;
    if !old && !new {
        return Ok(None);
    }
    let empty = Map::new();
    let params = settings.get("sliding_window_params").and_then(Value::as_object).filter(|_| old);
    let params = params.unwrap_or(&empty);
    if let Some((name, value)) = named(params, &["borderStrategy"])
        && value != "shift_window"
    {
        return Err(wrong(name, value, "`shift_window`, the only one that there is"));
    }
    let (height, width) = (named(params, &["windowHeight"]), named(params, &["windowWidth"]));
    let tiles = match (height.or(width), named(settings, &["window_size"])) {
        (Some(_), _) => {
            let side = |side: Option<(&str, &Value)>| side.map_or(Value::Null, |(_, value)| value.clone());
            let both = Value::Array(vec![side(height), side(width)]);
            Tiles::new(size("sliding_window_params.windowHeight, windowWidth", &both)?)
        }
        (None, Some((name, value))) => Tiles::new(size(name, value)?),
        (None, None) => Tiles::of_model(),
    };
    let (x, y) = (named(params, &["overlapX"]), named(params, &["overlapY"]));
    if let (Some((_, x)), Some((name, y))) = (x, y)
        && x != y
    {
        return Err(wrong(name, y, "the same as `overlapX`"));
    }
    let tiles = match x.or(y).or_else(|| named(settings, &["overlap"])) {
        None => tiles,
        // By the type, as in Python: 1 is a pixel, 1.0 would be the whole window.
        Some((name, value)) if value.is_f64() => tiles
            .with_overlap(number(name, value)? as f32)
            .map_err(|error| HttpError::bad(format!("`{name}`: {error}")))?,
        Some((name, value)) => {
            let pixels = u16::try_from(whole(name, value)?);
            tiles.with_overlap_px(pixels.map_err(|_| wrong(name, value, "less than the window"))?)
        }
    };
    Ok(Some(WindowSettings { tiles, ..WindowSettings::default() }))
}

/// Which frames of a video, and whether they are wanted backwards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Range {
    pub(crate) video: VideoOptions,
    pub(crate) backward: bool,
}

/// The range of a video, by every name that clients send. `num_frames` counts what is looked at, `end_frame` is not
/// looked at any more, and of several bounds the tightest wins.
pub(crate) fn range(call: &Call) -> Result<Range, HttpError> {
    let whole = |names| call.get(names).map(|(name, value)| whole(name, value)).transpose();
    let start = whole(&["start_frame", "start_frame_index", "startFrameIndex"])?;
    let end = whole(&["end_frame", "end_frame_index", "endFrameIndex"])?;
    let count = whole(&["num_frames", "frames_count", "framesCount"])?;
    let stride = match call.get(&["stride", "step"]) {
        Some((name, value)) => {
            let stride = self::whole(name, value).ok().and_then(|stride| u32::try_from(stride).ok());
            stride
                .filter(|&stride| stride > 0)
                .ok_or_else(|| wrong(name, value, "a whole number from 1 on"))?
        }
        None => 1,
    };
    let duration = call.get(&["duration"]).map(|(name, value)| number(name, value)).transpose()?;
    let backward = match call.get(&["direction", "framesDirection"]) {
        None => false,
        Some((_, value)) if value == "forward" => false,
        Some((_, value)) if value == "backward" => true,
        Some((name, value)) => return Err(wrong(name, value, "`forward` or `backward`")),
    };
    let mut video = VideoOptions {
        stride: Some(stride),
        start_frame: start.unwrap_or(0),
        end_frame: end,
        num_frames: count,
        duration_s: duration,
    };
    if backward {
        let start = start.ok_or_else(|| HttpError::bad("`direction` backward needs a `start_frame`"))?;
        if duration.is_some() {
            return Err(HttpError::bad("`duration` goes forward: give `num_frames` or `end_frame`"));
        }
        if end.is_some_and(|end| end >= start) {
            return Err(HttpError::bad("`end_frame` must lie below `start_frame` to go backward"));
        }
        // The same frames from their other end.
        let stride = u64::from(stride);
        let above = start - end.map_or(0, |end| end + 1);
        let steps = (above / stride).min(count.map_or(u64::MAX, |count| count.saturating_sub(1)));
        video.start_frame = start - steps * stride;
        video.end_frame = Some(start.saturating_add(1));
    }
    Ok(Range { video, backward })
}

/// What the official client's trackers know and this one has no use for.
const NO_USE: &[&str] = &["device", "fp16", "ablation", "reid_weights", "fps"];

/// The tracker that a request names; `None` without one.
pub(crate) fn tracking(call: &Call) -> Result<Option<Tracking>, HttpError> {
    let Some((name, value)) = call.get(&["tracker"]) else { return Ok(None) };
    let tracker = value.as_str().ok_or_else(|| wrong(name, value, "the name of a tracker"))?;
    let mut settings = vec![format!("tracker={tracker}")];
    match call.state.get("tracker_settings") {
        None | Some(Value::Null) => {}
        Some(Value::Object(all)) => {
            for (name, value) in all {
                match value {
                    Value::Null => {}
                    _ if NO_USE.contains(&name.as_str()) => {}
                    // Crowded scenes: the score does not count in matching.
                    Value::Bool(true) if name == "mot20" => settings.push("fuse_score=false".to_owned()),
                    Value::Bool(false) if name == "mot20" => {}
                    Value::String(text) => settings.push(format!("{name}={text}")),
                    Value::Bool(_) | Value::Number(_) => settings.push(format!("{name}={value}")),
                    value => return Err(wrong(name, value, "a number, a text, or true or false")),
                }
            }
        }
        Some(value) => return Err(wrong("tracker_settings", value, "a JSON object")),
    }
    Ok(Some(Tracking::parse(&settings)?))
}

/// The settings that a request may have, with their defaults.
pub(crate) fn defaults(model: &Model) -> Value {
    json!({
        "conf": model.conf(),
        "iou": null,
        "classes": null,
        "img_size": model.input_size().map(|size| [size.height, size.width]),
        "batch_size": 1,
        "sliding_window": false,
        "window_size": null,
        "overlap": 0,
        "inference_mode": "full_image",
        "sliding_window_params": {
            "windowHeight": null, "windowWidth": null, "overlapY": 0, "overlapX": 0,
            "borderStrategy": "shift_window",
        },
    })
}

/// The trackers, and their settings with their defaults.
pub(crate) fn trackers() -> Value {
    let tracking = Tracking::default();
    let all = ["botsort", "bytetrack", "ocsort", "sort"].iter().filter_map(|name| {
        let parsed = Tracking::parse(&[format!("tracker={name}")]).ok()?;
        let mut settings: Map<String, Value> = parsed
            .tracker
            .settings()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), typed(&value)))
            .collect();
        settings.insert("cmc_method".into(), "none".into());
        if matches!(parsed.tracker, TrackerConfig::BotSort(_)) {
            settings.insert("with_reid".into(), tracking.with_reid.into());
            settings.insert("reid_model".into(), tracking.reid_model.clone().into());
        }
        Some(((*name).to_owned(), Value::Object(settings)))
    });
    Value::Object(all.collect())
}

/// A value of a setting with the type that its text has.
fn typed(text: &str) -> Value {
    // A number that is written as short as it can be stays as short.
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(state: Value) -> Call {
        Call::parse_state(state.to_string().as_bytes()).unwrap()
    }

    fn read(settings: Value) -> Result<Settings, String> {
        super::settings(&call(json!({ "settings": settings }))).map_err(|error| error.message)
    }

    #[test]
    fn settings_have_many_names() {
        let settings = super::settings(&call(json!({
            "batch_size": 4,
            "settings": {"conf": 0.5, "classes": ["car"], "img_size": [320, 640], "show_progress": true,
                "recursive": false, "batch_size": 2, "upload_mode": null},
        })))
        .unwrap();
        assert_eq!((settings.conf, settings.batch_size), (Some(0.5), NonZeroUsize::new(4)));
        assert_eq!(settings.classes, Some(vec!["car".into()]));
        assert_eq!(settings.img_size, Some(InputSize::new(640, 320)));
        assert_eq!(settings.sliding_window, None);
        assert_eq!(read(json!({"confidence_thresh": "0.3"})).unwrap().conf, Some(0.3));
        assert_eq!(read(json!({"classes": "all"})).unwrap().classes, None);
        assert_eq!(read(json!({"img_size": 64})).unwrap().img_size, Some(InputSize::square(64)));
        assert_eq!(read(json!({"img_size": "48x64"})).unwrap().img_size, Some(InputSize::new(64, 48)));
        for (bad, name) in [
            (json!({"conf": "x"}), "conf"),
            (json!({"img_size": 0}), "img_size"),
            (json!({"img_size": [1, 2, 3]}), "img_size"),
            (json!({"batch_size": 65}), "batch_size"),
            (json!({"classes": [1]}), "classes"),
            (json!({"sliding_window": "maybe"}), "sliding_window"),
        ] {
            assert!(read(bad).unwrap_err().contains(name));
        }
    }

    #[test]
    fn windows_have_two_dialects() {
        let tiles = |settings| read(settings).unwrap().sliding_window.unwrap().tiles;
        let size = InputSize::new(50, 40);
        assert_eq!(tiles(json!({"sliding_window": true})), Tiles::of_model());
        let page = json!({"sliding_window": true, "window_size": [40, 50], "overlap": 0.25});
        assert_eq!(tiles(page), Tiles::new(size).with_overlap(0.25).unwrap());
        let page = json!({"sliding_window": true, "window_size": 50, "overlap": 1});
        assert_eq!(tiles(page), Tiles::square(50).with_overlap_px(1));
        let app = json!({"inference_mode": "sliding_window", "sliding_window_params":
            {"windowHeight": 40, "windowWidth": 50, "overlapY": 10, "overlapX": 10, "borderStrategy": "shift_window"}});
        assert_eq!(tiles(app), Tiles::new(size).with_overlap_px(10));
        assert_eq!(read(json!({"window_size": 50})).unwrap().sliding_window, None);
        for bad in [
            json!({"sliding_window": true, "overlap": 1.0}),
            json!({"inference_mode": "tiles"}),
            json!({"inference_mode": "sliding_window", "sliding_window_params": {"borderStrategy": "add_padding"}}),
            json!({"inference_mode": "sliding_window", "sliding_window_params": {"overlapX": 1, "overlapY": 2}}),
            json!({"inference_mode": "sliding_window", "sliding_window_params": {"windowWidth": 9}}),
        ] {
            assert!(read(bad).is_err());
        }
    }

    #[test]
    fn ranges_have_many_names() {
        let range = |state| super::range(&call(state)).unwrap();
        let video = |state| range(state).video;
        let base = VideoOptions { stride: Some(1), ..VideoOptions::default() };
        assert_eq!(video(json!({})), base);
        let sent = json!({"start_frame": 2, "num_frames": 6, "stride": 2, "settings": {"step": 9}});
        let wanted =
            VideoOptions { stride: Some(2), start_frame: 2, num_frames: Some(6), ..VideoOptions::default() };
        assert_eq!(video(sent), wanted);
        let old = json!({"startFrameIndex": 2, "framesCount": 6, "settings": {"step": 2}});
        assert_eq!(video(old), wanted);
        assert_eq!(
            video(json!({"end_frame_index": 7, "duration": 1.5})),
            VideoOptions { end_frame: Some(7), duration_s: Some(1.5), ..base }
        );
        // 9, 6, 3, and nothing at or below 1.
        let back = range(json!({"direction": "backward", "start_frame": 9, "stride": 3, "end_frame": 1}));
        assert_eq!((back.backward, back.video.start_frame, back.video.end_frame), (true, 3, Some(10)));
        let back = range(json!({"direction": "backward", "start_frame": 9, "stride": 3, "num_frames": 2}));
        assert_eq!((back.video.start_frame, back.video.end_frame), (6, Some(10)));
        let back = range(json!({"direction": "backward", "start_frame": 9, "stride": 4}));
        assert_eq!((back.video.start_frame, back.video.end_frame), (1, Some(10)));
        for bad in [
            json!({"stride": 0}),
            json!({"start_frame": -1}),
            json!({"direction": "up"}),
            json!({"direction": "backward"}),
            json!({"direction": "backward", "start_frame": 3, "end_frame": 3}),
        ] {
            assert!(super::range(&call(bad)).is_err());
        }
    }

    #[test]
    fn trackers_are_set_up_by_name() {
        let read = |state| super::tracking(&call(state)).map_err(|error| error.message);
        assert_eq!(read(json!({"tracker": null})).unwrap(), None);
        let state = json!({"tracker": "botsort", "tracker_settings":
            {"with_reid": false, "track_buffer": 10, "device": "cuda", "fp16": true, "mot20": true}});
        let tracking = read(state).unwrap().unwrap();
        let same = Tracking::parse(&["tracker=botsort", "track_buffer=10", "fuse_score=false"]).unwrap();
        assert_eq!(tracking, same);
        assert!(read(json!({"tracker": "botsort", "tracker_settings": {"track_bufer": 1}})).is_err());
        assert!(read(json!({"tracker": 3})).is_err());
        // What is announced can be sent back as it is.
        for (name, settings) in trackers().as_object().unwrap() {
            let back = read(json!({"tracker": name, "tracker_settings": settings})).unwrap().unwrap();
            assert_eq!(back, Tracking::parse(&[format!("tracker={name}")]).unwrap(), "{name}");
        }
    }
}
