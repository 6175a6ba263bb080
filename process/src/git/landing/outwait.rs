//! Waiting for a git of somebody else to be done: a person's that switches branches, or one that an earlier landing
//! started.

use std::path::Path;
use std::time::Duration;

use crate::clock;
use crate::contain::gits_at_work;

/// What a git does that may move a HEAD, and how long one that does is waited for. Most take some milliseconds.
const SWITCHES: [&str; 9] =
    ["checkout", "switch", "rebase", "bisect", "reset", "worktree", "pull", "merge", "stash"];
const SWITCH_WAIT: Duration = Duration::from_millis(500);

/// What a landing of an earlier life may still run, and how long it is waited for: it writes a large tree.
const OURS: [&str; 5] = ["read-tree", "update-ref", "update-index", "checkout-index", "merge"];
const OURS_WAIT: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for a person's git that may be about to set the HEAD of a tree.
pub(super) async fn switches(tree: &Path) {
    outwait(tree, &SWITCHES, SWITCH_WAIT).await;
}

/// Waits for what a landing that was killed still runs in a tree.
pub(super) async fn earlier_landing(tree: &Path) {
    outwait(tree, &OURS, OURS_WAIT).await;
}

/// Waits until no git that runs one of these commands is at work in a tree, for so long at most. Where that cannot be
/// told, it waits a moment.
async fn outwait(tree: &Path, commands: &[&str], limit: Duration) {
    let tree = tree.canonicalize().unwrap_or_else(|_| tree.to_owned());
    let end = clock::now() + limit;
    while gits_at_work(&tree, commands) != Some(false) {
        tokio::time::sleep(LOOK_EVERY).await;
        if clock::now() > end || gits_at_work(&tree, commands).is_none() {
            return;
        }
    }
}
