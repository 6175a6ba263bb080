//! A landing that is killed at any moment is finished or undone by the next start, and that can be killed as well.
//!
//! The judge is plain git: `status` shows a person's own edits and nothing else, and the branch is where it was or where
//! it was to be.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use cogwork_process::contain::{Contained, Output, Stdin};
use cogwork_process::git::{BranchMove, Git, Healed, Landing, Step};
use rustix::process::{Pid, Signal, kill_process};

use crate::landing::Ahead;
use crate::part::{part, play};

/// How often each kind of kill is made.
const KILLS: u64 = 20;

/// How long a landing takes at most, to be killed in.
const LANDING_US: u64 = 90_000;

/// What a landing in a process of its own has to know, one a line: where, from, to, intent, the step to stop after.
fn order(ahead: &Ahead, stop_after: &str) -> OsString {
    let dir = ahead.repo.git.dir().display();
    format!("{dir}\n{}\n{}\n{}\n{stop_after}", ahead.from, ahead.to, ahead.intent().display()).into()
}

#[test]
fn lander() {
    play(async |order| {
        let order = String::from_utf8(order.into_vec()).unwrap();
        let [dir, from, to, intent, stop_after] = order.lines().collect::<Vec<_>>()[..] else { panic!() };
        let (git, intent) = (Git::at(dir), PathBuf::from(intent));
        println!("up");
        if stop_after == "heal" {
            git.heal_landing(&intent).await.unwrap();
            return;
        }
        let on_step = |step: Step| {
            if format!("{step:?}") == stop_after {
                println!("there");
                // Until it is killed.
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
        };
        let wish =
            BranchMove { branch: "main", from, to, message: "land", intent: &intent, on_step: &on_step };
        git.land(&wish).await.unwrap();
    });
}

/// Starts a landing and returns it when it has said `word`.
async fn landing_that_said(ahead: &Ahead, stop_after: &str, word: &str) -> Contained {
    let mut spawn = part("landing_kills::lander", order(ahead, stop_after));
    spawn.stdin = Stdin::Piped;
    let mut lander = spawn.start().unwrap();
    loop {
        match lander.next().await {
            Output::Stdout(line) if line.text.ends_with(word) => return lander,
            Output::Stdout(_) | Output::Stderr(_) => {}
            Output::Ended(exit) => panic!("it ended without {word}: {exit}"),
        }
    }
}

/// Kills the process, and not the git that it may have started.
async fn kill(mut lander: Contained) {
    let pid = Pid::from_raw(lander.identity().pid).unwrap();
    // It may have ended by itself.
    kill_process(pid, Signal::KILL).ok();
    lander.wait().await;
}

/// A person's edits, staged, not staged and untracked.
const EDITS: &str = "echo mine > notes; echo mine > untouched; git add untouched; echo mine > own";
const EDITED: &str = " M notes\nM  untouched\n?? own";

/// Puts everything back to before the landing, with the person's edits.
async fn again(ahead: &Ahead) {
    ahead.repo.shell("rm -f own; find .git -name '*.lock' -delete").await;
    ahead.repo.git.reset_hard_clean(&ahead.from).await.unwrap();
    ahead.repo.shell(EDITS).await;
    assert_eq!(ahead.status().await, EDITED);
}

/// Heals, judges, and lands.
async fn healed_and_judged(ahead: &Ahead, what: &str) -> Healed {
    let healed = ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap();
    judge(ahead, what).await;
    if healed == Healed::Landed {
        assert_eq!(ahead.main().await, ahead.to, "{what}");
    }
    assert_eq!(ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap(), Healed::NothingToDo);
    assert_eq!(ahead.land().await, Landing::Landed, "{what}");
    judge(ahead, what).await;
    healed
}

async fn judge(ahead: &Ahead, what: &str) {
    assert!(!ahead.intent().exists(), "{what}");
    assert_eq!(ahead.status().await, EDITED, "{what}");
    assert!([&ahead.from, &ahead.to].contains(&&ahead.main().await), "{what}");
    ahead.repo.shell("git fsck --no-dangling").await;
    ahead.no_traces().await;
}

async fn killed_after(step: Step) {
    let ahead = Ahead::new().await;
    for kill_number in 1..=KILLS {
        again(&ahead).await;
        let what = format!("{step:?}, kill {kill_number}");
        kill(landing_that_said(&ahead, &format!("{step:?}"), "there").await).await;
        let healed = healed_and_judged(&ahead, &what).await;
        let expected = if step == Step::IntentRemoved { Healed::NothingToDo } else { Healed::Landed };
        assert_eq!(healed, expected, "{what}");
    }
}

#[tokio::test]
async fn killed_with_its_intent_written() {
    killed_after(Step::IntentWritten).await;
}

#[tokio::test]
async fn killed_with_the_index_locked() {
    killed_after(Step::IndexLocked).await;
}

#[tokio::test]
async fn killed_with_its_files_moved() {
    killed_after(Step::FilesMoved).await;
}

#[tokio::test]
async fn killed_with_the_branch_moved() {
    killed_after(Step::BranchMoved).await;
}

#[tokio::test]
async fn killed_with_the_index_moved() {
    killed_after(Step::IndexMoved).await;
}

#[tokio::test]
async fn killed_with_its_intent_removed() {
    killed_after(Step::IntentRemoved).await;
}

/// Moments that are spread over a landing and are the same in every run.
fn moments() -> impl Iterator<Item = Duration> {
    (0..KILLS).map(|at| Duration::from_micros(at * LANDING_US / KILLS))
}

#[tokio::test]
async fn killed_at_any_time() {
    let ahead = Ahead::new().await;
    let mut healed = Vec::new();
    for moment in moments() {
        again(&ahead).await;
        let lander = landing_that_said(&ahead, "nowhere", "up").await;
        tokio::time::sleep(moment).await;
        kill(lander).await;
        healed.push(healed_and_judged(&ahead, &format!("{moment:?}")).await);
    }
    assert!(healed.contains(&Healed::Landed), "some were in the middle: {healed:?}");
}

#[tokio::test]
async fn killed_while_it_heals() {
    let ahead = Ahead::new().await;
    for (at, moment) in moments().enumerate() {
        again(&ahead).await;
        let step = Step::ALL[at % 5];
        kill(landing_that_said(&ahead, &format!("{step:?}"), "there").await).await;
        for _ in 0..2 {
            let healer = landing_that_said(&ahead, "heal", "up").await;
            tokio::time::sleep(moment).await;
            kill(healer).await;
        }
        healed_and_judged(&ahead, &format!("{step:?}, {moment:?}")).await;
    }
}

#[tokio::test]
async fn a_branch_that_a_person_left_after_the_kill_is_whole() {
    for step in [Step::IndexLocked, Step::FilesMoved, Step::BranchMoved, Step::IndexMoved] {
        let ahead = Ahead::new().await;
        ahead.repo.shell("git branch other").await;
        kill(landing_that_said(&ahead, &format!("{step:?}"), "there").await).await;
        // As git itself says what to do about a lock that was left.
        ahead
            .repo
            .shell("rm -f .git/index.lock; git switch -q other || git symbolic-ref HEAD refs/heads/other")
            .await;
        assert_eq!(ahead.repo.git.heal_landing(&ahead.intent()).await.unwrap(), Healed::Landed);
        assert_eq!(ahead.status().await, "", "{step:?}");
        ahead.repo.shell("git switch -q main").await;
        assert_eq!((ahead.main().await, ahead.status().await), (ahead.to.clone(), String::new()), "{step:?}");
    }
}
