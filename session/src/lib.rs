//! One agent session, driven, contained and understood.
//!
//! [`machine`] decides what a session does next and does nothing; [`driver`] does it. Around them lie the agents
//! (`agent`, one backend each), the rules about what they may do (`policy`, `hook`, `confinement`), the scripted agent
//! (`play`), planning sessions ([`plan`]) and the files that a session writes (`journal`, `logs`).
//!
//! It owns the life of one agent program: its workspace, environment and prompt, its time limits, its processes to
//! the last one, and the checks after it. It talks to the store under the attempt's token, to programs through the
//! crate `process`, and to whoever started it in lines of JSON. It never decides which feature is next, never merges,
//! and never takes an agent's word for anything.

pub mod agent;
pub mod brief;
pub mod clock;
mod command;
mod confinement;
pub mod driver;
pub mod environment;
pub mod fuzzing;
pub mod hook;
pub mod inbox;
pub mod journal;
mod json;
pub mod logs;
pub mod machine;
pub mod one;
pub mod outbox;
mod outcome;
pub mod plan;
pub mod play;
pub mod policy;
mod programs;
pub mod report;
pub mod text;
mod words;

pub use agent::{AgentError, AgentSettings, AgentSpec, UnknownAgent, preflight};
pub use command::{OnLimit, SessionCommand, SessionFlags, SessionLimits, role_with_feature};
pub use confinement::{Confinement, ConfinementError};
pub use driver::chain;
pub use environment::{Environment, marker};
pub use hook::{PolicyChoice, PolicyFileError, policy_in_force};
pub use logs::{LogsError, LogsFlags, logs};
pub use outcome::{ExitStatus, attempt_outcome, failed};
pub use play::ScriptError;
pub use programs::Programs;
