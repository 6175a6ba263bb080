//! git as its callers see it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::contain::Exit;
use cogwork_process::git::{Git, GitError, Merged};
use tempfile::TempDir;

use crate::contained::{outcome, script};

/// A repository in a directory of its own, with one commit.
pub(crate) struct Repo {
    pub(crate) git: Git,
    dir: TempDir,
}

impl Repo {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("main")).unwrap();
        let git = Git::init(&dir.path().join("main")).await.unwrap();
        let repo = Self { git, dir };
        repo.write("file", "one\n");
        repo.commit("first").await;
        repo
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.git.dir().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        write(&self.path(name), content);
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) async fn commit(&self, message: &str) -> String {
        self.git.commit_all(message, &[]).await.unwrap().unwrap()
    }

    pub(crate) async fn head(&self) -> String {
        self.git.head().await.unwrap().unwrap()
    }

    /// Runs shell commands in the repository, as a user or agent would.
    pub(crate) async fn shell(&self, commands: &str) -> String {
        shell(self.git.dir(), commands).await
    }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) async fn shell(dir: &Path, commands: &str) -> String {
    let mut spawn = script(&format!("set -e; {commands}"));
    spawn.cwd = dir.into();
    for (name, value) in [("NAME", "Test"), ("EMAIL", "test@localhost")] {
        spawn.env.push((format!("GIT_AUTHOR_{name}").into(), value.into()));
        spawn.env.push((format!("GIT_COMMITTER_{name}").into(), value.into()));
    }
    let (lines, exit) = outcome(&mut spawn.start().unwrap()).await;
    assert_eq!(exit, Exit::Code(0), "{commands}: {lines:?}");
    lines.join("\n")
}

#[tokio::test]
async fn git_is_there() {
    assert!(Git::version().await.unwrap().starts_with("2."));
}

#[tokio::test]
async fn a_new_repository_has_a_branch_and_no_commit() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!Git::at(dir.path()).is_repository().await.unwrap());
    let git = Git::init(dir.path()).await.unwrap();
    assert!(git.is_repository().await.unwrap());
    assert_eq!(git.current_branch().await.unwrap().as_deref(), Some("main"));
    assert_eq!(git.head().await.unwrap(), None);
    assert_eq!(git.commit_all("nothing", &[]).await.unwrap(), None);
    write(&dir.path().join("a"), "");
    assert!(git.commit_all("something", &[]).await.unwrap().is_some());
    Git::init(dir.path()).await.unwrap();
    assert!(git.head().await.unwrap().is_some(), "a second init changes nothing");
}

#[tokio::test]
async fn only_the_top_of_a_tree_is_a_repository() {
    let repo = Repo::new().await;
    repo.write("below/file", "");
    assert!(!Git::at(repo.path("below")).is_repository().await.unwrap());
    assert!(!Git::at(repo.path(".git")).is_repository().await.unwrap());
    let error = Git::at(repo.path("below")).head().await.unwrap_err();
    assert!(error.to_string().contains("not a git repository"), "{error}");
    let link = repo.beside("link");
    symlink(repo.git.dir(), &link).unwrap();
    assert!(Git::at(link).is_repository().await.unwrap());
    let error = Git::at(repo.beside("missing")).is_repository().await.unwrap_err();
    assert!(error.to_string().starts_with("there is no directory"), "{error}");
}

#[tokio::test]
async fn a_detached_head_is_on_no_branch() {
    let repo = Repo::new().await;
    repo.shell("git checkout -q --detach").await;
    assert_eq!(repo.git.current_branch().await.unwrap(), None);
    assert!(repo.git.head().await.unwrap().is_some());
}

#[tokio::test]
async fn revisions_are_looked_up() {
    let repo = Repo::new().await;
    let first = repo.head().await;
    assert_eq!(repo.git.resolve("main").await.unwrap(), Some(first.clone()));
    assert_eq!(repo.git.resolve(&first[..8]).await.unwrap(), Some(first.clone()));
    assert_eq!(repo.git.resolve("refs/heads/none").await.unwrap(), None);
    assert!(matches!(repo.git.resolve("--all").await, Err(GitError::BadName { .. })));
    repo.write("b", "");
    let second = repo.commit("second").await;
    assert!(repo.git.is_ancestor(&first, &second).await.unwrap());
    assert!(!repo.git.is_ancestor(&second, &first).await.unwrap());
    assert_eq!(repo.git.changed_paths(&first, &second).await.unwrap(), ["b"]);
    assert!(repo.git.is_ancestor("main", "none").await.is_err());
}

#[tokio::test]
async fn dirt_is_listed_whatever_its_name() {
    let repo = Repo::new().await;
    assert_eq!(repo.git.dirty_paths(9).await.unwrap(), [""; 0]);
    repo.write(".gitignore", "ignored\n");
    for name in ["file", "-n", "new line\nüñ \"quoted\"", "dir/a", "dir/b", "ignored"] {
        repo.write(name, "changed");
    }
    // A setting of the user must not hide anything.
    repo.shell("git config status.showUntrackedFiles no; git config status.renames true; git add file").await;
    let mut dirty = repo.git.dirty_paths(9).await.unwrap();
    dirty.sort();
    assert_eq!(dirty, ["-n", ".gitignore", "dir/", "file", "new line\nüñ \"quoted\""]);
    assert_eq!(repo.git.dirty_paths(2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn looking_takes_no_lock() {
    let repo = Repo::new().await;
    let index = || fs::metadata(repo.path(".git/index")).unwrap().modified().unwrap();
    let before = index();
    // The same content, written anew: git would note that in its index.
    repo.write("file", "one\n");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(repo.git.dirty_paths(9).await.unwrap(), [""; 0]);
    assert_eq!(index(), before);
}

#[tokio::test]
async fn everything_is_committed_with_its_trailers() {
    let repo = Repo::new().await;
    repo.write("file", "two\n");
    repo.write("-n", "new");
    repo.write("gone", "");
    repo.commit("before").await;
    fs::remove_file(repo.path("gone")).unwrap();
    repo.write("file", "three\n");
    let trailers = [("Feature", "#7"), ("Note", "two\nlines")];
    let commit = repo.git.commit_all("Title\n\n# not a comment\n", &trailers).await.unwrap();
    assert_eq!(commit, Some(repo.head().await));
    assert_eq!(repo.git.dirty_paths(9).await.unwrap(), [""; 0]);
    let message = repo.shell("git log -1 --format=%B").await;
    assert_eq!(message.trim_end(), "Title\n\n# not a comment\n\nFeature: #7\nNote: two lines");
    assert_eq!(repo.shell("git log -1 --format='%(trailers:key=Feature,valueonly)'").await.trim_end(), "#7");
}

#[tokio::test]
async fn somebody_commits_even_where_nobody_is_configured() {
    let repo = Repo::new().await;
    repo.shell("git config user.name Somebody; git config user.email some@body").await;
    repo.write("a", "");
    repo.commit("with an identity").await;
    repo.shell("git config --unset user.email").await;
    repo.write("b", "");
    repo.commit("with half of one").await;
    let authors = repo.shell("git log -2 --format='%an <%ae> %cn'").await;
    let global = repo.shell("git config --global user.email || true").await;
    let email = if global.is_empty() { "cogwork@localhost" } else { &global };
    assert_eq!(authors, format!("Somebody <{email}> Somebody\nSomebody <some@body> Somebody"));
}

#[tokio::test]
async fn a_clone_shares_objects_and_has_its_own_branch() {
    let repo = Repo::new().await;
    repo.shell("git tag v1; git config user.name Somebody; git config user.email some@body").await;
    let to = repo.beside("workspaces/s1");
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let clone = Git::clone_shared(repo.git.dir(), &to, "cogwork/s1").await.unwrap();
    assert_eq!(clone.current_branch().await.unwrap().as_deref(), Some("cogwork/s1"));
    assert_eq!(clone.head().await.unwrap(), Some(repo.head().await));
    assert_eq!(fs::read_to_string(to.join("file")).unwrap(), "one\n");
    assert!(to.join(".git/objects/info/alternates").exists());
    assert_eq!(shell(&to, "git tag; find .git/objects -type f -path '*/??/*'").await, "");
    let identity =
        "unset GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL; GIT_CONFIG_GLOBAL=/dev/null git var GIT_AUTHOR_IDENT";
    let author = shell(&to, identity).await;
    assert!(author.starts_with("Somebody <some@body>"), "an agent can commit there: {author}");
    write(&to.join("work"), "");
    let commit = clone.commit_all("work", &[]).await.unwrap().unwrap();
    // The work comes back as a ref that is made once.
    repo.git.fetch(&to, "refs/heads/cogwork/s1:refs/cogwork/attempts/1").await.unwrap();
    assert_eq!(repo.git.resolve("refs/cogwork/attempts/1").await.unwrap(), Some(commit));
    assert!(!repo.path(".git/FETCH_HEAD").exists());
    let error = Git::clone_shared(repo.git.dir(), &to, "cogwork/s1").await.unwrap_err();
    assert!(error.to_string().contains("already exists and is not an empty directory"), "{error}");
    let error = repo.git.fetch(&to, "refs/heads/none:refs/cogwork/none").await.unwrap_err();
    assert!(error.to_string().contains("couldn't find remote ref"), "{error}");
}

/// A repository and the commit of a branch `side` that changes `file` and adds `side`.
pub(crate) async fn with_side(content: &str) -> (Repo, String) {
    let repo = Repo::new().await;
    let main = repo.head().await;
    repo.write("file", content);
    repo.write("side", "");
    let side = repo.commit("side").await;
    repo.git.create_ref("refs/heads/side", &side).await.unwrap();
    repo.git.reset_hard_clean(&main).await.unwrap();
    (repo, side)
}

#[tokio::test]
async fn a_merge_is_a_merge_commit_even_where_it_could_move_forward() {
    let (repo, side) = with_side("side\n").await;
    repo.shell("git config merge.ff only; git config branch.main.mergeOptions --squash; git config pull.twohead ours")
        .await;
    let before = repo.head().await;
    let merged = repo.git.merge_no_ff(&side, None, "Merge it\n\nFeature: #7").await.unwrap();
    let head = repo.head().await;
    assert_eq!(merged, Merged::Clean { commit: head.clone() });
    let parents = repo.shell("git log -1 --format='%P|%s|%(trailers:key=Feature,valueonly)'").await;
    assert_eq!(parents.trim_end(), format!("{before} {side}|Merge it|#7"));
    assert_eq!(repo.read("file"), "side\n");
    assert_eq!(repo.git.merge_no_ff(&side, None, "again").await.unwrap(), Merged::AlreadyThere);
    assert_eq!(repo.head().await, head);
}

#[tokio::test]
async fn a_conflict_names_its_files_and_can_be_taken_back() {
    let (repo, side) = with_side("side\n").await;
    repo.write("file", "main\n");
    let main = repo.commit("main").await;
    let conflict = Merged::Conflict { files: vec!["file".into()] };
    assert_eq!(repo.git.merge_no_ff(&side, None, "m").await.unwrap(), conflict);
    repo.git.reset_hard_clean(&main).await.unwrap();
    assert_eq!((repo.head().await, repo.read("file").as_str()), (main.clone(), "main\n"));
    assert_eq!(repo.git.dirty_paths(9).await.unwrap(), [""; 0]);
    assert_eq!(repo.git.merge_no_ff(&side, None, "m").await.unwrap(), conflict);
    repo.write("junk", "");
    repo.git.reset_hard_clean(&main).await.unwrap();
    assert_eq!(repo.git.dirty_paths(9).await.unwrap(), [""; 0]);
    assert!(!repo.path(".git/MERGE_HEAD").exists());
    assert!(repo.git.merge_no_ff("none", None, "m").await.is_err());
}

#[tokio::test]
async fn a_history_that_claims_to_have_others_work_takes_nothing_from_it() {
    let (repo, _) = with_side("side\n").await;
    let base = repo.head().await;
    repo.write("others", "work\n");
    let main = repo.commit("others").await;
    repo.shell(&format!(
        "git checkout -q -b claims {base}; echo mine > mine; git add mine; git commit -qm mine"
    ))
    .await;
    repo.shell(&format!("git merge -q -s ours -m claim {main}; git checkout -q main")).await;
    let claims = repo.shell("git rev-parse claims").await.trim_end().to_owned();
    let merged = repo.git.merge_no_ff(&claims, Some(&base), "m").await.unwrap();
    let Merged::Clean { commit } = merged else { panic!("{merged:?}") };
    assert_eq!((repo.read("others").as_str(), repo.read("mine").as_str()), ("work\n", "mine\n"));
    assert_eq!(repo.shell("git log -1 --format=%P").await.trim_end(), format!("{main} {claims}"));
    assert_eq!((repo.head().await, repo.git.dirty_paths(9).await.unwrap()), (commit, vec![]));
}

#[tokio::test]
async fn a_reset_keeps_what_is_ignored_and_nothing_else() {
    let repo = Repo::new().await;
    repo.write(".gitignore", "built/\n");
    let commit = repo.commit("ignore").await;
    repo.write("built/cache", "");
    repo.write("junk/file", "");
    repo.shell("git init -q nested; git add file").await;
    repo.write("file", "changed");
    repo.git.reset_hard_clean(&commit).await.unwrap();
    let left = repo.shell("ls -A").await;
    assert_eq!(left, ".git\n.gitignore\nbuilt\nfile");
    assert_eq!(repo.read("file"), "one\n");
}

#[tokio::test]
async fn a_branch_keeps_its_name_beside_a_tag_of_the_same() {
    let repo = Repo::new().await;
    repo.shell("git branch origin/main; git tag heads/main HEAD; git tag main HEAD").await;
    assert_eq!(repo.git.current_branch().await.unwrap().as_deref(), Some("main"));
}

#[tokio::test]
async fn our_own_directory_is_never_committed() {
    let repo = Repo::new().await;
    repo.shell("mkdir .cogwork .COGWORK a a/.cogwork; touch .cogwork/x .COGWORK/x a/.cogwork/x").await;
    let commit = repo.git.commit_all("work", &[]).await.unwrap().unwrap();
    let names = repo.git.root_names(&commit).await.unwrap();
    assert!(names.iter().all(|name| !name.eq_ignore_ascii_case(".cogwork")), "{names:?}");
    assert!(repo.git.changed_paths("HEAD^", "HEAD").await.unwrap().contains(&"a/.cogwork/x".to_owned()));
}

#[tokio::test]
async fn a_ref_is_made_once() {
    let (repo, side) = with_side("side\n").await;
    let name = "refs/cogwork/attempts/7";
    let tries = (0..8).map(|_| repo.git.create_ref(name, &side));
    let mut created = 0;
    for tried in join_all(tries).await {
        match tried {
            Ok(()) => created += 1,
            Err(GitError::RefExists { name: exists }) => assert_eq!(exists, name),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(created, 1);
    assert!(matches!(repo.git.create_ref(name, "HEAD").await, Err(GitError::RefExists { .. })));
    assert_eq!(repo.git.resolve(name).await.unwrap(), Some(side.clone()));
    repo.git.delete_ref(name).await.unwrap();
    assert_eq!(repo.git.resolve(name).await.unwrap(), None);
    repo.git.delete_ref(name).await.unwrap();
    repo.git.create_ref(name, &side).await.unwrap();
    assert!(matches!(repo.git.create_ref("refs/--x/..", &side).await, Err(GitError::BadName { .. })));
}

/// Runs futures side by side.
async fn join_all<T: 'static>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut open: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        open.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if open.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test]
async fn a_lock_of_somebody_else_is_waited_for() {
    let repo = Repo::new().await;
    repo.write("file", "two\n");
    let lock = repo.path(".git/index.lock");
    fs::write(&lock, "").unwrap();
    let release = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        fs::remove_file(&lock).unwrap();
    };
    let (commit, ()) = tokio::join!(repo.git.commit_all("two", &[]), release);
    assert!(commit.unwrap().is_some());
    fs::write(&lock, "").unwrap();
    repo.write("file", "three\n");
    let error = repo.git.commit_all("three", &[]).await.unwrap_err();
    assert!(matches!(error, GitError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("index.lock"), "{error}");
}

#[tokio::test]
async fn the_root_of_a_commit_is_what_is_committed_there() {
    let repo = Repo::new().await;
    fs::create_dir(repo.path("dir")).unwrap();
    repo.write("dir/below", "x\n");
    repo.write("a \"name\" with ä", "x\n");
    repo.commit("second").await;
    repo.write("not committed", "x\n");
    assert_eq!(repo.git.root_names("HEAD").await.unwrap(), ["a \"name\" with ä", "dir", "file"]);
    assert!(repo.git.root_names("--all").await.is_err());
}
