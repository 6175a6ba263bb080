//! Work in the project's own directory. A person's things lie about there, and so does what earlier sessions left: of
//! what is not committed, some is the agent's and some is not.
//!
//! Each session notes the tree that it began with. What differs from that is its own, and is committed when it passes,
//! unless it is in a file that a person had changed: the person's lines would be committed as well. A session that ends
//! without that leaves its note, and the next one takes over what is still as it was left: it would pass by it otherwise,
//! and commit nothing of it. What a killed one left is a person's: nobody knows what came after.

use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::own::State;
use super::tree::Change;
use super::{OBJECTIONS, Snapshots, path};
use crate::git::GitError;
use crate::git::call::records;

/// How often a commit is made anew when somebody else moves the branch at the same time.
const TRIES: u32 = 3;

/// The files of the project itself that an agent has changed and nobody has committed.
#[derive(Debug, Clone)]
pub struct Uncommitted {
    /// The tree that has them as they are.
    tree: String,
    pub files: Vec<PathBuf>,
    /// Those of the files that would bring along what a person had not committed when the work began.
    persons: Vec<PathBuf>,
}

impl Uncommitted {
    /// Returns why it cannot be handed in, in a sentence; `None` when it can.
    pub fn objections(&self) -> Option<String> {
        let mut named: Vec<_> =
            self.persons.iter().take(OBJECTIONS).map(|file| format!("`{}`", file.display())).collect();
        let more = self.persons.len().saturating_sub(OBJECTIONS);
        named.extend((more > 0).then(|| format!("{more} more")));
        let files = named.join(", ");
        let why = || {
            format!(
                "the work is in {files}, which a person had changed before and not committed: the person has to \
                 commit or stash that first"
            )
        };
        (!named.is_empty()).then(why)
    }
}

impl Snapshots {
    /// Notes that the project itself is worked in from now on: what lies about is a person's, but for what other sessions
    /// made. The git directories of those that are over are `earlier`, those of the others `live`.
    ///
    /// # Errors
    ///
    /// As every call of git.
    pub async fn begin_in_project(&self, earlier: &[PathBuf], live: &[PathBuf]) -> Result<(), GitError> {
        let now = self.tree_now().await?;
        let mut start = now.clone();
        let mut persons: HashSet<PathBuf> =
            self.changed_between(&self.base().await?, &now).await?.into_iter().collect();
        persons.extend(self.own.project.staged_files().await?.iter().map(|file| path(file)));
        for own in earlier {
            let left = self.of_another_session(own).await?;
            let before = left.before_what_is_left().await?;
            start = self.with_entries(&start, &before).await?;
            let not_its_own = left.persons_files().await?;
            let left: HashSet<PathBuf> = before.iter().map(|change| path(&change.path)).collect();
            persons.retain(|file| !left.contains(file) || not_its_own.contains(file));
        }
        for own in live {
            if let Some(work) = self.of_another_session(own).await?.uncommitted().await? {
                persons.retain(|file| !work.files.contains(file) || work.persons.contains(file));
            }
        }
        let persons: Vec<&[u8]> = persons.iter().map(|file| file.as_os_str().as_bytes()).collect();
        self.own.write("persons", &persons.join(&0))?;
        // Until it ends, what it has taken over is all that is known to be left: a person may be at work after a kill.
        self.own.write("end", now.as_bytes())?;
        self.own.write("start", start.as_bytes())
    }

    /// Returns whether a git directory is of a session that worked in the project itself.
    pub fn began_in_project(own: &Path) -> bool {
        own.join("cogwork-start").is_file()
    }

    /// Notes what the work in the project itself ends with. Returns whether any of it is not committed: then the git
    /// directory has to stay for the next session.
    ///
    /// # Errors
    ///
    /// As every call of git.
    pub async fn end_in_project(&self) -> Result<bool, GitError> {
        let Some(left) = self.uncommitted().await? else { return Ok(false) };
        self.own.write("end", left.tree.as_bytes())?;
        Ok(!left.files.is_empty())
    }

    /// Returns whether the project itself is worked in.
    pub(in crate::git) fn are_of_project(&self) -> bool {
        self.own.is_project()
    }

    /// Returns the files of the project that changed since the work began and that HEAD does not have as they are; `None`
    /// when it is not known how the work began.
    pub(in crate::git) async fn uncommitted(&self) -> Result<Option<Uncommitted>, GitError> {
        let Some(start) = self.noted_tree("start") else { return Ok(None) };
        let tree = self.tree_now().await?;
        let mut files = self.changed_between(&start, &tree).await?;
        if let (false, Some(head)) = (files.is_empty(), self.own.project.head().await?) {
            let beside: HashSet<PathBuf> = self.changed_between(&head, &tree).await?.into_iter().collect();
            files.retain(|file| beside.contains(file));
        }
        let not_its_own = if files.is_empty() { HashSet::new() } else { self.persons_files().await? };
        let persons = files.iter().filter(|file| not_its_own.contains(*file)).cloned().collect();
        Ok(Some(Uncommitted { tree, files, persons }))
    }

    /// Commits these files on the branch that is checked out, as they are, and nothing else that lies about or is in the
    /// index. The commit is kept under the ref `name` first. Returns it.
    ///
    /// # Errors
    ///
    /// As every call of git. Then nothing was committed.
    pub(in crate::git) async fn commit_in_project(
        &self,
        work: &Uncommitted,
        name: &str,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<Option<String>, GitError> {
        let mut tries = 0;
        loop {
            let Some(head) = self.own.project.head().await? else { return Ok(None) };
            let files: HashSet<&Path> = work.files.iter().map(PathBuf::as_path).collect();
            let changes = self.changes_between(&head, &work.tree).await?;
            let changes: Vec<Change> =
                changes.into_iter().filter(|change| files.contains(path(&change.path).as_path())).collect();
            if changes.is_empty() {
                return Ok(Some(head));
            }
            let tree = self.with_entries(&self.tree_of(&head).await?, &changes).await?;
            let commit = self.commit(&tree, &[&head], message, trailers).await?;
            match self.own.project.resolve(name).await? {
                Some(earlier) => self.record_over(name, &commit, &earlier).await?,
                None => self.record(name, &commit).await?,
            }
            self.own.project.set_index_entries(index_info(&changes)).await?;
            match self.own.project.move_head(&commit, &head, message).await {
                Ok(()) => return Ok(Some(commit)),
                Err(_) if tries < TRIES && self.own.project.head().await?.is_some_and(|now| now != head) => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the files that a person had changed or staged before the work began, without those that are committed by now
    /// as the person had them.
    async fn persons_files(&self) -> Result<HashSet<PathBuf>, GitError> {
        let noted = std::fs::read(self.own.file("persons")).unwrap_or_default();
        let mut files: HashSet<PathBuf> = records(&noted).map(path).collect();
        if let (false, Some(start), Some(head)) =
            (files.is_empty(), self.noted_tree("start"), self.own.project.head().await?)
        {
            let differs: HashSet<PathBuf> = self.changed_between(&head, &start).await?.into_iter().collect();
            for changed in self.changed_between(&self.base().await?, &start).await? {
                if !differs.contains(&changed) {
                    files.remove(&changed);
                }
            }
        }
        Ok(files)
    }

    /// Returns the commit that the work began with where `head` holds nothing else: an empty commit is no work.
    pub(in crate::git) async fn last_change(&self, head: String) -> Result<String, GitError> {
        let base = self.base().await?;
        Ok(if self.tree_of(&head).await? == self.tree_of(&base).await? { base } else { head })
    }

    /// Returns the commit that was checked out when the work began.
    async fn base(&self) -> Result<String, GitError> {
        let _turn = self.own.turn().await?;
        Ok(self.state().await?.base)
    }

    async fn of_another_session(&self, own: &Path) -> Result<Self, GitError> {
        Self::open(own, &self.own.workspace, self.own.project.dir(), &self.fallback).await
    }

    /// Returns how those files were before the work of an earlier session that are as it left them now.
    async fn before_what_is_left(&self) -> Result<Vec<Change>, GitError> {
        let Some(start) = self.noted_tree("start") else { return Ok(Vec::new()) };
        let now = self.tree_now().await?;
        let Some(end) = self.noted_tree("end") else { return Ok(Vec::new()) };
        let since: HashSet<PathBuf> = self.changed_between(&end, &now).await?.into_iter().collect();
        // From the end to the start: what was there before is the new side.
        let changes = self.changes_between(&end, &start).await?;
        Ok(changes.into_iter().filter(|change| !since.contains(&path(&change.path))).collect())
    }

    /// Returns the tree of the project as it is now. A file that git was told to leave out of the working tree is not gone,
    /// unless something else has its place.
    async fn tree_now(&self) -> Result<String, GitError> {
        let tree = self.take_snapshot().await?.tree;
        let Some(head) = self.own.project.head().await? else { return Ok(tree) };
        let (gone, there): (Vec<_>, Vec<_>) =
            self.changes_between(&tree, &head).await?.into_iter().partition(Change::is_added);
        if gone.is_empty() {
            return Ok(tree);
        }
        let left_out = self.own.project.left_out_files().await?;
        let there: HashSet<PathBuf> = there.iter().map(|change| path(&change.path)).collect();
        let dirs: HashSet<&Path> = there.iter().flat_map(|file| file.ancestors()).collect();
        let is_displaced =
            |file: &Path| dirs.contains(file) || file.ancestors().any(|dir| there.contains(dir));
        let is_left_out = |gone: &Change| left_out.contains(&gone.path) && !is_displaced(&path(&gone.path));
        let left_out: Vec<Change> = gone.into_iter().filter(is_left_out).collect();
        self.with_entries(&tree, &left_out).await
    }

    fn noted_tree(&self, name: &str) -> Option<String> {
        let noted = std::fs::read_to_string(self.own.file(name)).ok()?;
        (!noted.is_empty()).then_some(noted)
    }

    async fn changes_between(&self, from: &str, to: &str) -> Result<Vec<Change>, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        let diff = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", from, to, "--"];
        let said = self.own.call(&state, "compare two trees", diff).run().await?.stdout;
        let fields: Vec<&[u8]> = records(&said).collect();
        Ok(fields.chunks_exact(2).filter_map(|change| Change::parse(change[0], change[1])).collect())
    }

    /// Returns the tree that has what these changes lead to, and is like `tree` otherwise. Their objects need not be there.
    async fn with_entries(&self, tree: &str, changes: &[Change]) -> Result<String, GitError> {
        if changes.is_empty() {
            return Ok(tree.to_owned());
        }
        let _turn = self.own.turn().await?;
        let state: State = self.state().await?;
        let index = self.own.file("index-for-a-tree");
        let call = |purpose, args: &[&'static str]| {
            self.own.call(&state, purpose, args.iter().copied()).env("GIT_INDEX_FILE", &index)
        };
        let made = async {
            call("begin a tree", &["read-tree"]).arg(tree).run().await?;
            let update = call("put files into a tree", &["update-index", "-z", "--index-info"]);
            update.stdin(index_info(changes)).run().await?;
            let write = call("write a tree", &["write-tree", "--missing-ok"]);
            Ok(write.run().await?.line())
        };
        let made = made.await;
        drop(std::fs::remove_file(&index));
        made
    }
}

/// Returns what `update-index --index-info -z` reads; what goes makes room for what comes.
fn index_info(changes: &[Change]) -> Vec<u8> {
    // Of a path that is told twice, the last counts.
    let last: HashMap<&[u8], &Change> =
        changes.iter().map(|change| (change.path.as_slice(), change)).collect();
    let mut changes: Vec<&Change> = last.into_values().collect();
    changes.sort_by_key(|change| (!change.is_removal(), change.path.clone()));
    let line = |change: &&Change| {
        [format!("{} {}\t", change.mode, change.object).as_bytes(), &change.path, b"\0"].concat()
    };
    changes.iter().flat_map(line).collect()
}
