//! OpenAI Chat Completions.

use serde_json::{Value, json};

use super::{Event, pieces};
use crate::model_api::answer::Answer;
use crate::model_api::asked::{Asked, Offered, items, text_of, word};
use crate::model_api::dialect::Dialect;
use crate::model_api::script::Tokens;

pub(super) fn read(body: &Value) -> Asked {
    let stream = body["stream"].as_bool().unwrap_or_default();
    let mut asked = Asked::new(Dialect::Chat, word(&body["model"]), stream);
    for message in items(&body["messages"]) {
        let text = text_of(&message["content"]);
        match word(&message["role"]) {
            "system" | "developer" => asked.system += &format!("{text}\n"),
            "user" => asked.users.push(text),
            "tool" => asked.results.push(text),
            _ => asked.results.clear(),
        }
    }
    let name = |tool: &Value| Offered::plain(word(&tool["function"]["name"]));
    asked.tools = items(&body["tools"]).iter().map(name).collect();
    asked
}

fn usage(tokens: Tokens) -> Value {
    let prompt = tokens.input + tokens.cache_read + tokens.cache_write;
    json!({"prompt_tokens": prompt, "completion_tokens": tokens.output,
           "total_tokens": prompt + tokens.output,
           "prompt_tokens_details": {"cached_tokens": tokens.cache_read}})
}

fn calls(answer: &Answer) -> Vec<Value> {
    let each = answer.calls.iter().enumerate();
    each.map(|(index, call)| {
        json!({"index": index, "id": call.id, "type": "function",
               "function": {"name": call.name, "arguments": call.input.to_string()}})
    })
    .collect()
}

fn stop(answer: &Answer) -> &str {
    let natural = if answer.calls.is_empty() { "stop" } else { "tool_calls" };
    answer.stop.as_deref().unwrap_or(natural)
}

fn frame(answer: &Answer, object: &str) -> Value {
    json!({"id": format!("chatcmpl-mock{:06}", answer.number), "object": object, "created": answer.now,
           "model": answer.model})
}

pub(super) fn whole(answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.text});
    if !answer.calls.is_empty() {
        message["tool_calls"] = calls(answer).into();
    }
    let mut whole = frame(answer, "chat.completion");
    whole["choices"] = json!([{"index": 0, "message": message, "finish_reason": stop(answer)}]);
    whole["usage"] = usage(answer.usage);
    whole
}

pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let chunk = |delta: Value, finish: Option<&str>| {
        let mut chunk = frame(answer, "chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        Event::plain(&chunk)
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    let text = answer.text.as_deref().unwrap_or_default();
    events.extend(pieces(text).into_iter().map(|piece| chunk(json!({"content": piece}), None)));
    for mut call in calls(answer) {
        let index = call["index"].clone();
        let arguments = word(&call["function"]["arguments"]).to_owned();
        call["function"]["arguments"] = json!("");
        events.push(chunk(json!({"tool_calls": [call]}), None));
        for piece in pieces(&arguments) {
            let more = json!({"index": index, "function": {"arguments": piece}});
            events.push(chunk(json!({"tool_calls": [more]}), None));
        }
    }
    events.push(chunk(json!({}), Some(stop(answer))));
    let mut last = frame(answer, "chat.completion.chunk");
    (last["choices"], last["usage"]) = (json!([]), usage(answer.usage));
    events.push(Event::plain(&last));
    events.push(Event { name: None, data: "[DONE]".to_owned() });
    events
}

/// The error body of both OpenAI dialects.
pub(super) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let usual = match status {
        400 | 401 => "invalid_request_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_exceeded",
        _ => "server_error",
    };
    let kind = kind.unwrap_or(usual);
    json!({"error": {"message": message, "type": kind, "param": null, "code": kind}})
}
