//! What the engine is told and what it asks for: two closed enums.

use cogwork_schemas::{AttemptId, AttemptOutcome, FeatureId, RunOutcome, SessionId, SessionOutcome};
use cogwork_store::graph::Node;
use jiff::{SignedDuration, Timestamp};

/// The limits of one run, resolved once at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many sessions may be alive at one moment.
    pub slots: usize,
    /// How many features a session may have, one after the other.
    pub batch: u32,
    /// How often in a row a landing may be postponed before the run gives up.
    pub postponements: u32,
    /// How long a freed slot waits at most for the landing of the work that freed it.
    pub slot_wait: SignedDuration,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins; everything that was recovered has been fed.
    Begin,
    /// These features are in the store as given, whoever changed them.
    Features(Vec<Node>),
    /// These features are in the store no more. Nobody was working on them.
    Deleted(Vec<FeatureId>),
    /// An earlier run left this attempt green and not yet landed.
    Recovered { feature: FeatureId, attempt: AttemptId },
    /// A feature asked for by [`Effect::Start`] is claimed and its runner is up.
    Started { feature: FeatureId, session: SessionId, attempt: AttemptId },
    /// A feature asked for by [`Effect::Start`] does not run.
    StartFailed { feature: FeatureId, failure: StartFailure },
    /// A session has taken a further feature, after it had handed in what it had.
    Took { session: SessionId, feature: FeatureId, attempt: AttemptId },
    /// The work of an attempt is green and waits for integration, while its session goes on.
    Submitted { session: SessionId, attempt: AttemptId },
    /// A session is over: of its processes, only its runner may still be there. `submitted`: those of its attempts whose
    /// work is green and waits for integration.
    SessionEnded { session: SessionId, submitted: Vec<AttemptId>, end: SessionEnd },
    /// The answer to [`Effect::Integrate`].
    Integrated { attempt: AttemptId, landing: Landing },
    /// The answer to [`Effect::EndAttempt`]: what the store made of that was told before.
    Settled { feature: FeatureId },
    /// The answer to [`Effect::Reap`]: what could be taken back was.
    Reaped,
    /// The end of the run is being recorded: it does not go on any more.
    Close,
    /// Start nothing; what runs and what lands goes on.
    Pause,
    /// Start again, whatever kept from it: a pause, a drain, the stop of one session.
    Resume,
    /// Finish what runs, start nothing more.
    Drain,
    /// End now.
    Stop,
    /// Stop the session that is at a feature, and leave the feature until [`Event::Resume`].
    StopSession { session: SessionId, feature: FeatureId },
    /// Have at most so many sessions at once; none is stopped because of it.
    Slots { slots: usize },
    /// A session only waits, until then by the steady clock.
    Waits { session: SessionId, until: Timestamp },
    /// It goes on.
    GoesOn { session: SessionId },
    /// Cogwork itself cannot go on.
    Broken { reason: String },
    /// The time of [`next_deadline`](super::Engine::next_deadline) has come.
    Deadline,
}

/// Why a feature could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFailure {
    /// The store refused the claim: another process was faster, or its dependencies changed.
    Lost,
    /// The claim was made, the runner could not be started, and the claim was given back.
    Crashed,
}

/// How it is known that a session is over.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionEnd {
    /// Its runner said so. `red` tells which check is red, if the store knows; `confirmed`, that it was a test and found
    /// its feature to work.
    Reported { outcome: SessionOutcome, red: Option<String>, confirmed: bool },
    /// Its runner died without a word.
    RunnerLost { reason: String },
}

/// How an integration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landing {
    /// The work is on the main branch and the store knows it.
    Landed,
    /// The work does not fit what others landed; the feature goes back.
    Refused(AttemptOutcome),
    /// It could not be tried: the main branch is being used by somebody else.
    Postponed { reason: String },
    /// The attempt was over before: somebody took it back, or its feature is no more.
    Void,
}

/// One thing that must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Claim the feature and start a runner for it. Answered by [`Event::Started`] or [`Event::StartFailed`].
    Start { feature: FeatureId },
    /// Record that the attempt ended without landing; the store decides between pending and parked. Answered by
    /// [`Event::Settled`].
    EndAttempt { feature: FeatureId, attempt: AttemptId, outcome: AttemptOutcome },
    /// Merge, check and land. Answered by [`Event::Integrated`].
    Integrate { feature: FeatureId, attempt: AttemptId },
    /// Let no session take a further feature.
    CloseBatches,
    /// Ask the session to stop. Answered by [`Event::SessionEnded`].
    StopSession { session: SessionId },
    /// Take back claims whose lease ran out. Answered by [`Event::Reaped`].
    Reap,
    /// The run is over, unless something new comes before [`Event::Close`]. Another one takes the place of the last.
    Finish(RunOutcome),
    /// It is not: something new came.
    GoOn,
}

impl Effect {
    /// The names of all effects.
    pub const KINDS: [&'static str; 8] =
        ["start", "end_attempt", "integrate", "close_batches", "stop_session", "reap", "finish", "go_on"];

    /// Returns the name of the effect, as [`Effect::KINDS`] has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::EndAttempt { .. } => "end_attempt",
            Self::Integrate { .. } => "integrate",
            Self::CloseBatches => "close_batches",
            Self::StopSession { .. } => "stop_session",
            Self::Reap => "reap",
            Self::Finish(_) => "finish",
            Self::GoOn => "go_on",
        }
    }
}
