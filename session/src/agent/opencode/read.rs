//! One line of `opencode run --format json` as events, and the lines of its log that count.

use cogwork_schemas::AgentEvent;
use serde_json::Value;

/// What has to be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Reader {
    is_started: bool,
    input_tokens: u64,
    output_tokens: u64,
    cost_usd: f64,
    /// What it wrote last: its last word, if nothing follows.
    text: String,
}

impl Reader {
    /// Returns what one line says.
    pub(super) fn events(&mut self, line: &Value) -> Vec<AgentEvent> {
        let mut events = Vec::new();
        if let (false, Some(id)) = (self.is_started, line["sessionID"].as_str()) {
            self.is_started = true;
            events.push(AgentEvent::Started { id: Some(id.to_owned()), model: None, version: None });
        }
        let part = &line["part"];
        match line["type"].as_str() {
            Some("text") => {
                self.text = part["text"].as_str().unwrap_or_default().to_owned();
                events.push(AgentEvent::Text { text: self.text.clone() });
            }
            Some("tool_use") => events.extend(tool(part)),
            Some("step_finish") => {
                events.push(self.usage(part));
                if part["reason"] == "stop" {
                    events.push(AgentEvent::Result { ok: true, text: self.text.clone() });
                }
            }
            Some("error") => events.push(AgentEvent::Result { ok: false, text: message(line).to_owned() }),
            Some(_) | None => events.push(AgentEvent::Other { line: line.to_string() }),
        }
        events
    }

    fn usage(&mut self, part: &Value) -> AgentEvent {
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let tokens = &part["tokens"];
        self.input_tokens +=
            count(&tokens["input"]) + count(&tokens["cache"]["read"]) + count(&tokens["cache"]["write"]);
        self.output_tokens += count(&tokens["output"]) + count(&tokens["reasoning"]);
        self.cost_usd += part["cost"].as_f64().unwrap_or(0.0);
        AgentEvent::Usage {
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            // A model without a price costs nothing, as far as it knows.
            cost_usd: (self.cost_usd > 0.0).then_some(self.cost_usd),
        }
    }
}

/// Returns the message of a line of type `error`.
pub(super) fn message(line: &Value) -> &str {
    let error = &line["error"];
    error["data"]["message"].as_str().or_else(|| error["name"].as_str()).unwrap_or_default()
}

/// A call comes with its result.
fn tool(part: &Value) -> Vec<AgentEvent> {
    let tool = part["tool"].as_str().unwrap_or_default().to_owned();
    let state = &part["state"];
    let is_error = state["status"] != "completed";
    let output = if is_error { &state["error"] } else { &state["output"] };
    let output = output.as_str().unwrap_or_default().to_owned();
    vec![
        AgentEvent::ToolCall { tool: tool.clone(), input: state["input"].to_string() },
        AgentEvent::ToolResult { tool, is_error, output },
    ]
}

/// A line of the log that counts.
#[derive(Debug, PartialEq)]
pub(super) enum Log {
    /// Its service refused a request of the session itself.
    Refused { message: String },
    /// An MCP server is not there.
    ServerDown { server: String },
}

/// Returns what a line of its stderr says, if it is a line of the log that counts.
pub(super) fn log(line: &str) -> Option<Log> {
    if !line.starts_with("timestamp=") {
        return None;
    }
    match field(line, "message")?.as_str() {
        // The small model makes titles; without it there are none.
        "stream error" if field(line, "small").as_deref() != Some("true") => {
            let message = field(line, "error.error").or_else(|| field(line, "error"))?;
            let text = message.split_once("Error: ").map_or(message.as_str(), |(_, text)| text);
            Some(Log::Refused { message: text.to_owned() })
        }
        "server unavailable" if field(line, "status").as_deref() == Some("failed") => {
            Some(Log::ServerDown { server: field(line, "key")? })
        }
        _ => None,
    }
}

pub(super) fn retrying(cause: String) -> AgentEvent {
    AgentEvent::Retrying { cause, delay_ms: None }
}

/// Returns the value of `name=value` or `name="value"`.
fn field(line: &str, name: &str) -> Option<String> {
    let start = line.find(&format!(" {name}="))? + name.len() + 2;
    let rest = line.get(start..)?;
    let Some(quoted) = rest.strip_prefix('"') else {
        return rest.split(' ').next().map(str::to_owned);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
}
