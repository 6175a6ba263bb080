//! A hundred thousand lines that no client should send: none of them stops the server, costs it memory, or puts
//! anything on its stdout that is not protocol.

use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, succeeded};
use crate::project::Project;

/// Lines in each era.
const LINES: usize = 50_000;

/// After so many lines the server is asked something real.
const REAL: usize = 1_000;

/// What the server may have grown to when all is over, in KiB: several times what it needs.
const MOST_MEMORY_KIB: u64 = 128 * 1024;

/// A line as a broken client, a broken disk or an attacker makes it. No line end inside.
fn line(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut line = match rng.u32(0..1_000) {
        0 => long(rng),
        1..20 => nested(rng),
        20..130 => cut(rng),
        130..260 => flipped(rng),
        260..330 => (0..rng.usize(0..80)).map(|_| rng.u8(..)).collect(),
        330..450 => of_wrong_types(rng).to_string().into_bytes(),
        450..520 => {
            let text = [
                "{", "}", "[", "\"", "\\u0000", "\\ud800", "1e999", "null", ",", ":", "\u{feff}", "jsonrpc",
                "-",
            ];
            (0..rng.usize(1..12)).flat_map(|_| text[rng.usize(..text.len())].bytes()).collect()
        }
        520..580 => odd_number(rng).into_bytes(),
        580..640 => with_an_odd_string(rng).into_bytes(),
        640..660 => call(rng).to_string().into_bytes(),
        660..740 => {
            Value::Array((0..rng.usize(0..5)).map(|_| of_wrong_types(rng)).collect()).to_string().into_bytes()
        }
        740..800 => said_twice(rng).into_bytes(),
        800..900 => notification(rng).to_string().into_bytes(),
        900..940 => unasked_answer(rng).to_string().into_bytes(),
        _ => request(rng).to_string().into_bytes(),
    };
    line.retain(|byte| *byte != b'\n');
    line
}

const METHODS: [&str; 20] = [
    "initialize",
    "ping",
    "tools/list",
    "tools/call",
    "server/discover",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/cancel",
    "subscriptions/listen",
    "sampling/createMessage",
    "",
    "tools",
    "no/such/method",
];

const TOOLS: [&str; 15] = [
    "feature_get_stats",
    "feature_get_by_id",
    "feature_get_summary",
    "feature_get_ready",
    "feature_get_blocked",
    "feature_get_graph",
    "feature_search",
    "feature_claim_and_get",
    "feature_mark_passing",
    "feature_explain",
    "feature_skip",
    "feature_set_checks",
    "feature_set_dependencies",
    "feature_mark_failing",
    "feature_eat",
];

const ARGUMENTS: [&str; 12] = [
    "feature_id",
    "limit",
    "offset",
    "query",
    "status",
    "field",
    "depth",
    "dependency_id",
    "dependency_ids",
    "reason",
    "response_format",
    "wait_for_previous",
];

/// Ids that are never those of the real calls, most of them in use already.
fn id(rng: &mut fastrand::Rng) -> Value {
    match rng.u32(0..8) {
        0 => json!(format!("x{}", rng.u32(0..50))),
        1 => json!(-rng.i64(1..50)),
        2 => json!(rng.u64(..)),
        3 => json!(1.5),
        4 => value(rng, 1),
        _ => json!(1_000_000 + rng.i64(0..100)),
    }
}

fn value(rng: &mut fastrand::Rng, depth: usize) -> Value {
    match rng.u32(0..if depth == 0 { 7 } else { 10 }) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(-3..9)),
        3 => json!(rng.i64(..)),
        4 => json!(rng.f64() * 1e300),
        5 => json!(
            ["", "1", "#1", "null", "[1,2]", "{\"feature_id\":1}", "ä\u{0}\u{202e}", "true"][rng.usize(..8)]
        ),
        6 => json!("x".repeat(rng.usize(0..40))),
        7 => Value::Array((0..rng.usize(0..4)).map(|_| value(rng, depth - 1)).collect()),
        _ => (0..rng.usize(0..4)).map(|_| (word(rng), value(rng, depth - 1))).collect(),
    }
}

fn word(rng: &mut fastrand::Rng) -> String {
    let words: [&[&str]; 3] = [
        &ARGUMENTS,
        &["jsonrpc", "id", "method", "params", "name", "arguments", "uri", "_meta"],
        &["", "\u{0}", "x"],
    ];
    let words = words[rng.usize(..words.len())];
    words[rng.usize(..words.len())].to_owned()
}

fn params(rng: &mut fastrand::Rng) -> Value {
    let mut params = value(rng, 3);
    if let Some(members) = params.as_object_mut()
        && rng.bool()
    {
        let version = ["2026-07-28", "2025-06-18", "1999-01-01", ""][rng.usize(..4)];
        members.insert("_meta".to_owned(), json!({
            "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": value(rng, 1), "progressToken": value(rng, 0),
        }));
    }
    params
}

fn request(rng: &mut fastrand::Rng) -> Value {
    let method = METHODS[rng.usize(..METHODS.len())];
    json!({"jsonrpc": "2.0", "id": id(rng), "method": method, "params": params(rng)})
}

fn call(rng: &mut fastrand::Rng) -> Value {
    let arguments: Value = (0..rng.usize(0..4))
        .map(|_| (ARGUMENTS[rng.usize(..ARGUMENTS.len())].to_owned(), value(rng, 2)))
        .collect();
    let params = json!({
        "name": TOOLS[rng.usize(..TOOLS.len())], "arguments": arguments,
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "garbage", "version": "0"},
        },
    });
    json!({"jsonrpc": "2.0", "id": id(rng), "method": "tools/call", "params": params})
}

fn notification(rng: &mut fastrand::Rng) -> Value {
    let methods = [
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "notifications/message",
        "notifications/roots/list_changed",
        "notifications/tasks/status",
        "notifications/anything",
        "",
        "tools/call",
    ];
    let params =
        if rng.bool() { json!({"requestId": id(rng), "reason": value(rng, 0)}) } else { params(rng) };
    json!({"jsonrpc": "2.0", "method": methods[rng.usize(..methods.len())], "params": params})
}

fn unasked_answer(rng: &mut fastrand::Rng) -> Value {
    match rng.bool() {
        true => json!({"jsonrpc": "2.0", "id": id(rng), "result": value(rng, 2)}),
        false => {
            json!({"jsonrpc": "2.0", "id": id(rng), "error": {"code": value(rng, 0), "message": value(rng, 0)}})
        }
    }
}

fn of_wrong_types(rng: &mut fastrand::Rng) -> Value {
    let mut members = serde_json::Map::new();
    for name in ["jsonrpc", "id", "method", "params", "result", "error"] {
        if rng.u32(0..4) > 0 {
            members.insert(name.to_owned(), value(rng, 2));
        }
    }
    if rng.bool() { Value::Object(members) } else { value(rng, 3) }
}

fn cut(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut line = request(rng).to_string().into_bytes();
    line.truncate(rng.usize(..line.len()));
    line
}

fn flipped(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut line = if rng.bool() { request(rng) } else { notification(rng) }.to_string().into_bytes();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..line.len());
        line[at] = rng.u8(..);
    }
    line
}

fn nested(rng: &mut fastrand::Rng) -> Vec<u8> {
    let depth = rng.usize(100..20_000);
    let (open, close) = [("[", "]"), ("{\"a\":", "}")][rng.usize(..2)];
    let deep = open.repeat(depth) + "1" + &if rng.bool() { close.repeat(depth) } else { String::new() };
    match rng.bool() {
        true => deep,
        false => format!(r#"{{"jsonrpc":"2.0","id":1000001,"method":"tools/call","params":{deep}}}"#),
    }
    .into_bytes()
}

fn long(rng: &mut fastrand::Rng) -> Vec<u8> {
    let text = "y".repeat(rng.usize(100_000..2_000_000));
    let mut line = json!({"jsonrpc": "2.0", "id": id(rng), "method": "tools/call",
                          "params": {"name": "feature_search", "arguments": {"query": text}}});
    if rng.bool() {
        line["method"] = text.into();
    }
    line.to_string().into_bytes()
}

fn odd_number(rng: &mut fastrand::Rng) -> String {
    let number = match rng.u32(0..5) {
        0 => "9".repeat(rng.usize(20..2_000)),
        1 => format!("1e{}", rng.u32(300..100_000)),
        2 => format!("-0.{}1", "0".repeat(rng.usize(1..500))),
        3 => "NaN".to_owned(),
        _ => format!("{}", rng.u128(..)),
    };
    let arguments = format!(r#"{{"feature_id":{number},"limit":{number}}}"#);
    match rng.u32(0..3) {
        0 => format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"ping"}}"#),
        1 => format!(r#"{{"jsonrpc":2.0,"id":1,"method":{number}}}"#),
        _ => format!(
            r#"{{"jsonrpc":"2.0","id":1000002,"method":"tools/call","params":{{"name":"feature_get_by_id","arguments":{arguments}}}}}"#
        ),
    }
}

fn with_an_odd_string(rng: &mut fastrand::Rng) -> String {
    let odd =
        ["\\ud800", "\\udc00\\ud800", "\\u0000", "\\uFFFF", "\u{0}", "\\x41", "\\", "\u{2028}", "\\n\\r"];
    let odd = odd[rng.usize(..odd.len())].repeat(rng.usize(1..4));
    match rng.u32(0..3) {
        0 => format!(r#"{{"jsonrpc":"2.0","id":"{odd}","method":"ping"}}"#),
        1 => format!(r#"{{"jsonrpc":"2.0","id":1000003,"method":"{odd}"}}"#),
        _ => format!(
            r#"{{"jsonrpc":"2.0","id":1000003,"method":"tools/call","params":{{"name":"feature_search","arguments":{{"query":"{odd}"}}}}}}"#
        ),
    }
}

/// Members that are there twice; which one counts is anybody's guess.
fn said_twice(rng: &mut fastrand::Rng) -> String {
    let (first, second) = (id(rng), value(rng, 1));
    format!(
        r#"{{"jsonrpc":"2.0","id":{first},"id":{second},"method":"ping","method":"tools/list","params":{{}}}}"#
    )
}

/// What the server holds in memory, where that can be seen.
fn resident_kib(client: &Client) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.pid())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn storm(era: Era, seed: u64) {
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let features: Vec<Value> = (1..=20).map(|n| json!({"name": format!("feature {n}")})).collect();
    let project = Project::with(features.into());
    let mut client = project.open(era, &[]);
    for sent in 1..=LINES {
        client.send_line(&line(&mut rng));
        if sent.is_multiple_of(REAL) {
            let feature = rng.i64(1..=20);
            let id = client.send(
                "tools/call",
                json!({"name": "feature_get_by_id", "arguments": {"feature_id": feature}}),
            );
            let answer = loop {
                let message = client.message().unwrap_or_else(|| panic!("it ended within {sent} lines"));
                assert_eq!(message["jsonrpc"], "2.0", "{message}");
                if message["id"] == id {
                    break message;
                }
                let is_answer = message.get("result").is_some() != message.get("error").is_some();
                assert!(is_answer || message.get("method").is_some(), "{message}");
            };
            assert_eq!(succeeded(&answer)["name"], format!("feature {feature}"));
        }
    }
    if let Some(resident) = resident_kib(&client) {
        println!("{resident} KiB resident after {LINES} lines");
        assert!(resident < MOST_MEMORY_KIB, "{resident} KiB resident");
    }
    project.store.file().check_integrity().unwrap();
    assert!(client.close().success());
}

#[test]
fn fifty_thousand_bad_lines_stop_no_server_that_was_initialized() {
    storm(ERAS[0], 1);
}

#[test]
fn fifty_thousand_bad_lines_stop_no_server_without_initialization() {
    storm(ERAS[1], 2);
}
