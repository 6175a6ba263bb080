//! JSON settings, with or without comments, edited in their concrete syntax tree.

use jsonc_parser::common::Ranged;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use jsonc_parser::{ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use super::{EditError, Others, Spot, Syntax, position};

/// Reads the whole text; nothing at all is `null`.
pub(super) fn read(text: &str, syntax: Syntax) -> Result<Value, EditError> {
    let root = CstRootNode::parse(text, &options(syntax)).map_err(|error| {
        let (line, column) = position(text, error.range().start);
        EditError::Syntax { line, column, detail: error.kind().to_string() }
    })?;
    if let Some(twice) = root.object_value().as_ref().and_then(named_twice) {
        return Err(EditError::twice(&twice));
    }
    for section in root.object_value().iter().flat_map(CstObject::properties) {
        if let Some(twice) = section.object_value().as_ref().and_then(named_twice) {
            return Err(EditError::twice(&twice));
        }
    }
    // What reads comments does not always refuse them where it should.
    if syntax == Syntax::Json && !text.trim().is_empty() {
        return serde_json::from_str(text).map_err(|error| EditError::Syntax {
            line: error.line(),
            column: error.column(),
            detail: "this is not JSON".to_owned(),
        });
    }
    root.to_serde_value().map_or(Ok(Value::Null), Ok)
}

pub(super) fn put(
    text: &str,
    spot: Spot<'_>,
    entry: &Map<String, Value>,
    others: Others,
) -> Result<String, EditError> {
    let root = tree(text)?;
    let Some(object) = root.object_value_or_create() else {
        return Err(EditError::elsewhere());
    };
    if let Some(section) = object.object_value(spot.section) {
        match section.get(spot.name) {
            None => {
                let value = Value::Object(entry.clone());
                if let Some(text) = beside(text, &[spot.section], &section, spot.name, &value) {
                    return Ok(text);
                }
                section.append(spot.name, input(&value));
            }
            Some(known) => match known.object_value() {
                Some(known) if others == Others::Keep => merge(&known, entry),
                Some(_) | None => known.set_value(input(&Value::Object(entry.clone()))),
            },
        }
    } else if object.get(spot.section).is_some() {
        return Err(EditError::not_a_table(spot.section));
    } else {
        let section = Map::from_iter([(spot.name.to_owned(), Value::Object(entry.clone()))]);
        let value = Value::Object(section);
        if let Some(text) = beside(text, &[], &object, spot.section, &value) {
            return Ok(text);
        }
        object.append(spot.section, input(&value));
    }
    Ok(root.to_string())
}

pub(super) fn remove(text: &str, spot: Spot<'_>) -> Result<String, EditError> {
    let root = tree(text)?;
    let section = root.object_value().and_then(|object| object.object_value(spot.section));
    if let Some(entry) = section.and_then(|section| section.get(spot.name)) {
        entry.remove();
    }
    Ok(root.to_string())
}

/// Changes what differs and leaves other keys, which somebody else added, where they are.
fn merge(known: &CstObject, entry: &Map<String, Value>) {
    for (key, value) in entry {
        match known.get(key) {
            Some(property) if property.to_serde_value().as_ref() == Some(value) => {}
            Some(property) => property.set_value(input(value)),
            None => drop(known.append(key, input(value))),
        }
    }
}

/// Returns the text with a further property at the end of an object that has some and stands on one line, or `None`
/// when it does not: the syntax tree would spread such an object over many lines.
fn beside(text: &str, path: &[&str], tree: &CstObject, key: &str, value: &Value) -> Option<String> {
    let parsed = parse_to_ast(text, &Default::default(), &options(Syntax::Relaxed)).ok()?;
    let mut object = parsed.value?;
    for step in path {
        let jsonc_parser::ast::Value::Object(mut outer) = object else { return None };
        object = outer.take(step)?.value;
    }
    let range = object.range();
    let inside = text.get(range.start + 1..range.end.checked_sub(1)?)?;
    if inside.contains('\n') {
        return None;
    }
    let last = tree.properties().pop()?;
    // A comma after the last property means that the style of this file has one there.
    let (before, after) = if last.trailing_comma().is_some() { ("", ",") } else { (",", "") };
    let space = if inside.starts_with(' ') { " " } else { "" };
    let name = Value::String(key.to_owned());
    let (head, tail) = text.split_at_checked(range.start + 1 + inside.trim_end().len())?;
    Some(format!("{head}{before}{space}{name}:{space}{value}{after}{tail}"))
}

fn named_twice(object: &CstObject) -> Option<String> {
    let mut seen = Vec::new();
    for name in object.properties().iter().filter_map(jsonc_parser::cst::CstObjectProp::decoded_name) {
        if seen.contains(&name) {
            return Some(name);
        }
        seen.push(name);
    }
    None
}

/// What has been read once is read again with everything allowed.
fn tree(text: &str) -> Result<CstRootNode, EditError> {
    let text = if text.trim().is_empty() { "{}\n" } else { text };
    CstRootNode::parse(text, &options(Syntax::Relaxed)).map_err(|_| EditError::elsewhere())
}

fn options(syntax: Syntax) -> ParseOptions {
    ParseOptions {
        allow_comments: syntax != Syntax::Json,
        allow_trailing_commas: syntax == Syntax::Relaxed,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(values) => {
            CstInputValue::Object(values.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}
