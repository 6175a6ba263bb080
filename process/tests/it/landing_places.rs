//! A tree moves with its branch wherever its git directory lies, and a directory that is no tree of the repository does not.

use std::fs;
use std::path::{Path, PathBuf};

use cogwork_process::git::{BranchMove, Git, Healed, Landing};

use crate::git::shell;
use crate::landing::{Ahead, in_use};

/// Where a project may have its git directory, so that git names something else for its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Submodule,
    Separate,
    /// Beside the tree, which is named in it.
    Configured,
    /// In another directory as its `.git`, which git would take for the tree.
    ConfiguredElsewhere,
}

impl Place {
    const ALL: [Self; 4] = [Self::Submodule, Self::Separate, Self::Configured, Self::ConfiguredElsewhere];

    async fn ahead(self) -> Ahead {
        let mut ahead = Ahead::new().await;
        match self {
            Self::Submodule => {
                let submodule = "git init -q ../super; mv ../main ../super/sub; cd ../super; \
                                 git submodule --quiet add ./sub sub; git submodule --quiet absorbgitdirs 2>&1";
                let dir = ahead.repo.beside("super/sub");
                ahead.repo.shell(submodule).await;
                ahead.repo.git = Git::at(dir);
            }
            Self::Separate => drop(ahead.repo.shell("git init -q --separate-git-dir ../apart .").await),
            Self::Configured => {
                let apart =
                    "mv .git ../apart; echo 'gitdir: ../apart' > .git; git config core.worktree \"$PWD\"";
                ahead.repo.shell(apart).await;
            }
            Self::ConfiguredElsewhere => {
                let apart = "mkdir ../apart; mv .git ../apart; echo 'gitdir: ../apart/.git' > .git; \
                             git config core.worktree \"$PWD\"";
                ahead.repo.shell(apart).await;
            }
        }
        assert!(ahead.repo.path(".git").is_file(), "{self:?}");
        assert!(ahead.repo.git.is_repository().await.unwrap(), "{self:?}");
        ahead
    }
}

/// Makes another tree of the project the one that a run was started in, with `main` checked out there.
async fn from_linked(ahead: &mut Ahead) -> PathBuf {
    let main = ahead.repo.git.dir().to_owned();
    ahead.repo.shell("git switch -q -c other; git worktree add -q ../linked main").await;
    let linked = main.parent().unwrap().join("linked");
    ahead.repo.git = Git::at(&linked);
    main
}

async fn is_clean(dir: &Path, what: &str) {
    assert_eq!(shell(dir, "git status --porcelain").await, "", "{what}");
}

#[tokio::test]
async fn the_projects_own_tree_moves_with_its_branch() {
    for place in Place::ALL {
        let ahead = place.ahead().await;
        assert_eq!(ahead.land().await, Landing::Landed, "{place:?}");
        ahead.landed(ahead.repo.git.dir(), "").await;
        assert_eq!(ahead.repo.read("changed"), "to\n", "{place:?}");
        assert_eq!(ahead.repo.shell("git reflog -1 --format=%gs HEAD").await, "land it", "{place:?}");
        if place == Place::ConfiguredElsewhere {
            assert_eq!(fs::read_dir(ahead.repo.beside("apart")).unwrap().count(), 1, "it is no tree");
        }
        ahead.repo.shell("echo mine > mine; git add mine; git commit -qm mine").await;
        assert_eq!(ahead.repo.shell("git show --name-only --format= HEAD").await, "mine", "{place:?}");
    }
}

#[tokio::test]
async fn what_a_person_does_there_keeps_it() {
    let merge = "git switch -q -c side; git commit -q --allow-empty -m side; git switch -q main; \
                 git merge -q --no-ff --no-commit side";
    let rebase = "git switch -q -c side; git commit -q --allow-empty -m side; git switch -q main; \
                  echo 'edit HEAD' > ../todo; GIT_SEQUENCE_EDITOR='cp ../todo' git rebase -q -i --root 2>/dev/null";
    let cases = [("echo mine > added", "added"), (merge, "a merge is open"), (rebase, "is being rebased")];
    for place in Place::ALL {
        for (act, why) in cases {
            let ahead = place.ahead().await;
            ahead.repo.shell(act).await;
            let before = ahead.status().await;
            let (worktree, _, sentence) = in_use(ahead.land().await);
            assert_eq!(worktree, ahead.repo.git.dir(), "{place:?}: {act}");
            assert!(sentence.contains(why), "{place:?}: {act}: {sentence}");
            assert_eq!((ahead.main().await, ahead.status().await), (ahead.from.clone(), before), "{act}");
        }
    }
}

#[tokio::test]
async fn an_index_that_is_locked_there_keeps_it() {
    let ahead = Place::Submodule.ahead().await;
    let lock = Path::new(&ahead.repo.shell("git rev-parse --absolute-git-dir").await).join("index.lock");
    // Open, so that it is nobody's who is gone.
    let held = fs::File::create(&lock).unwrap();
    let (from, to, intent) = (&*ahead.from, &*ahead.to, &*ahead.intent());
    let wish = BranchMove { branch: "main", from, to, message: "land it", intent, on_step: &|_| {} };
    let (_, _, sentence) = in_use(ahead.repo.git.land(&wish).await.unwrap());
    assert!(sentence.contains("index.lock"), "{sentence}");
    assert_eq!(ahead.main().await, ahead.from);
    drop(held);
    fs::remove_file(&lock).unwrap();
    assert_eq!(ahead.land().await, Landing::Landed);
    ahead.landed(ahead.repo.git.dir(), "").await;
}

#[tokio::test]
async fn a_landing_that_was_cut_off_there_is_finished() {
    for place in Place::ALL {
        let ahead = place.ahead().await;
        // Some files had moved, index and branch had not.
        ahead.repo.shell("echo to > changed; echo to > added; rm removed").await;
        let (from, to, dir) = (&ahead.from, &ahead.to, ahead.repo.git.dir().display());
        let intent = format!(
            r#"{{"from":"{from}","to":"{to}","branch":"refs/heads/main","worktrees":["{dir}"],"message":"m"}}"#
        );
        fs::write(ahead.intent(), intent).unwrap();
        let healed = ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap();
        assert_eq!(healed, Healed::Landed, "{place:?}");
        ahead.landed(ahead.repo.git.dir(), "").await;
    }
}

#[tokio::test]
async fn its_linked_trees_move_as_those_of_any_other() {
    for place in Place::ALL {
        let mut ahead = place.ahead().await;
        let main = from_linked(&mut ahead).await;
        let linked = ahead.repo.git.dir().to_owned();
        assert_eq!(ahead.land().await, Landing::Landed, "{place:?}");
        ahead.landed(&linked, "").await;
        is_clean(&main, "the main tree is on another branch").await;
        assert_eq!(fs::read_to_string(main.join("changed")).unwrap(), "from\n", "{place:?}");
    }
}

#[tokio::test]
async fn the_main_tree_moves_with_a_linked_one_where_its_place_is_known() {
    for place in Place::ALL {
        let mut ahead = place.ahead().await;
        let main = from_linked(&mut ahead).await;
        shell(&main, "git checkout -q --ignore-other-worktrees main").await;
        if place == Place::Separate {
            // git has noted nowhere where it lies.
            let (_, _, sentence) = in_use(ahead.land().await);
            assert!(sentence.contains("git does not know where that is"), "{sentence}");
            assert_eq!(ahead.main().await, ahead.from);
            shell(&main, "git switch -q other").await;
        }
        assert_eq!(ahead.land().await, Landing::Landed, "{place:?}");
        is_clean(&main, "the main tree").await;
        is_clean(ahead.repo.git.dir(), "the linked tree").await;
    }
}

#[tokio::test]
async fn another_repository_in_the_place_of_a_tree_is_left_alone() {
    let ahead = Ahead::new().await;
    ahead.repo.shell("git switch -q -c other; git worktree add -q ../linked main; rm -r ../linked").await;
    ahead.repo.shell("git init -q ../linked; echo mine > ../linked/changed").await;
    assert_eq!(ahead.land().await, Landing::Landed);
    assert_eq!(fs::read_to_string(ahead.repo.beside("linked/changed")).unwrap(), "mine\n");
    is_clean(ahead.repo.git.dir(), "the project").await;
}
