//! What the text of a feature list says: one JSON document, or one feature in each line. Pure.

use cogwork_schemas::{FeatureList, ListedFeature};
use serde_json::{Map, Value};

use crate::cli::export::{Format, STATE};

/// A feature list that can be read, and what of it means nothing to an import.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) list: FeatureList,
    /// Fields that mean nothing, with how often; a misspelt `dependencies` must not pass unseen.
    pub(crate) ignored: Vec<(String, usize)>,
    /// How many features say where they stand.
    pub(crate) with_state: usize,
}

const KNOWN: [&str; 10] = [
    "id",
    "key",
    "category",
    "name",
    "description",
    "steps",
    "checks",
    "dependencies",
    "priority",
    "estimate_s",
];

/// Reads a feature list: an object with `features`, the bare array, or JSON Lines, which is known by the file's name
/// or else by its first line, a whole object that is no list.
pub(crate) fn parse(text: &str, format: Option<Format>) -> Result<List, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_lines = match format {
        Some(Format::Jsonl) => true,
        Some(Format::Json) => false,
        None => starts_with_a_feature(text),
    };
    let items = if is_lines { lines(text)? } else { document(text)? };
    if items.is_empty() {
        return Err("it is empty: there is nothing to import".to_owned());
    }
    let mut list = List {
        list: FeatureList { features: Vec::with_capacity(items.len()) },
        ignored: Vec::new(),
        with_state: 0,
    };
    let mut wrong = Vec::new();
    for (place, item) in items {
        match item.and_then(|item| list.take(item)) {
            Ok(feature) => list.list.features.push(feature),
            Err(reason) => wrong.push(format!("\n  - {place}: {reason}")),
        }
    }
    if wrong.is_empty() { Ok(list) } else { Err(wrong.concat()) }
}

/// Items with what errors call their place.
type Items = Vec<(String, Result<Value, String>)>;

fn document(text: &str) -> Result<Items, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let items = match value {
        Value::Array(items) => items,
        Value::Object(mut object) => match object.remove("features") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err("`features` is not an array".to_owned()),
            None => return Err("it has no `features`".to_owned()),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            return Err("it is neither an object with `features` nor an array".to_owned());
        }
    };
    let named = items.into_iter().enumerate().map(|(index, item)| (format!("features[{index}]"), Ok(item)));
    Ok(named.collect())
}

fn starts_with_a_feature(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    let object = first.and_then(|line| serde_json::from_str::<Map<String, Value>>(line).ok());
    object.is_some_and(|object| !object.contains_key("features"))
}

fn lines(text: &str) -> Result<Items, String> {
    let numbered = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    let read = numbered.map(|(line, number): (_, usize)| {
        let value = serde_json::from_str(line).map_err(|error| in_line(&error));
        (format!("line {number}"), value)
    });
    Ok(read.collect())
}

/// Returns the error without its place, but for the column: it always calls the line 1.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line 1 column ") {
        Some((what, column)) => format!("{what} at column {column}"),
        None => text,
    }
}

impl List {
    fn take(&mut self, item: Value) -> Result<ListedFeature, String> {
        let Value::Object(object) = &item else {
            return Err("it is no object".to_owned());
        };
        let says_state = object.keys().any(|field| STATE.contains(&field.as_str()));
        self.with_state += usize::from(says_state);
        for field in object.keys() {
            self.note(field);
        }
        serde_json::from_value(item).map_err(|error| error.to_string())
    }

    fn note(&mut self, field: &str) {
        if KNOWN.contains(&field) || STATE.contains(&field) {
            return;
        }
        match self.ignored.iter_mut().find(|(known, _)| known == field) {
            Some((_, times)) => *times += 1,
            None => self.ignored.push((field.to_owned(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<List, String> {
        super::parse(text, None)
    }

    fn names(text: &str, format: Option<Format>) -> Vec<String> {
        let list = super::parse(text, format).unwrap();
        list.list.features.into_iter().map(|feature| feature.name).collect()
    }

    #[test]
    fn every_bad_item_is_named() {
        let error = parse(r#"{"features": [{"name": "a"}, {"checks": []}, {"name": 3}]}"#).unwrap_err();
        assert!(error.contains("features[1]: missing field `name`"), "{error}");
        assert!(error.contains("features[2]: invalid type"), "{error}");
    }

    #[test]
    fn every_bad_line_is_named_by_its_number() {
        let text = "{\"name\": \"a\"}\n\n{\"name\": 3}\n{\"name\": \n{\"name\": \"b\"}\n[1]\n";
        assert_eq!(
            parse(text).unwrap_err(),
            "\n  - line 3: invalid type: integer `3`, expected a string\
             \n  - line 4: EOF while parsing a value at column 9\
             \n  - line 6: it is no object"
        );
    }

    #[test]
    fn lines_are_known_by_the_name_or_by_the_first() {
        let lines = "\u{feff}\r\n{\"name\": \"a\"}\r\n{\"name\": \"b\"}\r\n";
        assert_eq!(names(lines, None), ["a", "b"]);
        assert_eq!(names(lines, Some(Format::Jsonl)), ["a", "b"]);
        assert!(super::parse(lines, Some(Format::Json)).is_err());
        assert_eq!(names(r#"{"name": "only"}"#, None), ["only"]);
        for document in [
            r#"{"features": [{"name": "a"}]}"#,
            "{\n\"features\": [{\"name\": \"a\"}]}",
            r#"[{"name": "a"}]"#,
        ] {
            assert_eq!(names(document, None), ["a"]);
        }
    }

    #[test]
    fn unknown_fields_are_counted_and_the_state_is_told_apart() {
        let list = parse(
            r#"[{"name": "a", "dependancies": [1]}, {"name": "b", "dependancies": [], "status": "passing", "proof": null}]"#,
        )
        .unwrap();
        assert_eq!(list.list.features.len(), 2);
        assert_eq!(list.ignored, [("dependancies".to_owned(), 2)]);
        assert_eq!(list.with_state, 1);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "{}", "3", "[]", r#"{"features": 3}"#, "{\"name\": \"a\"\n}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
