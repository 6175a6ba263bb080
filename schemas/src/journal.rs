//! The journal: an append-only record of every change of state, written in the same transaction as the change.
//!
//! It is also the one event stream: what the terminal shows, what `--json` prints and what a person reads the
//! next morning are these same entries.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    AttemptId, AttemptOutcome, Check, CheckPhase, CheckReport, FeatureId, HumanRequest, HumanResponse,
    Isolation, ProcessIdentity, Proof, Role, RunOutcome, SessionId, SessionOutcome,
};

/// One journal entry. `seq` only grows, without gaps a reader has to understand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    pub seq: i64,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    pub fact: Fact,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fact {
    /// A run took hold of the project.
    RunStarted { process: ProcessIdentity, agent: String, slots: u32, isolation: Isolation },
    /// A run let go of the project.
    RunEnded { result: RunOutcome },
    /// A feature came into being.
    Created { name: String },
    /// A session was given to an agent.
    SessionStarted { role: Role, agent: String },
    /// The process that runs a session was started.
    SessionUp { process: ProcessIdentity },
    /// A session's agent and all its processes are gone. `agent_ms` is how long the agent itself ran.
    SessionEnded { result: SessionOutcome, agent_ms: u64 },
    /// A feature was taken; the attempt's number and token were made in the same moment.
    Claimed { number: u32 },
    /// One run of one check.
    Checked { phase: CheckPhase, commit: Option<String>, report: CheckReport },
    /// All checks of a feature, before the work: `red` of them are red, as they should be.
    ChecksRed { red: u32, total: u32 },
    /// All checks of a feature were green before any work.
    ChecksAlreadyGreen { total: u32 },
    /// All checks of a feature are green after the work; it waits to be integrated.
    ChecksGreen { total: u32, commit: Option<String>, proof: Proof },
    /// The agent says that a feature without checks is done; it waits to be integrated.
    SaidDone { commit: Option<String> },
    /// The work is on the main branch and the feature passes.
    Integrated { commit: Option<String>, proof: Proof, merge_ms: u64, check_ms: u64 },
    /// An attempt ended without landing.
    AttemptEnded { result: AttemptOutcome, failed_attempts: u32 },
    /// A feature reached its attempt limit and is given up.
    Parked { reason: String },
    /// A parked feature is given another chance by a person.
    Retried,
    /// A passing feature was taken for a test; it passes on until something wrong is found.
    Inspected { number: u32 },
    /// A session found that a feature does not work. It was passing when `reopened`, and is claimed by that session
    /// now.
    ReportedFailing { reason: String, reopened: bool },
    /// An attempt left a note for the next one at its feature.
    NoteLeft { text: String },
    /// A feature was put behind all others.
    Skipped { priority: i64, reason: Option<String> },
    /// A feature depends on these now.
    DependenciesChanged { dependencies: Vec<FeatureId> },
    /// Other checks decide about a feature, on which nobody has begun to work.
    ChecksChanged { checks: Vec<Check> },
    /// A feature is no more, and nothing depends on it.
    Deleted { name: String },
    /// A feature waits for a person's answer.
    HumanAsked { request: HumanRequest },
    /// A person answered, and the feature can go on.
    HumanAnswered { response: HumanResponse },
    /// So many entries before this one were not shown to whoever reads this, who did not read them in time. Only in the
    /// output of a run, with the number of the last entry that was shown; never in the journal.
    NotShown { entries: u64 },
    /// The state of another program was taken over. `left_out` says what of it has no place here.
    Adopted { source: String, features: u32, left_out: Vec<String> },
}
