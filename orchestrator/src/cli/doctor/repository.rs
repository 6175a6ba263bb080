//! What `cogwork doctor` says of the git repository: whether HEAD leads to a commit, and whether what landed is there.

use std::collections::BTreeMap;
use std::path::Path;

use cogwork_conductor::{NotReady, broken_head};
use cogwork_process::git::{Git, GitError};
use cogwork_session::chain;
use cogwork_store::{LandedCommit, Store};

use super::{Finding, Health};

/// How many landings a finding names.
const NAMED: usize = 5;

/// Looks at HEAD and at every landing of the database. A handful of calls of git, however many landings there are.
pub(super) async fn repository(project: &Path, store: &Store) -> Vec<Finding> {
    match broken_head(project, store).await {
        Ok(None) => {}
        Ok(Some(NotReady { message, hints })) => {
            let told = [vec![message], hints].concat().join("; ");
            return vec![Finding::new(Health::Bad, "HEAD", told)];
        }
        Err(NotReady { message, .. }) => return vec![Finding::new(Health::Bad, "HEAD", message)],
    }
    let failed = |error: GitError| vec![Finding::new(Health::Bad, "HEAD", chain(&error))];
    sound_repository(&Git::at(project), store).await.unwrap_or_else(failed)
}

async fn sound_repository(git: &Git, store: &Store) -> Result<Vec<Finding>, GitError> {
    if !git.is_repository().await? {
        return Ok(Vec::new());
    }
    let Some(head) = git.head().await? else {
        return Ok(vec![Finding::new(Health::Note, "HEAD", "there is no commit yet")]);
    };
    let mut findings = vec![Finding::new(Health::Good, "HEAD", format!("at the commit {head}"))];
    // A database that cannot answer has its finding already.
    findings.extend(landings(git, &store.landed_commits().unwrap_or_default()).await?);
    Ok(findings)
}

async fn landings(git: &Git, landed: &[LandedCommit]) -> Result<Option<Finding>, GitError> {
    if landed.is_empty() {
        return Ok(None);
    }
    let commits: Vec<_> = landed.iter().map(|landed| landed.commit.clone()).collect();
    let missing = git.missing_commits(&commits).await?;
    if !missing.is_empty() {
        let told = format!("missing or damaged in the repository: {}", named(landed, &missing));
        return Ok(Some(Finding::new(Health::Bad, "landings", told)));
    }
    let mut by_branch: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for landed in landed {
        if let Some(branch) = &landed.branch {
            by_branch.entry(branch).or_default().push(landed.commit.clone());
        }
    }
    let mut strayed = Vec::new();
    for (branch, commits) in by_branch {
        let away = git.not_on_branch(branch, &commits).await?;
        if !away.is_empty() {
            strayed.push(format!("not on the branch `{branch}` any more: {}", named(landed, &away)));
        }
    }
    Ok(Some(match strayed.is_empty() {
        true => {
            Finding::new(Health::Good, "landings", format!("all {} are there, on their branch", landed.len()))
        }
        // People rename branches and rewrite them.
        false => Finding::new(Health::Note, "landings", strayed.join("; ")),
    }))
}

/// Names the features that these commits landed for.
fn named(landed: &[LandedCommit], commits: &[String]) -> String {
    let of = |commit: &String| landed.iter().find(|landed| landed.commit == *commit);
    let told: Vec<_> = commits
        .iter()
        .take(NAMED)
        .filter_map(|commit| Some(format!("feature {} ({commit})", of(commit)?.feature)))
        .collect();
    let more = commits.len().saturating_sub(NAMED);
    told.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}
