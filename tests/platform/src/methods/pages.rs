//! Lists come in pages.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::fields::{Fields, Refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    field: String,
    operator: String,
    value: Value,
}

impl Filter {
    fn keeps(&self, entity: &Value) -> Result<bool, Refusal> {
        let own = entity.get(&self.field);
        let own =
            own.ok_or_else(|| Refusal::bad(format!("a filter on the unknown field `{}`", self.field)))?;
        match (self.operator.as_str(), &self.value) {
            ("=", value) => Ok(own == value),
            ("in", Value::Array(values)) => Ok(values.contains(own)),
            (other, _) => Err(Refusal::bad(format!("a filter with the operator `{other}`"))),
        }
    }
}

/// The page that is asked for. The entities are in the order of their numbers.
pub(super) fn page(mut body: Fields, all: Vec<Value>, default_size: usize) -> Result<Value, Refusal> {
    let filters: Vec<Filter> = body.maybe("filter")?.unwrap_or_default();
    let (page, size): (Option<usize>, Option<usize>) = (body.maybe("page")?, body.maybe("per_page")?);
    let sort: Option<String> = body.maybe("sort")?;
    if sort.is_some_and(|sort| sort != "id")
        || body.maybe::<String>("sort_order")?.is_some_and(|order| order != "asc")
    {
        return Err(Refusal::bad("lists are sorted by `id`, `asc`"));
    }
    body.end()?;
    let mut kept = Vec::new();
    for entity in all {
        let mut keep = true;
        for filter in &filters {
            keep &= filter.keeps(&entity)?;
        }
        if keep {
            kept.push(entity);
        }
    }
    let size = size.unwrap_or(default_size).max(1);
    let (total, first) = (kept.len(), page.unwrap_or(1).max(1) - 1);
    let entities: Vec<Value> = kept.into_iter().skip(first * size).take(size).collect();
    Ok(json!({"total": total, "perPage": size, "pagesCount": total.div_ceil(size), "entities": entities}))
}
