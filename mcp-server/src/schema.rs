//! The dialect of JSON Schema that every MCP client and every model API takes.
//!
//! It owns the turn from a Rust type to that dialect: six keywords (`type description properties required items
//! enum`), one scalar `type` per node, no references, no unions. Clients refuse, drop or send back text for
//! anything richer. What a range or a default is, the description says and Rust checks. It never touches values:
//! that is [`crate::arguments`].

use std::sync::Arc;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The whole vocabulary of a schema, in the order in which it is written.
pub(crate) const KEYWORDS: [&str; 6] = ["type", "description", "properties", "required", "items", "enum"];

/// Returns the schema of a tool's arguments.
pub(crate) fn input<T: JsonSchema>() -> Arc<JsonObject> {
    Arc::new(root::<T>(SchemaSettings::draft2020_12()))
}

/// Returns the schema of a tool's answer. Clients check answers against it and show it to nobody, so it goes
/// without descriptions.
pub(crate) fn output<T: JsonSchema>() -> Arc<JsonObject> {
    let mut schema = root::<T>(SchemaSettings::draft2020_12().for_serialize());
    without_descriptions(&mut schema);
    Arc::new(schema)
}

fn root<T: JsonSchema>(mut settings: SchemaSettings) -> JsonObject {
    settings.inline_subschemas = true;
    let generated = settings.into_generator().into_root_schema_for::<T>();
    let mut schema = simplified(&generated.to_value());
    // The type's own documentation is written for Rust readers.
    schema.shift_remove("description");
    schema
}

fn without_descriptions(schema: &mut JsonObject) {
    schema.shift_remove("description");
    for keyword in ["properties", "items"] {
        let Some(Value::Object(below)) = schema.get_mut(keyword) else {
            continue;
        };
        if keyword == "items" {
            without_descriptions(below);
        } else {
            below.values_mut().filter_map(Value::as_object_mut).for_each(without_descriptions);
        }
    }
}

/// Returns one node in the dialect, with everything below it.
fn simplified(node: &Value) -> JsonObject {
    let Some(node) = node.as_object() else {
        return JsonObject::new();
    };
    if let Some(union) = node.get("anyOf").or_else(|| node.get("oneOf")) {
        return simplified_union(node, union);
    }
    let mut out = JsonObject::new();
    for keyword in KEYWORDS {
        let Some(value) = node.get(keyword) else {
            continue;
        };
        let value = match keyword {
            "type" => scalar_type(value),
            "description" => flowing(value),
            "properties" => each_property(value),
            "enum" => {
                value.as_array().into_iter().flatten().filter(|word| !word.is_null()).cloned().collect()
            }
            "items" => Value::Object(simplified(value)),
            "required" if value.as_array().is_some_and(Vec::is_empty) => continue,
            _ => value.clone(),
        };
        out.insert(keyword.to_owned(), value);
    }
    if out.get("type").is_some_and(|t| t == "object") {
        out.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    }
    out
}

/// Returns a union as the one thing it means: an optional value as that value, documented words as an `enum`.
/// Any other union comes out as its first branch without null, which the linter over `tools/list` then shows.
fn simplified_union(node: &Map<String, Value>, union: &Value) -> JsonObject {
    let branches: Vec<&Value> =
        union.as_array().into_iter().flatten().filter(|branch| branch["type"] != "null").collect();
    let words: Vec<Value> = branches
        .iter()
        .flat_map(|branch| match (&branch["const"], &branch["enum"]) {
            (word @ Value::String(_), _) => vec![word.clone()],
            (_, Value::Array(words)) => words.clone(),
            _ => Vec::new(),
        })
        .collect();
    let mut out = if words.is_empty() {
        branches.first().map(|branch| simplified(branch)).unwrap_or_default()
    } else {
        JsonObject::from_iter([("type".to_owned(), Value::from("string")), ("enum".to_owned(), words.into())])
    };
    if let Some(description) = node.get("description") {
        out.insert("description".to_owned(), flowing(description));
    }
    out
}

/// Returns the type without its null: optional means absent, in this dialect.
fn scalar_type(value: &Value) -> Value {
    match value {
        Value::Array(types) => types.iter().find(|name| *name != "null").cloned().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value.clone()
        }
    }
}

/// Returns documentation without the line breaks of the source file.
fn flowing(value: &Value) -> Value {
    Value::from(one_line(value.as_str().unwrap_or_default()))
}

/// Returns a text with every run of white space as one blank.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn each_property(value: &Value) -> Value {
    let properties = value.as_object().into_iter().flatten();
    Value::Object(
        properties.map(|(name, property)| (name.clone(), Value::Object(simplified(property)))).collect(),
    )
}

#[cfg(test)]
mod tests;
