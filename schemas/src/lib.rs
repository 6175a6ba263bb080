//! The vocabulary of Cogwork: every type that crosses a process, file or crate boundary.
//!
//! No I/O, no clock, no SQL: plain data with its wire form. A type lives here when two crates or two processes
//! have to agree on it; what only one crate needs stays in that crate.

mod agent;
mod check;
mod command;
mod feature;
mod hold;
mod human;
mod id;
mod journal;
mod list;
mod outcome;
mod run;
mod schema;
mod session;
mod standing;

pub use agent::AgentEvent;
pub use check::{Check, CheckPhase, CheckReport, CheckVerdict, DEFAULT_CHECK_TIMEOUT_S};
pub use command::{Asker, Command, CommandReply};
pub use feature::{Feature, Proof, Status, Summary};
pub use hold::{Hold, listed};
pub use human::{Answer, HumanField, HumanFieldKind, HumanOption, HumanRequest, HumanResponse};
pub use id::{AttemptId, FeatureId, LandingId, RunId, SessionId, Token};
pub use journal::{ENTRY_VERSION, Entry, Fact};
pub use list::{DependencyRef, FeatureList, ListedFeature};
pub use outcome::{AttemptOutcome, RunOutcome, SessionOutcome};
pub use run::{LandingOutcome, LandingWait, RunSettings, StartHold};
pub use schema::{Document, documents};
pub use session::{
    Activity, ChecksSeen, Control, Isolation, NodeIdentity, Presence, ProcessIdentity, Resources, Role,
    RunnerEvent, RunnerMessage, Usage,
};
pub use standing::Standing;
