//! How an answer goes out: one JSON object, the same in the text as in the structured content, never too long.
//!
//! Half of the clients show a model only the text and half only the structured content, so both say the same,
//! byte for byte, and guidance stands in fields. This module owns the limit and what an answer over it looks
//! like. It knows no tool.

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The longest answer in characters: under what every client measured so far cuts or moves to a file.
pub(crate) const MAX_CHARS: usize = 10_000;

/// Room for the fields that say what was cut.
const CUT_NOTE_CHARS: usize = 900;

/// How to get what was cut out of an answer; one sentence for all tools, because only long features and long
/// lists can meet the limit.
const REST: &str = "This answer was cut to 10,000 characters; `truncated` lists where. Read the rest of one feature with \
                    feature_get_by_id and its `field` and `offset`; read lists on with `offset` or a smaller `limit`.";

/// A tool's successful answer.
#[derive(Debug)]
pub(crate) struct Out<T>(pub(crate) T);

impl<T: Serialize> IntoCallToolResult for Out<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        let value = serde_json::to_value(&self.0)
            .map_err(|error| ErrorData::internal_error(format!("an answer is no JSON: {error}"), None))?;
        Ok(CallToolResult::structured(fitted(value, MAX_CHARS)).into())
    }
}

/// Returns the answer, shortened to `max` characters of JSON where it is longer, with `truncated` and `hint` saying
/// what is missing and how to get it.
fn fitted(value: Value, max: usize) -> Value {
    if chars(&value) <= max {
        return value;
    }
    let room = max.saturating_sub(CUT_NOTE_CHARS);
    // From "one field is huge" to "everything is": the first pair of limits under which it fits.
    let limits = [(4000, 400), (2000, 200), (1000, 100), (500, 50), (200, 20), (100, 10), (50, 5)];
    let shortened = limits.into_iter().find_map(|(text, items)| {
        let mut cuts = Vec::new();
        let shorter = shortened(&value, "", text, items, &mut cuts);
        (chars(&shorter) <= room).then_some((shorter, cuts))
    });
    let (mut answer, cuts) = match shortened {
        Some((Value::Object(answer), cuts)) => (answer, cuts),
        // Nothing any tool answers gets here: it takes an object of thousands of fields.
        Some(_) | None => (Map::new(), Vec::new()),
    };
    answer.insert("truncated".to_owned(), cuts.into_iter().take(8).collect());
    answer.insert("hint".to_owned(), REST.into());
    Value::Object(answer)
}

/// Returns a copy in which no text is longer than `text` characters and no list than `items` items, and notes each
/// cut with its path.
fn shortened(value: &Value, path: &str, text: usize, items: usize, cuts: &mut Vec<Value>) -> Value {
    match value {
        Value::String(long) => {
            let total = long.chars().count();
            if total <= text {
                return value.clone();
            }
            cuts.push(json!({"field": path, "shown": text, "total": total}));
            Value::String(long.chars().take(text).collect())
        }
        Value::Array(list) => {
            if list.len() > items {
                cuts.push(json!({"field": path, "shown": items, "total": list.len()}));
            }
            let kept = list.iter().take(items).enumerate();
            kept.map(|(index, item)| shortened(item, &format!("{path}[{index}]"), text, items, cuts))
                .collect()
        }
        Value::Object(object) => {
            let member = |(name, member): (&String, &Value)| {
                let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                (name.clone(), shortened(member, &here, text, items, cuts))
            };
            Value::Object(object.iter().map(member).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Counts the characters of a value as compact JSON, which is how it is sent.
fn chars(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// Returns a name as a list shows it: names have no limit in the database, lines of a list do.
pub(crate) fn short(name: &str) -> String {
    cut(name, 120)
}

/// Returns a text that is no longer than this, with a mark where it was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
