//! What a model sends as arguments, brought to what the tool's schema says it takes.
//!
//! Models and clients send `"1"` for 1, `"[1,2]"` for an array and `"null"` for nothing; a server that refuses
//! these costs a turn each time. This module repairs what has one plain meaning, reports everything else with its
//! path and all at once, and leaves unknown keys alone, because some clients add their own. Schema and value in,
//! value or problems out: it knows no tool.

use rmcp::ErrorData;
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A tool's arguments, already repaired; the extractor of every handler that takes any.
#[derive(Debug)]
pub(crate) struct Args<T>(pub(crate) T);

impl<S, T: DeserializeOwned> FromContextPart<ToolCallContext<'_, S>> for Args<T> {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let arguments = context.arguments.take().unwrap_or_default();
        // Only what the schema cannot say is still wrong here, such as a number that is too large.
        serde_json::from_value(Value::Object(arguments))
            .map(Self)
            .map_err(|error| ErrorData::invalid_params(error.to_string(), None))
    }
}

/// Returns the arguments as the schema wants them.
///
/// # Errors
/// One sentence fragment per problem, each naming its argument's path.
pub(crate) fn repaired(schema: &JsonObject, mut arguments: JsonObject) -> Result<JsonObject, Vec<String>> {
    let mut problems = Vec::new();
    repair_members(schema, &mut arguments, "", &mut problems);
    if problems.is_empty() { Ok(arguments) } else { Err(problems) }
}

fn repair_members(schema: &JsonObject, object: &mut JsonObject, path: &str, problems: &mut Vec<String>) {
    let required = |name: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    for (name, property) in members(schema) {
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let wanted = Wanted::of(property);
        if object.get(name).is_some_and(|value| wanted.is_nothing(value)) {
            object.shift_remove(name);
        }
        match object.get_mut(name) {
            Some(value) => repair(property, wanted, value, &here, problems),
            None if required(name) => problems.push(missing(schema, object, &here)),
            None => {}
        }
    }
}

fn members(schema: &JsonObject) -> impl Iterator<Item = (&String, &JsonObject)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().filter_map(|(name, property)| Some((name, property.as_object()?)))
}

/// Names what was sent instead, because the usual cause is another spelling of the name.
fn missing(schema: &JsonObject, object: &JsonObject, path: &str) -> String {
    let known = |name: &str| members(schema).any(|(member, _)| member == name);
    let unknown: Vec<String> =
        object.keys().filter(|name| !known(name)).map(|name| format!("`{name}`")).collect();
    if unknown.is_empty() {
        format!("`{path}` is missing")
    } else {
        format!("`{path}` is missing (came: {})", unknown.join(", "))
    }
}

/// What the schema wants in one place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Text,
    /// One of the words of an `enum`.
    Word,
    Integer,
    Boolean,
    List,
    Object,
}

impl Wanted {
    fn of(schema: &JsonObject) -> Self {
        match schema.get("type").and_then(Value::as_str) {
            Some("integer") => Self::Integer,
            Some("boolean") => Self::Boolean,
            Some("array") => Self::List,
            Some("object") => Self::Object,
            _ if schema.contains_key("enum") => Self::Word,
            _ => Self::Text,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Text | Self::Word => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "true or false",
            Self::List => "an array",
            Self::Object => "an object",
        }
    }

    /// Returns whether a value needs no repair, the usual case, in which large lists are not copied.
    fn is_met_by(self, value: &Value) -> bool {
        match self {
            Self::Text | Self::Word => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }

    /// Returns whether the value stands for "not given". The word `null` is no text anybody searches for, but it
    /// may be one; only where no text is wanted does it mean nothing.
    fn is_nothing(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => {
                self != Self::Text && matches!(text.trim(), "" | "null" | "None" | "undefined")
            }
            Value::Array(items) => {
                self != Self::List && matches!(items.as_slice(), [only] if self.is_nothing(only))
            }
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        }
    }
}

fn repair(schema: &JsonObject, wanted: Wanted, value: &mut Value, path: &str, problems: &mut Vec<String>) {
    if !wanted.is_met_by(value) {
        let converted = match wanted {
            Wanted::Text | Wanted::Word => as_text(value),
            Wanted::Integer => as_integer(value),
            Wanted::Boolean => as_boolean(value),
            Wanted::List => Some(as_list(value)),
            Wanted::Object => as_object(value).or_else(|| as_only_text(schema, value)),
        };
        let Some(converted) = converted else {
            problems.push(format!("`{path}` must be {}, not {}", wanted.words(), shown(value)));
            return;
        };
        *value = converted;
    }
    match value {
        Value::Array(items) => repair_items(schema, items, path, problems),
        Value::Object(object) => repair_members(schema, object, path, problems),
        Value::String(text) => repair_word(schema, text, path, problems),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn repair_items(schema: &JsonObject, items: &mut [Value], path: &str, problems: &mut Vec<String>) {
    let Some(item_schema) = schema.get("items").and_then(Value::as_object) else {
        return;
    };
    for (index, item) in items.iter_mut().enumerate() {
        repair(item_schema, Wanted::of(item_schema), item, &format!("{path}[{index}]"), problems);
    }
}

/// Brings a word to the spelling of the schema's `enum`, if it has one.
fn repair_word(schema: &JsonObject, text: &mut String, path: &str, problems: &mut Vec<String>) {
    let Some(words) = schema.get("enum").and_then(Value::as_array) else {
        return;
    };
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let given = text.trim().to_lowercase().replace([' ', '-'], "_");
    match words.iter().find(|word| **word == given) {
        Some(word) => (*word).clone_into(text),
        None => problems.push(format!(
            "`{path}` must be one of {}, not {}",
            words.join(", "),
            shown(&Value::from(text.as_str()))
        )),
    }
}

fn as_text(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string().into()),
        Value::Array(items) => match items.as_slice() {
            [only] => as_text(only),
            _ => None,
        },
        Value::Null | Value::Object(_) => None,
    }
}

/// A feature is also called `#7` where people read it, so models write that too.
fn as_integer(value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) => match number.as_f64() {
            _ if number.is_i64() => Some(value.clone()),
            Some(float) if float.fract() == 0.0 => whole(float),
            _ => None,
        },
        Value::String(text) => {
            let text = text.trim().trim_start_matches('#');
            match text.parse::<i64>() {
                Ok(integer) => Some(integer.into()),
                Err(_) => whole(text.parse().ok()?),
            }
        }
        Value::Array(items) => match items.as_slice() {
            [only] => as_integer(only),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

/// Returns a float such as `3.0` as an integer. Beyond 2^53 a float no longer names one integer.
fn whole(float: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    format!("{float:.0}").parse::<i64>().ok().map(Value::from)
}

fn as_boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true.into()),
            "false" | "no" | "0" => Some(false.into()),
            _ => None,
        },
        Value::Number(number) => match number.as_i64() {
            Some(1) => Some(true.into()),
            Some(0) => Some(false.into()),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Everything can be a list: a text that holds one, numbers with commas between, or itself as the only item.
fn as_list(value: &Value) -> Value {
    match value {
        Value::Array(_) => value.clone(),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(list @ Value::Array(_)) => list,
            _ if looks_like_numbers(text) => text.split(',').map(|part| Value::from(part.trim())).collect(),
            _ => Value::Array(vec![value.clone()]),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            Value::Array(vec![value.clone()])
        }
    }
}

fn looks_like_numbers(text: &str) -> bool {
    text.contains(',')
        && text.split(',').all(|part| {
            let part = part.trim().trim_start_matches('#');
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn as_object(value: &Value) -> Option<Value> {
    match value {
        Value::Object(_) => Some(value.clone()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(object @ Value::Object(_)) => Some(object),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Returns a text as the object that needs nothing else: `"make test"` for `{"command": "make test"}`. What begins
/// as JSON was meant as JSON.
fn as_only_text(schema: &JsonObject, value: &Value) -> Option<Value> {
    let text = value.as_str().filter(|text| !text.trim_start().starts_with(['{', '[']))?;
    let [Value::String(only)] = schema.get("required")?.as_array()?.as_slice() else {
        return None;
    };
    let property = schema.get("properties")?.get(only)?;
    (property["type"] == "string")
        .then(|| Value::Object(JsonObject::from_iter([(only.clone(), text.into())])))
}

/// Returns a value as an error may show it: as JSON, and short.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
