//! Every tool that reads: what it answers, and what it says when there is nothing to answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, ERAS};
use crate::project::{BLOCKED, LONG, NO_CHECK, ONE_CHECK, Project, TWO_CHECKS};

#[test]
fn stats_count_every_state() {
    let project = Project::new();
    let claim = project.claim(NO_CHECK);
    for era in ERAS {
        let stats = project.open(era, &[]).get("feature_get_stats", json!({}));
        assert_eq!(
            stats,
            json!({"passing": 0, "in_progress": 1, "needs_human_input": 0, "parked": 0, "blocked": 1, "ready": 4,
                   "total": 6, "percentage": 0.0})
        );
    }
    project.store.submit(&claim.token, None, &[]).unwrap();
}

#[test]
fn a_feature_comes_whole() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let one = client.get("feature_get_by_id", json!({"feature_id": ONE_CHECK}));
        assert_eq!(one["key"], "one");
        assert_eq!((&one["status"], &one["passes"]), (&json!("pending"), &json!(false)));
        assert_eq!(one["description"], "Writes a.txt.");
        assert_eq!(one["steps"], json!(["Write it."]));
        assert_eq!(one["checks"][0]["timeout_s"], 600);
        assert!(one["checks"][0]["command"].as_str().unwrap().starts_with("test -f a.txt"));
        let blocked = client.get("feature_get_by_id", json!({"feature_id": BLOCKED}));
        assert_eq!(
            blocked["dependencies"],
            json!([{"id": ONE_CHECK, "name": "One check", "status": "pending"}])
        );
        assert_eq!(blocked["blocked_by"], json!([ONE_CHECK]));
        let text = client.fail("feature_get_by_id", json!({"feature_id": 99}));
        assert!(text.starts_with("Error (not_found): there is no feature #99"), "{text}");
    }
}

#[test]
fn a_long_feature_is_cut_and_can_be_read_on() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let cut = client.get("feature_get_by_id", json!({"feature_id": LONG}));
        assert_eq!(cut["truncated"][0]["field"], "description");
        assert_eq!(cut["truncated"][0]["total"], 30_000);
        assert_eq!(cut["steps"].as_array().unwrap().len(), 3);
        let mut text = String::new();
        let mut next = json!(0);
        while !next.is_null() {
            let arguments = json!({"feature_id": LONG, "field": "description", "offset": next});
            let part = client.get("feature_get_by_id", arguments);
            text.push_str(part["description"].as_str().unwrap());
            next = part["part"]["next_offset"].clone();
        }
        assert!(text == "ä\"\n".repeat(10_000));
    }
}

#[test]
fn summaries_come_alone_or_together() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let one = client.get("feature_get_summary", json!({"feature_id": BLOCKED}));
        assert_eq!(
            one,
            json!({"id": BLOCKED, "name": "Blocked", "status": "pending", "passes": false, "in_progress": false,
                   "needs_human_input": false, "dependencies": [ONE_CHECK]})
        );
        let several = client.get("feature_get_summary", json!({"feature_ids": "[1, \"3\"]"}));
        assert_eq!(several["features"].as_array().unwrap().len(), 2);
        assert!(client.fail("feature_get_summary", json!({})).contains("`feature_id` is missing"));
        assert!(
            client.fail("feature_get_summary", json!({"feature_ids": vec![1; 51]})).contains("at most 50")
        );
        assert!(
            client.fail("feature_get_summary", json!({"feature_ids": [1, 99]})).contains("no feature #99")
        );
    }
}

fn ids(list: &Value) -> Vec<i64> {
    list["features"].as_array().unwrap().iter().map(|feature| feature["id"].as_i64().unwrap()).collect()
}

#[test]
fn ready_features_come_best_first_and_in_pages() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let all = client.get("feature_get_ready", json!({}));
        // What another feature waits for is first.
        assert_eq!((ids(&all)[0], ids(&all).len()), (ONE_CHECK, 5));
        assert_eq!((&all["total_ready"], &all["has_more"]), (&json!(5), &json!(false)));
        let first = client.get("feature_get_ready", json!({"limit": "2"}));
        assert_eq!((&first["count"], &first["next_offset"]), (&json!(2), &json!(2)));
        let rest = client.get("feature_get_ready", json!({"limit": 10, "offset": 2}));
        assert_eq!([ids(&first), ids(&rest)].concat(), ids(&all));
        let docs = client.get("feature_get_ready", json!({"category": "DOCS"}));
        assert_eq!(ids(&docs), [NO_CHECK]);
        let detailed = client.get("feature_get_ready", json!({"limit": 1, "response_format": "detailed"}));
        assert_eq!(detailed["features"][0]["description"], "Writes a.txt.");
        assert!(
            client.fail("feature_get_ready", json!({"offset": -1})).starts_with("Error (invalid_argument)")
        );
        assert!(
            client.fail("feature_get_ready", json!({"response_format": "x"})).contains("concise, detailed")
        );
    }
}

#[test]
fn blocked_features_name_what_they_wait_for() {
    let project = Project::new();
    for era in ERAS {
        let blocked = project.open(era, &[]).get("feature_get_blocked", json!({}));
        assert_eq!(
            blocked,
            json!({"features": [{"id": BLOCKED, "name": "Blocked", "blocked_by": [ONE_CHECK]}], "count": 1,
                   "total_blocked": 1, "has_more": false})
        );
    }
}

#[test]
fn explain_says_why_and_what_next() {
    let project = Project::new();
    project.claim(TWO_CHECKS);
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let blocked = client.get("feature_explain", json!({"feature_id": BLOCKED}));
        assert_eq!(blocked["why"], "#2 waits for #1 to pass.");
        assert_eq!(blocked["next"], "It can start when #1 passes.");
        assert_eq!(
            blocked["roots"],
            json!([{"id": 1, "name": "One check", "why": "#1 is ready: nothing holds it."}])
        );
        let ready = client.get("feature_explain", json!({"feature_id": ONE_CHECK}));
        assert_eq!((&ready["ready"], &ready["status"]), (&json!(true), &json!("pending")));
        let running = client.get("feature_explain", json!({"feature_id": TWO_CHECKS}));
        assert_eq!(running["why"], "#5 is being worked on by session s1.");
        assert!(client.fail("feature_explain", json!({"feature_id": 0})).starts_with("Error (not_found)"));
    }
}

#[test]
fn the_graph_comes_whole_around_a_feature_or_in_pages() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let whole = client.get("feature_get_graph", json!({}));
        assert_eq!(whole["nodes"].as_array().unwrap().len(), 6);
        assert_eq!(whole["edges"], json!([{"source": ONE_CHECK, "target": BLOCKED}]));
        assert_eq!((&whole["total_nodes"], &whole["truncated"]), (&json!(6), &json!(false)));
        let around = client.get("feature_get_graph", json!({"feature_id": ONE_CHECK, "depth": 1}));
        assert_eq!(around["total_nodes"], 2);
        let alone = client.get("feature_get_graph", json!({"feature_id": ONE_CHECK, "depth": 0}));
        assert_eq!(alone["nodes"], json!([{"id": ONE_CHECK, "name": "One check", "status": "pending"}]));
        let page = client.get("feature_get_graph", json!({"limit": 4}));
        assert_eq!((&page["truncated"], &page["next_offset"]), (&json!(true), &json!(4)));
        assert!(client.fail("feature_get_graph", json!({"feature_id": 99})).starts_with("Error (not_found)"));
    }
}

#[test]
fn search_finds_by_word_key_and_id() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let mut found = |arguments: Value| ids(&client.get("feature_search", arguments));
        assert_eq!(found(json!({"query": "CHECK one"})), [ONE_CHECK]);
        assert_eq!(found(json!({"query": "a.txt"})), [ONE_CHECK]);
        assert_eq!(found(json!({"query": "#5"})), [TWO_CHECKS]);
        assert_eq!(found(json!({"query": 5})), [TWO_CHECKS]);
        assert_eq!(found(json!({"query": "check", "limit": 2})), [ONE_CHECK, NO_CHECK]);
        assert_eq!(found(json!({"query": "check", "status": "passing"})), [0; 0]);
        assert_eq!(found(json!({"query": "nothing like it"})), [0; 0]);
        assert!(client.fail("feature_search", json!({})).contains("`query` is missing"));
    }
}

#[test]
fn a_list_never_outgrows_an_answer() {
    let name = "n".repeat(250);
    let features: Vec<Value> = (0..120)
        .map(|_| json!({"name": name, "category": "c".repeat(90), "description": "d".repeat(3_000)}))
        .collect();
    let project = Project::with(features.into());
    let mut client = project.open(ERAS[0], &[]);
    for (tool, mut arguments) in [
        ("feature_get_ready", json!({"limit": 50})),
        ("feature_get_ready", json!({"limit": 50, "response_format": "detailed"})),
        ("feature_search", json!({"limit": 50, "query": "n"})),
    ] {
        let mut seen = Vec::new();
        loop {
            let page = client.get(tool, arguments.clone());
            assert!(page.get("truncated").is_none(), "a page is cut between items, not inside one");
            seen.extend(ids(&page));
            if page["has_more"] == false {
                break;
            }
            arguments["offset"] = page["next_offset"].clone();
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..=120).collect::<Vec<i64>>(), "{tool}");
    }
    assert!(client.get("feature_get_graph", json!({}))["next_offset"].is_i64());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that must not wait for ever")]
fn damage_that_no_call_would_meet_is_found_and_said() {
    let project = Project::new();
    let database = project.path().join(".cogwork/features.db");
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join(".cogwork")).unwrap();
    drop(project.open(ERAS[0], &[]).get("feature_get_stats", json!({})));
    // The project's own store stays open, and its log with it: the copy needs both to be whole.
    for ending in ["", "-wal"] {
        let name = format!("features.db{ending}");
        std::fs::copy(database.with_file_name(&name), copy.path().join(".cogwork").join(name)).unwrap();
    }
    cogwork_store::Store::open(copy.path(), crate::project::clock())
        .unwrap()
        .file()
        .check_integrity()
        .unwrap();
    let file = copy.path().join(".cogwork/features.db");
    let sound = std::fs::read(&file).unwrap();
    let mut said = 0;
    for page in 1..sound.len() / 4096 {
        let mut damaged = sound.clone();
        damaged[page * 4096..][..4096].fill(0);
        std::fs::write(&file, &damaged).unwrap();
        let mut command = crate::client::server();
        let mut client = Client::open(command.arg("--project-dir").arg(copy.path()), ERAS[0]);
        // Reads only what counts features; most pages are none of that.
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < Duration::from_secs(20), "page {page} is nothing, and nobody says so");
            let answer = client.call("feature_get_stats", json!({}))["result"].take();
            if answer["isError"] == true {
                let text = answer["content"][0]["text"].as_str().unwrap();
                // A value that cannot be is for the doctor to explain.
                if text.contains("failed: run `cogwork doctor`") {
                    continue;
                }
                assert!(text.contains("features.db is damaged (") && text.contains("restore it"), "{text}");
                said += 1;
                break;
            }
        }
        client.close();
    }
    assert!(said > 10, "{said}");
}
