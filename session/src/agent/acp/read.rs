//! What an agent says in a conversation of the Agent Client Protocol, as messages and as events.
//!
//! Updates of unknown kinds are signs of life and nothing more.

use std::collections::HashMap;
use std::fmt;

use cogwork_schemas::AgentEvent;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// Tools under way whose names are remembered.
const REMEMBERED: usize = 1_000;

/// One message of JSON-RPC.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// The answer to a question of ours.
    Answer { id: u64, result: Value },
    /// The other answer to one.
    Refusal { id: u64, error: Value },
    /// Something that the agent asks us.
    Question { id: Value, method: String, params: Value },
    /// Something that it tells us.
    News { method: String, params: Value },
}

/// Returns the message that a line is. Of a question that was cut short only its beginning is there, which has to be
/// answered nevertheless: its asker waits.
pub(super) fn message(line: &str) -> Option<Message> {
    let Ok(mut whole) = serde_json::from_str::<Value>(line) else {
        let (id, method) = beginning(line)?;
        return Some(Message::Question { id, method, params: Value::Null });
    };
    let mut take = |key: &str| whole.get_mut(key).map(Value::take).filter(|value| !value.is_null());
    let method = take("method").and_then(|method| method.as_str().map(str::to_owned));
    let id = take("id");
    if let Some(method) = method {
        let params = take("params").unwrap_or_default();
        return Some(match id {
            Some(id) => Message::Question { id, method, params },
            None => Message::News { method, params },
        });
    }
    let id = id?.as_u64()?;
    Some(match take("error") {
        Some(error) => Message::Refusal { id, error },
        None => Message::Answer { id, result: take("result").unwrap_or_default() },
    })
}

/// Returns id and method of an object that breaks off behind them.
fn beginning(line: &str) -> Option<(Value, String)> {
    let mut found = Beginning::default();
    let mut reader = serde_json::Deserializer::from_str(line);
    // It fails where the line breaks off.
    (&mut found).deserialize(&mut reader).err()?;
    Some((found.id?, found.method?))
}

#[derive(Default)]
struct Beginning {
    id: Option<Value>,
    method: Option<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Beginning {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Beginning {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => self.id = Some(map.next_value()?),
                "method" => self.method = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// What has to be remembered from message to message.
#[derive(Debug, Default)]
pub(super) struct Reader {
    version: Option<String>,
    /// The titles of tools under way, by the ids of their calls.
    tools: HashMap<String, String>,
}

impl Reader {
    /// Takes note of who answered.
    pub(super) fn greeted(&mut self, result: &Value) {
        let info = &result["agentInfo"];
        let words = [&info["name"], &info["version"]].into_iter().filter_map(Value::as_str);
        let version = words.collect::<Vec<_>>().join(" ");
        self.version = Some(version).filter(|version| !version.is_empty());
    }

    pub(super) fn opened(&self, session: &str) -> AgentEvent {
        AgentEvent::Started { id: Some(session.to_owned()), model: None, version: self.version.clone() }
    }

    /// Returns what an update says.
    pub(super) fn events(&mut self, update: &Value) -> Vec<AgentEvent> {
        let said = match update["sessionUpdate"].as_str() {
            Some("agent_message_chunk") => update["content"]["text"]
                .as_str()
                .filter(|text| !text.is_empty())
                .map(|text| AgentEvent::Text { text: text.to_owned() }),
            Some("tool_call") => Some(self.called(update)),
            Some("tool_call_update") => self.answered(update),
            Some(_) | None => None,
        };
        vec![said.unwrap_or_else(|| AgentEvent::Other { line: update.to_string() })]
    }

    /// Returns the call of a tool that is first heard of when permission is asked for it.
    pub(super) fn asked(&mut self, call: &Value) -> Option<AgentEvent> {
        let id = call["toolCallId"].as_str()?;
        (!self.tools.contains_key(id)).then(|| self.called(call))
    }

    fn called(&mut self, update: &Value) -> AgentEvent {
        let tool = update["title"].as_str().unwrap_or_default().to_owned();
        if let Some(id) = update["toolCallId"].as_str().filter(|_| self.tools.len() < REMEMBERED) {
            self.tools.insert(id.to_owned(), tool.clone());
        }
        AgentEvent::ToolCall { tool, input: update["rawInput"].to_string() }
    }

    fn answered(&mut self, update: &Value) -> Option<AgentEvent> {
        let is_error = match update["status"].as_str()? {
            "completed" => false,
            "failed" => true,
            _ => return None,
        };
        let id = update["toolCallId"].as_str().unwrap_or_default();
        let tool = self.tools.remove(id).unwrap_or_else(|| id.to_owned());
        let blocks = update["content"].as_array().into_iter().flatten();
        let texts: Vec<&str> = blocks.filter_map(|block| block["content"]["text"].as_str()).collect();
        Some(AgentEvent::ToolResult { tool, is_error, output: texts.join("\n") })
    }
}

/// Returns what the answer to the prompt says.
pub(super) fn end(result: &Value) -> Vec<AgentEvent> {
    let usage = &result["usage"];
    let count = |key: &str| usage[key].as_u64();
    let mut events = Vec::new();
    if let (Some(input_tokens), Some(output_tokens)) = (count("inputTokens"), count("outputTokens")) {
        events.push(AgentEvent::Usage { input_tokens, output_tokens, cost_usd: None });
    }
    let reason = result["stopReason"].as_str().unwrap_or_default();
    events.push(AgentEvent::Result { ok: reason == "end_turn", text: reason.to_owned() });
    events
}
