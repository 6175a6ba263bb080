//! What an agent is told: each kind of prompt as it is read, and what a project may change about it.

mod building;
mod judging;
mod planning;

use cogwork_schemas::{Check, Isolation};

use super::*;
use crate::{FeatureText, Hints, PreviousAttempt};

fn feature() -> FeatureText {
    FeatureText {
        id: 7,
        key: None,
        category: "core".into(),
        name: "list open entries".into(),
        description: "`todo list` prints what is open.".into(),
        steps: vec!["Read the file".into(), "Print it".into()],
        checks: vec![Check { command: "sh t/list.sh".into(), timeout_s: 30 }],
        answered: None,
    }
}

fn coding() -> Coding {
    Coding {
        feature: feature(),
        isolation: Isolation::Workspace,
        branch: Some("cogwork/s4".into()),
        hints: Hints::of(&["Makefile", "README.md"]),
        builds_on: vec!["add an entry".into()],
        batch: 1,
        yolo: false,
        previous: vec![PreviousAttempt {
            number: 1,
            outcome: "not finished: `sh t/list.sh` is red".into(),
            red: vec![],
        }],
        note: None,
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
fn an_unknown_name_in_an_override_is_told_with_those_that_there_are() {
    let (project, path) = with_override("one\ntwo {{ feature.nmae }}\n");
    let file = path.display();
    assert_eq!(
        rendered(project.path(), coding()).unwrap_err().to_string(),
        format!(
            "the prompt `{file}` is wrong in line 2: it uses `feature.nmae`, which does not exist; `feature` has id, \
             key, category, name, description, steps, checks, answered"
        )
    );
    std::fs::write(&path, "{{ nmae }}{% for check in feature.checks %}{{ loop.index }}{% endfor %}").unwrap();
    assert_eq!(
        rendered(project.path(), coding()).unwrap_err().to_string(),
        format!(
            "the prompt `{file}` is wrong in line 1: it uses `nmae`, which does not exist; there are feature, isolation, \
             branch, hints, builds_on, batch, yolo, previous, note"
        )
    );
    std::fs::write(&path, "{% for check in feature.checks %}\n{{ check.comand }}{% endfor %}").unwrap();
    assert_eq!(
        rendered(project.path(), coding()).unwrap_err().to_string(),
        format!("the prompt `{file}` is wrong in line 2: it uses a value that does not exist")
    );
}

#[test]
fn a_project_may_change_one_part_of_all_prompts() {
    let project = tempfile::tempdir().unwrap();
    let part = override_path(project.path(), "parts/work");
    std::fs::create_dir_all(part.parent().unwrap()).unwrap();
    std::fs::write(&part, "- Speak Dutch to {{ feature.name }}.\n").unwrap();
    let text = rendered(project.path(), coding()).unwrap();
    assert!(text.contains("# How to work\n\n- Speak Dutch to list open entries.\n\n# Tools\n"), "{text}");
    std::fs::write(&part, "{{ nobody }}").unwrap();
    let error = rendered(project.path(), coding()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("the prompt `{}` is wrong in line 1: it uses `nobody`", part.display())),
        "{error}"
    );
}

#[test]
fn every_part_is_used_and_every_name_in_a_built_in_template_exists_in_every_branch() {
    let all = [coding_prompts(), judging::prompts(), planning::prompts()].concat();
    let project = tempfile::tempdir().unwrap();
    let mut used = std::collections::BTreeSet::new();
    for prompt in all {
        let text = render(project.path(), &prompt).unwrap();
        assert!(!text.contains("\n\n\n"), "{}: two empty lines\n{text}", prompt.name());
        assert!(text.lines().all(|line| !line.ends_with(' ')), "{}: a line ends with a space", prompt.name());
        for (name, _) in PARTS {
            let is_named = |text: &str| text.contains(&format!("\"{name}\""));
            if is_named(prompt.built_in()) || PARTS.iter().any(|(_, text)| is_named(text)) {
                used.insert(name);
            }
        }
    }
    assert_eq!(used.len(), PARTS.len());
}

/// All that can be said in the prompts with which an agent changes a project.
fn coding_prompts() -> Vec<Prompt> {
    let mut all = Vec::new();
    for bits in 0..64_u32 {
        let bit = |n: u32| bits & (1 << n) != 0;
        let coding = Coding {
            isolation: if bit(0) { Isolation::Workspace } else { Isolation::Shared },
            branch: bit(0).then(|| "b".into()),
            batch: if bit(1) { 3 } else { 1 },
            yolo: bit(2),
            previous: if bit(3) { coding().previous } else { vec![] },
            note: bit(4).then(|| "a note".into()),
            hints: if bit(5) { coding().hints } else { Hints::default() },
            feature: if bit(5) { feature() } else { bare() },
            ..coding()
        };
        all.push(Prompt::Coding(Box::new(coding.clone())));
        all.push(Prompt::Repair(Box::new(building::repair_of(coding))));
    }
    all
}

/// A feature of which nothing is known but its name.
fn bare() -> FeatureText {
    FeatureText { description: String::new(), steps: vec![], checks: vec![], ..feature() }
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
