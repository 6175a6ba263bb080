//! What a session is called, and the lines that a runner and whoever started it exchange.
//!
//! A runner writes one [`RunnerMessage`] per line to its stdout and reads one [`Control`] per line from its
//! stdin. The end of its stdin means stop.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentEvent, AttemptId, CheckPhase, CheckReport, FeatureId, SessionId, SessionOutcome};

/// What a session is for; fixes its prompt and its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Initializer,
    Coding,
    Testing,
    Chat,
    Orchestrator,
    All,
}

impl Role {
    /// Returns the word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Initializer => "initializer",
            Self::Coding => "coding",
            Self::Testing => "testing",
            Self::Chat => "chat",
            Self::Orchestrator => "orchestrator",
            Self::All => "all",
        }
    }
}

/// Where a session works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// In a clone of its own, on its own branch; its work reaches the main branch by integration.
    Workspace,
    /// In the project directory itself, together with everybody else.
    Shared,
}

/// Which process this is, so that it is never taken for another that got its number later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessIdentity {
    pub pid: i32,
    /// The start time in the kernel's own unit (clock ticks since boot on Linux, seconds since 1970 elsewhere).
    pub started: u64,
    /// The kernel's id of this boot; pids and start times of another boot mean nothing.
    pub boot_id: String,
}

/// Where a process runs: only there its number means something. A process of another node is judged by its lease
/// alone, never by a look at the process table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeIdentity {
    /// The kernel's id of this boot.
    pub boot_id: String,
    /// The kernel's number of the pid namespace; `None` where there are no such namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
}

/// What a look for a process shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is there. It may be stopped, and go on at any moment.
    Alive,
    /// It has ended, and its number is free or another's.
    Gone,
    /// It was recorded on another node, and cannot be seen from here.
    OutOfSight,
}

/// What a session has cost so far, over all lives of its agent, as far as the agent says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

/// What a session is doing, in a few words. Progress, never proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// The last tool that its agent called, with what it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The last file that it changed, relative to its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// What the last look at the checks of its feature showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<ChecksSeen>,
}

/// How many checks of a feature were green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChecksSeen {
    pub green: u32,
    pub total: u32,
}

/// What some processes take of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// How many there are.
    pub processes: u32,
    /// Their resident memory; what several of them share is counted for each.
    pub memory_bytes: u64,
    /// The processor time that they have used, and those that they have waited for.
    pub cpu_ms: u64,
}

/// What a runner tells whoever started it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunnerMessage {
    pub at: Timestamp,
    pub session: SessionId,
    pub event: RunnerEvent,
}

/// One thing that happened in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum RunnerEvent {
    /// The runner is up; nothing else has happened yet.
    Up { process: ProcessIdentity },
    /// The runner gives a sign of life, whatever its agent does: three times in the length of a lease. Not journaled.
    Alive,
    /// The workspace is there.
    Prepared { workspace: String, duration_ms: u64 },
    /// A check was run by the runner.
    Checked { attempt: AttemptId, feature: FeatureId, phase: CheckPhase, report: CheckReport },
    /// The agent process was started.
    AgentStarted { process: ProcessIdentity },
    /// The agent ended for a reason that passes, and gets another life at that time.
    Waiting { until: Timestamp, because: SessionOutcome },
    /// The agent said or did something.
    Agent { event: AgentEvent },
    /// What the session takes of this machine: now and then, and once more before its end. `tree` is all its processes
    /// but the runner, `peak_bytes` the most memory that they were seen to have.
    Resources { tree: Resources, runner: Resources, peak_bytes: u64 },
    /// Only in a journal: it became too long, and so many bytes of it were left out so far, after its first file.
    LeftOut { bytes: u64 },
    /// The session is over, its processes are gone and its attempts are judged in the database. The last line.
    /// `reason` says why its work was not submitted, where the runner knows: a red check, a tree that cannot be
    /// committed. `confirmed`: it was a test, which came to its end and found its feature to work.
    Ended {
        outcome: SessionOutcome,
        agent_ms: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        confirmed: bool,
    },
}

/// What whoever started a runner may ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "control")]
pub enum Control {
    /// Start no further feature; end when the current one is done.
    Drain,
    /// End now: stop the agent, clean up, report.
    Stop,
}
