//! A project with a workspace, and what a snapshot of it must hold: by an oracle of plain git and plain file operations.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use cogwork_process::git::Git;
use cogwork_process::git::snapshot::{Snapshot, Snapshots};
use tempfile::TempDir;

use crate::git::shell;

/// A project with a submodule, a workspace of it, and another repository that is nobody's business.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) base: String,
    pub(crate) snapshots: Snapshots,
}

/// What stands in a tree at one path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    File { content: Vec<u8>, is_executable: bool },
    Link(PathBuf),
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with_files(0).await
    }

    /// With so many files more, fifty to a directory below `many`.
    pub(crate) async fn with_files(count: usize) -> Self {
        Self::on(tempfile::tempdir().unwrap(), count).await
    }

    /// The same in a given directory.
    pub(crate) async fn on(dir: TempDir, count: usize) -> Self {
        // All in one, because this is done a hundred times.
        let script = "for r in elsewhere module project; do git init -q -b main $r; echo one > $r/file; \
             git -C $r add .; git -C $r commit -qm first; done; cd project; \
             git -c protocol.file.allow=always submodule --quiet add ../module sub; \
             printf '/built/\\n*.log\\n' > .gitignore; printf '*.bin filter=lfs -text\\n' > .gitattributes; \
             mkdir -p dir/below; echo b > dir/b; echo c > dir/below/c; echo gone > gone; ln -s file link; \
             ln -s /etc/hostname old-link; printf '#!/bin/sh\\n' > run; chmod +x run; \
             git add -A; git commit -qm base; git rev-parse HEAD";
        let mut base = shell(dir.path(), script).await;
        if count > 0 {
            for at in 0..count {
                let path = dir.path().join(format!("project/many/{}/{at}", at / 50));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, format!("the content of the file {at}\n").repeat(at % 200 + 1)).unwrap();
            }
            let commit = "git add -A; git commit -qm many; git gc -q; git rev-parse HEAD";
            base = shell(&dir.path().join("project"), commit).await;
        }
        Self::with(dir, base).await
    }

    async fn with(dir: TempDir, base: String) -> Self {
        let at = |name: &str| dir.path().join(name);
        Git::clone_shared(&at("project"), &at("workspace"), "cogwork/s1").await.unwrap();
        let snapshots =
            Snapshots::make(&at("own.git"), &at("workspace"), &at("project"), &base).await.unwrap();
        Self { dir, base, snapshots }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What an agent does in the workspace.
    pub(crate) async fn work(&self, commands: &str) -> String {
        shell(&self.path("workspace"), commands).await
    }

    /// What a person does in the project.
    pub(crate) async fn project(&self, commands: &str) -> String {
        shell(&self.path("project"), commands).await
    }

    /// What plain git says about the objects of a snapshot.
    pub(crate) async fn read(&self, commands: &str) -> String {
        shell(&self.path("own.git"), &format!("export GIT_DIR=$PWD; {commands}")).await
    }

    pub(crate) async fn reopened(&self) -> Snapshots {
        let (own, workspace, project) = (self.path("own.git"), self.path("workspace"), self.path("project"));
        Snapshots::open(&own, &workspace, &project, &self.base).await.unwrap()
    }

    /// What plain git makes of a tree.
    pub(crate) async fn checked_out(&self, tree: &str) -> BTreeMap<PathBuf, Item> {
        let out = self.path("out");
        fs::remove_dir_all(&out).ok();
        fs::create_dir(&out).unwrap();
        let script = format!(
            "export GIT_INDEX_FILE=../out.index GIT_WORK_TREE=../out; git read-tree {tree}; \
             git checkout-index --all --force; rm ../out.index"
        );
        self.read(&script).await;
        let listed = list(&out, &[]);
        fs::remove_dir_all(&out).unwrap();
        listed
    }

    /// The links to commits in a tree.
    pub(crate) async fn gitlinks(&self, tree: &str) -> String {
        self.read(&format!("git ls-tree -r {tree} | sed -n 's/^160000 commit [0-9a-f]*\\t//p'")).await
    }

    /// Everything that a snapshot has to leave alone, with its times.
    pub(crate) fn outside(&self) -> BTreeMap<PathBuf, String> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.dir.path().to_owned()];
        let objects = self.path("project/.git/objects");
        let not_looked_at = [self.path("workspace"), self.path("own.git")];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if not_looked_at.contains(&path) {
                    continue;
                }
                let about = fs::symlink_metadata(&path).unwrap();
                // git notes that an object is in use still.
                let is_object = path.starts_with(&objects);
                let times = format!("{} {}", about.ctime(), about.ctime_nsec());
                let times = if is_object { String::new() } else { times };
                let text = format!("{:o} {} {times}", about.mode(), about.size());
                if about.is_dir() {
                    open.push(path.clone());
                }
                found.insert(path, text);
            }
        }
        found
    }
}

/// Lists the files and links below a directory, without `.git` and what is in the given places. Nothing else is opened.
pub(crate) fn list(top: &Path, without: &[&str]) -> BTreeMap<PathBuf, Item> {
    let mut listed = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(top).unwrap().to_owned();
            if path.file_name().unwrap() == ".git" || without.iter().any(|place| below.starts_with(place)) {
                continue;
            }
            let about = fs::symlink_metadata(&path).unwrap();
            if about.is_dir() {
                open.push(path);
            } else if about.is_symlink() {
                listed.insert(below, Item::Link(fs::read_link(path).unwrap()));
            } else if about.is_file() {
                let is_executable = about.permissions().mode() & 0o100 != 0;
                let content = fs::read(path).unwrap();
                listed.insert(below, Item::File { content, is_executable });
            }
        }
    }
    listed
}

/// The refusals as text.
pub(crate) fn refusals(snapshot: &Snapshot) -> Vec<String> {
    snapshot.refused.iter().map(ToString::to_string).collect()
}
