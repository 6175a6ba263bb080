//! What a person is told when HEAD leads nowhere: what is broken, and which commit to go back to.
//!
//! Reads the repository and the landings of the database; changes nothing. A commit made now would bury the history, so
//! none is ever proposed.

use std::path::Path;

use cogwork_process::git::{BrokenHead, Git, GitError, Head};
use cogwork_session::chain;
use cogwork_store::{LandedCommit, Store, shell_word, state_dir};

use crate::NotReady;

/// How many landings are looked at for one that is whole.
const LANDINGS: usize = 20;

/// Returns what is wrong with HEAD and what helps; `None` when it leads to a commit, or nothing was ever committed.
///
/// # Errors
///
/// When git or the database cannot be asked.
pub async fn broken_head(project: &Path, store: &Store) -> Result<Option<NotReady>, NotReady> {
    let failed = |error: GitError| NotReady::new(chain(&error));
    let git = Git::at(project);
    if !git.is_repository().await.map_err(failed)? {
        return Ok(no_repository(project));
    }
    let broken = match git.look_at_head().await.map_err(failed)? {
        Head::Commit(_) => return Ok(None),
        Head::Broken(broken) => broken,
        Head::Unborn => {
            let branch = git.current_branch().await.map_err(failed)?;
            if !store.landed_commits()?.iter().any(|landed| landed.branch == branch) {
                return Ok(None);
            }
            // Something landed on it: it was lost together with its log.
            BrokenHead { branch, commit: None, unreadable: None, log: None, earlier: Vec::new() }
        }
    };
    let landed = store.landed_commits()?;
    let landed: Vec<_> = landed.into_iter().filter(|landed| landed.branch == broken.branch).collect();
    let told = NotReady::new(sentence(project, &broken));
    hints(told, &git, &broken, &landed).await.map(Some).map_err(failed)
}

/// Returns what to say of a directory with git's objects in it that git takes for no repository.
fn no_repository(project: &Path) -> Option<NotReady> {
    let git_dir = project.join(".git");
    git_dir.join("objects").is_dir().then(|| {
        NotReady::new(format!(
            "git does not know {} for a repository any more, though its objects are there: its HEAD or its \
             configuration is damaged",
            git_dir.display()
        ))
        .hint(format!(
            "look at {}: in a whole repository it says `ref: refs/heads/BRANCH`",
            git_dir.join("HEAD").display()
        ))
    })
}

fn sentence(project: &Path, BrokenHead { branch, commit, .. }: &BrokenHead) -> String {
    let what = match branch {
        Some(branch) => format!("the branch `{branch}` in {}", project.display()),
        None => format!("HEAD in {}", project.display()),
    };
    match commit {
        Some(commit) => format!("{what} points to the commit {commit}, which is missing or damaged"),
        None => format!("{what} has lost the commit that it pointed to: its ref is missing or damaged"),
    }
}

async fn hints(
    mut told: NotReady,
    git: &Git,
    broken: &BrokenHead,
    landed: &[LandedCommit],
) -> Result<NotReady, GitError> {
    let name =
        broken.branch.as_ref().map_or_else(|| "HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
    let (at, name) = (shell_word(git.dir()), shell_word(Path::new(&name)));
    let away = broken.unreadable.as_ref().map_or_else(String::new, |file| {
        // git refuses to write a ref that it cannot read.
        let kept = state_dir(git.dir()).join("unreadable-ref");
        format!("mv {} {} && ", shell_word(file), shell_word(&kept))
    });
    let move_to = |commit: &str| format!("{away}git -C {at} update-ref {name} {commit}");
    let last = git.first_whole(&broken.earlier).await?;
    if let Some(commit) = &last {
        told = told.hint(format!("the newest commit in its log that is whole: {}", move_to(commit)));
    }
    let commits: Vec<_> = landed.iter().take(LANDINGS).map(|landed| landed.commit.clone()).collect();
    let newest = git.first_whole(&commits).await?;
    if let Some(landed) = landed.iter().find(|landed| Some(&landed.commit) == newest.as_ref()) {
        let same = if newest == last { "the same commit is " } else { "" };
        told = told.hint(format!(
            "{same}the newest landing that is whole, of {} at {}: {}",
            landed.feature,
            landed.at,
            move_to(&landed.commit)
        ));
    }
    if last.is_none() && newest.is_none() {
        told = told.hint(format!("no commit of its log and no landing is whole: `git -C {at} fsck --lost-found` lists what is there, {} puts the branch on it", move_to("COMMIT")));
    }
    if let Some(log) = &broken.log {
        told = told.hint(format!(
            "where it was before, newest last: tail {} (`git reflog` cannot read it now)",
            shell_word(log)
        ));
    }
    Ok(told.hint(
        "what you had not committed stays in your files; commit nothing before the branch is whole again",
    ))
}
