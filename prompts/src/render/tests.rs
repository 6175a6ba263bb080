use cogwork_schemas::{Check, Isolation};

use super::*;
use crate::{FeatureText, PreviousAttempt};

fn coding() -> Coding {
    Coding {
        feature: FeatureText {
            id: 7,
            key: None,
            category: "core".into(),
            name: "list open entries".into(),
            description: "`todo list` prints what is open.".into(),
            steps: vec!["Read the file".into(), "Print it".into()],
            checks: vec![Check { command: "sh t/list.sh".into(), timeout_s: 30 }],
        },
        isolation: Isolation::Workspace,
        branch: Some("cogwork/s4".into()),
        builds_on: vec!["add an entry".into()],
        batch: 1,
        previous: vec![PreviousAttempt { number: 1, outcome: "not finished: `sh t/list.sh` is red".into() }],
    }
}

fn rendered(project: &Path, coding: Coding) -> Result<String, PromptError> {
    render(project, &Prompt::Coding(Box::new(coding)))
}

fn with_override(text: &str) -> (tempfile::TempDir, PathBuf) {
    let project = tempfile::tempdir().unwrap();
    let path = override_path(project.path(), "coding");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    (project, path)
}

#[test]
fn the_coding_prompt_of_a_retried_feature() {
    let project = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(rendered(project.path(), coding()).unwrap(), @r"
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

    Try a second way before you give up. If the feature cannot be built as described, because it contradicts what is
    here or needs something that you do not have, commit nothing half-done, do not mark it, and end with a short account
    of what you tried, what happened, and what is missing. That is worth more than a guess.

    # Earlier attempts

    This feature was tried before, without success. That work is not here. Do not repeat what failed:

    - Attempt 1: not finished: `sh t/list.sh` is red
    ");
}

#[test]
fn a_bare_feature_in_a_shared_tree_without_git() {
    let bare = Coding {
        feature: FeatureText {
            description: String::new(),
            steps: vec![],
            checks: vec![],
            ..coding().feature
        },
        isolation: Isolation::Shared,
        branch: None,
        batch: 1,
        builds_on: vec![],
        previous: vec![],
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

    Try a second way before you give up. If the feature cannot be built as described, because it contradicts what is
    here or needs something that you do not have, commit nothing half-done, do not mark it, and end with a short account
    of what you tried, what happened, and what is missing. That is worth more than a guess.
    ");
}

#[test]
fn text_of_a_feature_is_data_and_never_a_template() {
    let mut sly = coding();
    sly.feature.name = "{{ previous }} <b>&</b>".into();
    let project = tempfile::tempdir().unwrap();
    let text = rendered(project.path(), sly).unwrap();
    assert!(text.contains("# Feature 7: {{ previous }} <b>&</b>\n"), "{text}");
}

#[test]
fn a_project_may_say_it_in_its_own_words() {
    let (project, _) = with_override(
        "{{ feature.name | upper }}{% if feature.key %} ({{ feature.key }}){% endif %} on {{ branch }}",
    );
    assert_eq!(rendered(project.path(), coding()).unwrap(), "LIST OPEN ENTRIES on cogwork/s4\n");
}

#[test]
fn an_unknown_name_in_an_override_is_an_error_that_names_file_and_line() {
    let (project, path) = with_override("one\ntwo {{ feature.nmae }}\n");
    let error = rendered(project.path(), coding()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the prompt `{}` is wrong in line 2: it uses a value that does not exist", path.display())
    );
}

#[test]
fn a_syntax_error_in_an_override_is_named() {
    let (project, path) = with_override("{% if feature.id %}\nno end");
    let error = rendered(project.path(), coding()).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("in line"), "{error}");
}

#[test]
fn an_override_that_is_no_text_is_an_error_and_not_ignored() {
    let (project, path) = with_override("");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    let error = rendered(project.path(), coding()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the prompt") && error.contains("coding.md"), "{error}");
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
