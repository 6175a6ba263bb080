//! What a session is told and what it asks for: two closed enums.

use cogwork_schemas::{Control, SessionOutcome};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The workspace is there and the checks were run on the base commit.
    Prepared,
    /// The workspace could not be made.
    NotPrepared { reason: String },
    /// The answer to [`Effect::Start`].
    AgentStarted,
    /// The other answer to [`Effect::Start`].
    AgentNotStarted { reason: String },
    /// The agent printed something, on stdout or stderr: a sign of life, not of progress.
    AgentOutput,
    /// The agent wrote prose, called a tool or was answered by one.
    AgentProgress,
    /// The agent said that it is through with what it was asked.
    AgentResult,
    /// So many bytes of memory were found in use by all that the session has started. Told only where that is limited.
    Memory { bytes: u64 },
    /// This life of the agent cannot come to anything any more.
    AgentHopeless { outcome: SessionOutcome },
    /// The session has taken a further feature, after it had handed in the one before.
    NextFeature,
    /// The agent process itself ended; its descendants may still live.
    AgentExited(Death),
    /// The time on the wall that [`Effect::Wait`] named has come.
    WaitOver,
    /// [`Effect::Judge`] is done and recorded.
    Judged,
    /// Whoever started this runner asks for something.
    Control(Control),
    /// This process was asked to end by a signal. The second time is meant more seriously.
    Signal,
    /// Nobody reads what this runner says, or nobody is left to say anything to it.
    ParentGone,
    /// The attempt's token is stale: the claim belongs to somebody else or is over.
    LeaseLost,
    /// The time of [`next_deadline`](super::Session::next_deadline) has come.
    Deadline,
}

/// The end of one life of the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Death {
    /// What it means, if nobody asked for it.
    pub outcome: SessionOutcome,
    /// Whether a next life could go on with its conversation.
    pub can_resume: bool,
    /// When, by the clock on the wall.
    pub wall: Timestamp,
}

/// How the agent process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    pub ending: Ending,
    /// The end of what it printed to stderr.
    pub stderr_tail: String,
}

/// By itself or by force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Code(i32),
    Signal(i32),
}

impl Exit {
    /// Returns what an end means that nobody asked for.
    pub fn outcome(&self) -> SessionOutcome {
        let stderr_tail = self.stderr_tail.clone();
        match self.ending {
            Ending::Code(0) => SessionOutcome::Completed,
            Ending::Code(exit_code) => SessionOutcome::Failed { exit_code, stderr_tail },
            Ending::Signal(signal) => SessionOutcome::Killed { signal, stderr_tail },
        }
    }
}

/// One thing that must be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Start the agent, or give it another life, which goes on with its last conversation or not.
    Start { resumes: bool },
    /// End what the last life left behind and wait. Answered by [`Event::WaitOver`].
    Wait { until: Timestamp, because: SessionOutcome },
    /// Ask the agent to end.
    Terminate,
    /// Kill the agent.
    Kill,
    /// Drop the preparation or the judging that is under way, and whatever it started.
    Abandon,
    /// End what the agent left behind, then find out what its work is worth. Answered by [`Event::Judged`].
    Judge(Depth),
    /// Renew the lease; [`Event::LeaseLost`] when that is refused.
    Renew,
    /// End all that is left, record and report. The last effect.
    Finish { outcome: SessionOutcome, agent_ms: u64 },
}

/// How far judging goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Commit what is left lying about in the workspace.
    Commit,
    /// That, and run the checks unless the work was submitted already.
    Checks,
}
