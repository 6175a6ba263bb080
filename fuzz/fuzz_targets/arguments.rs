//! Any JSON as the arguments of any tool, and under schemas that no tool has: the repair fails only with sentences,
//! leaves alone what it has repaired, and gives what the schema says.

#![no_main]

use std::sync::OnceLock;

use cogwork_mcp::fuzzing;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Words that models mean something by.
const WORDS: [&str; 16] = [
    "", "null", "None", "undefined", "true", "yes", "0", "1", "#7", "1, #2", "[1,2]", "{\"a\":1}", "1e3", "9007199254740993",
    "in progress", "\u{0}ä",
];

fn schemas() -> &'static [Object] {
    static SCHEMAS: OnceLock<Vec<Object>> = OnceLock::new();
    SCHEMAS.get_or_init(|| fuzzing::tools().iter().filter_map(|tool| fuzzing::schema(tool)).collect())
}

fn schema(data: &mut Unstructured<'_>, depth: u8) -> Result<Value> {
    let kinds: u8 = if depth == 0 { 4 } else { 6 };
    Ok(match data.int_in_range(0..=kinds - 1)? {
        0 => json!({"type": "string"}),
        1 => json!({"type": "integer"}),
        2 => json!({"type": "boolean"}),
        3 => json!({"type": "string", "enum": ["pending", "in_progress", "1"]}),
        4 => json!({"type": "array", "items": schema(data, depth - 1)?}),
        _ => Value::Object(object_schema(data, depth - 1)?),
    })
}

fn object_schema(data: &mut Unstructured<'_>, depth: u8) -> Result<Object> {
    let mut properties = Object::new();
    for name in ["a", "b", "c"] {
        if data.arbitrary()? {
            properties.insert(name.to_owned(), schema(data, depth)?);
        }
    }
    let required: Vec<&str> = if data.arbitrary()? { vec!["a"] } else { vec![] };
    let schema = json!({"type": "object", "properties": properties, "required": required});
    Ok(schema.as_object().cloned().unwrap_or_default())
}

fn value(data: &mut Unstructured<'_>, names: &[String], depth: u8) -> Result<Value> {
    let kinds: u8 = if depth == 0 { 7 } else { 9 };
    Ok(match data.int_in_range(0..=kinds - 1)? {
        0 => Value::Null,
        1 => json!(data.arbitrary::<bool>()?),
        2 => json!(data.arbitrary::<i64>()?),
        3 => json!(data.arbitrary::<u64>()?),
        4 => json!(data.arbitrary::<f64>()?),
        5 => json!(data.choose(&WORDS)?),
        6 => json!(data.arbitrary::<&str>()?),
        7 => (0..data.int_in_range(0..=3)?).map(|_| value(data, names, depth - 1)).collect::<Result<_>>()?,
        _ => Value::Object(object(data, names, depth - 1)?),
    })
}

fn object(data: &mut Unstructured<'_>, names: &[String], depth: u8) -> Result<Object> {
    let mut object = Object::new();
    for _ in 0..data.int_in_range(0..=5)? {
        let name = if names.is_empty() || data.ratio(1, 8)? {
            data.arbitrary::<&str>()?.to_owned()
        } else {
            data.choose(names)?.clone()
        };
        object.insert(name, value(data, names, depth)?);
    }
    Ok(object)
}

/// All names of members that a schema has anywhere.
fn names(schema: &Value, found: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().cloned());
        properties.values().for_each(|below| names(below, found));
    }
    if !schema["items"].is_null() {
        names(&schema["items"], found);
    }
}

fn assert_fits(schema: &Value, value: &Value) {
    let fits = match schema["type"].as_str() {
        Some("integer") => value.is_i64(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => value.is_string() && schema["enum"].as_array().is_none_or(|words| words.contains(value)),
    };
    assert!(fits, "{value} under {schema}");
    for item in value.as_array().into_iter().flatten() {
        assert_fits(&schema["items"], item);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        match value.get(name) {
            Some(member) => assert_fits(below, member),
            None => {
                let required = schema["required"].as_array();
                assert!(!required.is_some_and(|names| names.iter().any(|required| required == name)), "{name} is missing");
            }
        }
    }
}

fn try_one(data: &mut Unstructured<'_>) -> Result<()> {
    let schema = if data.arbitrary()? { data.choose(schemas())?.clone() } else { object_schema(data, 2)? };
    let mut known = Vec::new();
    let whole = Value::Object(schema.clone());
    names(&whole, &mut known);
    let arguments = object(data, &known, 3)?;
    match fuzzing::repaired(&schema, arguments) {
        Ok(repaired) => {
            assert_fits(&whole, &Value::Object(repaired.clone()));
            assert_eq!(fuzzing::repaired(&schema, repaired.clone()), Ok(repaired));
        }
        Err(problems) => assert!(problems.iter().all(|problem| problem.len() > 3) && !problems.is_empty()),
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    // Too short to make anything of is nothing to try.
    drop(try_one(&mut Unstructured::new(data)));
});
