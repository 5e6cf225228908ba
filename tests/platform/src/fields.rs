//! The fields of a request, each of which has to be expected.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: String,
    pub(crate) details: Value,
}

impl Refusal {
    pub(crate) fn new(status: u16, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), details: Value::Null }
    }

    /// A request that makes no sense.
    pub(crate) fn bad(error: impl Into<String>) -> Self {
        Self::new(400, error)
    }

    pub(crate) fn not_found(kind: &str, id: u64) -> Self {
        Self::new(404, format!("no {kind} {id}"))
    }

    /// Names that are taken.
    pub(crate) fn taken(names: &[(u64, String)]) -> Self {
        let errors: Vec<Value> = names.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        let details = json!({"type": "NONUNIQUE", "errors": errors});
        Self { status: 400, error: "names must be unique".to_owned(), details }
    }
}

/// The fields of a JSON object that were not taken yet.
#[derive(Debug)]
pub(crate) struct Fields {
    what: &'static str,
    left: Map<String, Value>,
}

impl Fields {
    pub(crate) fn new(what: &'static str, value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(left) => Ok(Self { what, left }),
            _ => Err(Refusal::bad(format!("{what}: an object is expected"))),
        }
    }

    /// A field that has to be there; it may be null where `T` may.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, Refusal> {
        let value = self.left.remove(key);
        let value = value.ok_or_else(|| Refusal::bad(format!("{}: `{key}` is missing", self.what)))?;
        serde_json::from_value(value)
            .map_err(|error| Refusal::bad(format!("{}: `{key}`: {error}", self.what)))
    }

    /// A field that may be missing or null.
    pub(crate) fn maybe<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Refusal> {
        if self.left.contains_key(key) { self.take(key) } else { Ok(None) }
    }

    /// Fields that say nothing to the emulator.
    pub(crate) fn ignore(&mut self, keys: &[&str]) {
        for key in keys {
            self.left.remove(*key);
        }
    }

    /// No other field may be there.
    pub(crate) fn end(self) -> Result<(), Refusal> {
        match self.left.keys().next() {
            Some(key) => Err(Refusal::bad(format!("{}: `{key}` is not known", self.what))),
            None => Ok(()),
        }
    }
}
