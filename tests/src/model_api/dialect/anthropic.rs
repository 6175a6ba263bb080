//! Anthropic Messages.

use serde_json::{Value, json};

use super::{Event, pieces};
use crate::model_api::answer::Answer;
use crate::model_api::asked::{Asked, Offered, items, text_of, word};
use crate::model_api::dialect::Dialect;
use crate::model_api::script::Tokens;

pub(super) fn read(body: &Value) -> Asked {
    let stream = body["stream"].as_bool().unwrap_or_default();
    let mut asked = Asked::new(Dialect::Anthropic, word(&body["model"]), stream);
    asked.system = text_of(&body["system"]);
    for message in items(&body["messages"]) {
        let content = &message["content"];
        match word(&message["role"]) {
            // Claude Code puts context there, in the middle of a conversation.
            "system" => asked.system += &format!("\n{}", text_of(content)),
            "user" => user(&mut asked, content),
            _ => asked.results.clear(),
        }
    }
    asked.tools = items(&body["tools"]).iter().map(|tool| Offered::plain(word(&tool["name"]))).collect();
    asked
}

fn user(asked: &mut Asked, content: &Value) {
    if let Some(text) = content.as_str() {
        asked.users.push(text.to_owned());
    }
    for part in items(content) {
        match word(&part["type"]) {
            "tool_result" => asked.results.push(text_of(&part["content"])),
            "text" => asked.users.push(word(&part["text"]).to_owned()),
            _ => {}
        }
    }
}

fn blocks(answer: &Answer) -> Vec<Value> {
    let thinking = answer.thinking.iter();
    let mut blocks: Vec<Value> =
        thinking.map(|text| json!({"type": "thinking", "thinking": text, "signature": "bW9jaw=="})).collect();
    blocks.extend(answer.text.iter().map(|text| json!({"type": "text", "text": text})));
    blocks.extend(answer.calls.iter().map(|call| {
        json!({"type": "tool_use", "id": format!("toolu_{}", call.id), "name": call.name, "input": call.input})
    }));
    if blocks.is_empty() {
        blocks.push(json!({"type": "text", "text": ""}));
    }
    blocks
}

fn usage(tokens: Tokens) -> Value {
    json!({"input_tokens": tokens.input, "cache_creation_input_tokens": tokens.cache_write,
           "cache_read_input_tokens": tokens.cache_read, "output_tokens": tokens.output,
           "service_tier": "standard"})
}

fn stop(answer: &Answer) -> &str {
    let natural = if answer.calls.is_empty() { "end_turn" } else { "tool_use" };
    answer.stop.as_deref().unwrap_or(natural)
}

fn message(answer: &Answer, content: &[Value], stop: Option<&str>) -> Value {
    json!({"id": format!("msg_mock{:06}", answer.number), "type": "message", "role": "assistant",
           "model": answer.model, "content": content, "stop_reason": stop, "stop_sequence": null,
           "usage": usage(answer.usage)})
}

pub(super) fn whole(answer: &Answer) -> Value {
    message(answer, &blocks(answer), Some(stop(answer)))
}

pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut start = message(answer, &[], None);
    start["usage"]["output_tokens"] = json!(1);
    let mut events = vec![
        Event::named("message_start", &json!({"type": "message_start", "message": start})),
        Event::named("ping", &json!({"type": "ping"})),
    ];
    for (index, block) in blocks(answer).iter().enumerate() {
        let (empty, deltas) = unrolled(block);
        let begin = json!({"type": "content_block_start", "index": index, "content_block": empty});
        events.push(Event::named("content_block_start", &begin));
        for delta in deltas {
            let delta = json!({"type": "content_block_delta", "index": index, "delta": delta});
            events.push(Event::named("content_block_delta", &delta));
        }
        let end = json!({"type": "content_block_stop", "index": index});
        events.push(Event::named("content_block_stop", &end));
    }
    let delta = json!({"type": "message_delta", "usage": usage(answer.usage),
                       "delta": {"stop_reason": stop(answer), "stop_sequence": null}});
    events.push(Event::named("message_delta", &delta));
    events.push(Event::named("message_stop", &json!({"type": "message_stop"})));
    events
}

/// Returns a block as it begins, and the pieces that fill it.
fn unrolled(block: &Value) -> (Value, Vec<Value>) {
    let mut empty = block.clone();
    let each = |text: &str, piece: fn(String) -> Value| pieces(text).into_iter().map(piece).collect();
    let deltas: Vec<Value> = match word(&block["type"]) {
        "thinking" => {
            (empty["thinking"], empty["signature"]) = (json!(""), json!(""));
            let mut deltas: Vec<Value> =
                each(word(&block["thinking"]), |piece| json!({"type": "thinking_delta", "thinking": piece}));
            deltas.push(json!({"type": "signature_delta", "signature": block["signature"]}));
            deltas
        }
        "tool_use" => {
            empty["input"] = json!({});
            let partial = |piece| json!({"type": "input_json_delta", "partial_json": piece});
            each(&block["input"].to_string(), partial)
        }
        _ => {
            empty["text"] = json!("");
            each(word(&block["text"]), |piece| json!({"type": "text_delta", "text": piece}))
        }
    };
    (empty, deltas)
}

pub(super) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let usual = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind.unwrap_or(usual), "message": message},
           "request_id": "req_mock"})
}
