//! Any bytes as lines to a server: it must say nothing but protocol, answer what is asked after them, and end with
//! the connection.
//!
//! The lowest bit of the first byte chooses the era.

#![no_main]

use std::sync::OnceLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::runtime::{Builder, Runtime};

/// Slow machines under a sanitizer included.
const PATIENCE: Duration = Duration::from_secs(20);

/// No line of the input can guess it.
const REAL: &str = "the-real-call-5b1f";

struct Place {
    project: TempDir,
    runtime: Runtime,
}

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let project = tempfile::tempdir().expect("a directory");
        let clock = cogwork_store::TimeSource::new(|| jiff::Timestamp::UNIX_EPOCH);
        cogwork_store::Store::create(project.path(), clock).expect("a project");
        Place { project, runtime: Builder::new_current_thread().enable_all().build().expect("a runtime") }
    })
}

fn opening() -> Value {
    json!({"jsonrpc": "2.0", "id": "open", "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"},
    }})
}

fn real_call() -> Value {
    json!({"jsonrpc": "2.0", "id": REAL, "method": "tools/call", "params": {
        "name": "feature_get_stats", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "fuzz", "version": "1"},
        },
    }})
}

async fn talk(place: &Place, initialized: bool, lines: &[u8]) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let serving = cogwork_mcp::fuzzing::converse(place.project.path(), theirs);
    let (reader, mut writer) = tokio::io::split(ours);
    let mut input = Vec::new();
    if initialized {
        input.extend(format!("{}\n{}\n", opening(), json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).bytes());
    }
    input.extend(lines);
    input.extend(format!("\n{}\n", real_call()).bytes());
    let asking = async {
        let writing = async {
            writer.write_all(&input).await.expect("the server reads");
            writer
        };
        let reading = async {
            let mut lines = BufReader::new(reader).lines();
            loop {
                let line = lines.next_line().await.expect("text").expect("an answer to the real call");
                let message: Value = serde_json::from_str(&line).expect("JSON");
                assert_eq!(message["jsonrpc"], "2.0", "{message}");
                if message["id"] == REAL {
                    assert_eq!(message["result"]["isError"], false, "{message}");
                    return lines;
                }
            }
        };
        let (mut writer, lines) = tokio::join!(writing, reading);
        writer.shutdown().await.expect("the connection can be closed");
        drop((writer, lines));
    };
    let (served, ()) = tokio::join!(serving, asking);
    served.expect("the server ends well");
}

fuzz_target!(|data: &[u8]| {
    let Some((first, lines)) = data.split_first() else { return };
    let place = place();
    place.runtime.block_on(async {
        let talking = talk(place, first & 1 == 0, lines);
        tokio::time::timeout(PATIENCE, talking).await.expect("the server does not hang");
    });
});
