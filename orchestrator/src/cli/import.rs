//! `cogwork import`: features from a file into a project.

use std::path::PathBuf;

use clap::Args;
use cogwork_schemas::FeatureList;
use cogwork_store::ImportLimits;
use serde_json::{Map, Value};

use super::{CliError, Exit, ProjectArg, print};
use crate::driver::clock;
use crate::project::Project;

/// Add features with their checks and dependencies from a JSON file.
///
/// All or nothing: when anything in the file is wrong, every mistake is listed and nothing changes. A feature whose
/// `key` is known already is left as it is: give every feature a key, and the same file can be imported twice.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ImportArgs {
    /// The feature list.
    file: PathBuf,
    #[command(flatten)]
    project: ProjectArg,
}

const EXAMPLE: &str = r#"A feature list:
  {"features": [
    {"key": "store", "name": "Items are stored in a file", "checks": ["sh checks/store.sh"]},
    {"key": "add", "name": "Add an item", "dependencies": ["store"], "estimate_s": 300,
     "checks": [{"command": "sh checks/add.sh", "timeout_s": 60}]}
  ]}"#;

pub(crate) fn import(args: &ImportArgs) -> Result<Exit, CliError> {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|error| CliError::new(format!("cannot read {}: {error}", args.file.display())))?;
    let (list, ignored) = parse(&text).map_err(|reason| {
        CliError::new(format!("{} is not a feature list: {reason}", args.file.display()))
            .hint("`cogwork import --help` shows one")
    })?;
    let project = Project::create(&args.project.dir, clock::now())?;
    let imported = project.store.import(clock::now(), &list, &ImportLimits::default())?;
    let mut text = format!("{} features imported", imported.created.len());
    if !imported.known.is_empty() {
        text.push_str(&format!(", {} were known already", imported.known.len()));
    }
    text.push('\n');
    for (field, times) in ignored {
        text.push_str(&format!(
            "note: the field `{field}` means nothing here and was ignored ({times} times)\n"
        ));
    }
    print(&text)?;
    Ok(Exit::Ok)
}

/// Fields that are in the file and mean nothing, with how often; a misspelt `dependencies` must not pass unseen.
type Ignored = Vec<(String, usize)>;

/// Reads a feature list: an object with `features`, or the bare array.
fn parse(text: &str) -> Result<(FeatureList, Ignored), String> {
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
    if items.is_empty() {
        return Err("it is empty: there is nothing to import".to_owned());
    }
    let mut ignored = Ignored::new();
    let mut features = Vec::with_capacity(items.len());
    let mut wrong = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        if let Value::Object(object) = &item {
            note_unknown(object, &mut ignored);
        }
        match serde_json::from_value(item) {
            Ok(feature) => features.push(feature),
            Err(error) => wrong.push(format!("\n  - features[{index}]: {error}")),
        }
    }
    if wrong.is_empty() { Ok((FeatureList { features }, ignored)) } else { Err(wrong.concat()) }
}

fn note_unknown(object: &Map<String, Value>, ignored: &mut Ignored) {
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
    for field in object.keys().filter(|field| !KNOWN.contains(&field.as_str())) {
        match ignored.iter_mut().find(|(known, _)| known == field) {
            Some((_, times)) => *times += 1,
            None => ignored.push((field.clone(), 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_item_is_named() {
        let error = parse(r#"{"features": [{"name": "a"}, {"checks": []}, {"name": 3}]}"#).unwrap_err();
        assert!(error.contains("features[1]: missing field `name`"), "{error}");
        assert!(error.contains("features[2]: invalid type"), "{error}");
    }

    #[test]
    fn unknown_fields_are_counted() {
        let (list, ignored) =
            parse(r#"[{"name": "a", "dependancies": [1]}, {"name": "b", "dependancies": []}]"#).unwrap();
        assert_eq!(list.features.len(), 2);
        assert_eq!(ignored, [("dependancies".to_owned(), 2)]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["", "{}", "3", "[]", r#"{"features": 3}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
