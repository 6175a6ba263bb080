//! One snapshot, from the look at the workspace to the tree and what is said of it.

use std::path::Path;
use std::sync::Arc;

use super::beneath::{Beneath, split};
use super::draft::Draft;
use super::known::Known;
use super::own::{Own, State};
use super::refusal::{Refusal, Why};
use super::tree::{Change, LINK, missing, stranger};
use super::walk::{Found, Walk};
use super::{Ignored, Limits, NestedRepository, Snapshot, blocking, head, links, path};
use crate::git::GitError;

/// Takes a snapshot. Whoever calls has the turn.
pub(super) async fn take_snapshot(own: &Own, state: &State, limits: Limits) -> Result<Snapshot, GitError> {
    let unreadable = |source| GitError::Unreadable { path: own.workspace.clone(), source };
    let root = Arc::new(Beneath::new(&own.workspace).map_err(unreadable)?);
    let known = Arc::new(own.known(state).ok_or_else(|| changing(&own.dir))?);
    let mut draft = Draft::new(own, state).await?;
    let walk = Walk::new(root.clone(), known.clone(), draft.cached.clone(), limits);
    let mut walk = walk.in_project(own.is_project());
    loop {
        walk = blocking(&own.workspace, move || walk.list()).await?;
        let ignored = draft.ignored(walk.questions()).await?;
        if !walk.answer(&ignored)? {
            break;
        }
    }
    let mut found = walk.end();
    if found.is_in_doubt {
        draft.start_over().await?;
    }
    draft.settle_oversize(state, &mut found, limits.file_bytes).await?;
    let (mut tree, mut changes) = draft.write_tree(state, &known, &found).await?;
    let has_attributes = changes.iter().any(|change| split(&change.path).1 == b".gitattributes");
    if has_attributes {
        let state = State { attributes: Some(tree.clone()), ..state.clone() };
        match with_attributes(own, &state, &known, &found).await {
            Ok(with_them) => (tree, changes) = with_them,
            // Such that no file could be committed with, or checked out.
            Err(error @ GitError::Failed { .. }) => tracing::debug!(%error, "attributes do not count"),
            Err(error) => return Err(error),
        }
    }
    if let Some(stranger) = stranger(&changes, &found) {
        return Err(changing(&own.workspace.join(path(&stranger.path))));
    }
    let mut refused = bad_names(&root, &changes, &known, &found);
    refused.extend(bad_links(&root, &draft, &changes).await?);
    refused.append(&mut found.refused);
    refused.sort_by(|a, b| a.path.cmp(&b.path));
    let added = changes.iter().filter(|change| change.is_added());
    // What was read with other attributes than the base's is read again.
    if !has_attributes {
        draft.keep_index(&added.map(|change| change.path.as_slice()).collect::<Vec<_>>())?;
    }
    let repository = |dir: &Vec<u8>| NestedRepository {
        path: path(dir),
        submodule: known.submodules.get(dir).cloned(),
        head: head::read_nested_head(&root, &own.workspace, dir),
    };
    let ignored = |(at, bytes): &(Vec<u8>, Option<u64>)| Ignored { path: path(at), bytes: *bytes };
    Ok(Snapshot {
        tree,
        base: state.base.clone(),
        changed: changes.iter().map(|change| path(&change.path)).collect(),
        nested: found.nested.iter().map(repository).collect(),
        ignored: found.ignored.iter().map(ignored).collect(),
        refused,
    })
}

/// Writes the tree with the attributes that stand in it: what the agent would commit, and what a checkout gives back.
async fn with_attributes(
    own: &Own,
    state: &State,
    known: &Known,
    found: &Found,
) -> Result<(String, Vec<Change>), GitError> {
    let mut draft = Draft::new(own, state).await?;
    draft.start_over().await?;
    draft.write_tree(state, known, found).await
}

/// Returns what git was told of and did not take.
fn bad_names(root: &Beneath, changes: &[Change], known: &Known, found: &Found) -> Vec<Refusal> {
    let missing = missing(changes, known, found).into_iter();
    // What is gone by now was taken away meanwhile.
    let there = missing.filter(|present| root.kind(&present.path).is_some());
    there.map(|present| Refusal { path: path(&present.path), why: Why::BadName }).collect()
}

/// Returns the links that the base does not have and that lead out of the tree.
async fn bad_links(root: &Beneath, draft: &Draft<'_>, changes: &[Change]) -> Result<Vec<Refusal>, GitError> {
    let new: Vec<_> = changes.iter().filter(|change| change.mode == LINK).collect();
    let targets = draft.targets(&new).await?;
    let refusal = |(link, target): (&&Change, &Vec<u8>)| {
        let why = links::objection(root, &link.path, target)?;
        Some(Refusal { path: path(&link.path), why })
    };
    Ok(new.iter().zip(&targets).filter_map(refusal).collect())
}

fn changing(path: &Path) -> GitError {
    GitError::Changing { path: path.to_owned() }
}
