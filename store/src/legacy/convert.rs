//! What the features of the original are here, and what of them has no place. Pure.
//!
//! Every feature is taken, under its number. What cannot stand is left out and named, down to the single dependency.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{Feature, FeatureId, Proof, Status};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::human;
use super::source::{Found, MissingPriority};
use crate::import::{HIGHEST_ID, PRIORITY_BOUND};

/// The priority that the original gave to a feature without one.
const LATE: i64 = 999;

/// What its columns and fields are called. The one of these that goes without a word is `in_progress`: whoever
/// worked on it does so no more.
const KNOWN: [&str; 12] = [
    "id",
    "priority",
    "category",
    "name",
    "description",
    "steps",
    "passes",
    "in_progress",
    "dependencies",
    "needs_human_input",
    "human_input_request",
    "human_input_response",
];

/// What is to be written.
#[derive(Debug)]
pub(super) struct Converted {
    /// The file, relative to the project.
    pub(super) source: String,
    /// By id; their dependencies exist and close no circle.
    pub(super) features: Vec<Feature>,
    pub(super) left_out: Vec<String>,
}

pub(super) fn convert(found: Found, now: Timestamp) -> Converted {
    let Found { source, features: mut raw, priority, mut left_out } = found;
    left_out.extend(unknown_fields(&raw));
    let numbers = Numbers::of(&raw, &mut left_out);
    let mut features = BTreeMap::new();
    for (place, fields) in raw.iter_mut().enumerate() {
        let id = numbers.given[place];
        let missing = match priority {
            MissingPriority::Late => LATE,
            MissingPriority::Place => i64::try_from(place).unwrap_or(i64::MAX).saturating_add(1),
        };
        features.insert(id, Reading { id, fields, left_out: &mut left_out }.feature(missing, &numbers, now));
    }
    cut_circles(&mut features, &mut left_out);
    Converted { source, features: features.into_values().collect(), left_out }
}

/// Counts the values under names that mean nothing here.
fn unknown_fields(raw: &[Map<String, Value>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, value) in raw.iter().flatten() {
        let says_nothing = value.is_null() || value.as_f64() == Some(0.0) || *value == Value::Bool(false);
        if !KNOWN.contains(&name.as_str()) && !says_nothing {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.into_iter().map(|(name, count)| format!("`{name}` of {count} features")).collect()
}

/// Which number each feature has here.
struct Numbers {
    /// By its place.
    given: Vec<FeatureId>,
    /// By the number that dependencies call it.
    called: BTreeMap<i64, FeatureId>,
}

impl Numbers {
    /// Leaves every feature its number; one without gets that of its place, or the next free one.
    fn of(raw: &[Map<String, Value>], left_out: &mut Vec<String>) -> Self {
        let own: Vec<Option<i64>> = raw.iter().map(|fields| fields.get("id").and_then(integer)).collect();
        let mut called = BTreeMap::new();
        let mut given: Vec<Option<FeatureId>> = vec![None; raw.len()];
        let places = || (1_i64..).map(Some);
        for wanted in [own.clone(), places().take(raw.len()).collect()] {
            for (place, wanted) in wanted.into_iter().enumerate() {
                let (None, Some(number)) = (given[place], wanted) else { continue };
                let is_its_own = own[place].is_none_or(|own| own == number);
                if is_its_own && (1..=HIGHEST_ID).contains(&number) && !called.contains_key(&number) {
                    called.insert(number, FeatureId(number));
                    given[place] = Some(FeatureId(number));
                }
            }
        }
        let mut next = called.keys().next_back().copied().unwrap_or(0);
        let given = given.into_iter().enumerate().map(|(place, id)| {
            id.unwrap_or_else(|| {
                next = next.saturating_add(1);
                if let Some(number) = own[place] {
                    let is_number = (1..=HIGHEST_ID).contains(&number);
                    let why = if is_number { "another one has" } else { "is no number for a feature" };
                    left_out.push(format!("the number {number}, which {why}: that feature is #{next}"));
                    called.entry(number).or_insert(FeatureId(next));
                }
                FeatureId(next)
            })
        });
        Self { given: given.collect(), called }
    }
}

/// The reading of one feature.
struct Reading<'a> {
    id: FeatureId,
    fields: &'a mut Map<String, Value>,
    left_out: &'a mut Vec<String>,
}

impl Reading<'_> {
    fn feature(mut self, missing_priority: i64, numbers: &Numbers, now: Timestamp) -> Feature {
        let id = self.id;
        let passing = self.flag("passes");
        let human_request = self.human("human_input_request", "a question", human::request);
        let human_response =
            self.human("human_input_response", "an answer", |value| human::response(value, now));
        let waits = self.flag("needs_human_input") && !passing;
        if waits && human_request.is_none() {
            self.leave_out("waits for a person no more: nobody can know what was asked");
        }
        let status = match (passing, waits && human_request.is_some()) {
            (true, _) => Status::Passing,
            (false, true) => Status::NeedsHuman,
            (false, false) => Status::Pending,
        };
        if status == Status::NeedsHuman && human_response.is_some() {
            self.leave_out("had an answer that is older than its question");
        }
        let human_response = human_response.filter(|_| status != Status::NeedsHuman);
        Feature {
            id,
            key: None,
            priority: self.priority(missing_priority),
            category: self.text("category").unwrap_or_else(|| "uncategorized".to_owned()),
            name: self.text("name").unwrap_or_else(|| format!("Feature {}", id.0)),
            description: self.text("description").unwrap_or_default(),
            steps: self.steps(),
            status,
            // The original had an agent's word for it and nothing else.
            proof: passing.then_some(Proof::Unverified),
            dependencies: self.dependencies(numbers),
            checks: Vec::new(),
            estimate_s: None,
            failed_attempts: 0,
            session: None,
            human_request,
            human_response,
        }
    }

    fn take(&mut self, name: &str) -> Value {
        self.fields.remove(name).unwrap_or_default()
    }

    fn leave_out(&mut self, what: &str) {
        self.left_out.push(format!("{} {what}", self.id));
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.take(name) {
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => matches!(text.trim().to_lowercase().as_str(), "1" | "true" | "t" | "yes"),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }

    /// Returns a text that says something.
    fn text(&mut self, name: &str) -> Option<String> {
        plain(self.take(name)).filter(|text| !text.trim().is_empty())
    }

    fn priority(&mut self, missing: i64) -> i64 {
        let value = self.take("priority");
        if value.is_null() {
            return missing;
        }
        let Some(priority) = integer(&value) else {
            self.leave_out(&format!("had the priority {value}, which is no number: it has {missing}"));
            return missing;
        };
        let kept = priority.clamp(-PRIORITY_BOUND, PRIORITY_BOUND);
        if kept != priority {
            self.leave_out(&format!("had the priority {priority}: it has {kept}"));
        }
        kept
    }

    fn steps(&mut self) -> Vec<String> {
        match self.take("steps") {
            Value::Array(items) => items.into_iter().filter_map(plain).collect(),
            // Prose that was never a list, or one that was cut off: it is one step.
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Object(_)) => plain(other).filter(|text| !text.trim().is_empty()).into_iter().collect(),
        }
    }

    fn dependencies(&mut self, numbers: &Numbers) -> Vec<FeatureId> {
        let items = match self.take("dependencies") {
            Value::Null => Vec::new(),
            Value::Array(items) => items,
            other @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                self.leave_out(&format!("had the dependencies {other}, which are no list of numbers"));
                Vec::new()
            }
        };
        let mut dependencies = BTreeSet::new();
        for item in items {
            match integer(&item).map(|number| numbers.called.get(&number)) {
                Some(Some(id)) if *id == self.id => self.leave_out("depended on itself"),
                Some(Some(id)) => {
                    dependencies.insert(*id);
                }
                Some(None) => self.leave_out(&format!("depended on {item}, which does not exist")),
                None => self.leave_out(&format!("depended on {item}, which is no number")),
            }
        }
        dependencies.into_iter().collect()
    }

    fn human<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl FnOnce(Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(name);
        if value.is_null() {
            return None;
        }
        let read = read(value);
        if let Err(reason) = &read {
            self.leave_out(&format!("had {what} that cannot be read: {reason}"));
        }
        read.ok()
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => {
            number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
        }
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Some(other.to_string())
        }
    }
}

/// Removes from every circle of dependencies the one that closes it, seen from the lowest number.
fn cut_circles(features: &mut BTreeMap<FeatureId, Feature>, left_out: &mut Vec<String>) {
    let (mut seen, mut on_way, mut cut) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for start in features.keys().copied() {
        if !seen.insert(start) {
            continue;
        }
        on_way.insert(start);
        // Not by recursion: a chain may be as long as the project.
        let mut way = vec![(start, 0)];
        while let Some((id, next)) = way.last_mut() {
            let target = features.get(id).and_then(|feature| feature.dependencies.get(*next)).copied();
            let Some(target) = target else {
                on_way.remove(id);
                way.pop();
                continue;
            };
            *next += 1;
            if on_way.contains(&target) {
                cut.push((*id, target));
            } else if seen.insert(target) {
                on_way.insert(target);
                way.push((target, 0));
            }
        }
    }
    for (id, target) in cut {
        if let Some(feature) = features.get_mut(&id) {
            feature.dependencies.retain(|dependency| *dependency != target);
        }
        left_out.push(format!("{id} depended on {target}, which depends on it: that was a circle"));
    }
}
