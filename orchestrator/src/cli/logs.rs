//! `cogwork logs`: what a session did, from its journal. The crate `runner`, which writes that, reads it, too.

use clap::Args;
use cogwork_session::clock;
use cogwork_session::{Environment, ExitStatus, LogsFlags, chain};
use cogwork_store::{StoreError, state_dir};

use super::run::block_on;
use super::{CliError, Exit, ProjectArg, note};
use crate::project::directory;

/// Show what a session did: every event with its time, what it cost, its outcome and evidence.
///
/// `--replay` plays what the session's machine was told on a new one and says whether it comes to the same outcome:
/// the way to reproduce what went wrong.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    flags: LogsFlags,
    #[command(flatten)]
    project: ProjectArg,
}

pub(crate) fn logs(args: &LogsArgs) -> Result<Exit, CliError> {
    let dir = directory(&args.project.dir)?;
    // A database that is damaged is no reason not to read files; one that is not there is.
    let home = Environment::of_this_process().state_home();
    if let Err(error @ (StoreError::NoProject { .. } | StoreError::DatabaseMissing { .. })) =
        home.open(&dir, clock::source())
    {
        // The journals of sessions are files of their own.
        if matches!(error, StoreError::NoProject { .. }) || !state_dir(&dir).is_dir() {
            return Err(error.into());
        }
        note(&chain(&error));
    }
    let shown = block_on(cogwork_session::logs(&dir, &args.flags))?;
    let status = shown.map_err(|error| CliError::new(chain(&error)))?;
    Ok(match status {
        ExitStatus::Done => Exit::Ok,
        ExitStatus::Broken | ExitStatus::Usage => Exit::Error,
    })
}
