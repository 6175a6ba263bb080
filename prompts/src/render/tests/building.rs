//! Prompts with which an agent changes a project: one feature, a batch, without trying out, and a repair.

use super::*;
use crate::{Answered, RedCheck};

pub(super) fn repair_of(coding: Coding) -> Repair {
    let Coding { feature, isolation, branch, hints, yolo, previous, note, .. } = coding;
    let red = if yolo { vec![] } else { vec![red()] };
    let reported = branch.as_ref().map(|_| "It prints nothing since the file moved.".to_owned());
    Repair { feature, isolation, branch, hints, yolo, reported, red, previous, note }
}

fn red() -> RedCheck {
    RedCheck {
        command: "sh t/list.sh".into(),
        verdict: "exit code 1".into(),
        tail: "expected: 2 entries\ngot: nothing".into(),
    }
}

#[test]
fn one_feature_that_was_tried_before() {
    let mut told = coding();
    told.previous[0].red = vec![red()];
    told.note = Some("The parser is in `read.sh`.\nIt does not know dates.".into());
    let project = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(rendered(project.path(), told).unwrap(), @r"
    You are a coding agent. Build exactly one feature of this project, in the current directory, and stop.

    # Feature 7: list open entries

    `todo list` prints what is open.

    Steps:

    1. Read the file
    2. Print it

    It builds on work that is already here and passes; read it before you write:

    - add an entry

    # When it is done

    These commands decide, nothing else does. Cogwork runs them itself, in the root of this directory; each has to end
    with exit code 0:

    - `sh t/list.sh` (at most 30 s)

    Run them yourself as you work. Do not change, skip or weaken a check, and do not write code whose only purpose is to
    satisfy one: build what the feature says.

    # How to work

    - This directory is your own copy of the project, on the branch `cogwork/s4`. Other agents work on other features in
      copies of their own; Cogwork merges what you commit with theirs.
    - Read first: `README.md`
    - The usual way to run all tests here, by the files that are there: `make test` (Makefile)
    - Touch only what this feature needs. Other features have owners of their own: do not build them, do not reformat,
      rename or tidy up files that this one does not concern. Small changes merge, large ones collide.
    - Keep what works working: what other features did stays as it is for their checks.
    - Everything under `.cogwork/` belongs to Cogwork. Do not read, change or commit it.
    - Stop every server and background process that you started before you end.
    - Commit your work with git, with a message that names the feature. Stage the files you mean, by name. Do not push,
      switch branches or rewrite commits that are not yours.

    # Tools

    The MCP server `features` knows the project's features:

    - `feature_get_by_id` with `feature_id` 7 shows this feature in full.
    - `feature_mark_passing` with `feature_id` 7 when you are done and everything is committed.
      It runs the checks above and tells you which are red; repair and call it again.
    - Call it for no other feature.

    # When you are stuck

    - Try a second way before you give up.
    - Only a person can know it, such as a key, an account or a decision: `feature_request_human_input` with
      `feature_id` 7 and one clear question. The feature waits for the answer; end then.
    - It cannot be built as described: commit nothing half-done, do not mark it as passing, and give it back with
      `feature_clear_in_progress` and a `note`: what you tried, what happened, what is missing. The next attempt begins
      with that note, so it is worth more than a guess.

    # Earlier attempts

    This feature was tried before, without success. That work is not here. Do not repeat what failed:

    - Attempt 1: not finished: `sh t/list.sh` is red

    What attempt 1 left red: `sh t/list.sh`, exit code 1

        expected: 2 entries
        got: nothing

    The note that was left for you:

        The parser is in `read.sh`.
        It does not know dates.
    ");
}

#[test]
fn a_bare_feature_in_a_shared_tree_without_git() {
    let bare = Coding {
        feature: bare(),
        isolation: Isolation::Shared,
        branch: None,
        hints: Hints::default(),
        builds_on: vec![],
        previous: vec![],
        ..coding()
    };
    let project = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(rendered(project.path(), bare).unwrap(), @r"
    You are a coding agent. Build exactly one feature of this project, in the current directory, and stop.

    # Feature 7: list open entries

    # When it is done

    No command decides about this feature, so your own verification does. Try what you built the way a user would, and
    write a test for it where the project has tests.

    # How to work

    - This directory is the project itself. A person or another agent may have work in progress here: leave alone what
      you did not write.
    - Touch only what this feature needs. Other features have owners of their own: do not build them, do not reformat,
      rename or tidy up files that this one does not concern. Small changes merge, large ones collide.
    - Keep what works working: what other features did stays as it is for their checks.
    - Everything under `.cogwork/` belongs to Cogwork. Do not read, change or commit it.
    - Stop every server and background process that you started before you end.

    # Tools

    The MCP server `features` knows the project's features:

    - `feature_get_by_id` with `feature_id` 7 shows this feature in full.
    - `feature_mark_passing` with `feature_id` 7 when you are done.
      It is your word that the feature works.
    - Call it for no other feature.

    # When you are stuck

    - Try a second way before you give up.
    - Only a person can know it, such as a key, an account or a decision: `feature_request_human_input` with
      `feature_id` 7 and one clear question. The feature waits for the answer; end then.
    - It cannot be built as described: commit nothing half-done, do not mark it as passing, and give it back with
      `feature_clear_in_progress` and a `note`: what you tried, what happened, what is missing. The next attempt begins
      with that note, so it is worth more than a guess.
    ");
}

#[test]
fn a_broken_feature_is_repaired_from_its_evidence() {
    let mut told = coding();
    told.feature.steps = vec![];
    told.previous = vec![];
    let project = tempfile::tempdir().unwrap();
    let repair = Prompt::Repair(Box::new(repair_of(told)));
    insta::assert_snapshot!(render(project.path(), &repair).unwrap(), @r"
    You are a coding agent. A feature of this project that worked is broken. Repair it, in the current directory, and stop.

    # Feature 7: list open entries

    `todo list` prints what is open.

    # What is broken

    It prints nothing since the file moved.

    `sh t/list.sh`, exit code 1

        expected: 2 entries
        got: nothing

    Find the cause before you change anything: see it fail with your own eyes, then read what changed since it worked
    (`git log`, `git diff`). Repair the cause, not what it shows. If another feature's change broke this one, make both
    work: undo nobody's feature.

    # When it is done

    These commands decide, nothing else does. Cogwork runs them itself, in the root of this directory; each has to end
    with exit code 0:

    - `sh t/list.sh` (at most 30 s)

    Run them yourself as you work. Do not change, skip or weaken a check, and do not write code whose only purpose is to
    satisfy one: build what the feature says.

    # How to work

    - This directory is your own copy of the project, on the branch `cogwork/s4`. Other agents work on other features in
      copies of their own; Cogwork merges what you commit with theirs.
    - Read first: `README.md`
    - The usual way to run all tests here, by the files that are there: `make test` (Makefile)
    - Touch only what this feature needs. Other features have owners of their own: do not build them, do not reformat,
      rename or tidy up files that this one does not concern. Small changes merge, large ones collide.
    - Keep what works working: what other features did stays as it is for their checks.
    - Everything under `.cogwork/` belongs to Cogwork. Do not read, change or commit it.
    - Stop every server and background process that you started before you end.
    - Commit your work with git, with a message that names the feature. Stage the files you mean, by name. Do not push,
      switch branches or rewrite commits that are not yours.

    # Tools

    The MCP server `features` knows the project's features:

    - `feature_get_by_id` with `feature_id` 7 shows this feature in full, and so for any other.
    - `feature_mark_passing` with `feature_id` 7 when you are done and everything is committed.
      It runs the checks above and tells you which are red; repair and call it again.
    - Call it for no other feature.

    # When you are stuck

    - Try a second way before you give up.
    - Only a person can know it, such as a key, an account or a decision: `feature_request_human_input` with
      `feature_id` 7 and one clear question. The feature waits for the answer; end then.
    - It cannot be built as described: commit nothing half-done, do not mark it as passing, and give it back with
      `feature_clear_in_progress` and a `note`: what you tried, what happened, what is missing. The next attempt begins
      with that note, so it is worth more than a guess.
    ");
}

#[test]
fn a_batch_is_told_of_its_next_feature_and_nobody_else_is() {
    let project = tempfile::tempdir().unwrap();
    let batch = |batch| rendered(project.path(), Coding { batch, ..coding() }).unwrap();
    for words in
        ["up to 3 in all", "`feature_claim_and_get` without `feature_id`", "read files again before you"]
    {
        assert!(batch(3).contains(words) && !batch(1).contains(words), "{words}");
    }
    assert!(!batch(3).contains("and stop"));
}

#[test]
fn in_a_hurry_the_agent_tries_nothing_out_and_the_checks_decide_as_ever() {
    let project = tempfile::tempdir().unwrap();
    let yolo = |yolo| rendered(project.path(), Coding { yolo, ..coding() }).unwrap();
    assert!(yolo(true).contains("Do not run them yourself") && yolo(false).contains("Run them yourself"));
    for words in ["These commands decide, nothing else does.", "`feature_mark_passing` with `feature_id` 7"] {
        assert!(yolo(true).contains(words), "{words}");
    }
}

#[test]
fn what_a_person_answered_stands_with_the_feature() {
    let mut told = coding();
    told.feature.answered =
        Some(Answered { question: "Which port?".into(), answers: vec!["Port: 8080".into()] });
    let project = tempfile::tempdir().unwrap();
    let text = rendered(project.path(), told).unwrap();
    assert!(
        text.contains("2. Print it\n\nA person was asked: Which port?\n\n- Port: 8080\n\nIt builds"),
        "{text}"
    );
}

#[test]
fn the_evidence_of_a_red_check_is_its_end_and_bounded() {
    use cogwork_schemas::{CheckReport, CheckVerdict};
    let report = |verdict, output: &str| CheckReport {
        command: "make".into(),
        verdict,
        duration_ms: 1,
        output_tail: output.into(),
        output_digest: String::new(),
    };
    assert_eq!(RedCheck::of(&report(CheckVerdict::Green, "x")), None);
    let lines: String = (0..100).map(|n| format!("line {n}\n")).collect();
    let red = RedCheck::of(&report(CheckVerdict::Red { exit_code: 2 }, &lines)).unwrap();
    assert_eq!((red.verdict.as_str(), red.tail.lines().count()), ("exit code 2", 30));
    assert!(red.tail.ends_with("line 99"));
    let red = RedCheck::of(&report(CheckVerdict::TimedOut, &"é".repeat(9_000))).unwrap();
    assert_eq!((red.verdict.as_str(), red.tail.chars().count()), ("killed at its time limit", 3_000));
}
