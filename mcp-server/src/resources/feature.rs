//! One feature as a page of markdown.

use cogwork_schemas::{Check, Feature, FeatureId, HumanField, Summary};
use cogwork_store::Store;
use serde::Serialize;

use crate::answer::{cut, short};
use crate::error::ToolError;
use crate::schema::one_line;

/// The part of the room that is the description's whatever else there is.
const DESCRIPTION_SHARE: usize = 2;

/// Room for the lines that say what is missing, and for the headings.
const MARKS_CHARS: usize = 800;

/// Room for the title and where the feature stands.
const HEAD_CHARS: usize = 1_200;

/// Returns a feature's page in at most `room` characters; what is cut says how to get the rest.
///
/// # Errors
/// When there is no such feature, or the store fails.
pub(crate) fn feature(store: &Store, id: FeatureId, room: usize) -> Result<String, ToolError> {
    let feature = store.feature(id)?;
    let graph = store.graph()?;
    let needs = store.dependencies(id)?;
    let line = |other: &Summary| {
        format!("- {} {}: {}", other.id, short(&one_line(&other.name)), word(&other.status))
    };
    let dependencies = needs.iter().map(line).collect();
    let answers = answers(&feature);
    let why = graph.hold(id).map(|hold| hold.in_words());
    let head = cut(&head(&feature, why), HEAD_CHARS);
    let steps =
        feature.steps.iter().enumerate().map(|(n, step)| format!("{}. {}", n + 1, step.trim())).collect();
    let checks = feature.checks.iter().map(check).collect();
    let lists = [
        ("Answered by a person", "human_response", answers),
        ("Steps", "steps", steps),
        ("Checks", "checks", checks),
        ("Dependencies", "dependencies", dependencies),
    ];

    let mut room = room.saturating_sub(head.chars().count() + MARKS_CHARS);
    let lists_room = room - room / DESCRIPTION_SHARE;
    let mut below = String::new();
    for (index, (title, field, lines)) in lists.into_iter().enumerate() {
        // Each list may take an equal share of what those before it left.
        let share = lists_room.saturating_sub(below.chars().count()) / (4 - index);
        below.push_str(&section(title, field, lines, share, id));
    }
    room = room.saturating_sub(below.chars().count());
    Ok(format!("{head}{}{below}", description(&feature, room)).trim_end().to_owned())
}

fn head(feature: &Feature, why: Option<(String, String)>) -> String {
    let mut lines = vec![format!("# {} {}\n", feature.id, short(&one_line(&feature.name)))];
    let (why, next) = why.unwrap_or_default();
    lines.push(format!("Status: {}. It {why}. {next}", word(&feature.status)));
    if let Some(proof) = feature.proof {
        lines.push(format!("Proof: {}", word(&proof)));
    }
    if feature.failed_attempts > 0 {
        lines.push(format!("Failed attempts: {}", feature.failed_attempts));
    }
    if !feature.category.is_empty() {
        lines.push(format!("Category: {}", short(&feature.category)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What a person answered last, under the labels they saw.
fn answers(feature: &Feature) -> Vec<String> {
    let (Some(request), Some(response)) = (&feature.human_request, &feature.human_response) else {
        return Vec::new();
    };
    let answered = |field: &HumanField| {
        let answer = response.fields.get(&field.id)?.to_string();
        Some(format!("- {}: {}", one_line(&field.label), one_line(&answer)))
    };
    request.fields.iter().filter_map(answered).collect()
}

/// Returns a value as the word it has everywhere else.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn description(feature: &Feature, room: usize) -> String {
    let text = feature.description.trim();
    if text.is_empty() {
        return String::new();
    }
    let total = feature.description.chars().count();
    if total <= room {
        return format!("\n{text}\n");
    }
    let shown: String = feature.description.chars().take(room).collect();
    let rest = rest(&format!("{room} of {total} characters"), "description", room, feature.id);
    format!("\n{}\n\n{rest}\n", shown.trim())
}

/// A check as code, whatever marks its command holds.
fn check(check: &Check) -> String {
    let command = one_line(&check.command);
    let mark = if command.contains('`') { "``" } else { "`" };
    let blank = if command.contains('`') { " " } else { "" };
    format!("- {mark}{blank}{command}{blank}{mark} (at most {} s)", check.timeout_s)
}

/// A list under its title, as many whole lines of it as there is room for.
fn section(title: &str, field: &str, lines: Vec<String>, mut room: usize, id: FeatureId) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let (total, mut shown) = (lines.len(), Vec::new());
    for line in lines {
        let chars = line.chars().count() + 1;
        if chars > room {
            break;
        }
        room -= chars;
        shown.push(line);
    }
    if shown.len() < total {
        shown.push(rest(&format!("{} of {total}", shown.len()), field, shown.len(), id));
    }
    format!("\n## {title}\n\n{}\n", shown.join("\n"))
}

fn rest(what: &str, field: &str, offset: usize, id: FeatureId) -> String {
    format!(
        "… ({what}; feature_get_by_id with feature_id {}, field {field} and offset {offset} reads on)",
        id.0
    )
}

#[cfg(test)]
mod tests;
