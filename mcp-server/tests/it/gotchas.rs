//! What the protocol library does that nobody would expect, and the test that holds our answer to it.
//!
//! | # | what happens without us | held by |
//! | --- | --- | --- |
//! | 1 | a call that panics is never answered | `a_panic_is_answered_and_the_server_lives_on`, `a_panic_in_the_store_costs_one_call`, `what_is_no_tool_is_contained_too` |
//! | 2 | whether wrong arguments are the model's error depends on how a message begins | `arguments_come_in_every_shape`, `all_problems_come_at_once` |
//! | 3 | arguments that are a text make the method unknown | `a_call_with_arguments_as_text_is_understood`, `arguments_come_in_every_shape` |
//! | 4 | an unknown tool is refused without its name | `a_tool_that_is_not_there_is_a_protocol_error_with_what_is` |
//! | 5 | nothing is checked against the schema, unknown keys pass | `arguments_come_in_every_shape` |
//! | 6 | derived schemas hold what clients refuse | `every_input_schema_is_in_the_dialect_that_all_clients_take`, `a_rich_type_comes_out_in_six_keywords` |
//! | 7 | a client that only probes ends the server with an error | `a_client_that_only_probes_leaves_a_success`, `without_any_input_it_ends_at_once` |
//! | 8 | at the end of the input running calls get some seconds | `a_short_call_in_flight_is_answered_before_the_end`, `the_end_of_the_input_during_a_check_run_clears_it_away` |
//! | 9 | a last line without its end is dropped, a batch is refused | `half_a_line_and_a_batch_are_no_calls`, `no_line_stops_the_server` |
//! | 10 | a line may have 16 MiB | `a_line_has_a_longest_length` |
//! | 11 | lists are answered without being declared | `what_is_listed_is_declared_and_may_be_kept_only_where_that_is_known` |
//! | 12 | lists may be kept for no time, by anybody, and say so to clients that do not know it | `both_eras_list_the_same_tools_in_order`, `what_is_listed_is_declared_and_may_be_kept_only_where_that_is_known` |
//! | 13 | a call that blocks holds up ping and cancellation | `a_call_that_waits_for_the_database_holds_up_nothing` |
//! | 14 | a read of standard input holds up the end | `signals_end_it_with_success` |
//! | 15 | the input stays open while a sibling holds it | `it_does_not_outlive_its_parent` |
//! | 16 | what is sent at the opening is made by constructors only | `initialize_tells_how_to_work`, `discover_then_a_call_is_how_the_newest_client_begins` |
//! | 17 | a call's response is no JSON by itself | `arguments_come_in_every_shape` |
//! | 18 | a macro among the tools hides them | `each_role_has_its_tools` |

use std::path::Path;

use serde_json::{Value, json};

use crate::client::{ERAS, Era, succeeded};
use crate::project::{ONE_CHECK, Project};

#[test]
fn every_gotcha_is_held_by_a_test_that_exists() {
    let mut sources = String::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                directories.push(entry.path());
            } else if entry.path().extension().is_some_and(|ending| ending == "rs") {
                sources.push_str(&std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let rows: Vec<&str> =
        include_str!("gotchas.rs").lines().filter_map(|line| line.strip_prefix("//! | ")).skip(2).collect();
    assert_eq!(rows.len(), 18);
    for (index, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("{} |", index + 1)), "{row}");
        let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{row}");
        for name in names {
            assert!(sources.contains(&format!("fn {name}() {{")), "no test is called {name}");
        }
    }
}

#[test]
fn half_a_line_and_a_batch_are_no_calls() {
    let project = Project::new();
    for era in ERAS {
        let mut client = project.open(era, &[]);
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}});
        client.send_line(json!([call, call]).to_string().as_bytes());
        let refused = client.message().unwrap();
        assert_eq!(refused["error"]["code"], -32600, "{refused}");
        assert!(refused.get("id").is_none_or(Value::is_null), "{refused}");
        // The server goes on, and at the end does not take what may be half a call.
        client.get("feature_get_stats", json!({}));
        client.send_bytes(call.to_string().as_bytes());
        assert_eq!(client.close_and_collect(), [Value::Null; 0]);
    }
}

#[test]
fn a_line_has_a_longest_length() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &[]);
    let query = |mebibytes: usize| json!({"query": "x".repeat(mebibytes * 1024 * 1024)});
    assert_eq!(client.get("feature_search", query(15))["total"], 0);
    // One that is longer is dropped whole, and the next one is read from its beginning.
    let long = client.send("tools/call", json!({"name": "feature_search", "arguments": query(17)}));
    let next = client.send("tools/call", json!({"name": "feature_get_stats", "arguments": {}}));
    let answer = client.message().unwrap();
    assert_ne!(answer["id"], long);
    assert_eq!(succeeded(&answer)["total"], 6);
    assert_eq!(answer["id"], next);
}

#[test]
fn a_call_that_waits_for_the_database_holds_up_nothing() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        client.get("feature_get_stats", json!({}));
        // Another process writes, and takes its time.
        let lock = std::fs::File::open(project.path().join(".cogwork/write.lock")).unwrap();
        lock.lock().unwrap();
        let arguments = json!({"feature_id": ONE_CHECK});
        let claim =
            client.send("tools/call", json!({"name": "feature_claim_and_get", "arguments": arguments}));
        let list = client.ask("tools/list", json!({}));
        assert!(list["result"]["tools"].is_array(), "{list}");
        lock.unlock().unwrap();
        assert_eq!(succeeded(&client.answer(claim))["id"], ONE_CHECK);
    }
}
