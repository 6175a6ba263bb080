//! Questions to a person, as text: what is asked, what was answered, and how to answer.

use std::path::Path;

use cogwork_schemas::{Feature, FeatureId, HumanField, HumanFieldKind, HumanRequest, Status};

use super::run::{quoted, relative};
use crate::terminal::{clean, cut};

/// Returns the question with its fields, a line for each.
pub(super) fn asked(request: &HumanRequest) -> String {
    let mut text = String::new();
    for line in request.prompt.lines() {
        text.push_str(&format!("{}\n", clean(line)));
    }
    for field in &request.fields {
        text.push_str(&format!("  {}: {}\n", clean(&field.id), label(field)));
    }
    text
}

/// Returns what to fill in: the label, and what is taken.
pub(super) fn label(field: &HumanField) -> String {
    let kind = match field.kind {
        HumanFieldKind::Text => None,
        HumanFieldKind::Textarea => Some("several lines".to_owned()),
        HumanFieldKind::Boolean => Some("yes or no".to_owned()),
        HumanFieldKind::Select => {
            let options = field.options.iter().map(|option| match option.value == option.label {
                true => clean(&option.value),
                false => format!("{} ({})", clean(&option.value), clean(&option.label)),
            });
            Some(format!("one of {}", options.collect::<Vec<_>>().join(", ")))
        }
    };
    let example = field.placeholder.as_deref().filter(|example| !example.trim().is_empty());
    let notes = [
        kind,
        example.map(|example| format!("such as {}", clean(example))),
        (!field.required).then(|| "may be left out".to_owned()),
    ];
    let notes: Vec<_> = notes.into_iter().flatten().collect();
    match notes.is_empty() {
        true => clean(&field.label),
        false => format!("{} [{}]", clean(&field.label), notes.join("; ")),
    }
}

/// Returns the answer to the last question, a line for each field.
pub(super) fn answered(feature: &Feature) -> String {
    let Some(response) = &feature.human_response else { return String::new() };
    let label = |id: &str| {
        let fields = feature.human_request.iter().flat_map(|request| &request.fields);
        fields.into_iter().find(|field| field.id == id).map_or(id, |field| &field.label).to_owned()
    };
    let line = |(id, answer): (&String, &cogwork_schemas::Answer)| {
        format!("  {}: {}\n", clean(&label(id)), clean(&answer.to_string()))
    };
    let mut text = format!("answered at {}\n", response.responded_at);
    text.extend(response.fields.iter().map(line));
    text
}

/// Returns the command that answers, with something in the place of each required field.
pub(super) fn command(id: FeatureId, request: &HumanRequest, dir: &Path) -> String {
    let mut text = format!("cogwork answer {}", id.0);
    for field in request.fields.iter().filter(|field| field.required) {
        let value = match field.kind {
            HumanFieldKind::Text | HumanFieldKind::Textarea => "TEXT",
            HumanFieldKind::Boolean => "yes",
            HumanFieldKind::Select => field.options.first().map_or("VALUE", |option| &option.value),
        };
        text.push_str(&format!(" --field {}", quoted(&format!("{}={value}", field.id))));
    }
    format!("{text} --project-dir {}", quoted(&relative(dir).to_string_lossy()))
}

/// Returns a line for each feature that waits for a person: what is asked and how to answer.
pub(super) fn open(features: &[Feature], dir: &Path) -> String {
    let waiting = features.iter().filter(|feature| feature.status == Status::NeedsHuman);
    let dir = quoted(&relative(dir).to_string_lossy());
    let line = |feature: &Feature| {
        let prompt = feature.human_request.as_ref().map_or("", |request| &request.prompt);
        let id = feature.id;
        format!("{id} asks you: {}\n  cogwork answer {} --project-dir {dir}\n", cut(prompt, 100), id.0)
    };
    waiting.map(line).collect()
}
