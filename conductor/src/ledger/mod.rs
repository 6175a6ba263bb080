//! The ledger: what a run asks of the state of its project, in two closed enums, and what can come of it.
//!
//! A [`Call`] is one transaction or one question. A [`Clerk`] carries it out on a store, for the real
//! port, which does so on a thread of its own, and for the simulated one alike. What can go wrong has a [`Fault`], whose
//! class says what to do: the store decides it, in one place.

mod deeds;
mod thread;

use std::collections::BTreeMap;

use cogwork_schemas::{
    Asker, AttemptId, AttemptOutcome, CheckReport, Command, Entry, Feature, FeatureId, Isolation,
    LandingOutcome, LandingWait, ProcessIdentity, RunOutcome, SessionId, SessionOutcome, StartHold, Token,
};
use cogwork_store::graph::Node;
use cogwork_store::{AttemptLimits, Merge, NewLanding, NewRun, NewSession, Taken};
use jiff::SignedDuration;

pub use deeds::{Clerk, NewSecret, Owners, changes_after};
pub use thread::LedgerThread;

use crate::ports::RequestId;

/// Which call is answered. The same call keeps its id until its answer is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// One thing that is asked of the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Record that the run begins.
    BeginRun { new: NewRun },
    /// Claim a feature for a new session of the run. Answered by [`Answer::Claimed`].
    Claim { feature: FeatureId, new: NewSession, lease: SignedDuration },
    /// Record which process runs a session.
    Up { session: SessionId, process: ProcessIdentity },
    /// End a session whose runner could not be started, and give its claim back.
    NotStarted { session: SessionId, attempt: AttemptId, outcome: SessionOutcome, limits: AttemptLimits },
    /// Ask what a session has taken, once its runner has reported its end. Answered by [`Answer::Taken`].
    Taken { session: SessionId },
    /// End a session whose runner is gone without a report. Answered by [`Answer::Taken`].
    Lost { session: SessionId, reason: String },
    /// Record that an attempt ended without landing. Answered by [`Answer::Nodes`].
    EndAttempt { feature: FeatureId, attempt: AttemptId, outcome: AttemptOutcome, limits: AttemptLimits },
    /// Ask for all that landing an attempt takes. Answered by [`Answer::Job`].
    Job { attempt: AttemptId },
    /// Record what the work of an attempt waits for before it can land.
    LandingWaits { attempt: AttemptId, wait: LandingWait },
    /// Record what checks said of a merge that does not land.
    RecordMerged { attempt: AttemptId, commit: Option<String>, reports: Vec<CheckReport> },
    /// Record that the main branch is about to be moved to the work of an attempt.
    BeginLanding { attempt: AttemptId, landing: NewLanding },
    /// Record that it was not moved after all.
    EndLanding { attempt: AttemptId, outcome: LandingOutcome },
    /// Record that the work of an attempt is on the main branch.
    Land { attempt: AttemptId, merge: Merge },
    /// Record why a slot stays free.
    SlotIdle { slot: u32, hold: StartHold },
    /// Record why a feature that is ready is not started in a slot that is free.
    StartAvoided { feature: FeatureId, hold: StartHold },
    /// Record what the run was asked, and whether the project is paused because of it.
    RecordCommand { request: Option<RequestId>, command: Command, by: Asker },
    /// Let no session take a further feature.
    CloseBatches,
    /// Take back claims whose lease ran out and whose owner is gone. Answered by [`Answer::Nodes`].
    Reap { lease: SignedDuration, limits: AttemptLimits },
    /// Ask for all features, where the view of them may be wrong. Answered by [`Answer::Nodes`].
    Nodes,
    /// Record that the run is over.
    EndRun { outcome: RunOutcome },
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Done,
    Claimed {
        session: SessionId,
        attempt: AttemptId,
        token: Token,
        check_s: u64,
    },
    Taken(Vec<Taken>),
    Job(Box<Job>),
    /// The features as they are; `gone` are no more.
    Nodes {
        nodes: Vec<Node>,
        gone: Vec<FeatureId>,
    },
}

/// Why a call was not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The world has moved: a rule says no, and nothing was changed. `not_yet` when it may say yes later.
    Refused { reason: String, not_yet: bool },
    /// Nothing was changed, and the same call may be answered later: a lock is held, the disk is full.
    Again { reason: String },
    /// It may have been carried out or not: the same call, under the same id, finds out.
    Unknown { reason: String },
    /// The state of the project cannot be used any more.
    Fatal { reason: String },
}

/// All that landing an attempt takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub feature: Feature,
    pub attempt: AttemptId,
    pub session: SessionId,
    pub isolation: Isolation,
    /// The commit whose checks were green.
    pub commit: Option<String>,
    /// The commit that the work starts from.
    pub base: Option<String>,
    /// Commits of the same session that did not land: they must be no part of this.
    pub foreign: Vec<String>,
}

/// What the journal gained.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub entries: Vec<Entry>,
    /// Where to go on: behind what a later program wrote and this one passes over, too.
    pub through: i64,
    /// The features that all of it is about, as they are now; `gone` are no more.
    pub nodes: Vec<Node>,
    pub gone: Vec<FeatureId>,
    /// How many seconds the checks may take of features that were claimed.
    pub check_s: BTreeMap<FeatureId, u64>,
}

impl Call {
    /// The names of all calls.
    pub const KINDS: [&'static str; 20] = [
        "begin_run",
        "claim",
        "up",
        "not_started",
        "taken",
        "lost",
        "end_attempt",
        "job",
        "landing_waits",
        "record_merged",
        "begin_landing",
        "end_landing",
        "land",
        "slot_idle",
        "start_avoided",
        "record_command",
        "close_batches",
        "reap",
        "nodes",
        "end_run",
    ];

    /// Returns the name of the call, as [`Call::KINDS`] has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BeginRun { .. } => "begin_run",
            Self::Claim { .. } => "claim",
            Self::Up { .. } => "up",
            Self::NotStarted { .. } => "not_started",
            Self::Taken { .. } => "taken",
            Self::Lost { .. } => "lost",
            Self::EndAttempt { .. } => "end_attempt",
            Self::Job { .. } => "job",
            Self::LandingWaits { .. } => "landing_waits",
            Self::RecordMerged { .. } => "record_merged",
            Self::BeginLanding { .. } => "begin_landing",
            Self::EndLanding { .. } => "end_landing",
            Self::Land { .. } => "land",
            Self::SlotIdle { .. } => "slot_idle",
            Self::StartAvoided { .. } => "start_avoided",
            Self::RecordCommand { .. } => "record_command",
            Self::CloseBatches => "close_batches",
            Self::Reap { .. } => "reap",
            Self::Nodes => "nodes",
            Self::EndRun { .. } => "end_run",
        }
    }
}
