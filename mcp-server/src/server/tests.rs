use std::path::PathBuf;
use std::time::Duration;

use cogwork_schemas::{FeatureId, Role, Token};
use cogwork_store::{AttemptLimits, ImportLimits};
use rmcp::ServiceExt;
use rmcp::model::CallToolResult;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

use super::*;

const ROLES: [Role; 6] =
    [Role::Initializer, Role::Coding, Role::Testing, Role::Chat, Role::Orchestrator, Role::All];

fn options(role: Role) -> Options {
    Options {
        project: PathBuf::from("/nowhere"),
        workspace: PathBuf::from("/nowhere"),
        state_home: cogwork_store::StateHome::none(),
        role,
        assignment: Assignment::Given(vec![(FeatureId(1), Token::new("1-a"))]),
        further: None,
        filter: ToolFilter::default(),
        http: None,
        limits: ImportLimits::default(),
        attempts: AttemptLimits::default(),
        lease: jiff::SignedDuration::from_mins(10),
        check_variables: Vec::new(),
    }
}

fn listed(role: Role) -> Vec<Value> {
    let tools = Server::new(options(role)).unwrap().inner.tools.clone();
    tools.iter().map(|tool| serde_json::to_value(tool).unwrap()).collect()
}

fn names(options: Options) -> Result<Vec<String>, String> {
    let server = Server::new(options).map_err(|error| error.to_string())?;
    Ok(server.inner.tools.iter().map(|tool| tool.name.to_string()).collect())
}

#[test]
fn each_role_has_its_tools() {
    for role in ROLES {
        let served = names(options(role)).unwrap();
        match role::tools(role) {
            // A name in the role's list that no tool has would be missing here.
            Some(wanted) => assert_eq!(served, wanted, "{}", role.word()),
            None => assert_eq!(served.len(), tools::router().list_all().len()),
        }
    }
}

#[test]
fn filters_narrow_the_role() {
    let narrowed = |only: &[&str], except: &[&str], read_only| {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let filter = ToolFilter { only: owned(only), except: owned(except), read_only };
        names(Options { filter, ..options(Role::Coding) })
    };
    assert_eq!(
        narrowed(&["feature_get_by_id", "feature_mark_passing"], &[], true).unwrap(),
        ["feature_get_by_id"]
    );
    assert_eq!(narrowed(&["feature_get_by_id"], &["feature_get_by_id"], false).unwrap(), [""; 0]);
    let reading = narrowed(&[], &[], true).unwrap();
    assert!(!reading.iter().any(|name| name.contains("claim") || name.contains("mark")), "{reading:?}");
    for wrong in [narrowed(&["feature_eat"], &[], false), narrowed(&[], &["feature_search"], false)] {
        let error = wrong.unwrap_err();
        assert!(error.contains("for the role coding") && error.contains("feature_get_by_id"), "{error}");
    }
}

#[test]
fn every_input_schema_is_in_the_dialect_that_all_clients_take() {
    for role in ROLES {
        for tool in listed(role) {
            let name = tool["name"].as_str().unwrap();
            assert!(name.len() <= 40 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            let description = tool["description"].as_str().unwrap();
            assert!(description.len() < 400 && !description.contains('\n'), "{name}: {description}");
            assert!(tool["title"].is_string(), "{name}");
            let input = &tool["inputSchema"];
            assert_eq!(input["type"], "object", "{name}");
            // One feature to be made has eight; everything else is smaller.
            assert!(input["properties"].as_object().unwrap().len() <= 8, "{name}");
            lint(input, name, 0);
        }
    }
}

/// The rule of six keywords: one scalar type per node, nothing optional by null, nothing deeper than an array of
/// objects with an array of objects.
fn lint(node: &Value, path: &str, depth: usize) {
    assert!(depth <= 5, "{path} is too deep");
    let object = node.as_object().unwrap_or_else(|| panic!("{path} is {node}"));
    for keyword in object.keys() {
        assert!(schema::KEYWORDS.contains(&keyword.as_str()), "{path} has `{keyword}`");
    }
    let kind = node["type"].as_str().unwrap_or_else(|| panic!("{path} has no single type: {node}"));
    assert!(["string", "integer", "boolean", "array", "object"].contains(&kind), "{path} is {kind}");
    assert_eq!(kind == "array", object.contains_key("items"), "{path}");
    assert_eq!(kind == "object", object.contains_key("properties"), "{path}");
    assert!(!object.get("required").is_some_and(|names| names.as_array().unwrap().is_empty()), "{path}");
    if depth > 0 && kind != "object" && !path.ends_with("[]") {
        assert!(node["description"].is_string(), "{path} has no description");
    }
    let words = node["enum"].as_array().into_iter().flatten();
    assert!(words.into_iter().all(Value::is_string), "{path}");
    for (name, property) in node["properties"].as_object().into_iter().flatten() {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{path}.{name}");
        lint(property, &format!("{path}.{name}"), depth + 1);
    }
    if let Some(items) = object.get("items") {
        lint(items, &format!("{path}[]"), depth + 1);
    }
}

#[test]
fn every_output_schema_is_an_object_and_says_nothing_strict() {
    for tool in listed(Role::All) {
        let output = &tool["outputSchema"];
        assert_eq!(output["type"], "object", "{}", tool["name"]);
        let text = output.to_string();
        for keyword in ["$ref", "$defs", "anyOf", "oneOf", "additionalProperties", "format", "\"type\":["] {
            assert!(!text.contains(keyword), "{}: {text}", tool["name"]);
        }
    }
}

#[test]
fn every_tool_says_what_it_does_to_the_world() {
    for tool in listed(Role::All) {
        let hints = &tool["annotations"];
        assert_eq!(hints["openWorldHint"], false, "{tool}");
        let name = tool["name"].as_str().unwrap();
        let reads = name.starts_with("feature_get_")
            || ["ask_user", "feature_explain", "feature_search"].contains(&name);
        assert_eq!(hints["readOnlyHint"], reads, "{tool}");
        let replaces =
            ["feature_remove_dependency", "feature_set_checks", "feature_set_dependencies"].contains(&name);
        assert_eq!(hints["destructiveHint"], replaces, "{tool}");
        let moves_or_makes = ["feature_create", "feature_create_bulk", "feature_skip"].contains(&name);
        assert_eq!(hints["idempotentHint"].as_bool().unwrap_or(reads), !moves_or_makes, "{tool}");
    }
}

#[test]
fn the_coding_role_costs_a_model_little() {
    let server = Server::new(options(Role::Coding)).unwrap();
    let definitions = server.inner.tools.iter().map(|tool| {
        json!({"name": tool.name, "description": tool.description, "input_schema": tool.input_schema})
            .to_string()
            .len()
    });
    let total = definitions.sum::<usize>() + server.get_info().instructions.unwrap().len();
    assert!(total < 9_000, "{total} characters");
}

#[test]
fn core_tools_are_always_loaded() {
    let marked = |role| {
        let tools = listed(role).into_iter().filter(|tool| tool["_meta"]["anthropic/alwaysLoad"] == true);
        tools.map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(marked(Role::Coding), ["feature_claim_and_get", "feature_get_by_id", "feature_mark_passing"]);
    for role in ROLES {
        assert!((2..=4).contains(&marked(role).len()), "{}", role.word());
    }
}

#[test]
fn a_call_with_arguments_as_text_is_understood() {
    let rescue = |arguments: Value| rescued(Some(json!({"name": "t", "arguments": arguments})));
    let meant = JsonObject::from_iter([("feature_id".to_owned(), json!(1))]);
    assert_eq!(rescue(json!(r#"{"feature_id":1}"#)).unwrap().arguments, Some(meant));
    for nothing in [json!(""), json!([]), json!(null)] {
        assert_eq!(rescue(nothing).unwrap().arguments, Some(JsonObject::new()));
    }
    for wrong in [json!("7"), json!("{"), json!([1]), json!(7)] {
        assert!(rescue(wrong).unwrap_err().message.contains("must be a JSON object"));
    }
    assert!(rescued(None).unwrap_err().message.contains("`name`"));
}

/// A client at the other end of an in-process pipe.
struct Client {
    lines: tokio::io::Lines<BufReader<tokio::io::ReadHalf<DuplexStream>>>,
    writer: tokio::io::WriteHalf<DuplexStream>,
}

impl Client {
    fn of(server: Server) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move { server.serve(tokio::io::split(theirs)).await.unwrap().waiting().await });
        let (reader, writer) = tokio::io::split(ours);
        Self { lines: BufReader::new(reader).lines(), writer }
    }

    async fn ask(&mut self, mut request: Value) -> Value {
        request["jsonrpc"] = "2.0".into();
        self.writer.write_all(format!("{request}\n").as_bytes()).await.unwrap();
        let line = tokio::time::timeout(Duration::from_secs(10), self.lines.next_line()).await;
        serde_json::from_str(&line.expect("an answer").unwrap().unwrap()).unwrap()
    }

    async fn open(&mut self) {
        let client = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        self.ask(json!({"id": 0, "method": "initialize", "params": client})).await;
    }
}

/// Adds a tool to a server that fails as the tools never should.
fn with_a_broken_tool(panics_at_once: bool) -> Server {
    let options = options(Role::All);
    let mut router = served(tools::router(), &options).unwrap();
    let broken = Tool::new("broken", "panics", schema::input::<()>());
    router.add_route(ToolRoute::new_dyn(broken, move |_| {
        assert!(!panics_at_once, "planted panic");
        Box::pin(async {
            tokio::task::yield_now().await;
            if true {
                panic!("planted panic");
            }
            Ok(CallToolResult::default().into())
        })
    }));
    Server::with_router(options, router)
}

#[tokio::test]
async fn a_panic_is_answered_and_the_server_lives_on() {
    for at_once in [true, false] {
        let mut client = Client::of(with_a_broken_tool(at_once));
        client.open().await;
        for id in [1, 2] {
            let answer =
                client.ask(json!({"id": id, "method": "tools/call", "params": {"name": "broken"}})).await;
            assert_eq!(answer["id"], id);
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            let text = answer["result"]["content"][0]["text"].as_str().unwrap();
            assert!(text.starts_with("Error (internal)") && !text.contains("planted"), "{text}");
        }
        assert_eq!(client.ask(json!({"id": 3, "method": "ping"})).await["id"], 3);
    }
}

#[tokio::test]
async fn what_is_no_tool_is_contained_too() {
    let panicking = async {
        if true {
            panic!("planted panic");
        }
        Ok(())
    };
    let error = contained(panicking).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::INTERNAL_ERROR);
    assert!(error.message.starts_with("Cogwork failed") && !error.message.contains("planted"), "{error}");
}

#[tokio::test]
async fn a_panic_in_the_store_costs_one_call() {
    let project = tempfile::tempdir().unwrap();
    cogwork_store::Store::create(project.path(), crate::clock::source()).unwrap();
    let database = Database::of(project.path(), cogwork_store::StateHome::none(), true);
    let panicked = database.run(|_| -> Result<(), ToolError> { panic!("planted panic") }).await.unwrap_err();
    assert!(panicked.to_string().starts_with("Error (internal)"), "{panicked}");
    assert_eq!(database.run(|store| Ok(store.features()?.len())).await.unwrap(), 0);
}
