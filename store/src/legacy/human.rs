//! Questions to people and answers, as the original kept them. Pure.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, HumanRequest, HumanResponse};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Returns the question, or why nobody could answer it.
pub(super) fn request(value: Value) -> Result<HumanRequest, String> {
    let request: HumanRequest =
        serde_json::from_value(without_nulls(value)).map_err(|error| error.to_string())?;
    let problems = request.problems();
    if problems.is_empty() {
        return Ok(request);
    }
    Err(problems.iter().map(|(path, what)| format!("{path} {what}")).collect::<Vec<_>>().join("; "))
}

/// Returns the answer, or what is wrong with it. One without a time was given before `now`.
pub(super) fn response(value: Value, now: Timestamp) -> Result<HumanResponse, String> {
    let Value::Object(mut object) = value else {
        return Err("it is no object".to_owned());
    };
    let responded_at = match object.remove("responded_at") {
        None | Some(Value::Null) => now,
        Some(Value::String(text)) => time(&text).ok_or_else(|| format!("`{text}` is no time"))?,
        Some(other) => return Err(format!("`{other}` is no time")),
    };
    let Some(Value::Object(fields)) = object.remove("fields") else {
        return Err("it has no `fields`".to_owned());
    };
    Ok(HumanResponse {
        fields: fields.into_iter().filter_map(answer).collect::<BTreeMap<_, _>>(),
        responded_at,
    })
}

fn answer((id, value): (String, Value)) -> Option<(String, Answer)> {
    let answer = match value {
        Value::Null => return None,
        Value::Bool(flag) => Answer::Flag(flag),
        Value::String(text) => Answer::Text(text),
        other @ (Value::Number(_) | Value::Array(_) | Value::Object(_)) => Answer::Text(other.to_string()),
    };
    Some((id, answer))
}

/// Reads a time as Python writes it: with an offset, or without one in UTC.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let local: DateTime = text.parse().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })
}

/// Removes members that are null: there they mean what is missing here.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, member)| !member.is_null());
            Value::Object(kept.map(|(name, member)| (name, without_nulls(member))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
