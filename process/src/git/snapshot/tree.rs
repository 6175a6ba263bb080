//! From what the walk has found to a tree: git is told each path, and what it made of them is looked at again.

use std::collections::HashSet;
use std::path::PathBuf;

use super::beneath::is_within;
use super::draft::Draft;
use super::known::Known;
use super::own::State;
use super::path;
use super::refusal::{Refusal, Why};
use super::settings::filters;
use super::walk::{Found, Present};
use crate::git::call::records;
use crate::git::{GitError, lossy};

/// The mode of a link to a commit.
const GITLINK: &str = "160000";

/// The mode of a link.
pub(super) const LINK: &str = "120000";

/// A difference between the base and a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) path: Vec<u8>,
    pub(super) old_mode: String,
    pub(super) mode: String,
    pub(super) object: String,
}

impl Draft<'_> {
    /// Returns those of `paths` that are ignored, by the rules that stand in the tree and those of the user.
    pub(super) async fn ignored(
        &self,
        paths: impl Iterator<Item = &[u8]>,
    ) -> Result<HashSet<Vec<u8>>, GitError> {
        // A name at the beginning could be taken for magic.
        let questions: Vec<u8> = paths.flat_map(|path| [b"./", path, b"\0"].concat()).collect();
        if questions.is_empty() {
            return Ok(HashSet::new());
        }
        let ask = self.call("find what is ignored", ["check-ignore", "--no-index", "-z", "--stdin"]);
        let said = ask.stdin(questions).or_code(1).run().await?.stdout;
        Ok(records(&said).filter_map(|path| path.strip_prefix(b"./")).map(<[u8]>::to_vec).collect())
    }

    /// Decides about the files that are too large: those that have not changed stay, those that a filter of the user
    /// replaces by something short are taken, the others are refused.
    pub(super) async fn settle_oversize(
        &self,
        state: &State,
        found: &mut Found,
        limit: u64,
    ) -> Result<(), GitError> {
        if found.oversize.is_empty() {
            return Ok(());
        }
        let known = found.oversize.iter().filter(|present| !present.is_new);
        let known: Vec<PathBuf> = known.map(|present| path(&present.path)).collect();
        let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--"];
        let diff = self.call("compare large files", diff).args(&known).env("GIT_LITERAL_PATHSPECS", "1");
        let changed = if known.is_empty() { Vec::new() } else { diff.run().await?.stdout };
        let changed: HashSet<&[u8]> = records(&changed).collect();
        let names =
            found.oversize.iter().flat_map(|present| [present.path.as_slice(), b"\0"].concat()).collect();
        let ask = self.call("find the filters of large files", ["check-attr", "-z", "--stdin", "filter"]);
        let said = ask.stdin(names).run().await?.stdout;
        let fields: Vec<&[u8]> = said.split(|byte| *byte == 0).collect();
        let filters: HashSet<&[u8]> = filters(&state.settings).map(str::as_bytes).collect();
        // path, attribute, value, path, …
        let filtered: HashSet<&[u8]> =
            fields.chunks_exact(3).filter(|field| filters.contains(field[2])).map(|field| field[0]).collect();
        for present in std::mem::take(&mut found.oversize) {
            let at = present.path.as_slice();
            if filtered.contains(at) || !(present.is_new || changed.contains(at)) {
                found.present.push(present);
                continue;
            }
            let why = Why::TooLarge { bytes: present.bytes, limit };
            found.refused.push(Refusal { path: path(at), why });
            found.kept.insert(present.path);
        }
        Ok(())
    }

    /// Writes the tree of what was found; returns it, and how it differs from the base.
    pub(super) async fn write_tree(
        &self,
        state: &State,
        known: &Known,
        found: &Found,
    ) -> Result<(String, Vec<Change>), GitError> {
        let present: HashSet<&[u8]> = found.present.iter().map(|present| present.path.as_slice()).collect();
        let submodules: HashSet<&[u8]> = found.submodules.iter().map(Vec::as_slice).collect();
        let added = self.cached.iter().flat_map(|cached| &cached.added);
        let files = known.files.keys().chain(added).filter(|path| !present.contains(path.as_slice()));
        let links = known.submodules.keys().filter(|path| !submodules.contains(path.as_slice()));
        let mut gone: Vec<&Vec<u8>> =
            files.chain(links).filter(|path| !is_within(path, &found.kept)).collect();
        gone.sort();
        if !gone.is_empty() {
            let remove = ["update-index", "--force-remove", "-z", "--stdin"];
            self.call("take out what is gone", remove).stdin(stream(gone)).run().await?;
        }
        let mut add = self.call("add the files", ["update-index", "--add", "--remove", "--replace"]);
        // Names that some system takes for `.git` have no business in a tree.
        add = add.config(["core.protectHFS=true", "core.protectNTFS=true"]);
        for (at, commit) in known.submodules.iter().filter(|(at, _)| submodules.contains(at.as_slice())) {
            let entry = [format!("{GITLINK},{commit},").as_bytes(), at].concat();
            add = add.arg("--cacheinfo").arg(path(&entry));
        }
        let files = stream(found.present.iter().map(|present| &present.path));
        add.args(["-z", "--stdin"]).stdin(files).run().await?;
        let write = self.call("write a tree", ["write-tree"]);
        let (tree, changes) = tokio::try_join!(write.run(), self.changes(state))?;
        Ok((tree.line(), changes))
    }

    /// Returns how the index differs from the base.
    async fn changes(&self, state: &State) -> Result<Vec<Change>, GitError> {
        let diff =
            ["diff-index", "--cached", "-z", "--raw", "--no-abbrev", "--no-renames", &state.base_tree, "--"];
        let said = self.call("compare a snapshot with its base", diff).run().await?.stdout;
        let fields: Vec<&[u8]> = records(&said).collect();
        Ok(fields.chunks_exact(2).filter_map(|change| Change::parse(change[0], change[1])).collect())
    }

    /// Returns what the links of a tree say, in their order.
    pub(super) async fn targets(&self, links: &[&Change]) -> Result<Vec<Vec<u8>>, GitError> {
        if links.is_empty() {
            return Ok(Vec::new());
        }
        let objects = links.iter().map(|link| format!("{}\n", link.object)).collect::<String>();
        let read = self.call("read the links", ["cat-file", "--batch"]).stdin(objects.into_bytes());
        let said = read.run().await?.stdout;
        let mut rest = said.as_slice();
        // `object type size\ncontent\n`
        let mut next = || {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let size: usize = str::from_utf8(&rest[..end]).ok()?.rsplit(' ').next()?.parse().ok()?;
            let content = rest.get(end + 1..end + 1 + size)?.to_vec();
            rest = rest.get(end + 2 + size..)?;
            Some(content)
        };
        Ok(links.iter().map_while(|_| next()).collect())
    }
}

impl Change {
    /// Reads `:mode mode object object status` and a path.
    pub(super) fn parse(about: &[u8], path: &[u8]) -> Option<Self> {
        let about = lossy(about.strip_prefix(b":")?);
        let mut words = about.split(' ').map(str::to_owned);
        let (old_mode, mode) = (words.next()?, words.next()?);
        let object = words.nth(1)?;
        Some(Self { path: path.to_vec(), old_mode, mode, object })
    }

    /// Returns whether nothing is here any more.
    pub(super) fn is_removal(&self) -> bool {
        self.mode == "000000"
    }

    /// Returns whether the base has nothing here.
    pub(super) fn is_added(&self) -> bool {
        self.old_mode == "000000"
    }
}

/// Returns what git has made of a tree that was not wanted, by its path: a link to a commit, or a file that was not
/// found, which an index from before could have.
pub(super) fn stranger<'a>(changes: &'a [Change], found: &Found) -> Option<&'a Change> {
    let present: HashSet<&[u8]> = found.present.iter().map(|present| present.path.as_slice()).collect();
    let is_strange = |change: &&Change| {
        change.mode == GITLINK
            || (change.is_added()
                && !present.contains(change.path.as_slice())
                && !is_within(&change.path, &found.kept))
    };
    changes.iter().find(is_strange)
}

/// Returns what was told to git and is not in its tree: names that it did not take.
pub(super) fn missing<'a>(changes: &[Change], known: &Known, found: &'a Found) -> Vec<&'a Present> {
    let changed: HashSet<&[u8]> = changes.iter().map(|change| change.path.as_slice()).collect();
    let differs = |present: &&Present| known.files.get(&present.path) != Some(&present.is_link);
    found
        .present
        .iter()
        .filter(differs)
        .filter(|present| !changed.contains(present.path.as_slice()))
        .collect()
}

fn stream<'a>(paths: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    paths.into_iter().flat_map(|path| path.iter().copied().chain([0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_wanted_is_a_stranger() {
        let change = |about: &str, path: &str| {
            Change::parse(format!(":{about} A").as_bytes(), path.as_bytes()).unwrap()
        };
        let present = |path: &str| Present { path: path.into(), is_link: false, bytes: 0, is_new: true };
        let found = Found {
            present: vec![present("file"), present("repository")],
            kept: [b"closed".to_vec()].into(),
            ..Found::default()
        };
        let changes = [
            change("000000 100644 0 1", "file"),
            change("100644 000000 1 0", "gone"),
            change("000000 100644 0 1", "closed/file"),
            change("000000 100644 0 1", "stranger"),
            change("000000 160000 0 1", "repository"),
        ];
        assert_eq!(stranger(&changes[..3], &found), None);
        assert_eq!(stranger(&changes[..4], &found), Some(&changes[3]));
        let linked = [&changes[..3], &changes[4..]].concat();
        assert_eq!(stranger(&linked, &found), Some(&changes[4]));
    }
}
