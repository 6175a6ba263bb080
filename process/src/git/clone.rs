//! Clones that share the objects of their source, made by ourselves.
//!
//! `git clone` gives up over any ref of its source that is broken, shares nothing with a shallow source, and asks the
//! user's configuration whether it may read from a path. What a clone of ours has is what `git clone` would have given
//! it: the branches of the source as `refs/remotes/origin/…`, the one that is checked out there with its tracking, and a
//! remote. Branches that lead to no commit are left out. Whatever keeps its files and refs elsewhere (a linked tree, a
//! submodule, a reftable) is asked by git; the clone has them as files.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::call::Call;
use super::{Git, GitError, Head, name};

const HEADS: &str = "refs/heads/";
const ORIGIN: &str = "refs/remotes/origin/";

/// What git has for refs in one file, sorted by name. Commits alone stand in ours, so that all of them are peeled.
const PACKED_REFS: &str = "# pack-refs with: peeled fully-peeled sorted \n";

/// What has to be known of a repository to share its objects.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// `sha1` or `sha256`.
    pub(super) format: String,
    /// Where it has its refs.
    pub(super) common: PathBuf,
    pub(super) objects: PathBuf,
}

impl Git {
    /// Clones `from` to `to` (which must not exist or be empty), sharing its objects, with the new `branch` checked
    /// out at `from`'s HEAD and somebody to commit as. The clone holds no copy of the history: it is lost with
    /// `from`.
    ///
    /// # Errors
    ///
    /// As every call of git: see [`GitError`].
    pub async fn clone_shared(from: &Path, to: &Path, branch: &str) -> Result<Self, GitError> {
        Self::clone_shared_at(from, to, branch, None).await
    }

    /// The same with the new branch at `start`, a commit or a ref of the clone, whatever `from` has checked out.
    ///
    /// # Errors
    ///
    /// As every call of git: see [`GitError`].
    pub async fn clone_shared_at(
        from: &Path,
        to: &Path,
        branch: &str,
        start: Option<&str>,
    ) -> Result<Self, GitError> {
        name::check_branch(branch)?;
        if fs::read_dir(to).is_ok_and(|mut found| found.next().is_some()) || to.is_file() {
            return Err(GitError::NotEmpty { path: to.to_owned() });
        }
        let made = Self::at(from).share_to(to, branch, start).await;
        if made.is_err() {
            // Half a clone would keep the next try from its place.
            drop(fs::remove_dir_all(to));
        }
        made
    }

    /// Brings `refs/remotes/origin/<branch>` of this clone to where `from` has the branch, and returns the commit. Only
    /// a clone that does not share its objects any more has to fetch them.
    ///
    /// # Errors
    ///
    /// As every call of git; also when there is no such branch.
    pub async fn follow(&self, from: &Path, branch: &str) -> Result<String, GitError> {
        name::check_branch(branch)?;
        let (theirs, here) = (format!("{HEADS}{branch}"), format!("{ORIGIN}{branch}"));
        let Some(commit) = Self::at(from).resolve(&theirs).await? else {
            return Err(GitError::BadName {
                name: branch.to_owned(),
                what: "a branch: it leads to no commit",
            });
        };
        if self.resolve(&commit).await?.is_none() {
            self.fetch(from, &format!("+{theirs}:{here}")).await?;
            return Ok(commit);
        }
        let update = self.call(&format!("move {here}"), ["update-ref", &here, &commit]);
        update.config(self.disarmed().await?).run().await?;
        Ok(commit)
    }

    /// Returns where objects and refs of this repository are.
    pub(super) async fn shared(&self) -> Result<Shared, GitError> {
        let args = [
            "rev-parse",
            "--path-format=absolute",
            "--show-object-format",
            "--git-common-dir",
            "--git-path",
            "objects",
        ];
        let said = self.call("find its objects", args).run().await?.stdout;
        let lines: Vec<&[u8]> = said.trim_ascii_end().split(|byte| *byte == b'\n').collect();
        let [format, common, objects] = lines[..] else {
            let name = self.dir.display().to_string();
            return Err(GitError::BadName { name, what: "the path of a project: it has a line break" });
        };
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_owned()));
        let format = String::from_utf8_lossy(format).into_owned();
        Ok(Shared { format, common: path(common), objects: path(objects) })
    }

    async fn share_to(&self, to: &Path, branch: &str, start: Option<&str>) -> Result<Self, GitError> {
        let shared = self.shared().await?;
        fs::create_dir_all(to).map_err(|source| not_written(to, source))?;
        let (format, first) =
            (format!("--object-format={}", shared.format), format!("--initial-branch={branch}"));
        let init = ["init", "--quiet", "--template=", &first, &format];
        let init = Call::outside(to, &format!("clone {} to {}", self.dir.display(), to.display()), init);
        init.env("GIT_DEFAULT_REF_FORMAT", "files").run().await?;
        let (clone, git_dir) = (Self::workspace(to), to.join(".git"));
        shared.lend_to(&git_dir)?;
        let current = match self.current_branch().await {
            Ok(current) => current,
            // Its ref is broken; what counts is where the clone is to start.
            Err(GitError::Failed { .. }) => None,
            Err(error) => return Err(error),
        };
        let refs = clone.whole(self.refs_below(&[HEADS], None).await?).await?;
        let is_there = |current: &String| refs.iter().any(|(name, _)| name == current);
        let current = current.filter(is_there).filter(|current| !are_in_each_others_way(current, branch));
        write_refs(&git_dir, &refs, current.as_deref())?;
        // Whoever commits in the project commits there, too. The user's own settings are not enough: some agents hide
        // them from the programs that they start.
        let settings = settings(&self.dir, current.as_deref(), &self.identity().await?);
        append(&git_dir.join("config"), &settings)?;
        let start = match start {
            Some(start) => clone.resolve(start).await?.ok_or_else(|| no_commit(start))?,
            None => match self.look_at_head().await? {
                Head::Commit(commit) => commit,
                Head::Unborn => return Ok(clone),
                Head::Broken(_) => return Err(no_commit("HEAD")),
            },
        };
        let checkout = ["checkout", "--quiet", "--no-track", "-b", branch, &start, "--"];
        clone.call("check out its branch", checkout).config(clone.disarmed().await?).run().await?;
        Ok(clone)
    }

    /// Returns the branches that lead to a commit which is there, by their short names, sorted.
    async fn whole(&self, refs: Vec<(String, String)>) -> Result<Vec<(String, String)>, GitError> {
        let commits: Vec<String> = refs.iter().map(|(_, commit)| commit.clone()).collect();
        let missing: HashSet<String> = self.missing_commits(&commits).await?.into_iter().collect();
        let mut whole: Vec<_> = refs
            .into_iter()
            .filter(|(_, commit)| !missing.contains(commit))
            .filter_map(|(name, commit)| Some((name.strip_prefix(HEADS)?.to_owned(), commit)))
            .collect();
        whole.sort();
        Ok(whole)
    }
}

impl Shared {
    /// Has another repository, whose git directory is `git_dir`, see these objects, and nothing beyond where the history is
    /// cut off here.
    pub(super) fn lend_to(&self, git_dir: &Path) -> Result<(), GitError> {
        let alternates = git_dir.join("objects/info/alternates");
        let objects = [self.objects.as_os_str().as_bytes(), b"\n"].concat();
        fs::write(&alternates, objects).map_err(|source| not_written(&alternates, source))?;
        match fs::copy(self.common.join("shallow"), git_dir.join("shallow")) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(not_written(&git_dir.join("shallow"), source))
            }
            // Most are not cut off.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// Writes the branches of the source, and the one that is checked out there as the clone's own.
fn write_refs(git_dir: &Path, refs: &[(String, String)], current: Option<&str>) -> Result<(), GitError> {
    let own = refs.iter().filter(|(name, _)| Some(name.as_str()) == current);
    let own = own.map(|(name, commit)| format!("{commit} {HEADS}{name}\n"));
    let theirs = refs.iter().map(|(name, commit)| format!("{commit} {ORIGIN}{name}\n"));
    let packed = git_dir.join("packed-refs");
    let text: String = [PACKED_REFS.to_owned()].into_iter().chain(own).chain(theirs).collect();
    fs::write(&packed, text).map_err(|source| not_written(&packed, source))?;
    // A branch may have its name.
    let is_free = !refs.iter().any(|(name, _)| are_in_each_others_way(name, "HEAD"));
    if let Some(current) = current.filter(|_| is_free) {
        let head = git_dir.join(ORIGIN).join("HEAD");
        let write = || {
            fs::create_dir_all(git_dir.join(ORIGIN))?;
            fs::write(&head, format!("ref: {ORIGIN}{current}\n"))
        };
        write().map_err(|source| not_written(&head, source))?;
    }
    Ok(())
}

/// Returns the settings of a clone: its remote, the branch that follows it, who commits.
fn settings(source: &Path, current: Option<&str>, identity: &[(String, String)]) -> Vec<u8> {
    let mut text = b"[remote \"origin\"]\n\turl = ".to_vec();
    text.extend(quoted(source.as_os_str().as_bytes()));
    text.extend(b"\n\ttagOpt = --no-tags\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n");
    if let Some(current) = current {
        let (section, merge) = (quoted(current.as_bytes()), quoted(format!("{HEADS}{current}").as_bytes()));
        text.extend([b"[branch ", &section[..], b"]\n\tremote = origin\n\tmerge = ", &merge, b"\n"].concat());
    }
    for (key, value) in identity {
        // `user.name`, `user.email`
        let Some((section, name)) = key.split_once('.') else { continue };
        text.extend(format!("[{section}]\n\t{name} = ").into_bytes());
        text.extend([quoted(value.as_bytes()), b"\n".to_vec()].concat());
    }
    text
}

/// Returns a value as it has to stand in git's configuration.
fn quoted(value: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' => text.extend(b"\\n"),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

/// Returns whether two branches cannot both be: they are one, or the name of one is a directory of the other's.
fn are_in_each_others_way(one: &str, other: &str) -> bool {
    let is_in = |one: &str, other: &str| {
        other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_in(one, other) || is_in(other, one)
}

fn append(path: &Path, text: &[u8]) -> Result<(), GitError> {
    let written = fs::OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(text));
    written.map_err(|source| not_written(path, source))
}

fn no_commit(name: &str) -> GitError {
    GitError::BadName { name: name.to_owned(), what: "a commit to start from: it is gone or damaged" }
}

fn not_written(path: &Path, source: io::Error) -> GitError {
    GitError::NotWritten { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_hold_whatever_a_path_or_a_name_holds() {
        let identity = [("user.name".to_owned(), "A \"B\" \\ #C".to_owned())];
        let text = settings(Path::new("/a b;\n"), Some("x\"y"), &identity);
        let expected = "[remote \"origin\"]\n\turl = \"/a b;\\n\"\n\ttagOpt = --no-tags\n\
                        \tfetch = +refs/heads/*:refs/remotes/origin/*\n\
                        [branch \"x\\\"y\"]\n\tremote = origin\n\tmerge = \"refs/heads/x\\\"y\"\n\
                        [user]\n\tname = \"A \\\"B\\\" \\\\ #C\"\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn branches_are_in_each_others_way_as_files_are() {
        for (one, other) in [("a", "a"), ("a", "a/b"), ("a/b", "a")] {
            assert!(are_in_each_others_way(one, other), "{one} {other}");
        }
        for (one, other) in [("a", "ab"), ("a/b", "a/c")] {
            assert!(!are_in_each_others_way(one, other), "{one} {other}");
        }
    }
}
