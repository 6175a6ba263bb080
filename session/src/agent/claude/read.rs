//! One line of Claude Code's `stream-json` as events.
//!
//! Every line is one JSON object; the order of keys changes between versions and new types come with each of them.
//! What is not known is a sign of life and nothing more.

use cogwork_schemas::AgentEvent;
use serde_json::Value;

use super::evidence::{reset, window};

/// Returns what one line says.
pub(super) fn events(line: &Value) -> Vec<AgentEvent> {
    match line["type"].as_str() {
        Some("system") => system(line),
        Some("assistant") => blocks(line).flat_map(|block| said(line, block)).collect(),
        Some("user") => blocks(line).filter_map(answered).collect(),
        Some("rate_limit_event") => vec![allowance(&line["rate_limit_info"])],
        Some("result") => result(line),
        Some(_) | None => vec![other(line)],
    }
}

fn blocks(line: &Value) -> impl Iterator<Item = &Value> {
    line["message"]["content"].as_array().into_iter().flatten()
}

fn system(line: &Value) -> Vec<AgentEvent> {
    let text = |key: &str| line[key].as_str().map(str::to_owned);
    match line["subtype"].as_str() {
        Some("init") => vec![AgentEvent::Started {
            id: text("session_id"),
            model: text("model"),
            version: text("claude_code_version"),
        }],
        Some("api_retry") => vec![AgentEvent::Retrying {
            cause: text("error").unwrap_or_else(|| "unknown".to_owned()),
            delay_ms: millis(&line["retry_delay_ms"]),
        }],
        Some(_) | None => vec![other(line)],
    }
}

fn said(line: &Value, block: &Value) -> Option<AgentEvent> {
    match block["type"].as_str()? {
        // In place of an answer: the error is told by the result.
        "text" if line["error"].is_string() => None,
        "text" => Some(AgentEvent::Text { text: block["text"].as_str()?.to_owned() }),
        "tool_use" => Some(AgentEvent::ToolCall {
            tool: block["name"].as_str()?.to_owned(),
            input: block["input"].to_string(),
        }),
        _ => None,
    }
}

fn answered(block: &Value) -> Option<AgentEvent> {
    if block["type"] != "tool_result" {
        return None;
    }
    let output = match &block["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    };
    Some(AgentEvent::ToolResult {
        tool: block["tool_use_id"].as_str().unwrap_or_default().to_owned(),
        is_error: block["is_error"].as_bool().unwrap_or(false),
        output,
    })
}

fn allowance(info: &Value) -> AgentEvent {
    AgentEvent::Allowance {
        window: window(info),
        used: info["utilization"].as_f64(),
        resets_at: reset(info),
        rejected: info["status"] == "rejected",
    }
}

fn result(line: &Value) -> Vec<AgentEvent> {
    let usage = &line["usage"];
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let text = line["result"].as_str().unwrap_or_default().to_owned();
    vec![
        AgentEvent::Usage {
            input_tokens: count("input_tokens")
                + count("cache_creation_input_tokens")
                + count("cache_read_input_tokens"),
            output_tokens: count("output_tokens"),
            cost_usd: line["total_cost_usd"].as_f64(),
        },
        AgentEvent::Result { ok: line["is_error"] == false, text },
    ]
}

fn millis(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let millis = value.as_f64().filter(|millis| (0.0..1e12).contains(millis))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was looked at"
        )]
        Some(millis as u64)
    })
}

fn other(line: &Value) -> AgentEvent {
    AgentEvent::Other { line: line.to_string() }
}
