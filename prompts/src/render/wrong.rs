//! What is wrong with a template, as a clause that says what to write instead.

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind};

/// What every template may use beside its context.
const GIVEN: [&str; 5] = ["debug", "dict", "loop", "namespace", "range"];

/// Returns what is wrong, with the names that are unknown and those that there are.
pub(super) fn problem(environment: &Environment<'_>, error: &Error, context: &Value) -> String {
    if error.kind() != ErrorKind::UndefinedError {
        return match error.detail() {
            Some(detail) => format!("{} ({detail})", error.kind()),
            None => error.kind().to_string(),
        };
    }
    let used = error.name().and_then(|name| environment.get_template(name).ok());
    let mut unknown: Vec<Unknown> = used
        .iter()
        .flat_map(|template| template.undeclared_variables(true))
        .filter_map(|path| Unknown::of(&path, context))
        .collect();
    unknown.sort_by(|one, other| one.path.cmp(&other.path));
    let Some(first) = unknown.first() else {
        return "it uses a value that does not exist".to_owned();
    };
    let names: Vec<String> = unknown.iter().map(|unknown| format!("`{}`", unknown.path)).collect();
    let verb = if names.len() == 1 { "does" } else { "do" };
    format!("it uses {}, which {verb} not exist; {}", names.join(", "), first.there)
}

/// A name that leads to nothing.
struct Unknown {
    path: String,
    /// What there is in its place.
    there: String,
}

impl Unknown {
    fn of(path: &str, context: &Value) -> Option<Self> {
        if GIVEN.contains(&path) {
            return None;
        }
        let mut at = context.clone();
        let mut passed: Vec<&str> = Vec::new();
        for name in path.split('.') {
            let next = at.get_attr(name).unwrap_or(Value::UNDEFINED);
            if next.is_undefined() {
                let names: Vec<String> = at
                    .try_iter()
                    .into_iter()
                    .flatten()
                    .filter_map(|key| key.as_str().map(str::to_owned))
                    .collect();
                let there = match (names.is_empty(), passed.is_empty()) {
                    (true, _) => format!("`{}` has no such parts", passed.join(".")),
                    (false, true) => format!("there are {}", names.join(", ")),
                    (false, false) => format!("`{}` has {}", passed.join("."), names.join(", ")),
                };
                return Some(Self { there, path: path.to_owned() });
            }
            passed.push(name);
            at = next;
        }
        None
    }
}
