//! Measures what the README claims of the MCP server: `cargo run --release -p cogwork-tests --bin mcp-numbers`.
//!
//! Builds the release `cogwork-mcp` (or takes the program that is its first argument), makes projects of 10,000
//! and 100,000 features, and drives the real process as a client does: one line in, one line out, timed around
//! both. Memory is the kernel's own account of the process.
//!
//! The machine may be busy with other things. Every series is cut into three parts in the order of time, and the
//! figures are those of the part with the lowest median: what the program takes, not what its neighbours took.

#![expect(
    clippy::expect_used,
    reason = "a measurement that goes wrong has no result: it stops and says where"
)]
#![expect(clippy::disallowed_methods, reason = "it starts the program that it measures, and reads the clock")]
#![expect(clippy::print_stdout, reason = "its figures are what it is for")]

mod client;
mod project;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use client::Client;
use project::Project;
use serde_json::{Value, json};
use table::Table;

/// How many processes are started for a figure about the start.
const STARTS: usize = 30;
/// How many calls a figure about a quick tool is the median of.
const CALLS: usize = 300;
/// How many calls a figure about a slow tool is the median of.
const FEW_CALLS: usize = 30;

fn main() -> ExitCode {
    let server = match std::env::args_os().nth(1) {
        Some(given) => PathBuf::from(given),
        None => build(),
    };
    let mut table = Table::begin();
    starts(&server, &mut table);
    for size in [10_000, 100_000] {
        let project = Project::layered(size);
        reading(&server, &project, &mut table);
        writing(&server, &project, &mut table);
    }
    chain(&server, &mut table);
    for size in [10_000, 100_000] {
        bulk(&server, size, &mut table);
    }
    ExitCode::SUCCESS
}

/// Builds the server and returns where it is: beside this program.
fn build() -> PathBuf {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let built = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "cogwork-mcp"])
        .status()
        .expect("cargo starts");
    assert!(built.success(), "the server does not build");
    std::env::current_exe().expect("this program has a path").with_file_name("cogwork-mcp")
}

/// From the start of the process to its first answers.
fn starts(server: &Path, table: &mut Table) {
    let project = Project::layered(100);
    let (mut opened, mut discovered, mut called) = (Vec::new(), Vec::new(), Vec::new());
    let (mut peak, mut own) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (mut client, ms) = Client::initialized(server, project.dir());
        opened.push(ms);
        called.push(client.timed("feature_get_stats", &json!({})).1);
        let memory = client.memory();
        peak.push(memory.peak_mb);
        own.push(memory.own_mb);
        discovered.push(Client::discovered(server, project.dir()));
    }
    table.row("process start to the answer to `initialize`", "ms", Some(5.0), &opened);
    table.row("process start to the answer to `server/discover`", "ms", Some(5.0), &discovered);
    table.row("then the first tool call (100 features)", "ms", None, &called);
    table.row("peak resident memory after it", "MB", Some(10.0), &peak);
    table.row("of it the process's own (anonymous)", "MB", None, &own);
}

/// What asks and changes nothing.
fn reading(server: &Path, project: &Project, table: &mut Table) {
    let size = project.size();
    let (mut cold, mut peak, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FEW_CALLS {
        let mut client = Client::open(server, project.dir());
        cold.push(client.timed("feature_get_ready", &json!({})).1);
        let memory = client.memory();
        peak.push(memory.peak_mb);
        own.push(memory.own_mb);
    }
    let ready_ms = if size <= 10_000 { 5.0 } else { 50.0 };
    table.row(&format!("get_ready, {size}: first call of a process"), "ms", Some(ready_ms), &cold);
    table.row(&format!("peak resident memory after it, {size}"), "MB", None, &peak);
    table.row(&format!("of it the process's own, {size}"), "MB", None, &own);

    let mut client = Client::open(server, project.dir());
    let mut series = |name: &str, target: Option<f64>, calls: usize, call: &mut dyn FnMut(usize) -> Call| {
        let times: Option<Vec<f64>> = (0..calls)
            .map(|turn| {
                let Call { tool, arguments } = call(turn);
                let (answer, ms) = client.timed(tool, &arguments);
                is_there(&answer).then_some(ms)
            })
            .collect();
        match times {
            Some(times) => table.row(&format!("{name}, {size}"), "ms", target, &times),
            None => table.missing(&format!("{name}, {size}")),
        }
    };
    series("get_by_id", Some(0.15), CALLS, &mut |turn| {
        Call::new("feature_get_by_id", json!({"feature_id": project.spread(turn)}))
    });
    series("get_ready: nothing changed", Some(ready_ms), CALLS, &mut |_| {
        Call::new("feature_get_ready", json!({}))
    });
    series("get_ready: another process changed a feature", Some(ready_ms), CALLS, &mut |turn| {
        project.change(turn);
        Call::new("feature_get_ready", json!({}))
    });
    series("get_ready: another process made a feature", Some(ready_ms), FEW_CALLS, &mut |turn| {
        project.add(turn);
        Call::new("feature_get_ready", json!({}))
    });
    series("get_stats: another process changed a feature", None, CALLS, &mut |turn| {
        project.change(turn);
        Call::new("feature_get_stats", json!({}))
    });
    series("get_blocked", None, FEW_CALLS, &mut |_| Call::new("feature_get_blocked", json!({})));
    series("explain", None, FEW_CALLS, &mut |_| {
        Call::new("feature_explain", json!({"feature_id": project.size()}))
    });
    series("search: ten features have the word", None, FEW_CALLS, &mut |_| {
        Call::new("feature_search", json!({"query": "needle"}))
    });
    series("search: every feature has the words", None, FEW_CALLS, &mut |_| {
        Call::new("feature_search", json!({"query": "person feature"}))
    });
}

/// The loop of an agent, and making a feature.
fn writing(server: &Path, project: &Project, table: &mut Table) {
    let size = project.size();
    let mut client = Client::open(server, project.dir());
    let (mut claims, mut marks) = (Vec::new(), Vec::new());
    for turn in 0..CALLS {
        let id = json!({"feature_id": project.ready(turn)});
        claims.push(client.succeeding("feature_claim_and_get", &id));
        marks.push(client.succeeding("feature_mark_passing", &id));
    }
    table.row(&format!("claim_and_get, {size}"), "ms", None, &claims);
    table.row(&format!("mark_passing without checks, {size}"), "ms", Some(0.5), &marks);

    let best: Vec<f64> = (0..FEW_CALLS)
        .map(|_| {
            let (answer, ms) = client.timed("feature_claim_and_get", &json!({}));
            let id = &answer["result"]["structuredContent"]["id"];
            client.succeeding("feature_mark_passing", &json!({"feature_id": id}));
            ms
        })
        .collect();
    table.row(&format!("claim_and_get of the best one, {size}"), "ms", None, &best);

    let create = |turn: usize| {
        json!({"category": "new", "name": format!("New {turn}"), "description": "One more.", "steps": ["Do it."],
               "depends_on": [1]})
    };
    let name = format!("create, {size}");
    let times: Option<Vec<f64>> = (0..CALLS)
        .map(|turn| {
            let (answer, ms) = client.timed("feature_create", &create(turn));
            is_there(&answer).then_some(ms)
        })
        .collect();
    match times {
        Some(times) => table.row(&name, "ms", None, &times),
        None => table.missing(&name),
    }
}

/// Returns which feature shall depend on which, in each turn another one.
type Edge = fn(i64) -> (i64, i64);

/// Dependencies at both ends of a chain, and the one that would close it.
fn chain(server: &Path, table: &mut Table) {
    const LENGTH: i64 = 10_000;
    let project = Project::chain(LENGTH);
    let mut client = Client::open(server, project.dir());
    // Feature n depends on n - 1. Those beyond the chain stand alone.
    let edges: [(&str, Edge); 4] = [
        ("add_dependency above a chain of 10,000", |turn| (LENGTH + 1 + turn, LENGTH)),
        ("add_dependency below it", |turn| (1, LENGTH + 51 + turn)),
        ("add_dependency across it", |turn| (LENGTH - turn, 1 + turn)),
        ("add_dependency that would close it: refused", |turn| (1 + turn, LENGTH - turn)),
    ];
    for (name, edge) in edges {
        let times: Option<Vec<f64>> = (0..50)
            .map(|turn| {
                let (feature, dependency) = edge(turn);
                let arguments = json!({"feature_id": feature, "dependency_id": dependency});
                let (answer, ms) = client.timed("feature_add_dependency", &arguments);
                is_there(&answer).then_some(ms)
            })
            .collect();
        match times {
            Some(times) => table.row(name, "ms", Some(2.0), &times),
            None => table.missing(name),
        }
    }
}

/// A whole plan in one call, into an empty project.
fn bulk(server: &Path, size: usize, table: &mut Table) {
    let name = format!("create_bulk of {size}");
    let rounds = if size <= 10_000 { 9 } else { 3 };
    let item = |place: usize| {
        let below: Vec<usize> = place.checked_sub(size / 10).into_iter().collect();
        json!({"category": "plan", "name": format!("Feature {place}"), "description": "Do it.", "steps": ["Do."],
               "depends_on_indices": below})
    };
    let features: Value = (0..size).map(item).collect();
    let arguments = json!({"features": features});
    let mut times = Vec::new();
    for _ in 0..rounds {
        let project = Project::empty();
        let mut client = Client::open(server, project.dir());
        let (answer, ms) = client.timed("feature_create_bulk", &arguments);
        if !is_there(&answer) {
            return table.missing(&name);
        }
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        times.push(ms);
    }
    table.row(&name, "ms", Some(if size <= 10_000 { 250.0 } else { 3_000.0 }), &times);
}

/// One call of a tool.
struct Call {
    tool: &'static str,
    arguments: Value,
}

impl Call {
    fn new(tool: &'static str, arguments: Value) -> Self {
        Self { tool, arguments }
    }
}

/// A tool that the server does not have is the protocol's own error.
fn is_there(answer: &Value) -> bool {
    answer.get("error").is_none()
}
