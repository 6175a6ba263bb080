//! What a tool answers when it cannot do what was asked.
//!
//! One shape for all: `Error (code): what. next step.`, as a tool error the model reads. No SQL, no backtrace, no
//! JSON in it. For a tool, protocol errors exist for one case only, that it is not there; they are made in
//! [`crate::server`]. Resources and prompts have no other kind.

use std::borrow::Cow;
use std::fmt;

use cogwork_store::graph::Cycle;
use cogwork_store::{ListProblem, StoreError};
use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde_json::Value;

use crate::answer::cut;

/// Why a call failed; the word a model and a script can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// An argument has the wrong type or value, or is missing.
    InvalidArgument,
    /// There is no such feature.
    NotFound,
    /// The feature is in a state, or in hands, that do not allow it.
    Conflict,
    /// The feature is not among those this session was given.
    NotAssigned,
    /// This session's claim on the feature has ended.
    StaleToken,
    /// Checks of the feature are red.
    ChecksFailed,
    /// Features depend on each other in a circle.
    Cycle,
    /// More of something than is allowed.
    Limit,
    /// The directory is no Cogwork project.
    NoProject,
    /// The database was in use for too long.
    Busy,
    /// The client took the call back.
    Cancelled,
    /// Cogwork itself failed.
    Internal,
}

impl Code {
    fn word(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::NotAssigned => "not_assigned",
            Self::StaleToken => "stale_token",
            Self::ChecksFailed => "checks_failed",
            Self::Cycle => "cycle",
            Self::Limit => "limit",
            Self::NoProject => "no_project",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

/// A failed call, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolError {
    code: Code,
    what: String,
    next: String,
    detail: String,
}

impl ToolError {
    /// Makes an error of what happened, with the values, and what to do next: two plain sentences.
    pub(crate) fn new(code: Code, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { code, what: what.into(), next: next.into(), detail: String::new() }
    }

    /// Adds what a program printed, below the sentences. The caller bounds it.
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Returns the error for arguments that do not fit the tool's schema or its meaning: all that is wrong with them,
    /// each with its path.
    pub(crate) fn bad_arguments(problems: &[String]) -> Self {
        Self::new(Code::InvalidArgument, bounded(problems), "Correct the arguments and call again.")
    }

    /// Returns the error for features that cannot be made; `path` says where in the arguments an item stands.
    pub(crate) fn bad_list(problems: &[ListProblem], path: impl Fn(usize) -> String) -> Self {
        let told: Vec<String> = problems.iter().map(|problem| in_place(problem, &path)).collect();
        Self::bad_arguments(&told)
    }

    /// Returns the error for a failure inside Cogwork, which is logged with what the model need not know.
    pub(crate) fn internal(cause: &dyn fmt::Display) -> Self {
        tracing::error!(%cause, "a tool call failed inside Cogwork");
        Self::new(
            Code::Internal,
            "Cogwork failed while it answered this call; its log has the cause",
            "Do not retry; go on with other work and report it.",
        )
    }

    /// Returns the error for a call that its client took back before anything was changed.
    pub(crate) fn cancelled() -> Self {
        Self::new(
            Code::Cancelled,
            "the call was cancelled and nothing was changed",
            "Call again when you want the result.",
        )
    }

    /// Returns the error as one of the protocol, for what is no tool: `missing` makes the one for what is not there.
    pub(crate) fn in_protocol(
        &self,
        missing: impl FnOnce(Cow<'static, str>, Option<Value>) -> ErrorData,
    ) -> ErrorData {
        let what = Cow::from(format!("{}. {}", self.what.trim_end_matches('.'), self.next));
        match self.code {
            Code::NotFound => missing(what, None),
            Code::InvalidArgument
            | Code::Conflict
            | Code::NotAssigned
            | Code::StaleToken
            | Code::ChecksFailed
            | Code::Cycle
            | Code::Limit
            | Code::NoProject
            | Code::Busy
            | Code::Cancelled
            | Code::Internal => ErrorData::internal_error(what, None),
        }
    }

    /// Returns the code, for callers that go on after some errors.
    pub(crate) fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.trim_end_matches('.');
        write!(f, "Error ({}): {what}. {}", self.code.word(), self.next)?;
        if !self.detail.is_empty() {
            write!(f, "\n\n{}", self.detail)?;
        }
        Ok(())
    }
}

impl From<ToolError> for CallToolResponse {
    fn from(error: ToolError) -> Self {
        CallToolResult::error(vec![ContentBlock::text(error.to_string())]).into()
    }
}

impl IntoCallToolResult for ToolError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        Ok(self.into())
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        (&error).into()
    }
}

impl From<&StoreError> for ToolError {
    fn from(error: &StoreError) -> Self {
        use Code::{Busy, Conflict, Internal, InvalidArgument, Limit, NoProject, NotFound, StaleToken};
        let another = "Take another feature: feature_get_ready lists them.";
        match error {
            StoreError::UnknownFeature { id, highest } => {
                let highest = highest.map_or_else(
                    || "the project has no features yet".to_owned(),
                    |highest| format!("the highest id is {highest}"),
                );
                let what = format!("there is no feature {id}; {highest}");
                Self::new(
                    NotFound,
                    what,
                    "Call feature_get_ready or feature_get_blocked for the ids there are.",
                )
            }
            StoreError::NotClaimable { id, hold } => {
                let (why, next) = hold.in_words();
                Self::new(
                    Conflict,
                    format!("feature {id} cannot be claimed: it {why}"),
                    format!("{next} {another}"),
                )
            }
            StoreError::AlreadyClaimed { id, owner, since } => Self::new(
                Conflict,
                format!("feature {id} is claimed by session {owner} since {since}"),
                another,
            ),
            StoreError::StaleToken { feature, ended, .. } => {
                let name = feature.map_or_else(|| "the feature".to_owned(), |id| format!("feature {id}"));
                let how =
                    ended.as_ref().map_or_else(String::new, |word| format!(" ({})", word.replace('_', " ")));
                let what = format!(
                    "this session no longer owns {name}: its claim has ended{how}; nothing was changed"
                );
                Self::new(StaleToken, what, "Stop working on it and end the session.")
            }
            StoreError::NotGreen { .. } => Self::new(
                Conflict,
                error.to_string(),
                "The checks were changed meanwhile: call feature_mark_passing again.",
            ),
            StoreError::NothingCommitted { .. } => {
                Self::new(Conflict, error.to_string(), "Do that, and call feature_mark_passing again.")
            }
            StoreError::DependencyNotPassing { feature, waiting_for } => Self::new(
                Conflict,
                format!(
                    "feature {feature} is green but cannot pass yet: it depends on {}",
                    cogwork_schemas::listed(waiting_for)
                ),
                "Finish those first, then call feature_mark_passing again.",
            ),
            StoreError::Busy { .. } => Self::new(
                Busy,
                "the database was in use for too long and nothing was changed",
                "Retry the same call.",
            ),
            // A person mends the disk, and the work of the agent is not lost meanwhile.
            StoreError::DiskFull { .. }
            | StoreError::NotWritable { .. }
            | StoreError::DiskFailed { .. }
            | StoreError::Io { .. } => {
                tracing::error!(cause = source_chain(error), "the store cannot be used at this moment");
                Self::new(
                    Busy,
                    format!("{error}; nothing was changed"),
                    "Wait a minute and retry the same call; if it fails again, tell the person you work for.",
                )
            }
            StoreError::Unanswered { .. } => {
                tracing::error!(cause = source_chain(error), "an answer of the store was lost");
                Self::new(
                    Internal,
                    error.to_string(),
                    "feature_get_by_id shows whether it was made; retry the same call if it was not.",
                )
            }
            StoreError::Cycle(cycle) => Self::new(
                Code::Cycle,
                cycle.to_string(),
                "Leave the new one of these dependencies out, or remove another first.",
            ),
            StoreError::BadList { problems } => Self::bad_list(problems, |item| format!("features[{item}]")),
            StoreError::DependsOnItself { feature } => Self::new(
                InvalidArgument,
                format!("feature {feature} cannot depend on itself; nothing was changed"),
                "Name another feature.",
            ),
            StoreError::TooManyDependencies { feature, found, limit } => Self::new(
                Limit,
                format!(
                    "feature {feature} would have {found} dependencies, at most {limit} are allowed; nothing was changed"
                ),
                "Depend on fewer, or split the feature.",
            ),
            StoreError::WrongStatus { .. } | StoreError::Begun { .. } => Self::new(
                Conflict,
                format!("{error}; nothing was changed"),
                "feature_explain says how it stands and what comes next.",
            ),
            StoreError::BadQuestion { problems } => {
                let told: Vec<String> =
                    problems.iter().map(|(path, what)| format!("`{path}` {what}")).collect();
                Self::bad_arguments(&told)
            }
            StoreError::BadAnswer { misfits, .. } => Self::bad_arguments(misfits),
            StoreError::NoProject { .. } | StoreError::NoDirectory { .. } | StoreError::NotAdopted { .. } => {
                Self::new(
                    NoProject,
                    error.to_string(),
                    "Tell the person you work for; no feature tool works until then.",
                )
            }
            // Sentences for the person who looks after the machine; the model can only pass them on.
            StoreError::UnknownRun { .. }
            | StoreError::UnknownSession { .. }
            | StoreError::SessionOver { .. }
            | StoreError::NotSubmitted { .. }
            | StoreError::NotParked { .. }
            | StoreError::Misuse { .. }
            | StoreError::Newer { .. }
            | StoreError::OldSqlite { .. }
            | StoreError::NotOurs { .. }
            | StoreError::Replaced { .. }
            | StoreError::Corrupt { .. }
            | StoreError::DatabaseMissing { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::OwnerChanged { .. }
            | StoreError::NoRandomness { .. }
            | StoreError::JournalMode { .. }
            | StoreError::Database { .. } => {
                tracing::error!(cause = source_chain(error), "the store failed");
                Self::new(Internal, error.to_string(), "Do not retry; tell the person you work for.")
            }
        }
    }
}

impl From<Cycle> for ToolError {
    fn from(cycle: Cycle) -> Self {
        StoreError::from(cycle).into()
    }
}

/// Returns problems as one text: all of them, as far as an answer has room, and how many more there are.
fn bounded(problems: &[String]) -> String {
    const ROOM: usize = 9_000;
    const LONGEST: usize = 400;
    let (mut text, mut chars) = (String::new(), 0);
    for (index, problem) in problems.iter().enumerate() {
        let problem = cut(problem, LONGEST);
        chars += problem.chars().count() + 2;
        if chars > ROOM {
            return format!("{text}; and {} more", problems.len() - index);
        }
        if index > 0 {
            text.push_str("; ");
        }
        text.push_str(&problem);
    }
    text
}

fn in_place(problem: &ListProblem, path: impl Fn(usize) -> String) -> String {
    let field = if problem.field == "dependencies" { "depends_on" } else { problem.field };
    match problem.item.map(path) {
        None => problem.what.clone(),
        Some(item) if item.is_empty() => format!("`{field}`: {}", problem.what),
        Some(item) => format!("`{item}.{field}`: {}", problem.what),
    }
}

/// Returns an error with everything below it, for the log.
fn source_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        text.push_str(&format!(": {source}"));
        below = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
