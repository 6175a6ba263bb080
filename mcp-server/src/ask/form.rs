//! A question as a form that clients can show, and what comes back from it.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, HumanField, HumanFieldKind, HumanRequest};
use rmcp::model::{ElicitRequestParams, ElicitationSchema, JsonObject, ProtocolVersion};
use serde_json::{Value, json};

/// Returns the form in the words of a revision.
///
/// # Errors
/// When the library does not take it, which would be a fault in here.
pub(super) fn params(
    request: &HumanRequest,
    version: &ProtocolVersion,
) -> Result<ElicitRequestParams, serde_json::Error> {
    let properties: JsonObject =
        request.fields.iter().map(|field| (field.id.clone(), property(field, version))).collect();
    let required: Vec<&str> =
        request.fields.iter().filter(|field| field.required).map(|field| field.id.as_str()).collect();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    Ok(ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: request.prompt.clone(),
        requested_schema: ElicitationSchema::from_json_schema(schema)?,
    })
}

fn property(field: &HumanField, version: &ProtocolVersion) -> Value {
    let mut property = match field.kind {
        HumanFieldKind::Text | HumanFieldKind::Textarea => json!({"type": "string"}),
        HumanFieldKind::Boolean => json!({"type": "boolean"}),
        HumanFieldKind::Select => choice(field, version),
    };
    property["title"] = field.label.as_str().into();
    if let Some(placeholder) = field.placeholder.as_deref().filter(|text| !text.is_empty()) {
        property["description"] = placeholder.into();
    }
    property
}

/// A choice by value alone is understood everywhere; labels are written in two ways.
fn choice(field: &HumanField, version: &ProtocolVersion) -> Value {
    let values: Vec<&str> = field.options.iter().map(|option| option.value.as_str()).collect();
    if field.options.iter().all(|option| option.value == option.label) {
        return json!({"type": "string", "enum": values});
    }
    if *version >= ProtocolVersion::V_2025_11_25 {
        let options =
            field.options.iter().map(|option| json!({"const": option.value, "title": option.label}));
        return json!({"type": "string", "oneOf": options.collect::<Vec<Value>>()});
    }
    let labels: Vec<&str> = field.options.iter().map(|option| option.label.as_str()).collect();
    json!({"type": "string", "enum": values, "enumNames": labels})
}

/// Returns what a client says was filled in, as far as it was asked for. Whether it fits is for the request to say.
pub(super) fn answers(request: &HumanRequest, content: &Value) -> BTreeMap<String, Answer> {
    let answer = |field: &HumanField| Some((field.id.clone(), answer(field, content.get(&field.id)?)?));
    request.fields.iter().filter_map(answer).collect()
}

/// Returns one answer, brought to what the field takes where that has one plain meaning.
fn answer(field: &HumanField, given: &Value) -> Option<Answer> {
    let text = match given {
        Value::Bool(flag) if field.kind == HumanFieldKind::Boolean => return Some(Answer::Flag(*flag)),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => given.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    match (field.kind, text.trim()) {
        // Forms send an empty text for what was left empty.
        (_, "") if !field.required => None,
        (HumanFieldKind::Boolean, "true" | "yes") => Some(Answer::Flag(true)),
        (HumanFieldKind::Boolean, "false" | "no") => Some(Answer::Flag(false)),
        (HumanFieldKind::Select, chosen) => {
            let labelled = field.options.iter().find(|option| option.label == chosen);
            let known = field.options.iter().any(|option| option.value == text);
            Some(Answer::Text(labelled.filter(|_| !known).map_or(text, |option| option.value.clone())))
        }
        (HumanFieldKind::Text | HumanFieldKind::Textarea | HumanFieldKind::Boolean, _) => {
            Some(Answer::Text(text))
        }
    }
}

#[cfg(test)]
mod tests;
