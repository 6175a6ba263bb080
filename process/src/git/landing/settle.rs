//! Bringing a working tree to the commit that is checked out in it, after a landing that stopped somewhere.
//!
//! It touches nothing but paths that the landing changes, and of these nothing that a person made: an entry of the
//! index only if it is as before or as after the landing, a file only if it is that or was cut short. A person's file
//! stays as it is; its entry says what is checked out, so that the edit shows as the edit it is. Done again, it does
//! nothing.

use std::collections::BTreeMap;
use std::fs;

use super::index::LockedIndex;
use super::trees::{Change, Changes, Entry, Paths, index_line, parent_in_the_way, removal_line, remove_file};
use crate::git::{Git, GitError};

/// What a path is at one place.
type Side = Option<Entry>;

/// One path that a landing changes, in the commit, the index and the file system.
struct Spot<'a> {
    change: &'a Change,
    head: Side,
    staged: Side,
}

impl Spot<'_> {
    fn is_ours(&self, side: &Side) -> bool {
        *side == self.change.old || *side == self.change.new
    }

    /// Returns whether the index holds what a landing left, not what is checked out and not what a person staged.
    fn has_stale_entry(&self) -> bool {
        self.staged != self.head && self.is_ours(&self.head) && self.is_ours(&self.staged)
    }

    /// Returns whether the file may be what a landing left. The index is written after the files: once it is as after the landing
    /// and as what is checked out, the files were, too, and what differs now is a person's.
    fn may_have_stale_file(&self) -> bool {
        let is_complete = self.staged == self.head && self.head == self.change.new;
        let is_submodule = [&self.change.old, &self.change.new].into_iter().flatten().any(Entry::is_gitlink);
        self.is_ours(&self.head) && self.is_ours(&self.staged) && !is_complete && !is_submodule
    }

    /// Returns what the landing makes of the path if that is not checked out, else what it was.
    fn other_side(&self) -> &Side {
        if self.head == self.change.new { &self.change.old } else { &self.change.new }
    }
}

/// Brings the index and files of a tree to its HEAD where a landing of `changes`, from the commit `from`, left them
/// elsewhere.
pub(super) async fn settle(
    locked: LockedIndex,
    from: &str,
    changes: &Changes,
    config: &[String],
) -> Result<(), GitError> {
    let git = &locked.git;
    let Some(head) = git.head().await? else { return Ok(()) };
    let (at_head, staged) = (git.changes(from, &head).await?, git.index_changes(from).await?);
    let side = |changes: &Changes, path: &Vec<u8>, change: &Change| {
        changes.get(path).map_or_else(|| change.old.clone(), |found| found.new.clone())
    };
    let spot = |(path, change)| {
        (path, Spot { change, head: side(&at_head, path, change), staged: side(&staged, path, change) })
    };
    let spots: BTreeMap<&Vec<u8>, Spot<'_>> = changes.iter().map(spot).collect();
    let entries: BTreeMap<_, _> = spots.iter().filter(|(_, spot)| spot.has_stale_entry()).collect();
    let files = stale_files(git, &spots, config).await?;
    if entries.is_empty() && files.is_empty() {
        return Ok(());
    }
    let mut lines = Vec::new();
    for (path, spot) in entries {
        match (&spot.head, &spot.staged) {
            (Some(head), _) => lines.extend(index_line(path, head)),
            (None, Some(was)) => lines.extend(removal_line(path, was)),
            (None, None) => {}
        }
    }
    locked.begin_draft()?;
    let with_draft = |call: crate::git::call::Call| call.env("GIT_INDEX_FILE", locked.draft()).config(config);
    let update = git.call("settle the index", ["update-index", "-z", "--index-info"]);
    with_draft(update).stdin(lines).run().await?;
    let wanted = clear_the_way(git, &spots, &files)?;
    let checkout = git.call("settle the files", ["checkout-index", "-f", "-u", "-q", "-z", "--stdin"]);
    with_draft(checkout).stdin(wanted).run().await?;
    if git.is_sparse().await? {
        // What stays out of the working tree is taken out again.
        with_draft(git.call("settle the sparse checkout", ["sparse-checkout", "reapply"])).run().await?;
    }
    let refresh = git.call("look at the files", ["update-index", "-q", "--refresh"]);
    with_draft(refresh).or_code(1).run().await?;
    locked.keep_draft()
}

/// Returns the paths whose file a landing left, and which are not as they are checked out.
async fn stale_files(
    git: &Git,
    spots: &BTreeMap<&Vec<u8>, Spot<'_>>,
    config: &[String],
) -> Result<Paths, GitError> {
    let left_out = git.left_out().await?;
    let may_be =
        |(path, spot): &(&&Vec<u8>, &Spot<'_>)| spot.may_have_stale_file() && !left_out.contains(**path);
    let candidates: Vec<_> = spots.iter().filter(may_be).collect();
    let at_head = candidates.iter().map(|(path, spot)| (**path, spot.head.as_ref()));
    let mut stale = git.files_unlike(at_head, config).await?;
    let others = candidates.iter().filter(|(path, _)| stale.contains(**path));
    let others = others.map(|(path, spot)| (**path, spot.other_side().as_ref()));
    for path in git.files_unlike(others, config).await? {
        let Some(spot) = spots.get(&path) else { continue };
        let mut is_cut_short = false;
        for entry in [&spot.change.old, &spot.change.new].into_iter().flatten() {
            is_cut_short |= git.is_cut_short(&path, entry, config).await?;
        }
        if !is_cut_short {
            stale.remove(&path);
        }
    }
    Ok(stale)
}

/// Removes the files that are not checked out, with the directories that are empty then, and returns those to be
/// written. What a person put in the way of one keeps it from being written.
fn clear_the_way(
    git: &Git,
    spots: &BTreeMap<&Vec<u8>, Spot<'_>>,
    files: &Paths,
) -> Result<Vec<u8>, GitError> {
    let mut wanted = Vec::new();
    for path in files.iter().filter(|path| spots.get(path).is_some_and(|spot| spot.head.is_none())) {
        // Behind a link lies something else.
        if parent_in_the_way(git.dir(), path).is_some() {
            continue;
        }
        let file = git.path_of(path);
        remove_file(&file)?;
        // A directory that holds something stays, and so do those above it.
        let above = file.ancestors().skip(1).take_while(|dir| *dir != git.dir());
        for dir in above {
            if fs::remove_dir(dir).is_err() {
                break;
            }
        }
    }
    for path in files.iter().filter(|path| spots.get(path).is_some_and(|spot| spot.head.is_some())) {
        let file = git.path_of(path);
        let is_dir = fs::symlink_metadata(&file).is_ok_and(|found| found.is_dir());
        if parent_in_the_way(git.dir(), path).is_none() && (!is_dir || fs::remove_dir(&file).is_ok()) {
            wanted.extend_from_slice(path);
            wanted.push(0);
        }
    }
    Ok(wanted)
}
