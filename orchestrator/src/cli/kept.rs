//! `cogwork kept`: what attempts made that is not on the main branch, and lies under refs of the project.

use std::path::Path;

use clap::{Args, Subcommand};
use cogwork_process::git::{Git, GitError};
use cogwork_schemas::{AttemptId, FeatureId};
use cogwork_store::{KEPT, kept_attempt};
use serde::Serialize;

use super::run::{block_on, quoted, relative};
use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::short;

/// Show what attempts left that is not on the main branch, or remove it.
///
/// Work that did not land, commits on other branches, stashes and files beside what was handed in are kept as refs of the
/// project when a workspace is removed. Nothing else removes them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KeptArgs {
    #[command(subcommand)]
    drop: Option<KeptCommand>,
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum KeptCommand {
    /// Remove what is kept of features, or single refs as `cogwork kept` names them.
    Drop {
        /// Features by their numbers, or refs.
        #[arg(required = true, value_name = "ID|REF")]
        which: Vec<String>,
        #[command(flatten)]
        project: ProjectArg,
    },
}

/// One ref.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    /// In full, from `refs/` on.
    name: String,
    commit: String,
    /// `None` when the feature was deleted.
    pub(super) feature: Option<FeatureId>,
    /// Which attempt at it, from 1.
    attempt: Option<u32>,
    #[serde(skip)]
    id: Option<AttemptId>,
}

impl Kept {
    /// Returns what it is, and the command that shows it.
    pub(super) fn with_command(&self, dir: &Path) -> String {
        let dir = quoted(&relative(dir).to_string_lossy());
        let name = quoted(&self.name);
        // What an agent made in a repository of its own has no history in common with the project.
        let command = if self.name.contains("/nested-") {
            format!("git -C {dir} log -p {name}")
        } else {
            format!("git -C {dir} diff HEAD...{name}")
        };
        let of = match (self.feature, self.attempt) {
            (Some(feature), Some(attempt)) => format!("{feature} attempt {attempt}"),
            _ => "of a feature that is gone".to_owned(),
        };
        format!("{of}, {}: {command}", short(&self.commit))
    }
}

/// Returns what is kept and not on the branch that is checked out; nothing without a repository.
pub(super) async fn read_kept(project: &Project) -> Result<Vec<Kept>, CliError> {
    let refs = refs(&project.dir).await.map_err(|error| CliError::new(error.to_string()))?;
    let of = |(name, commit): (String, String)| (kept_attempt(&name), name, commit);
    let refs: Vec<_> = refs.into_iter().map(of).collect();
    let ids: Vec<AttemptId> = refs.iter().filter_map(|(id, ..)| *id).collect();
    let attempts = project.store.attempts_by_id(&ids)?;
    let kept = refs.into_iter().map(|(id, name, commit)| {
        let attempt = attempts.iter().find(|attempt| Some(attempt.id) == id);
        let (feature, attempt) = (attempt.map(|it| it.feature), attempt.map(|it| it.number));
        Kept { name, commit, feature, attempt, id }
    });
    Ok(kept.collect())
}

async fn refs(dir: &Path) -> Result<Vec<(String, String)>, GitError> {
    let git = Git::at(dir);
    if !git.is_repository().await? {
        return Ok(Vec::new());
    }
    git.refs_below(&KEPT, Some("HEAD")).await
}

/// Returns what the end of a run says of it.
pub(super) fn closing(project: &Project, kept: Vec<Kept>) -> Result<String, CliError> {
    let live: Vec<AttemptId> = project.store.live_attempts()?.into_iter().map(|attempt| attempt.id).collect();
    let is_over = |kept: &Kept| kept.id.is_none_or(|id| !live.contains(&id));
    let kept: Vec<Kept> = kept.into_iter().filter(is_over).collect();
    let dir = quoted(&relative(&project.dir).to_string_lossy());
    Ok(match &kept[..] {
        [] => String::new(),
        [one] => format!("kept:   {}\n", one.with_command(&project.dir)),
        _ => format!(
            "kept:   {} things that are not on the main branch: cogwork kept --project-dir {dir}\n",
            kept.len()
        ),
    })
}

pub(crate) fn kept(args: &KeptArgs) -> Result<Exit, CliError> {
    if let Some(KeptCommand::Drop { which, project }) = &args.drop {
        return drop_kept(which, project);
    }
    let project = Project::open(&args.project.dir)?;
    let kept = block_on(read_kept(&project))??;
    if args.json {
        print_json(&kept)?;
    } else if kept.is_empty() {
        print("nothing is kept beside the main branch\n")?;
    } else {
        print(&kept.iter().map(|kept| kept.with_command(&project.dir) + "\n").collect::<String>())?;
    }
    Ok(Exit::Ok)
}

fn drop_kept(which: &[String], project: &ProjectArg) -> Result<Exit, CliError> {
    let project = Project::open(&project.dir)?;
    let kept = block_on(read_kept(&project))??;
    let live: Vec<AttemptId> = project.store.live_attempts()?.into_iter().map(|attempt| attempt.id).collect();
    let mut dropped: Vec<&Kept> = Vec::new();
    // All or nothing: a name that means nothing keeps all others.
    for word in which {
        let is_meant =
            |kept: &&Kept| kept.name == *word || kept.feature.is_some() && kept.feature == word.parse().ok();
        let meant: Vec<&Kept> = kept.iter().filter(is_meant).collect();
        if meant.is_empty() {
            return Err(CliError::new(format!("nothing is kept of `{word}`")).hint(
                "`cogwork kept` shows what there is; give a feature's number or a ref as it stands there",
            ));
        }
        if let Some(live) = meant.iter().find(|kept| kept.id.is_some_and(|id| live.contains(&id))) {
            let reason = format!("{} belongs to work that is under way or waits to land", live.name);
            return Err(CliError::new(reason).hint("try again when it has landed"));
        }
        dropped.extend(meant);
    }
    dropped.sort_by(|a, b| a.name.cmp(&b.name));
    dropped.dedup();
    let git = Git::at(&project.dir);
    for kept in dropped {
        block_on(git.delete_ref(&kept.name))?.map_err(|error| CliError::new(error.to_string()))?;
        print(&format!("dropped {} (it was {})\n", kept.name, short(&kept.commit)))?;
    }
    Ok(Exit::Ok)
}
