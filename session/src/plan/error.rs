//! Why there is no plan.

use std::io;
use std::path::PathBuf;

use cogwork_schemas::SessionOutcome;
use cogwork_store::StoreError;

use crate::driver::Unrecorded;
use crate::{AgentError, ConfinementError};

/// Why planning came to nothing, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to plan from.
    #[error("there is no specification: write what the program should do into {}, or name a file", .looked_for.join(" or "))]
    NoSpec { looked_for: Vec<String> },
    /// The specification cannot be read.
    #[error("the specification {} cannot be read", path.display())]
    UnreadableSpec {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The specification says nothing.
    #[error("the specification {} is empty", path.display())]
    EmptySpec { path: PathBuf },
    /// More than a model reads at once.
    #[error("the specification {} has {bytes} bytes, more than the {most} that one session reads: plan it in parts", path.display())]
    LongSpec { path: PathBuf, bytes: usize, most: usize },
    /// No sandbox, where one is wanted.
    #[error(transparent)]
    Confinement(#[from] ConfinementError),
    /// The session ended before its work did.
    #[error("the plan is not finished: {outcome}; {}", kept(*.created))]
    Unfinished {
        outcome: SessionOutcome,
        /// Features that were made before that.
        created: usize,
    },
    /// The session ended well and made nothing.
    #[error(
        "the agent ended without making a single feature from {spec}: look at what it said, or try another model"
    )]
    Empty { spec: String },
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session could not write down how it went.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    #[error("{} cannot be used", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this process cannot {what}")]
    Kernel {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}

fn kept(created: usize) -> String {
    match created {
        0 => "no feature was made".to_owned(),
        1 => "1 feature was made and is kept, planning again goes on from there".to_owned(),
        n => format!("{n} features were made and are kept, planning again goes on from there"),
    }
}
