//! Sessions that are cut off by a kill, at any place: of each process that a session consists of there is nothing left
//! within seconds.
//!
//! One cut is one real `cogwork run` with one agent on a new project. Before the kill everything that belongs to the
//! session is written down by identity, what has hidden itself included, because the agents tell where that is.

mod agents;
mod cut;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use agents::Agent;

/// How long anything may be left: what the design promises.
pub const LIMIT: Duration = Duration::from_secs(5);

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The process that drives the agent.
    Runner,
    /// The process that clears up after it.
    Warden,
    /// The agent itself.
    Agent,
    /// Whoever started the runner.
    Parent,
    /// The runner and whoever started it, at once.
    RunnerAndParent,
    /// Nobody: the run is asked to stop.
    Nobody,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Runner, Self::Warden, Self::Agent, Self::Parent, Self::RunnerAndParent, Self::Nobody];
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Runner => "the runner",
            Self::Warden => "its warden",
            Self::Agent => "the agent",
            Self::Parent => "the orchestrator",
            Self::RunnerAndParent => "orchestrator and runner",
            Self::Nobody => "nobody (a graceful stop)",
        })
    }
}

/// One session that is cut off.
#[derive(Debug, Clone)]
pub struct Scene {
    /// The program `cogwork`.
    pub program: PathBuf,
    /// Who works.
    pub agent: Agent,
    /// Who is killed.
    pub cut: Cut,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How many processes the session consisted of.
    pub processes: usize,
    /// When the last of them was gone, counted from the kill.
    pub gone_after: Duration,
    /// What was still there after [`LIMIT`], as command lines. They have been ended since.
    pub left: Vec<String>,
}

impl Scene {
    /// Plays it.
    ///
    /// # Errors
    ///
    /// A sentence, when the session did not come so far that it could be cut off.
    pub fn play(&self) -> Result<Outcome, String> {
        cut::play(self)
    }
}
