//! What holds for every tool, over the table of them: shape, repetition, loose arguments, wrong ones, and rights.

use std::fs::File;

use cogwork_schemas::{AttemptOutcome, Token};
use cogwork_store::AttemptLimits;
use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, failed, server};
use crate::project::{NO_CHECK, ONE_CHECK, Project};
use crate::table::{Before, Row, TABLE};

const ROLES: [&str; 6] = ["initializer", "coding", "testing", "chat", "orchestrator", "all"];

fn tools(client: &mut Client) -> Vec<Value> {
    client.ask("tools/list", json!({}))["result"]["tools"].as_array().unwrap().clone()
}

fn names(client: &mut Client) -> Vec<String> {
    tools(client).iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// Calls the tool of a row in a project of its own.
fn answer(row: &Row, era: Era, arguments: Value) -> Value {
    let project = Project::new();
    let mut client = project.open(era, &[]);
    row.prepare(&project, &mut client);
    client.get(row.tool, arguments)
}

#[test]
fn every_tool_has_its_row() {
    let project = Project::new();
    let rows: Vec<&str> = TABLE.iter().map(|row| row.tool).collect();
    assert_eq!(names(&mut project.open(Era::Stateless, &[])), rows);
}

#[test]
fn the_tools_of_each_role() {
    let project = Project::new();
    let count = |role: &str| names(&mut project.open(Era::Initialize, &["--role", role])).len();
    assert_eq!(ROLES.map(count), [12, 14, 9, 11, TABLE.len(), TABLE.len()]);
}

#[test]
fn an_answer_has_its_shape_and_a_repeated_call_changes_nothing() {
    for era in ERAS {
        for row in TABLE {
            let project = Project::new();
            let mut client = project.open(era, &[]);
            row.prepare(&project, &mut client);
            let before = project.last_seq();
            let first = client.get(row.tool, (row.arguments)());
            let after = project.last_seq();
            assert_eq!(after > before, row.writes, "{}", row.tool);
            let fields: Vec<&String> = first.as_object().unwrap().keys().collect();
            assert_eq!(fields, row.answer, "{}: {first}", row.tool);
            let second = client.get(row.tool, (row.arguments)());
            (row.again)(&first, &second);
            // A report on one's own feature is an entry of its own; nothing else may leave a trace.
            if row.tool != "feature_mark_failing" {
                assert_eq!(project.last_seq(), after, "{}: {second}", row.tool);
            }
        }
    }
}

/// Returns a value as careless models send it: numbers and truths as text, lists as a text of JSON.
fn loose(value: &Value) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => value.to_string().into(),
        Value::Array(items) => json!(items.iter().map(loose).collect::<Vec<_>>()).to_string().into(),
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), loose(value))).collect(),
        Value::Null | Value::String(_) => value.clone(),
    }
}

#[test]
fn arguments_may_be_loose_and_unknown_ones_are_ignored() {
    for era in ERAS {
        for row in TABLE {
            let plain = answer(row, era, (row.arguments)());
            let mut careless = loose(&(row.arguments)());
            careless["wait_for_previous"] = true.into();
            careless["toolUseId"] = json!({"x": [1]});
            assert_eq!(answer(row, era, careless), plain, "{}", row.tool);
            assert_eq!(answer(row, era, (row.arguments)().to_string().into()), plain, "{}", row.tool);
        }
    }
}

#[test]
fn wrong_arguments_are_named_and_change_nothing() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        let before = project.last_seq();
        for tool in tools(&mut client) {
            let name = tool["name"].as_str().unwrap();
            let schema = &tool["inputSchema"];
            for required in schema["required"].as_array().into_iter().flatten() {
                let text = client.fail(name, json!({}));
                assert!(text.starts_with("Error (invalid_argument): "), "{text}");
                assert!(text.contains(&format!("`{}` is missing", required.as_str().unwrap())), "{text}");
            }
            let row = TABLE.iter().find(|row| row.tool == name).unwrap();
            for (argument, property) in schema["properties"].as_object().unwrap() {
                let kind = match property["type"].as_str().unwrap() {
                    "integer" => "an integer",
                    "string" => "a string",
                    // Anything can be the only item of a list.
                    _ => continue,
                };
                let mut arguments = (row.arguments)();
                arguments[argument] = json!({"not": "this"});
                let text = client.fail(name, arguments);
                let told = format!(
                    "Error (invalid_argument): `{argument}` must be {kind}, not {{\"not\":\"this\"}}. "
                );
                assert!(text.starts_with(&told), "{name}: {text}");
            }
        }
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_feature_that_is_not_there_is_told() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        let before = project.last_seq();
        for row in TABLE.iter().filter(|row| (row.arguments)().get("feature_id").is_some()) {
            let text = client.fail(row.tool, row.about(9999));
            assert!(
                text.starts_with("Error (not_found): there is no feature #9999; the highest id is #6. "),
                "{text}"
            );
        }
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_tool_of_another_role_is_refused_with_the_role() {
    for era in ERAS {
        let project = Project::new();
        for role in ROLES {
            let mut client = project.open(era, &["--role", role]);
            let served = names(&mut client);
            for row in TABLE.iter().filter(|row| !served.iter().any(|name| name == row.tool)) {
                let error = &client.call(row.tool, (row.arguments)())["error"];
                assert_eq!(error["code"], -32602, "{error}");
                let told = format!("tool `{}` is not available to role {role}; available: ", row.tool);
                assert!(error["message"].as_str().unwrap().starts_with(&told), "{error}");
            }
        }
    }
}

#[test]
fn a_session_changes_its_own_features_only() {
    for era in ERAS {
        let project = Project::new();
        let (mine, _) = (project.claim(ONE_CHECK), project.claim(NO_CHECK));
        let mut client = project.session_as("all", era, &[(ONE_CHECK, &mine.token)]);
        let before = project.last_seq();
        for row in TABLE.iter().filter(|row| row.changes_a_feature()) {
            for id in [NO_CHECK, 9999] {
                let text = client.fail(row.tool, row.about(id));
                let told = format!(
                    "Error (not_assigned): feature #{id} is not assigned to this session, only #{ONE_CHECK} is; \
                     nothing was changed. "
                );
                assert!(text.starts_with(&told), "{}: {text}", row.tool);
            }
        }
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_session_that_lost_its_claim_changes_nothing() {
    for era in ERAS {
        let project = Project::new();
        let mine = project.claim(NO_CHECK);
        let made_up = Token::new(format!("{}-{}", mine.attempt.0, "0".repeat(32)));
        let mut clients =
            [&mine.token, &made_up].map(|token| project.session_as("all", era, &[(NO_CHECK, token)]));
        let (stopped, limits) = (AttemptOutcome::Stopped, AttemptLimits::default());
        project.store.end_attempt(&mine.token, &stopped, &limits).unwrap();
        let before = project.last_seq();
        for client in &mut clients {
            for row in TABLE.iter().filter(|row| row.writes) {
                let mut arguments = (row.arguments)();
                if row.changes_a_feature() {
                    arguments = row.about(NO_CHECK);
                }
                let text = client.fail(row.tool, arguments);
                assert!(text.starts_with("Error (stale_token): "), "{}: {text}", row.tool);
            }
        }
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_server_of_its_own_leaves_the_features_of_others_alone() {
    for era in ERAS {
        let project = Project::new();
        project.claim(NO_CHECK);
        let mut client = project.open(era, &[]);
        let before = project.last_seq();
        let of_its_owner = |row: &&Row| row.changes_a_feature() && !row.tool.ends_with("_dependency");
        // These plan, which needs no claim; what has been begun is refused in other words.
        let plans = |row: &&Row| ["feature_set_checks", "feature_set_dependencies"].contains(&row.tool);
        for row in TABLE.iter().filter(of_its_owner).filter(|row| !plans(row)) {
            let text = client.fail(row.tool, row.about(NO_CHECK));
            assert!(text.starts_with(&format!("Error (conflict): feature #{NO_CHECK} is ")), "{text}");
        }
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_server_of_its_own_may_be_narrowed_to_some_features() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &["--features", "5"]);
    for row in TABLE.iter().filter(|row| row.changes_a_feature()) {
        let text = client.fail(row.tool, row.about(NO_CHECK));
        assert!(text.starts_with("Error (not_assigned): feature #3 "), "{}: {text}", row.tool);
    }
    for row in TABLE.iter().filter(|row| row.writes && !row.changes_a_feature()) {
        client.get(row.tool, (row.arguments)());
    }
}

#[test]
fn without_a_project_every_tool_says_so() {
    let empty = tempfile::tempdir().unwrap();
    for era in ERAS {
        let mut client = Client::open(server().arg("--project-dir").arg(empty.path()), era);
        // A person can be asked anywhere.
        for row in TABLE.iter().filter(|row| row.tool != "ask_user") {
            let text = client.fail(row.tool, (row.arguments)());
            assert!(text.starts_with("Error (no_project): there is no Cogwork project in "), "{text}");
        }
    }
}

#[test]
fn a_database_that_stays_busy_is_told_and_nothing_is_changed() {
    let writing: Vec<&Row> = TABLE.iter().filter(|row| row.writes && row.before != Before::Passing).collect();
    let projects: Vec<Project> = writing.iter().map(|_| Project::new()).collect();
    // All wait at once: each of them as long as a writer may.
    let mut waiting = Vec::new();
    for (row, project) in writing.iter().zip(&projects) {
        let mut client = project.open(Era::Stateless, &[]);
        row.prepare(project, &mut client);
        let lock = File::options().write(true).open(project.path().join(".cogwork/write.lock")).unwrap();
        lock.lock().unwrap();
        let before = project.last_seq();
        let id = client.send("tools/call", json!({"name": row.tool, "arguments": (row.arguments)()}));
        waiting.push((project, client, lock, before, id));
    }
    for (project, mut client, lock, before, id) in waiting {
        let text = failed(&client.answer(id));
        assert!(text.starts_with("Error (busy): the database was in use for too long"), "{text}");
        assert!(text.ends_with("Retry the same call."), "{text}");
        assert_eq!(project.last_seq(), before);
        drop(lock);
    }
}

#[test]
fn what_the_coding_role_costs_a_model() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &["--role", "coding"]);
    let defined: usize = tools(&mut client)
        .iter()
        .map(|tool| {
            ["name", "description", "inputSchema"]
                .map(|part| tool[part].to_string().chars().count())
                .iter()
                .sum::<usize>()
        })
        .sum();
    let discovered = client.ask("server/discover", json!({}));
    let told = discovered["result"]["instructions"].as_str().unwrap().chars().count();
    assert!(defined + told < 9_000, "{defined} characters of definitions, {told} of instructions");
}
