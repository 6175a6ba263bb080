//! One line of `codex exec --json` as events.
//!
//! What a turn consists of comes as *items*, of which new kinds come with new versions: an unknown one is a deed
//! nevertheless, while an unknown line is a sign of life and nothing more.

use cogwork_schemas::AgentEvent;
use serde_json::Value;

/// Returns what one line says.
pub(super) fn events(line: &Value) -> Vec<AgentEvent> {
    match line["type"].as_str() {
        Some("thread.started") => {
            let id = line["thread_id"].as_str().map(str::to_owned);
            vec![AgentEvent::Started { id, model: None, version: None }]
        }
        Some("item.started") => started(&line["item"]).unwrap_or_else(|| vec![other(line)]),
        Some("item.completed") => completed(&line["item"]).unwrap_or_else(|| vec![other(line)]),
        Some("error") => match retry(line) {
            Some(cause) => vec![AgentEvent::Retrying { cause: cause.to_owned(), delay_ms: None }],
            None => vec![other(line)],
        },
        Some("turn.completed") => vec![usage(&line["usage"]), ended(true, "")],
        Some("turn.failed") => vec![ended(false, line["error"]["message"].as_str().unwrap_or_default())],
        Some(_) | None => vec![other(line)],
    }
}

/// Returns why it asks its service again, if that is what a line of type `error` says.
pub(super) fn retry(line: &Value) -> Option<&str> {
    line["message"].as_str()?.strip_prefix("Reconnecting... ")
}

fn started(item: &Value) -> Option<Vec<AgentEvent>> {
    let (tool, input) = match item["type"].as_str()? {
        // They come whole, when they are complete.
        "agent_message" | "reasoning" | "error" => return None,
        "command_execution" => ("shell".to_owned(), text(&item["command"])),
        "mcp_tool_call" => (mcp_tool(item), item["arguments"].to_string()),
        kind => (kind.to_owned(), item.to_string()),
    };
    Some(vec![AgentEvent::ToolCall { tool, input }])
}

fn completed(item: &Value) -> Option<Vec<AgentEvent>> {
    let is_error = item["status"] == "failed" || item["status"] == "declined";
    let (tool, output) = match item["type"].as_str()? {
        "agent_message" => return Some(vec![AgentEvent::Text { text: text(&item["text"]) }]),
        // Errors among the items are warnings.
        "reasoning" | "error" => return None,
        "command_execution" => ("shell".to_owned(), text(&item["aggregated_output"])),
        "mcp_tool_call" => (mcp_tool(item), answer(item)),
        kind => (kind.to_owned(), item.to_string()),
    };
    Some(vec![AgentEvent::ToolResult { tool, is_error, output }])
}

fn mcp_tool(item: &Value) -> String {
    format!("{}.{}", text(&item["server"]), text(&item["tool"]))
}

fn answer(item: &Value) -> String {
    if let Some(error) = item["error"]["message"].as_str() {
        return error.to_owned();
    }
    let parts = item["result"]["content"].as_array().into_iter().flatten();
    parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

fn usage(usage: &Value) -> AgentEvent {
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    AgentEvent::Usage {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cost_usd: None,
    }
}

fn ended(ok: bool, text: &str) -> AgentEvent {
    AgentEvent::Result { ok, text: text.to_owned() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn other(line: &Value) -> AgentEvent {
    AgentEvent::Other { line: line.to_string() }
}
