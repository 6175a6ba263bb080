//! `feature_get_by_id`: one feature, whole or one long field of it.

mod past;

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, Check, Feature, FeatureId, Proof, SessionId, Status, Summary};
use cogwork_store::Store;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

use past::Earlier;

/// Characters of JSON that one part of a long field may take.
const PART_CHARS: usize = 8_000;

/// One feature with everything that somebody who builds it has to know.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Detail {
    id: FeatureId,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    name: String,
    category: String,
    status: Status,
    passes: bool,
    in_progress: bool,
    needs_human_input: bool,
    /// Set by a claim: whether it was this session's before the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) already_claimed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) claimed_by_you: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
    priority: i64,
    failed_attempts: u32,
    /// How the last attempt ended, while it does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_attempt: Option<String>,
    /// What earlier attempts came to, oldest first; set by a claim.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    earlier_attempts: Vec<Earlier>,
    /// What the last of those that tried left for the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// What was said when it was found not to work, while it does not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    reported_failing: Option<String>,
    /// What a person was asked last.
    #[serde(skip_serializing_if = "Option::is_none")]
    human_input_request: Option<String>,
    /// What the person answered, by the id of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    human_input_response: Option<BTreeMap<String, Answer>>,
    /// The dependencies that do not pass yet.
    blocked_by: Vec<FeatureId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dependencies: Option<Vec<Dependency>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<CheckView>>,
    /// Set when one field was asked for; the other long fields are left out then.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// A feature that has to pass first.
#[derive(Debug, Serialize, JsonSchema)]
struct Dependency {
    id: FeatureId,
    name: String,
    status: Status,
}

impl From<Summary> for Dependency {
    fn from(summary: Summary) -> Self {
        Self { id: summary.id, name: short(&summary.name), status: summary.status }
    }
}

/// A command that decides.
#[derive(Debug, Serialize, JsonSchema)]
struct CheckView {
    command: String,
    timeout_s: u32,
}

impl From<Check> for CheckView {
    fn from(check: Check) -> Self {
        Self { command: check.command, timeout_s: check.timeout_s }
    }
}

/// A field that can be longer than an answer.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Field {
    Dependencies,
    Description,
    Steps,
    Checks,
}

/// Which part of a field an answer holds: characters of a text, items of a list.
#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    field: Field,
    offset: usize,
    total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

impl Detail {
    /// Reads one feature and what it depends on.
    ///
    /// # Errors
    /// When there is no such feature or the store fails.
    pub(super) fn read(store: &Store, id: FeatureId) -> Result<Self, ToolError> {
        let feature = store.feature(id)?;
        let dependencies = match feature.dependencies.is_empty() {
            true => Vec::new(),
            false => store.dependencies(id)?.into_iter().map(Dependency::from).collect(),
        };
        let mut detail = Self::of(feature, dependencies);
        if !detail.passes {
            detail.last_attempt = store.last_outcome(id)?.map(|outcome| outcome.to_string());
            detail.reported_failing = store.last_report(id)?;
            detail.note = store.note(id)?.map(|note| note.text);
        }
        Ok(detail)
    }

    /// Adds what earlier attempts came to, for whoever makes the next one.
    ///
    /// # Errors
    /// The store's.
    pub(super) fn with_past(mut self, store: &Store) -> Result<Self, ToolError> {
        self.earlier_attempts = Earlier::all(&store.past_of(self.id)?.failures);
        Ok(self)
    }

    fn of(feature: Feature, dependencies: Vec<Dependency>) -> Self {
        let not_passing = dependencies.iter().filter(|dependency| dependency.status != Status::Passing);
        Self {
            id: feature.id,
            key: feature.key,
            name: feature.name,
            category: feature.category,
            status: feature.status,
            passes: feature.status == Status::Passing,
            in_progress: feature.status == Status::Claimed,
            needs_human_input: feature.status == Status::NeedsHuman,
            already_claimed: None,
            claimed_by_you: None,
            claimed_by: feature.session,
            proof: feature.proof,
            priority: feature.priority,
            failed_attempts: feature.failed_attempts,
            last_attempt: None,
            earlier_attempts: Vec::new(),
            note: None,
            reported_failing: None,
            human_input_request: feature.human_request.map(|request| request.prompt),
            human_input_response: feature.human_response.map(|response| response.fields),
            blocked_by: not_passing.map(|dependency| dependency.id).collect(),
            dependencies: Some(dependencies),
            description: Some(feature.description),
            steps: Some(feature.steps),
            checks: Some(feature.checks.into_iter().map(CheckView::from).collect()),
            part: None,
            hint: None,
        }
    }

    /// Returns whether anything but the agent's word decides.
    pub(super) fn has_checks(&self) -> bool {
        self.checks.as_ref().is_some_and(|checks| !checks.is_empty())
    }

    /// Returns what somebody who takes it up should look at first, as sentences.
    pub(super) fn news(&self) -> String {
        let reported = self.reported_failing.as_ref();
        let tried =
            (!self.earlier_attempts.is_empty()).then_some("It was tried before: see earlier_attempts. ");
        let answered = self.human_input_response.as_ref();
        [
            reported.map(|_| "It was found not to work: see reported_failing. "),
            tried,
            self.note.as_ref().map(|_| "A note was left for you: see note. "),
            answered.map(|_| "A person has answered the question: see human_input_response. "),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Keeps one long field, from `offset` on and as much of it as an answer has room for.
    fn only(mut self, field: Field, offset: usize) -> Self {
        let (mut dependencies, mut description) = (self.dependencies.take(), self.description.take());
        let (mut steps, mut checks) = (self.steps.take(), self.checks.take());
        let (total, taken) = match field {
            Field::Dependencies => cut_list(&mut dependencies, offset),
            Field::Description => cut_text(&mut description, offset),
            Field::Steps => cut_list(&mut steps, offset),
            Field::Checks => cut_list(&mut checks, offset),
        };
        match field {
            Field::Dependencies => self.dependencies = dependencies,
            Field::Description => self.description = description,
            Field::Steps => self.steps = steps,
            Field::Checks => self.checks = checks,
        }
        let end = offset.saturating_add(taken);
        self.part = Some(Part { field, offset, total, next_offset: (end < total).then_some(end) });
        self
    }
}

/// Cuts a text to its part from `offset` on; returns the characters it had and those that are left.
fn cut_text(text: &mut Option<String>, offset: usize) -> (usize, usize) {
    let whole = text.take().unwrap_or_default();
    let mut room = PART_CHARS;
    let fits = |c: &char| {
        // A character takes as much room as its escape in JSON.
        let size = serde_json::to_string(c).map_or(1, |json| json.chars().count().saturating_sub(2));
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    let part: String = whole.chars().skip(offset).take_while(fits).collect();
    let taken = part.chars().count();
    *text = Some(part);
    (whole.chars().count(), taken)
}

/// Cuts a list to its part from `offset` on; returns the items it had and those that are left.
fn cut_list<T: Serialize>(list: &mut Option<Vec<T>>, offset: usize) -> (usize, usize) {
    let whole = list.take().unwrap_or_default();
    let total = whole.len();
    let mut room = PART_CHARS;
    let mut part = Vec::new();
    for item in whole.into_iter().skip(offset) {
        let size = serde_json::to_string(&item).map_or(0, |json| json.chars().count() + 1);
        if size > room && !part.is_empty() {
            break;
        }
        room = room.saturating_sub(size);
        part.push(item);
    }
    let taken = part.len();
    *list = Some(part);
    (total, taken)
}

#[derive(Debug, Deserialize, JsonSchema)]
struct ByIdArgs {
    /// The feature's id.
    feature_id: FeatureId,
    /// Only this field, from `offset` on; for a feature too long for one answer.
    field: Option<Field>,
    /// Where to begin in `field`: characters of a text, items of a list. Default 0.
    offset: Option<i64>,
}

#[tool_router(router = detail_router, vis = "pub(super)")]
impl Server {
    /// One feature with its description, steps, checks (the commands that decide whether it passes) and
    /// dependencies. Call it before working on a feature.
    #[tool(
        title = "Get feature",
        input_schema = schema::input::<ByIdArgs>(),
        output_schema = schema::output::<Detail>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_by_id(&self, Args(args): Args<ByIdArgs>) -> Result<Out<Detail>, ToolError> {
        let detail = self.database().look(move |store| Detail::read(store, args.feature_id)).await?;
        let offset = usize::try_from(args.offset.unwrap_or(0)).unwrap_or(0);
        Ok(Out(match args.field {
            Some(field) => detail.only(field, offset),
            None => detail,
        }))
    }
}

#[cfg(test)]
mod tests;
