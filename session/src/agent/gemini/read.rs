//! One line of Gemini CLI's `stream-json` as events, and the one kind of line on its stderr that counts.

use cogwork_schemas::AgentEvent;
use serde_json::Value;

/// Returns what one line says.
pub(super) fn events(line: &Value) -> Vec<AgentEvent> {
    let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let own = |key: &str| line[key].as_str().map(str::to_owned);
    match line["type"].as_str() {
        Some("init") => {
            vec![AgentEvent::Started { id: own("session_id"), model: own("model"), version: None }]
        }
        Some("message") if line["role"] == "assistant" => vec![AgentEvent::Text { text: text("content") }],
        Some("tool_use") => {
            vec![AgentEvent::ToolCall { tool: text("tool_name"), input: line["parameters"].to_string() }]
        }
        Some("tool_result") => vec![AgentEvent::ToolResult {
            tool: text("tool_id"),
            is_error: line["status"] != "success",
            output: text("output"),
        }],
        Some("result") => vec![usage(&line["stats"]), ended(line)],
        Some(_) | None => vec![AgentEvent::Other { line: line.to_string() }],
    }
}

/// Returns why it asks its service again, if that is what a line of its stderr says.
pub(super) fn retry(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Attempt ")?;
    let (number, rest) = rest.split_once(' ')?;
    let (cause, _) = rest.strip_prefix("failed")?.split_once(". ")?;
    number.parse::<u32>().ok()?;
    Some(format!("attempt {number} failed{cause}"))
}

fn usage(stats: &Value) -> AgentEvent {
    let count = |key: &str| stats[key].as_u64().unwrap_or(0);
    AgentEvent::Usage {
        input_tokens: count("input_tokens"),
        output_tokens: count("output_tokens"),
        cost_usd: None,
    }
}

fn ended(line: &Value) -> AgentEvent {
    let text = line["error"]["message"].as_str().unwrap_or_default().to_owned();
    AgentEvent::Result { ok: line["status"] == "success", text }
}
