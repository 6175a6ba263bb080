//! Opening, listing, odd requests and broken lines.

use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, failed, succeeded};
use crate::project::{ONE_CHECK, Project};

fn names(list: &Value) -> Vec<&str> {
    list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn both_eras_list_the_same_tools_in_order() {
    let project = Project::new();
    for role in ["initializer", "coding", "testing", "chat", "orchestrator", "all"] {
        let [old, new] = ERAS.map(|era| project.open(era, &["--role", role]).ask("tools/list", json!({})));
        assert_eq!(old["result"]["tools"], new["result"]["tools"]);
        assert!(names(&old).is_sorted() && names(&old).len() >= 7, "{old}");
        assert_eq!(new["result"]["ttlMs"], 3_600_000);
        assert_eq!(new["result"]["cacheScope"], "private");
        assert!(old["result"].get("ttlMs").is_none() && old["result"].get("resultType").is_none(), "{old}");
    }
}

#[test]
fn discover_then_a_call_is_how_the_newest_client_begins() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &["--role", "coding"]);
    let found = client.ask("server/discover", json!({}));
    assert!(
        found["result"]["supportedVersions"].as_array().unwrap().contains(&json!("2026-07-28")),
        "{found}"
    );
    assert!(found["result"]["instructions"].as_str().unwrap().contains("feature_mark_passing"), "{found}");
    client.get("feature_get_stats", json!({}));
    assert!(client.close().success());
}

#[test]
fn initialize_tells_how_to_work() {
    let project = Project::new();
    let mut client = Client::spawn(&mut project.server(&["--role", "testing"]), Era::Initialize);
    let answer = client.ask(
        "initialize",
        json!({
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"},
        }),
    );
    assert_eq!(answer["result"]["serverInfo"]["name"], "cogwork");
    assert!(answer["result"]["capabilities"]["tools"].is_object());
    assert!(answer["result"]["instructions"].as_str().unwrap().contains("feature_get_by_id"));
}

#[test]
fn a_tool_that_is_not_there_is_a_protocol_error_with_what_is() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &["--role", "coding"]);
        let error = &client.call("feature_eat", json!({}))["error"];
        assert_eq!(error["code"], -32602, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("`feature_eat` does not exist") && message.contains("feature_mark_passing"),
            "{message}"
        );
        let error = &client.call("feature_search", json!({"query": "x"}))["error"];
        assert!(error["message"].as_str().unwrap().contains("not available to role coding"), "{error}");
        assert_eq!(client.ask("no/such/method", json!({}))["error"]["code"], -32601);
    }
}

#[test]
fn arguments_come_in_every_shape() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        for arguments in [
            json!({"feature_id": ONE_CHECK}),
            json!({"feature_id": ONE_CHECK.to_string()}),
            json!({"feature_id": format!("#{ONE_CHECK}"), "wait_for_previous": true, "field": "null"}),
            json!(json!({"feature_id": ONE_CHECK}).to_string()),
        ] {
            let answer = client.call("feature_get_by_id", arguments);
            assert_eq!(succeeded(&answer)["id"], ONE_CHECK);
            assert_eq!(answer["result"].get("resultType").is_some(), era == Era::Stateless, "{answer}");
        }
        assert_eq!(
            client.fail("feature_get_by_id", json!({"id": 1, "offset": "x"})),
            "Error (invalid_argument): `feature_id` is missing (came: `id`); `offset` must be an integer, not \"x\". \
             Correct the arguments and call again."
        );
        let error = &client.call("feature_get_by_id", json!([1]))["error"];
        assert!(error["message"].as_str().unwrap().contains("must be a JSON object"), "{error}");
        let unnamed = client.ask("tools/call", json!({}));
        assert_eq!(unnamed["error"]["code"], -32602, "{unnamed}");
    }
}

#[test]
fn no_line_stops_the_server() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let deep = "[".repeat(100_000);
        let long = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{}\"}}", "x".repeat(1_000_000));
        let lines: [&[u8]; 9] = [
            b"",
            b"not json",
            b"\xff\xfe\xfd",
            b"{\"jsonrpc\":\"2.0\"",
            b"\"text\"",
            b"null",
            deep.as_bytes(),
            long.as_bytes(),
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        ];
        for line in lines {
            client.send_line(line);
        }
        let id = client.send("tools/call", json!({"name": "feature_get_stats", "arguments": {}}));
        // Well-formed JSON that is no message may be answered with an error that has no id.
        let answer = loop {
            let message = client.message().unwrap();
            if message["id"] == id {
                break message;
            }
            assert_eq!(message["error"]["code"], -32600, "{message}");
        };
        assert_eq!(succeeded(&answer)["total"], 6);
    }
}

#[test]
fn what_comes_before_the_opening_is_no_end() {
    let project = Project::new();
    let mut client = Client::spawn(&mut project.server(&[]), Era::Initialize);
    client.notify("notifications/initialized", json!({}));
    client.send_line(br#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    assert!(client.ask("ping", json!({}))["result"].is_object());
    client.notify("notifications/cancelled", json!({"requestId": 1}));
    assert_eq!(client.ask("tools/list", json!({}))["error"]["code"], -32602);
    client.notify("notifications/anything", json!({}));
    let opened = client.ask(
        "initialize",
        json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "it", "version": "1"},
        }),
    );
    assert!(opened["result"].is_object(), "{opened}");
    client.get("feature_get_stats", json!({}));
}

#[test]
fn a_directory_without_a_project_still_has_tools_that_say_so() {
    let empty = tempfile::tempdir().unwrap();
    let mut command = crate::client::server();
    let mut client = Client::open(command.arg("--project-dir").arg(empty.path()), Era::Initialize);
    assert!(names(&client.ask("tools/list", json!({}))).len() > 7);
    let text = client.fail("feature_get_stats", json!({}));
    assert!(text.starts_with("Error (no_project): there is no Cogwork project in /"), "{text}");
    assert!(!empty.path().join(".cogwork").exists());
    // It is found as soon as it is there.
    cogwork_store::Store::create(empty.path(), crate::project::clock()).unwrap();
    assert_eq!(client.get("feature_get_stats", json!({}))["total"], 0);
}

#[test]
fn a_project_of_the_original_is_taken_over_by_the_first_call() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("feature_list.json");
    std::fs::write(&list, r#"[{"name": "a", "passes": true}, {"name": "b", "passes": false}]"#).unwrap();
    let mut command = crate::client::server();
    let mut client = Client::open(command.arg("--project-dir").arg(dir.path()), Era::Initialize);
    assert!(!dir.path().join(".cogwork").exists());
    let stats = client.get("feature_get_stats", json!({}));
    assert_eq!((&stats["total"], &stats["passing"]), (&json!(2), &json!(1)));
    // And what cannot be is said.
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("feature_list.json"), "[").unwrap();
    let mut command = crate::client::server();
    let mut client = Client::open(command.arg("--project-dir").arg(dir.path()), Era::Stateless);
    let text = client.fail("feature_get_stats", json!({}));
    assert!(text.starts_with("Error (no_project): ") && text.contains("cannot be taken over"), "{text}");
}

#[test]
fn the_project_may_come_from_the_environment() {
    let project = Project::new();
    let mut command = crate::client::server();
    let mut client = Client::open(command.env("PROJECT_DIR", project.path()), Era::Stateless);
    assert_eq!(client.get("feature_get_stats", json!({}))["total"], 6);
}

#[test]
fn a_server_that_was_told_nonsense_does_not_start() {
    let project = Project::new();
    for (args, said) in [
        (&["--tools", "feature_eat"][..], "there is no tool `feature_eat`"),
        (&["--role", "boss"], "the role must be one of initializer"),
        (&["--features", "one"], "invalid"),
    ] {
        let output = project.server(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
    }
    let output = project.server(&["--features", "1,2"]).env("COGWORK_TOKEN", "1-secret").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("1 tokens for 2 features") && !stderr.contains("secret"), "{stderr}");
}

#[test]
fn a_read_only_server_cannot_write() {
    let project = Project::new();
    let mut client = project.open(Era::Initialize, &["--read-only"]);
    let answer = client.call("feature_mark_passing", json!({"feature_id": 1}));
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("switched off"), "{answer}");
    let text = failed(&client.call("feature_get_by_id", json!({"feature_id": 99})));
    assert!(text.starts_with("Error (not_found): there is no feature #99; the highest id is #6"), "{text}");
}
