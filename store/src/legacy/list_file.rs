//! Reading `feature_list.json`, in which the first versions of the original kept everything.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::source::{Found, MissingPriority};
use crate::error::AdoptionFault;

/// Fields that only a list for `cogwork import` has.
const OURS: [&str; 3] = ["key", "checks", "estimate_s"];

/// Reads a list of features, or an object that holds one under `features`.
pub(super) fn read(path: &Path) -> Result<Found, AdoptionFault> {
    let bytes = fs::read(path).map_err(|source| AdoptionFault::Unreadable { source })?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| AdoptionFault::Damaged { detail: error.to_string() })?;
    let mut left_out = Vec::new();
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => {
            let Some(Value::Array(items)) = object.remove("features") else {
                return Err(foreign("it is an object without a list `features`"));
            };
            left_out.extend(object.keys().map(|name| format!("the entry `{name}` beside the features")));
            items
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err(foreign("it is no list"));
        }
    };
    if items.is_empty() {
        return Err(foreign("its list is empty"));
    }
    let features = items.into_iter().map(object).collect::<Result<Vec<_>, _>>()?;
    if features.iter().any(|feature| OURS.iter().any(|name| feature.contains_key(*name))) {
        return Err(foreign("it is a list for `cogwork import`"));
    }
    Ok(Found { source: String::new(), features, priority: MissingPriority::Place, left_out })
}

fn object(item: Value) -> Result<Map<String, Value>, AdoptionFault> {
    match item {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(foreign("not every item of its list is an object"))
        }
    }
}

fn foreign(what: &'static str) -> AdoptionFault {
    AdoptionFault::Foreign { what }
}
