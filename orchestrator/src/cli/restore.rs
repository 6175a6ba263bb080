//! `cogwork restore`: back to a copy of the database, or anew.

use std::path::{Path, PathBuf};

use clap::Args;
use cogwork_conductor::{RunLock, heal_landing};
use cogwork_session::{Environment, chain, clock};
use cogwork_store::{RestoreError, Restored, state_dir};

use super::run::{block_on, quoted, relative};
use super::{CliError, Exit, ProjectArg, note, print};
use crate::project::directory;

/// Put a copy of the database in the place of one that is damaged or gone, or begin anew.
///
/// Without FILE the newest sound copy is taken, from `.cogwork/backups` or from `$XDG_STATE_HOME/cogwork`
/// (`~/.local/state/cogwork`). A sound database is never overwritten, and nothing is deleted: what is in the way moves
/// to `.cogwork/aside-TIME`. What landed since the copy stays on its branch, and its features are seen to pass again by
/// their checks.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The copy to take, as a run made it.
    #[arg(conflicts_with = "begin_anew")]
    file: Option<PathBuf>,
    /// Take no copy: set all that is left of the project's state aside, so that `import` and `plan` begin a new one.
    #[arg(long)]
    begin_anew: bool,
    #[command(flatten)]
    project: ProjectArg,
}

pub(crate) fn restore(args: &RestoreArgs) -> Result<Exit, CliError> {
    let dir = directory(&args.project.dir)?;
    // Without a state directory there is no lock, and no run that could hold it.
    let _lock = match state_dir(&dir).is_dir() {
        true => Some(RunLock::acquire(&dir, clock::now())?),
        false => None,
    };
    let home = Environment::of_this_process().state_home();
    if args.begin_anew {
        // What says where a landing stopped is set aside as well.
        block_on(heal_landing(&dir))??;
        let Restored { aside, .. } = home.begin_anew(&dir, &clock::source())?;
        return print(&begun_anew(&dir, aside.as_deref())).map(|()| Exit::Ok);
    }
    let restored = home.restore(&dir, args.file.as_deref(), &clock::source())?;
    for copy in &restored.passed_over {
        note(&format!("the copy {} was passed over: {}", copy.file.display(), copy.why));
    }
    print(&restored_in_words(&dir, &restored))?;
    Ok(Exit::Ok)
}

fn restored_in_words(dir: &Path, Restored { from, aside, .. }: &Restored) -> String {
    let from = from.as_deref().map(|from| from.display().to_string()).unwrap_or_default();
    let dir = quoted(&relative(dir).to_string_lossy());
    format!("restored from {from}\n{}look:   cogwork status --project-dir {dir}\n", kept(aside.as_deref()))
}

fn begun_anew(dir: &Path, aside: Option<&Path>) -> String {
    let dir = quoted(&relative(dir).to_string_lossy());
    let done = match aside {
        Some(_) => "the project begins anew",
        None => "there was nothing to set aside",
    };
    format!(
        "{done}\n{}go on:  cogwork import FILE.json --project-dir {dir}\n    or: cogwork plan --project-dir {dir}\n",
        kept(aside)
    )
}

fn kept(aside: Option<&Path>) -> String {
    aside.map(|aside| format!("what was there is kept in {}\n", aside.display())).unwrap_or_default()
}

impl From<RestoreError> for CliError {
    fn from(error: RestoreError) -> Self {
        Self::new(chain(&error))
    }
}
