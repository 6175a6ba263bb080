use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::options::{Assignment, Options, ToolFilter};

fn server(project: PathBuf, role: Role) -> Server {
    let options = Options {
        workspace: project.clone(),
        project,
        state_home: cogwork_store::StateHome::none(),
        role,
        assignment: Assignment::Own { only: Vec::new() },
        further: None,
        filter: ToolFilter::default(),
        lease: jiff::SignedDuration::from_mins(10),
        http: None,
        limits: cogwork_store::ImportLimits::default(),
        attempts: cogwork_store::AttemptLimits::default(),
        check_variables: Vec::new(),
    };
    Server::new(options).unwrap()
}

fn names(role: Role, read_only: bool) -> Vec<String> {
    all(role, read_only).into_iter().map(|prompt| prompt.name).collect()
}

async fn text(server: &Server, name: &str, arguments: Value) -> Result<String, String> {
    let arguments = arguments.as_object().unwrap().clone();
    let request = GetPromptRequestParams::new(name).with_arguments(arguments);
    let result = server.prompt(request).await.map_err(|error| error.message.into_owned())?;
    assert_eq!(result.messages.len(), 1);
    Ok(result.messages[0].content.as_text().unwrap().text.clone())
}

#[test]
fn each_role_is_offered_what_it_can_do() {
    let everything = ["next_feature", "plan", "status_report", "verify", "work_on"];
    assert_eq!(names(Role::All, false), everything);
    assert_eq!(names(Role::Orchestrator, false), everything);
    assert_eq!(names(Role::Coding, false), ["next_feature", "work_on"]);
    assert_eq!(names(Role::Testing, false), ["verify"]);
    assert_eq!(names(Role::Chat, false), ["plan", "status_report"]);
    assert_eq!(names(Role::Initializer, false), ["plan", "status_report"]);
    assert_eq!(names(Role::All, true), ["status_report"]);
}

#[test]
fn texts_are_short_and_have_no_hole_that_nothing_fills() {
    for template in &TEMPLATES {
        assert!(template.text.chars().count() < 3_000, "{}", template.name);
        let holes: Vec<&str> =
            template.text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()).collect();
        let filled: &[&str] = match template.argument {
            Some((FEATURE_ID, ..)) => &["feature_id", "feature"],
            Some(_) => &["spec"],
            None => &[],
        };
        assert!(holes.iter().all(|hole| filled.contains(hole)), "{}: {holes:?}", template.name);
    }
}

#[tokio::test]
async fn a_plan_names_its_source() {
    let server = server(PathBuf::from("/nowhere"), Role::All);
    let plan = text(&server, "plan", json!({"spec_path": " docs/spec.md "})).await.unwrap();
    assert!(plan.starts_with("Turn the specification in `docs/spec.md` into the features"), "{plan}");
    let plan = text(&server, "plan", json!({})).await.unwrap();
    assert!(plan.starts_with("Turn the specification, which is what was said so far, into"), "{plan}");
    let long = text(&server, "plan", json!({"spec_path": "x".repeat(100_000)})).await.unwrap();
    assert!(long.chars().count() < MAX_CHARS);
}

#[tokio::test]
async fn what_cannot_be_filled_in_is_said_in_a_sentence() {
    let server = server(PathBuf::from("/nowhere"), Role::Coding);
    for (name, arguments, said) in [
        ("dance", json!({}), "prompt `dance` does not exist; available: next_feature, work_on"),
        ("plan", json!({}), "prompt `plan` is not available to role coding"),
        ("work_on", json!({}), "needs `feature_id`, a number such as 12; it came with nothing"),
        ("work_on", json!({"feature_id": "twelve"}), "it came with `twelve`"),
        ("work_on", json!({"feature_id": {}}), "it came with nothing"),
        ("work_on", json!({"feature_id": "1"}), "there is no Cogwork project in /nowhere"),
    ] {
        let error = text(&server, name, arguments).await.unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn prompts_name_tools_that_their_roles_have() {
    for template in &TEMPLATES {
        let named: Vec<&str> = template.text.split('`').skip(1).step_by(2).collect();
        let tools = named.into_iter().filter(|name| name.starts_with("feature_") || *name == "ask_user");
        for name in tools {
            for role in template.roles {
                // Where nobody can be asked, the text says what to do instead.
                let has = crate::role::has(*role, name) || name == "ask_user";
                assert!(
                    crate::tools::router().has_route(name) && has,
                    "{}: {} in {}",
                    role.word(),
                    name,
                    template.name
                );
            }
        }
    }
}
