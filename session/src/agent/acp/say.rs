//! What we say in a conversation of the Agent Client Protocol: one line of JSON each.

use serde_json::{Value, json};

use super::McpServer;
use crate::agent::SERVER;

/// The numbers of our questions; each is asked once in a conversation.
pub(super) const HELLO: u64 = 1;
pub(super) const SESSION: u64 = 2;
pub(super) const MODE: u64 = 3;
pub(super) const PROMPT: u64 = 4;

pub(super) const CANCEL: &str = "session/cancel";

/// Kinds of tools that change something, in the words of the protocol.
const CHANGING: &[&str] = &["edit", "delete", "move", "execute"];

pub(super) fn hello(version: u64) -> String {
    let capabilities = json!({ "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false });
    let info = json!({ "name": "cogwork", "version": env!("CARGO_PKG_VERSION") });
    let params =
        json!({ "protocolVersion": version, "clientCapabilities": capabilities, "clientInfo": info });
    question(HELLO, "initialize", &params)
}

pub(super) fn open(cwd: &str, mcp: &McpServer) -> String {
    question(SESSION, "session/new", &json!({ "cwd": cwd, "mcpServers": [server(mcp)] }))
}

pub(super) fn load(session: &str, cwd: &str, mcp: &McpServer) -> String {
    let params = json!({ "sessionId": session, "cwd": cwd, "mcpServers": [server(mcp)] });
    question(SESSION, "session/load", &params)
}

pub(super) fn mode(session: &str, mode: &str) -> String {
    question(MODE, "session/set_mode", &json!({ "sessionId": session, "modeId": mode }))
}

pub(super) fn prompt(session: &str, prompt: &str) -> String {
    let params = json!({ "sessionId": session, "prompt": [{ "type": "text", "text": prompt }] });
    question(PROMPT, "session/prompt", &params)
}

pub(super) fn notification(method: &str, session: &str) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": { "sessionId": session } }).to_string()
}

/// Allows what the session may do, for this once: what is allowed for ever, some agents write into the project.
pub(super) fn permission(id: &Value, params: &Value, is_free: bool) -> String {
    let kind = params["toolCall"]["kind"].as_str();
    // Without a kind it is one of ours, or one that reads.
    let is_allowed = is_free || kind.is_none_or(|kind| !CHANGING.contains(&kind));
    let kinds = if is_allowed { ["allow_once", "allow_always"] } else { ["reject_once", "reject_always"] };
    let options = || params["options"].as_array().into_iter().flatten();
    let chosen = kinds.iter().find_map(|kind| options().find(|option| option["kind"] == *kind));
    let outcome = match chosen {
        Some(option) => json!({ "outcome": "selected", "optionId": option["optionId"] }),
        None => json!({ "outcome": "cancelled" }),
    };
    json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } }).to_string()
}

pub(super) fn no_such_method(id: &Value, method: &str) -> String {
    let error = json!({ "code": -32601, "message": format!("there is no method `{method}` here") });
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

fn question(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

fn server(mcp: &McpServer) -> Value {
    let env: Vec<Value> =
        mcp.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "name": SERVER, "command": mcp.command, "args": mcp.args, "env": env })
}
