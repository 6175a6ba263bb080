//! Prompts with which an agent judges work: testing and review.

use super::*;

fn testing() -> Testing {
    let Coding { feature, isolation, branch, hints, yolo, .. } = coding();
    Testing { feature, isolation, branch, hints, yolo }
}

fn review() -> Review {
    Review { feature: feature(), hints: Hints::default(), commit: Some("1a2b3c4".into()), passes: true }
}

/// All that can be said in them.
pub(super) fn prompts() -> Vec<Prompt> {
    let mut all = Vec::new();
    for bits in 0..16_u32 {
        let bit = |n: u32| bits & (1 << n) != 0;
        let feature = if bit(0) { feature() } else { bare() };
        let isolation = if bit(1) { Isolation::Workspace } else { Isolation::Shared };
        let hints = if bit(2) { coding().hints } else { Hints::default() };
        let branch = bit(1).then(|| "b".into());
        all.push(Prompt::Testing(Box::new(Testing {
            feature: feature.clone(),
            isolation,
            branch,
            hints: hints.clone(),
            yolo: bit(3),
        })));
        let commit = bit(1).then(|| "1a2b3c4".into());
        all.push(Prompt::Review(Box::new(Review { feature, hints, commit, passes: bit(3) })));
    }
    all
}

#[test]
fn a_passing_feature_is_tested() {
    let project = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(render(project.path(), &Prompt::Testing(Box::new(testing()))).unwrap(), @r"
    You are a testing agent. One feature of this project is said to work. Find out whether it does, in the current
    directory, and stop.

    # Feature 7: list open entries

    `todo list` prints what is open.

    Steps:

    1. Read the file
    2. Print it

    # How to find out

    1. Read what it promises, above, and the code that is to keep the promise.
    2. Run its checks. Green is necessary, not sufficient: ask what they do not look at.

       - `sh t/list.sh` (at most 30 s)

    3. Use it as a person would: start the program, go through the steps, then try what nobody wrote down (empty input,
       wrong input, the same thing twice, a restart in between).

    # What to say

    The MCP server `features` takes your word, for this feature and no other:

    - It works: `feature_mark_passing` with `feature_id` 7, and change nothing. Cogwork runs the checks once more when you end.
    - It does not: `feature_mark_failing` with `feature_id` 7 and the `reason`: what you did, what came, what should
      have. Do this first. From then on it is yours: find the cause, repair it, commit, and call
      `feature_mark_passing`.
    - You cannot repair it: say in `note` of `feature_mark_failing` what you tried, and end. Somebody else goes on there.

    A broken feature that you find is worth as much as ten that work. Do not talk yourself into either.

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
    ");
}

#[test]
fn the_work_on_a_feature_is_reviewed() {
    let project = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(render(project.path(), &Prompt::Review(Box::new(review()))).unwrap(), @r"
    You review the work on one feature of this project, in the current directory. You read and run; you change nothing.

    # Feature 7: list open entries

    `todo list` prints what is open.

    Steps:

    1. Read the file
    2. Print it

    # The work

    It was handed in as commit 1a2b3c4: `git show --stat 1a2b3c4`, then read it with what is around it.

    These commands decide whether the feature passes, and only these; they were green:

    - `sh t/list.sh`

    # What to look for

    1. It does what the feature says, all of it, and the checks would notice if it did not. Name what they do not look at.
    2. Nothing was weakened to get there: no check, no test, no error that is swallowed, no value made up for a test.
    3. It keeps to the feature: nothing is changed that it does not concern, and nothing that others rely on is broken.
    4. It is written the way the project is, and a reader in a year will understand it.

    # What to say

    At most ten findings, worst first. Each in two lines: where (file and line), what is wrong, and how to see it. Then one
    line: land it, or repair first. No praise, and nothing that you have not looked at.
    ");
}
