//! Prompts with which an agent plans a project.

use super::*;
use crate::Existing;

fn initializer() -> Initializer {
    Initializer {
        spec: "A list of things to do, in the terminal.\n\nIt keeps {{ everything }} in one file.".into(),
        spec_name: Some("app_spec.md".into()),
        files: vec![],
        hints: Hints::default(),
        existing: vec![],
        existing_left_out: 0,
        findings: vec![],
    }
}

fn existing() -> Vec<Existing> {
    let one = |id, key: Option<&str>, name: &str, status: &str| Existing {
        id,
        key: key.map(str::to_owned),
        name: name.into(),
        category: "core".into(),
        status: status.into(),
    };
    vec![one(1, Some("add"), "add an entry", "passing"), one(2, None, "list open entries", "pending")]
}

/// All that can be said in them.
pub(super) fn prompts() -> Vec<Prompt> {
    let mut all = Vec::new();
    for bits in 0..32_u32 {
        let bit = |n: u32| bits & (1 << n) != 0;
        let files: Vec<String> = if bit(0) { vec!["Cargo.toml".into(), "src/".into()] } else { vec![] };
        all.push(Prompt::Initializer(Box::new(Initializer {
            hints: if bit(1) { Hints::of(&files) } else { Hints::default() },
            files,
            existing: if bit(2) { existing() } else { vec![] },
            existing_left_out: if bit(3) { 5 } else { 0 },
            findings: if bit(4) { vec!["a finding".into()] } else { vec![] },
            ..initializer()
        })));
    }
    all
}

#[test]
fn a_specification_is_planned() {
    let project = tempfile::tempdir().unwrap();
    let first = Prompt::Initializer(Box::new(initializer()));
    insta::assert_snapshot!(render(project.path(), &first).unwrap(), @r"
    You plan a project: turn a specification into features that coding agents then build, each in a session of its own and
    many at the same time. You write no code and no files. All you make are features, through the MCP server `features`.

    # What a feature is

    A thing the program does for somebody, which one session can build and which can be seen to work: not a file, not a
    layer. Each gets

    - a `name`, a `category`, and a `description` for somebody who has not read the specification and builds this one only;
    - `steps`: how a person would use it, in order;
    - `checks`: shell commands, run in the root of the project, that exit with 0 when it works. They are red now and green
      when the feature is done. Prefer one that runs the program to one that looks for text. A check may run a test file
      that does not exist yet, if the description says what that test has to show. Where no command can decide, end the
      description with a line `No check: ` and the reason;
    - a `key` of its own, such as `login-form`, by which others depend on it;
    - `dependencies`: keys of the features it cannot be built without, and no others. What does not wait for each other is
      built at the same time: a long chain is slow however many work on it. Several features need nothing at all.

    Begin with the few that everything stands on, such as a program that starts and a way to run its tests. As many features
    as the specification has things to do, not more: leave out what it does not ask for.

    # How to work

    1. Read the specification whole.
    2. Create the features with `feature_create_bulk`, in as many calls as you like, best about 50 in each. A call is taken
       whole or not at all, and names everything that is wrong with it. Calls may refer to each other by key, and a key
       that is there already creates nothing twice.
    3. Look at the result: `feature_get_graph` and `feature_get_ready`. If little is ready, the dependencies are wrong.
    4. Where the specification leaves a decision open, decide for the simplest and say so in the description. Nobody is
       there to be asked.
    5. Say in a few sentences how many features there are, what can start now, and what you decided or left out.

    # The specification, from app_spec.md

    A list of things to do, in the terminal.

    It keeps {{ everything }} in one file.
    ");
}

#[test]
fn a_second_round_begins_with_what_is_wrong_and_knows_what_there_is() {
    let project = tempfile::tempdir().unwrap();
    let second = Initializer {
        files: vec!["Cargo.toml".into(), "src/".into()],
        hints: Hints::of(&["Cargo.toml"]),
        existing: existing(),
        existing_left_out: 3,
        findings: vec!["2 list open entries: no check".into()],
        ..initializer()
    };
    let text = render(project.path(), &Prompt::Initializer(Box::new(second))).unwrap();
    let parts = [
        "# Second round\n\nThe plan is there. These findings are left; repair them and change nothing else:\n\n- 2 list open entries: no check\n",
        "1. Read which features there are, below",
        "# What is there\n\n- Cargo.toml\n- src/\n\nChecks are likely to use `cargo test` (Cargo.toml).\n",
        "# Features that are there\n\n- 1 `add` add an entry (core, passing)\n- 2 list open entries (core, pending)\n\nAnd 3 more;",
        "# The specification, from app_spec.md\n\nA list of things to do, in the terminal.\n\nIt keeps {{ everything }} in one file.\n",
    ];
    let mut rest = text.as_str();
    for part in parts {
        let at = rest
            .find(part)
            .unwrap_or_else(|| panic!("{part}\n--- is not in, or not after what came before:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}
