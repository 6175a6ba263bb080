//! Gemini's generateContent.

use serde_json::{Value, json};

use super::{Event, pieces};
use crate::model_api::answer::Answer;
use crate::model_api::asked::{Asked, Offered, items, text_of, word};
use crate::model_api::dialect::Dialect;

pub(super) fn read(path: &str, body: &Value) -> Asked {
    let (_, last) = path.rsplit_once('/').unwrap_or(("", path));
    let model = last.split(':').next().unwrap_or_default();
    let mut asked = Asked::new(Dialect::Gemini, model, path.contains(":streamGenerateContent"));
    let system = &body["systemInstruction"];
    asked.system = text_of(system.get("parts").unwrap_or(system));
    for content in items(&body["contents"]) {
        if content["role"] == "model" {
            asked.results.clear();
            continue;
        }
        for part in items(&content["parts"]) {
            if let Some(result) = part.get("functionResponse") {
                asked.results.push(result["response"].to_string());
            } else if let Some(text) = part["text"].as_str() {
                asked.users.push(text.to_owned());
            }
        }
    }
    let functions = items(&body["tools"]).iter().flat_map(|group| items(&group["functionDeclarations"]));
    asked.tools = functions.map(|function| Offered::plain(word(&function["name"]))).collect();
    asked
}

fn chunk(answer: &Answer, parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": parts}});
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    let tokens = answer.usage;
    json!({"candidates": [candidate], "modelVersion": answer.model,
           "responseId": format!("mock{:06}", answer.number),
           "usageMetadata": {"promptTokenCount": tokens.input, "candidatesTokenCount": tokens.output,
                             "cachedContentTokenCount": tokens.cache_read,
                             "totalTokenCount": tokens.input + tokens.output}})
}

fn calls(answer: &Answer) -> Vec<Value> {
    let each = answer.calls.iter();
    each.map(|call| json!({"functionCall": {"id": call.id, "name": call.name, "args": call.input}})).collect()
}

fn stop(answer: &Answer) -> Option<&str> {
    Some(answer.stop.as_deref().unwrap_or("STOP"))
}

pub(super) fn whole(answer: &Answer) -> Value {
    let mut parts: Vec<Value> = answer.text.iter().map(|text| json!({"text": text})).collect();
    parts.extend(calls(answer));
    chunk(answer, &parts, stop(answer))
}

pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let thinking = answer.thinking.iter().map(|text| json!({"text": text, "thought": true}));
    let text = answer.text.iter().flat_map(|text| pieces(text)).map(|piece| json!({"text": piece}));
    let mut events: Vec<Event> =
        thinking.chain(text).map(|part| Event::plain(&chunk(answer, &[part], None))).collect();
    let mut last = calls(answer);
    if last.is_empty() {
        last.push(json!({"text": ""}));
    }
    events.push(Event::plain(&chunk(answer, &last, stop(answer))));
    events
}

pub(super) fn error(status: u16, kind: Option<&str>, message: &str) -> Value {
    let usual = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        _ => "UNKNOWN",
    };
    json!({"error": {"code": status, "message": message, "status": kind.unwrap_or(usual)}})
}
