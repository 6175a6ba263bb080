//! What the operations of the store take and give, beyond the shared vocabulary.

use std::fmt;

use cogwork_schemas::{
    Activity, AttemptId, AttemptOutcome, CheckPhase, CheckReport, FeatureId, Isolation, ListedFeature,
    NodeIdentity, ProcessIdentity, Proof, Role, RunId, SessionId, Token, Usage,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::activity::Waiting;

/// How large a feature list may be. The defaults stop a mistake, not a big project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLimits {
    /// Features in one list.
    pub features: usize,
    /// Characters of a name.
    pub name_chars: usize,
    /// Characters of a category.
    pub category_chars: usize,
    /// Characters of a key.
    pub key_chars: usize,
    /// Bytes of the description and of all steps together.
    pub text_bytes: usize,
    /// Dependencies of one feature.
    pub dependencies: usize,
    /// Checks of one feature.
    pub checks: usize,
}

impl Default for ImportLimits {
    fn default() -> Self {
        Self {
            features: 100_000,
            name_chars: 255,
            category_chars: 100,
            key_chars: 100,
            // A prompt carries all of it; more than this no agent reads.
            text_bytes: 100_000,
            dependencies: 1_000,
            checks: 100,
        }
    }
}

/// A feature to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewFeature {
    pub listed: ListedFeature,
    /// Further dependencies: places, from 0, in the list of which this feature is an item.
    pub depends_on_items: Vec<usize>,
}

impl From<ListedFeature> for NewFeature {
    fn from(listed: ListedFeature) -> Self {
        Self { listed, depends_on_items: Vec::new() }
    }
}

/// What is wrong with a list of features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListProblem {
    /// The place of the item, from 0; `None` when it is the list itself.
    pub item: Option<usize>,
    /// The field of the item; empty when it is the list itself.
    pub field: &'static str,
    /// What people call the item, if it is one.
    pub label: String,
    pub what: String,
}

impl fmt::Display for ListProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(_) => write!(f, "{}: {}", self.label, self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What an import did, each in the order of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Features that are new.
    pub created: Vec<FeatureId>,
    /// Features whose key was known before; they were left as they are.
    pub known: Vec<FeatureId>,
    /// Every item of the list, whether new or known.
    pub items: Vec<FeatureId>,
    /// The same call was answered before: this is that answer, and nothing was done now.
    #[serde(skip)]
    pub repeated: bool,
}

/// What was taken over from the original when a project began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    pub at: Timestamp,
    /// The file, relative to the project; it was left as it is.
    pub source: String,
    pub features: u32,
    /// What of it has no place here, each as a phrase.
    pub left_out: Vec<String>,
}

/// What a claim says about the session that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    pub role: Role,
    /// The agent backend as the command line names it.
    pub agent: String,
    pub isolation: Isolation,
    /// The run that starts it.
    pub run: Option<RunId>,
    /// Its place in that run, from 1.
    pub slot: Option<u32>,
    /// Whose allowance it uses.
    pub account: Option<String>,
    /// Where its process is to be looked for.
    pub node: Option<NodeIdentity>,
    /// The further features that it may take; none without.
    pub batch: Option<Batch>,
}

/// Further features that a session may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How many it may have, the first included.
    pub size: u32,
    /// How many sessions its run has at once: what a free slot would start is not for this one.
    pub slots: u32,
}

impl NewSession {
    /// Describes a session of no run, of which nothing more is known.
    pub fn new(role: Role, agent: impl Into<String>, isolation: Isolation) -> Self {
        let (run, slot, account, node, batch) = (None, None, None, None, None);
        Self { role, agent: agent.into(), isolation, run, slot, account, node, batch }
    }
}

/// A won claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub session: SessionId,
    pub attempt: AttemptId,
    /// What every later write has to show: the secret that the claim was made with, for this attempt.
    pub token: Token,
    /// Counts the attempts at this feature, from 1.
    pub number: u32,
}

/// What a session that asks for a further feature gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// The next feature, claimed by it.
    Claimed { feature: FeatureId, claim: Claim },
    /// Nothing yet. What it handed in is about to land, which may free something for it, and until then nobody
    /// misses its slot.
    Wait,
    /// Nothing: it should end.
    Nothing,
}

/// An attempt that a session made, alive or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub attempt: Attempt,
    /// `None` while it lives.
    pub outcome: Option<AttemptOutcome>,
}

impl Taken {
    /// Returns whether it lives and its work is still to be done.
    pub fn is_open(&self) -> bool {
        self.outcome.is_none() && self.attempt.submitted.is_none()
    }

    /// Returns whether its claim was taken from its session, which then has no right to anything any more. What
    /// becomes of work that was handed in is another matter.
    pub fn is_lost(&self) -> bool {
        if self.attempt.submitted.is_some() {
            return false;
        }
        match &self.outcome {
            Some(
                AttemptOutcome::Crashed { .. }
                | AttemptOutcome::Unavailable { .. }
                | AttemptOutcome::Stopped
                | AttemptOutcome::Expired
                | AttemptOutcome::Orphaned,
            ) => true,
            None
            | Some(
                AttemptOutcome::Landed
                | AttemptOutcome::NotFinished { .. }
                | AttemptOutcome::Conflict { .. }
                | AttemptOutcome::RedAfterMerge { .. }
                | AttemptOutcome::TimedOut { .. }
                | AttemptOutcome::GivenUp { .. }
                | AttemptOutcome::NeedsHuman
                | AttemptOutcome::Confirmed,
            ) => false,
        }
    }
}

/// A live attempt: the feature is claimed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub id: AttemptId,
    pub feature: FeatureId,
    pub session: SessionId,
    /// Where its session works, and so whether its work has to be merged.
    pub isolation: Isolation,
    /// Counts the attempts at this feature, from 1.
    pub number: u32,
    /// Set once its checks were green; then it waits for integration.
    pub submitted: Option<Submitted>,
    /// When the claim may be taken back. `None` once submitted: a submission does not expire.
    pub lease_until: Option<Timestamp>,
    pub started_at: Timestamp,
    /// The checks were all green before the work.
    pub already_green: bool,
    /// The commit that its work starts from; `None` without git, and before its session has said it.
    pub base: Option<String>,
}

/// What an attempt submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The commit to integrate; `None` in a project without git.
    pub commit: Option<String>,
    pub proof: Proof,
}

/// What integration showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The commit that is on the main branch now; `None` in a project without git.
    pub commit: Option<String>,
    /// The checks, run again on the merge. May be empty for a session that worked in the project directory
    /// itself, where nothing is merged.
    pub reports: Vec<CheckReport>,
    /// Time of the merge in milliseconds.
    pub merge_ms: u64,
    /// Time of the checks in milliseconds.
    pub check_ms: u64,
}

/// When a feature is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttemptLimits {
    /// Failed attempts until a feature is parked.
    pub attempts: u32,
    /// Crashes in a row that count as one failed attempt, so that a feature that kills its sessions ends too.
    pub crashes: u32,
}

impl Default for AttemptLimits {
    fn default() -> Self {
        Self { attempts: 3, crashes: 5 }
    }
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveSession {
    pub id: SessionId,
    pub role: Role,
    pub agent: String,
    pub isolation: Isolation,
    pub started_at: Timestamp,
    /// Who runs it; `None` until its process has reported itself.
    pub process: Option<ProcessIdentity>,
    /// Where that process is to be looked for; `None` for a session of an earlier version.
    pub node: Option<NodeIdentity>,
    /// The run that started it, and its place in there, from 1.
    pub run: Option<RunId>,
    pub slot: Option<u32>,
    /// Whose allowance it uses.
    pub account: Option<String>,
    /// What it took so far.
    pub usage: Option<Usage>,
    /// Until when it waits, and for what; `None` while it works.
    pub waiting: Option<Waiting>,
    /// What was told last of what it does.
    pub activity: Option<Activity>,
    /// Its attempts that have not ended.
    pub attempts: Vec<Attempt>,
}

/// One attempt as history.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRecord {
    pub id: AttemptId,
    /// Counts the attempts at this feature, from 1.
    pub number: u32,
    pub session: SessionId,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// `None` while it lives.
    pub outcome: Option<AttemptOutcome>,
    pub submitted: Option<Submitted>,
    /// Every check run of it, in order.
    pub evidence: Vec<Evidence>,
}

/// What an attempt left for the next one at its feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Who left it.
    pub attempt: AttemptId,
    pub at: Timestamp,
    pub text: String,
}

/// What earlier work on a feature teaches, as far as it was since the feature last passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// It passed before: it is to be repaired, not built.
    pub has_passed: bool,
    /// Its checks that were red by the newest look at them.
    pub red: Vec<CheckReport>,
    /// The attempts that failed by their own fault, oldest first; what befell others teaches nothing.
    pub failures: Vec<AttemptRecord>,
    pub note: Option<Note>,
}

/// One run of one check, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub at: Timestamp,
    pub phase: CheckPhase,
    pub commit: Option<String>,
    pub report: CheckReport,
}
