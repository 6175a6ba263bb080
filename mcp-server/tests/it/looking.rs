//! Resources, prompts and completion, in both eras.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, FeatureId, HumanField, HumanFieldKind, HumanRequest};
use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era};
use crate::project::{BLOCKED, LONG, NO_CHECK, ONE_CHECK, Project};

/// Reads a resource that is there, and returns its text.
fn read(client: &mut Client, uri: &str) -> String {
    let answer = client.ask("resources/read", json!({"uri": uri}));
    let contents = answer["result"]["contents"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!((contents.len(), &contents[0]["uri"]), (1, &json!(uri)));
    let text = contents[0]["text"].as_str().unwrap();
    assert!(text.chars().count() <= 10_000, "{} characters", text.chars().count());
    text.to_owned()
}

fn prompt(client: &mut Client, name: &str, arguments: Value) -> String {
    let mut params = json!({"name": name});
    params["arguments"] = arguments;
    let answer = client.ask("prompts/get", params);
    let message = &answer["result"]["messages"][0];
    assert_eq!(message["role"], "user", "{answer}");
    let text = message["content"]["text"].as_str().unwrap();
    assert!(text.chars().count() <= 10_000, "{} characters", text.chars().count());
    text.to_owned()
}

fn completed(client: &mut Client, reference: Value, name: &str, value: &str) -> Value {
    let mut params = json!({"argument": {"name": name, "value": value}});
    params["ref"] = reference;
    let answer = client.ask("completion/complete", params);
    answer["result"]["completion"].clone()
}

#[test]
fn what_is_listed_is_declared_and_may_be_kept_only_where_that_is_known() {
    let project = Project::new();
    for era in ERAS {
        let mut client = Client::spawn(&mut project.server(&[]), era);
        let opened = match era {
            Era::Initialize => client.initialize(json!({})),
            Era::Stateless => client.ask("server/discover", json!({})),
        };
        let capabilities = &opened["result"]["capabilities"];
        for kind in ["tools", "prompts", "resources", "completions"] {
            assert!(capabilities[kind].is_object(), "{kind}: {capabilities}");
        }
        assert!(
            capabilities.get("logging").is_none() && capabilities["resources"].get("subscribe").is_none()
        );
        for (method, list, count) in [
            ("tools/list", "tools", None),
            ("prompts/list", "prompts", Some(5)),
            ("resources/list", "resources", Some(3)),
            ("resources/templates/list", "resourceTemplates", Some(1)),
        ] {
            let result = client.ask(method, json!({}))["result"].clone();
            let items = result[list].as_array().unwrap();
            assert!(count.is_none_or(|count| items.len() == count), "{result}");
            let names: Vec<&str> = items.iter().map(|item| item["name"].as_str().unwrap()).collect();
            assert!(names.is_sorted(), "{names:?}");
            assert!(items.iter().all(|item| item["title"].is_string() && item["description"].is_string()));
            match era {
                Era::Initialize => {
                    assert!(result.get("ttlMs").or(result.get("cacheScope")).is_none(), "{result}");
                }
                Era::Stateless => {
                    assert_eq!(
                        (&result["ttlMs"], &result["cacheScope"]),
                        (&json!(3_600_000), &json!("private"))
                    );
                }
            }
        }
        let read = client.ask("resources/read", json!({"uri": "feature://stats"}))["result"].clone();
        match era {
            Era::Initialize => {
                assert!(
                    read.get("ttlMs").or(read.get("cacheScope")).or(read.get("resultType")).is_none(),
                    "{read}"
                );
            }
            Era::Stateless => {
                assert_eq!((&read["ttlMs"], &read["cacheScope"]), (&json!(0), &json!("private")));
            }
        }
    }
}

#[test]
fn the_project_can_be_looked_at() {
    let project = Project::new();
    project.claim(NO_CHECK);
    for era in ERAS {
        let mut client = project.open(era, &["--role", "coding"]);
        let stats: Value = serde_json::from_str(&read(&mut client, "feature://stats")).unwrap();
        assert_eq!(stats, client.get("feature_get_stats", json!({})));
        let ready: Value = serde_json::from_str(&read(&mut client, "feature://ready")).unwrap();
        assert_eq!(ready, {
            let mut same = client.get("feature_get_ready", json!({"limit": 50}));
            same.as_object_mut().unwrap().shift_remove("has_more");
            same
        });
        assert_eq!(
            read(&mut client, "feature://graph"),
            "6 features; `<-` is followed by what a feature depends on\n#1 ready One check\n#2 blocked Blocked <- #1\n\
             #3 running No check\n#4 ready Long\n#5 ready Two checks\n#6 ready Slow\n"
        );
        let page = read(&mut client, &format!("feature://{ONE_CHECK}"));
        assert!(page.starts_with("# #1 One check\n\nStatus: pending. It is ready"), "{page}");
        assert!(
            page.contains("Writes a.txt.") && page.contains("1. Write it.") && page.contains("test -f a.txt")
        );
        let page = read(&mut client, &format!("feature://{BLOCKED}"));
        assert!(page.ends_with("## Dependencies\n\n- #1 One check: pending"), "{page}");
        let page = read(&mut client, &format!("feature://{LONG}"));
        assert!(page.contains("feature_get_by_id with feature_id 4, field description and offset"), "{page}");
    }
}

#[test]
fn the_answer_of_a_person_is_on_the_page() {
    let project = Project::new();
    let claim = project.claim(ONE_CHECK);
    let field = HumanField {
        id: "db".into(),
        label: "Which database?".into(),
        kind: HumanFieldKind::Text,
        required: true,
        placeholder: None,
        options: Vec::new(),
    };
    let request = HumanRequest { prompt: "A question".into(), fields: vec![field] };
    project.store.ask_human(&claim.token, &request).unwrap();
    let answers = BTreeMap::from([("db".to_owned(), Answer::Text("SQLite".into()))]);
    project.store.answer_human(FeatureId(ONE_CHECK), &answers).unwrap();
    let page = read(&mut project.open(Era::Initialize, &[]), "feature://1");
    assert!(page.contains("## Answered by a person\n\n- Which database?: SQLite\n"), "{page}");
}

#[test]
fn large_projects_are_cut_and_say_how_to_go_on() {
    let features: Vec<Value> = (0..300).map(|n| json!({"name": format!("{n} {}", "n".repeat(90))})).collect();
    let project = Project::with(features.into());
    let mut client = project.open(Era::Stateless, &[]);
    let graph = read(&mut client, "feature://graph");
    let shown = graph.lines().filter(|line| line.starts_with('#')).count();
    assert!((60..300).contains(&shown), "{shown}");
    assert!(
        graph.ends_with(&format!(
            "… and {} more: cut to 10,000 characters, feature_get_graph with offset {shown} reads on\n",
            300 - shown
        )),
        "{graph}"
    );
    let rest = client.get("feature_get_graph", json!({"offset": shown, "limit": 1}));
    assert_eq!(rest["nodes"][0]["id"], i64::try_from(shown).unwrap() + 1);
    let ready: Value = serde_json::from_str(&read(&mut client, "feature://ready")).unwrap();
    assert_eq!(ready["total_ready"], 300);
    let hint = ready["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("feature_get_ready with offset {} reads on", ready["count"])), "{hint}");
}

#[test]
fn a_resource_that_is_not_there_is_an_error_of_its_era() {
    let project = Project::new();
    for (era, code) in [(Era::Initialize, -32002), (Era::Stateless, -32602)] {
        let mut client = project.open(era, &[]);
        for (uri, said) in [
            ("feature://99", "there is no feature #99; the highest id is #6"),
            (
                "feature://everything",
                "there is no resource `feature://everything`; there are feature://stats",
            ),
            ("file:///etc/passwd", "there is no resource"),
            ("", "there is no resource"),
        ] {
            let error = client.ask("resources/read", json!({"uri": uri}))["error"].clone();
            assert_eq!(error["code"], code, "{error}");
            assert!(error["message"].as_str().unwrap().contains(said), "{error}");
            assert_eq!(error["data"]["uri"], uri);
        }
        assert_eq!(client.ask("prompts/get", json!({"name": "x"}))["error"]["code"], -32602);
        let unknown = json!({"name": "work_on", "arguments": {"feature_id": "99"}});
        let error = client.ask("prompts/get", unknown)["error"].clone();
        assert_eq!(error["code"], -32602);
        assert!(error["message"].as_str().unwrap().contains("there is no feature #99"), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let mut command = crate::client::server();
    let mut client = Client::open(command.arg("--project-dir").arg(empty.path()), Era::Stateless);
    let error = client.ask("resources/read", json!({"uri": "feature://stats"}))["error"].clone();
    assert_eq!(error["code"], -32603);
    assert!(error["message"].as_str().unwrap().starts_with("there is no Cogwork project in"), "{error}");
    assert_eq!(
        completed(&mut client, json!({"type": "ref/prompt", "name": "work_on"}), "feature_id", "")["values"],
        json!([])
    );
}

#[test]
fn prompts_teach_the_loop_with_the_feature_at_hand() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let work = prompt(&mut client, "work_on", json!({"feature_id": ONE_CHECK.to_string()}));
        let order =
            ["feature_claim_and_get", "Commit", "feature_mark_passing", "# #1 One check", "Writes a.txt."];
        let places: Vec<usize> =
            order.iter().map(|word| work.find(word).unwrap_or_else(|| panic!("{word}"))).collect();
        assert!(places.is_sorted(), "{work}");
        assert_eq!(
            work,
            prompt(&mut client, "work_on", json!({"feature_id": 1})),
            "some clients send the number"
        );
        assert!(prompt(&mut client, "verify", json!({"feature_id": "#4"})).contains("# #4 Long"));
        assert!(
            prompt(&mut client, "next_feature", json!({})).contains("`feature_claim_and_get` without an id")
        );
        assert!(prompt(&mut client, "plan", json!({"spec_path": "spec.md"})).contains("`spec.md`"));
        assert!(prompt(&mut client, "status_report", json!({})).contains("feature_get_stats"));
    }
}

#[test]
fn ids_are_completed_by_number_and_by_name() {
    let project = Project::new();
    let template = || json!({"type": "ref/resource", "uri": "feature://{id}"});
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let all = completed(&mut client, template(), "id", "");
        assert_eq!(all, json!({"values": ["1", "2", "3", "4", "5", "6"], "total": 6, "hasMore": false}));
        assert_eq!(completed(&mut client, template(), "id", "#4")["values"], json!(["4"]));
        assert_eq!(completed(&mut client, template(), "id", "CHECK")["values"], json!(["1", "3", "5"]));
        let of_prompt = json!({"type": "ref/prompt", "name": "work_on"});
        assert_eq!(
            completed(&mut client, of_prompt.clone(), "feature_id", "lo")["values"],
            json!(["4", "2", "6"])
        );
        assert_eq!(completed(&mut client, of_prompt, "spec_path", "lo")["values"], json!([]));
        assert_eq!(completed(&mut client, template(), "id", "nothing like it")["values"], json!([]));
    }
    let many: Vec<Value> = (0..130).map(|n| json!({"name": format!("f{n}")})).collect();
    let project = Project::with(many.into());
    let found = completed(&mut project.open(Era::Initialize, &[]), template(), "id", "f");
    assert_eq!(
        (found["values"].as_array().unwrap().len(), &found["total"], &found["hasMore"]),
        (100, &json!(130), &json!(true))
    );
}
