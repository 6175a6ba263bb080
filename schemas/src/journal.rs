//! The journal: an append-only record of every change of state, written in the same transaction as the change.
//!
//! It is also the one event stream: what the terminal shows, what `--json` prints and what a person reads the
//! next morning are these same entries.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Activity, Asker, AttemptId, AttemptOutcome, Check, CheckPhase, CheckReport, Command, FeatureId,
    HumanRequest, HumanResponse, Isolation, LandingId, LandingOutcome, LandingWait, ProcessIdentity, Proof,
    Role, RunId, RunOutcome, SessionId, SessionOutcome, StartHold, Usage,
};

/// The latest form of entries that this program knows. A new kind of fact and a new field that may be missing do not
/// raise it, because older readers pass them over. What an older reader would misread or could not read does: such
/// an entry carries the new number, and all others keep the old one.
pub const ENTRY_VERSION: u32 = 2;

/// One journal entry. `seq` only grows, without gaps a reader has to understand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    pub seq: i64,
    /// The form that this entry has. Entries of a later one than [`ENTRY_VERSION`] are not for this program.
    #[serde(default = "first_version")]
    pub version: u32,
    pub at: Timestamp,
    /// The run that it is about, or that a session was started by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptId>,
    pub fact: Fact,
}

/// Lines from before entries had a version.
fn first_version() -> u32 {
    1
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fact {
    /// A run took hold of the project.
    RunStarted { process: ProcessIdentity, agent: String, slots: u32, isolation: Isolation },
    /// A run let go of the project.
    RunEnded { result: RunOutcome },
    /// Somebody asked something of the run.
    Commanded { command: Command, by: Asker },
    /// A feature came into being.
    Created { name: String },
    /// A free slot stays free for now.
    SlotIdle { slot: u32, hold: StartHold },
    /// A feature was ready, and a session that would have been in vain was not started for it.
    StartAvoided { hold: StartHold },
    /// A session was given to an agent.
    SessionStarted {
        role: Role,
        agent: String,
        /// Its place in its run, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slot: Option<u32>,
        /// Whose allowance it uses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// The process that runs a session was started.
    SessionUp { process: ProcessIdentity },
    /// A session waits for something that passes, and its agent gets another life at that time.
    SessionWaits { until: Timestamp, because: SessionOutcome },
    /// A session that waited goes on.
    SessionGoesOn,
    /// What a session is doing. Told now and then, not each time that it changes.
    SessionActive { activity: Activity },
    /// A session's agent and all its processes are gone. `agent_ms` is how long the agent itself ran; `usage` what it
    /// cost, as far as it said so.
    SessionEnded {
        result: SessionOutcome,
        agent_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
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
    /// Work that is green waits to land.
    LandingWaits { wait: LandingWait },
    /// A branch is about to be moved from one commit to another.
    LandingBegun { landing: LandingId, branch: String, from: String, to: String },
    /// A landing ended, and its feature does not pass by it. One that made it pass is told by [`Fact::Integrated`].
    LandingEnded { landing: LandingId, result: LandingOutcome },
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

/// Every kind of fact, as its word on the wire. An entry with another word is of a later program.
const KINDS: [&str; 36] = [
    "run_started",
    "run_ended",
    "commanded",
    "created",
    "slot_idle",
    "start_avoided",
    "session_started",
    "session_up",
    "session_waits",
    "session_goes_on",
    "session_active",
    "session_ended",
    "claimed",
    "checked",
    "checks_red",
    "checks_already_green",
    "checks_green",
    "said_done",
    "landing_waits",
    "landing_begun",
    "landing_ended",
    "integrated",
    "attempt_ended",
    "parked",
    "retried",
    "inspected",
    "reported_failing",
    "note_left",
    "skipped",
    "dependencies_changed",
    "checks_changed",
    "deleted",
    "human_asked",
    "human_answered",
    "not_shown",
    "adopted",
];

/// As much of a fact as says whether it is known.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl Fact {
    /// Returns the form of an entry with this fact: the first that could say it.
    pub fn version(&self) -> u32 {
        let is_second = matches!(
            self,
            Self::SlotIdle { hold: StartHold::Paused | StartHold::StoppedByPerson, .. }
                | Self::StartAvoided { hold: StartHold::Paused | StartHold::StoppedByPerson }
        );
        if is_second { 2 } else { 1 }
    }

    /// Reads a fact of an entry of that version; `None` for one that a later program wrote and this one does not know,
    /// which readers pass over.
    ///
    /// # Errors
    ///
    /// It is damaged: its kind and version are known, and yet it cannot be read.
    pub fn read(version: u32, json: &str) -> Result<Option<Self>, serde_json::Error> {
        if version > ENTRY_VERSION {
            return Ok(None);
        }
        match serde_json::from_str(json) {
            Ok(fact) => Ok(Some(fact)),
            Err(error) => match serde_json::from_str::<Kind>(json) {
                Ok(Kind { kind }) if !KINDS.contains(&kind.as_str()) => Ok(None),
                Ok(_) | Err(_) => Err(error),
            },
        }
    }
}

impl Entry {
    /// Reads an entry from its line of JSON, as [`Fact::read`] reads its fact.
    ///
    /// # Errors
    ///
    /// It is damaged.
    pub fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct Frame {
            #[serde(default = "first_version")]
            version: u32,
            fact: serde_json::Value,
        }
        let frame: Frame = serde_json::from_str(json)?;
        match Fact::read(frame.version, &frame.fact.to_string())? {
            Some(_) => serde_json::from_str(json).map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed() {
        let schema = serde_json::to_value(schemars::schema_for!(Fact)).unwrap();
        let kinds: Vec<&str> = schema["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|variant| variant["properties"]["kind"]["const"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn what_a_later_program_wrote_is_passed_over() {
        let line = |version: &str, fact: &str| {
            format!(r#"{{"seq": 1, {version} "at": "2026-11-29T10:00:00Z", "fact": {fact}}}"#)
        };
        let known = Entry::read(&line("", r#"{"kind": "retried"}"#)).unwrap().unwrap();
        assert_eq!((known.version, &known.fact), (1, &Fact::Retried));
        // A further field is no reason to stop.
        let more = line(r#""version": 1,"#, r#"{"kind": "retried", "by": "somebody"}"#);
        assert_eq!(Entry::read(&more).unwrap(), Some(known));
        for later in [
            line(r#""version": 1,"#, r#"{"kind": "dreamt", "of": 7}"#),
            line(r#""version": 3,"#, r#"{"kind": "claimed", "number": "seven"}"#),
            line(r#""version": 3,"#, r#"{"kind": "retried"}"#),
        ] {
            assert_eq!(Entry::read(&later).unwrap(), None, "{later}");
        }
        for damaged in [
            line(r#""version": 1,"#, r#"{"kind": "claimed", "number": "seven"}"#),
            line("", r#"{"kind": 7}"#),
            line("", "7"),
        ] {
            Entry::read(&damaged).unwrap_err();
        }
    }
}
