//! What a request says: `{"state": {.., "settings": {..}}, "api_token", "server_address"}`.

use serde_json::{Map, Value};

use crate::error::HttpError;
use crate::platform::Credentials;

/// A request, read leniently: what is absent or `null` is not said.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) state: Map<String, Value>,
    pub(crate) settings: Map<String, Value>,
    pub(crate) who: Credentials,
}

impl Call {
    /// Reads the body of a request without files. An empty one says nothing.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, HttpError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let value: Value =
            serde_json::from_slice(body).map_err(|_| HttpError::bad("the body is no JSON object"))?;
        let Value::Object(mut body) = value else {
            return Err(HttpError::bad("the body is no JSON object"));
        };
        let who =
            Credentials { token: text(&mut body, "api_token"), address: text(&mut body, "server_address") };
        let state = object(&mut body, "state")?;
        Ok(Self { who, ..Self::from_state(state)? })
    }

    /// Reads the state that comes with files.
    pub(crate) fn parse_state(state: &[u8]) -> Result<Self, HttpError> {
        match serde_json::from_slice(state) {
            Ok(Value::Object(state)) => Self::from_state(state),
            Ok(Value::Null) => Ok(Self::default()),
            _ => Err(HttpError::bad("`state` is no JSON object")),
        }
    }

    fn from_state(mut state: Map<String, Value>) -> Result<Self, HttpError> {
        let settings = object(&mut state, "settings")?;
        Ok(Self { state, settings, who: Credentials::default() })
    }

    /// The id of the request that it is about.
    pub(crate) fn uuid(&self) -> Result<&str, HttpError> {
        let uuid = self.state.get("inference_request_uuid").and_then(Value::as_str);
        uuid.ok_or_else(|| HttpError::bad("`state.inference_request_uuid` is missing"))
    }

    /// The first of these names that the state or else the settings have.
    pub(crate) fn get<'a>(&'a self, names: &[&'a str]) -> Option<(&'a str, &'a Value)> {
        [&self.state, &self.settings].into_iter().find_map(|map| named(map, names))
    }
}

/// The first of these names that a map has.
pub(crate) fn named<'a>(map: &'a Map<String, Value>, names: &[&'a str]) -> Option<(&'a str, &'a Value)> {
    names.iter().find_map(|&name| map.get(name).filter(|value| !value.is_null()).map(|value| (name, value)))
}

fn text(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    match map.remove(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn object(map: &mut Map<String, Value>, name: &str) -> Result<Map<String, Value>, HttpError> {
    match map.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(HttpError::bad(format!("`{name}` is no JSON object"))),
    }
}

/// A value that is wrong.
pub(crate) fn wrong(name: &str, value: &Value, needs: &str) -> HttpError {
    // A value can be long; its start says which one it is.
    let mut shown: String = value.to_string().chars().take(60).collect();
    if shown.len() < value.to_string().len() {
        shown.push_str("..");
    }
    HttpError::bad(format!("`{name}` is {shown}: it must be {needs}"))
}

/// A number, also as text.
pub(crate) fn number(name: &str, value: &Value) -> Result<f64, HttpError> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite()).ok_or_else(|| wrong(name, value, "a number"))
}

/// A whole number from 0 on, also as text or as `5.0`.
pub(crate) fn whole(name: &str, value: &Value) -> Result<u64, HttpError> {
    let needs = "a whole number from 0 on";
    if let Some(number) = value.as_u64() {
        return Ok(number);
    }
    let number = number(name, value).map_err(|_| wrong(name, value, needs))?;
    // Up to 2^53 every whole number is a float.
    if number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) {
        return Ok(number as u64);
    }
    Err(wrong(name, value, needs))
}

/// A list of whole numbers; one alone is a list too.
pub(crate) fn wholes(name: &str, value: &Value) -> Result<Vec<u64>, HttpError> {
    match value {
        Value::Array(list) => list.iter().map(|value| whole(name, value)).collect(),
        one => Ok(vec![whole(name, one)?]),
    }
}

/// Yes or no.
pub(crate) fn flag(name: &str, value: &Value) -> Result<bool, HttpError> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(wrong(name, value, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_said_is_absent() {
        let call = Call::parse(b"").unwrap();
        assert!(call.state.is_empty() && call.who.token.is_none());
        let call = Call::parse(br#"{"state": null, "context": {}}"#).unwrap();
        assert!(call.uuid().is_err());
        let call = Call::parse(
            br#"{"state": {"inference_request_uuid": "u", "start_frame": null, "settings": {"start_frame": 3}},
                "api_token": "secret", "server_address": "https://host"}"#,
        )
        .unwrap();
        assert_eq!(call.uuid().unwrap(), "u");
        // What the state leaves open the settings may say.
        assert_eq!(call.get(&["start_frame"]).unwrap().1, &Value::from(3));
        assert_eq!(call.who.token.as_deref(), Some("secret"));
        assert!(!format!("{call:?}").contains("secret"));
        for body in [&b"[]"[..], b"x", br#"{"state": 3}"#, br#"{"state": {"settings": []}}"#, b"\xff"] {
            assert!(Call::parse(body).is_err());
        }
    }

    #[test]
    fn numbers_are_read_as_people_mean_them() {
        let whole = |value: Value| whole("n", &value).ok();
        assert_eq!(whole(5.into()), Some(5));
        assert_eq!(whole(5.0.into()), Some(5));
        assert_eq!(whole("5".into()), Some(5));
        assert_eq!(whole(u64::MAX.into()), Some(u64::MAX));
        for bad in [Value::from(-1), 5.5.into(), "x".into(), Value::Bool(true), 1e300.into()] {
            assert_eq!(whole(bad), None);
        }
        assert_eq!(number("n", &"1e400".into()).ok(), None);
        assert_eq!(wholes("n", &serde_json::json!([1, 2])).unwrap(), [1, 2]);
        assert_eq!(wholes("n", &7.into()).unwrap(), [7]);
    }

    proptest! {
        #[test]
        fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Call::parse(&body);
            let _ = Call::parse_state(&body);
        }
    }
}
