//! OpenAI Responses.

use serde_json::{Value, json};

use super::{Event, pieces};
use crate::model_api::answer::{Answer, Call};
use crate::model_api::asked::{Asked, Offered, items, text_of, word};
use crate::model_api::dialect::Dialect;
use crate::model_api::script::Tokens;

pub(super) fn read(body: &Value) -> Asked {
    let stream = body["stream"].as_bool().unwrap_or_default();
    let mut asked = Asked::new(Dialect::Responses, word(&body["model"]), stream);
    asked.system = word(&body["instructions"]).to_owned();
    if let Some(text) = body["input"].as_str() {
        asked.users.push(text.to_owned());
    }
    for item in items(&body["input"]) {
        let kind = item["type"].as_str().unwrap_or("message");
        if kind == "message" {
            let text = text_of(&item["content"]);
            match word(&item["role"]) {
                "system" | "developer" => asked.system += &format!("\n{text}"),
                "user" => asked.users.push(text),
                _ => {}
            }
        } else if kind.ends_with("_call_output") {
            asked.results.push(text_of(&item["output"]));
        } else if kind.ends_with("_call") {
            asked.results.clear();
        }
    }
    offered(&mut asked.tools, &body["tools"], None);
    asked
}

fn offered(into: &mut Vec<Offered>, tools: &Value, namespace: Option<&str>) {
    for tool in items(tools) {
        let kind = word(&tool["type"]);
        if kind == "namespace" {
            offered(into, &tool["tools"], tool["name"].as_str());
            continue;
        }
        into.push(Offered {
            // Tools of the service itself have a type alone.
            name: tool["name"].as_str().unwrap_or(kind).to_owned(),
            namespace: namespace.map(ToOwned::to_owned),
            free_form: kind == "custom",
        });
    }
}

fn usage(tokens: Tokens) -> Value {
    let prompt = tokens.input + tokens.cache_read + tokens.cache_write;
    json!({"input_tokens": prompt, "input_tokens_details": {"cached_tokens": tokens.cache_read},
           "output_tokens": tokens.output, "output_tokens_details": {"reasoning_tokens": 0},
           "total_tokens": prompt + tokens.output})
}

fn parts(answer: &Answer) -> Vec<Value> {
    let number = answer.number;
    let thinking = answer.thinking.iter().map(|text| {
        json!({"type": "reasoning", "id": format!("rs_mock{number:06}"),
               "summary": [{"type": "summary_text", "text": text}]})
    });
    let text = answer.text.iter().map(|text| {
        json!({"type": "message", "id": format!("msg_mock{number:06}"), "role": "assistant",
               "status": "completed",
               "content": [{"type": "output_text", "text": text, "annotations": []}]})
    });
    thinking.chain(text).chain(answer.calls.iter().map(called)).collect()
}

fn called(call: &Call) -> Value {
    let mut item = json!({"id": format!("fc_{}", call.id), "call_id": call.id, "name": call.name,
                          "status": "completed"});
    if call.free_form {
        let text = call.input.as_str().or_else(|| call.input["input"].as_str());
        item["type"] = json!("custom_tool_call");
        item["input"] = text.map_or_else(|| json!(call.input.to_string()), |text| json!(text));
    } else {
        item["type"] = json!("function_call");
        item["arguments"] = json!(call.input.to_string());
    }
    if let Some(namespace) = &call.namespace {
        item["namespace"] = json!(namespace);
    }
    item
}

fn response(answer: &Answer, status: &str, output: &[Value], usage: &Value) -> Value {
    json!({"id": format!("resp_mock{:06}", answer.number), "object": "response", "created_at": answer.now,
           "status": status, "model": answer.model, "output": output, "error": null,
           "incomplete_details": null, "usage": usage})
}

pub(super) fn whole(answer: &Answer) -> Value {
    response(answer, "completed", &parts(answer), &usage(answer.usage))
}

/// Events of a stream, numbered as they come.
struct Numbered(Vec<Event>);

impl Numbered {
    fn push(&mut self, name: &'static str, mut data: Value) {
        (data["type"], data["sequence_number"]) = (json!(name), json!(self.0.len()));
        self.0.push(Event::named(name, &data));
    }
}

pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut events = Numbered(Vec::new());
    let first = response(answer, "in_progress", &[], &Value::Null);
    events.push("response.created", json!({"response": first}));
    events.push("response.in_progress", json!({"response": first}));
    for (index, part) in parts(answer).iter().enumerate() {
        unrolled(&mut events, index, part);
        events.push("response.output_item.done", json!({"output_index": index, "item": part}));
    }
    let mut last = whole(answer);
    match answer.stop.as_deref() {
        Some(reason @ ("max_tokens" | "content_filter")) => {
            let reason = if reason == "max_tokens" { "max_output_tokens" } else { reason };
            last["status"] = json!("incomplete");
            last["incomplete_details"] = json!({"reason": reason});
            events.push("response.incomplete", json!({"response": last}));
        }
        _ => events.push("response.completed", json!({"response": last})),
    }
    events.0
}

/// Everything about a part but its end.
fn unrolled(events: &mut Numbered, index: usize, part: &Value) {
    let mut begun = part.clone();
    begun["status"] = json!("in_progress");
    let at = |mut data: Value| {
        (data["item_id"], data["output_index"]) = (part["id"].clone(), json!(index));
        data
    };
    match word(&part["type"]) {
        "message" => {
            begun["content"] = json!([]);
            events.push("response.output_item.added", json!({"output_index": index, "item": begun}));
            let content = &part["content"][0];
            let empty = json!({"type": "output_text", "text": "", "annotations": []});
            events.push("response.content_part.added", at(json!({"content_index": 0, "part": empty})));
            for piece in pieces(word(&content["text"])) {
                let delta = at(json!({"content_index": 0, "delta": piece}));
                events.push("response.output_text.delta", delta);
            }
            let done = at(json!({"content_index": 0, "text": content["text"]}));
            events.push("response.output_text.done", done);
            events.push("response.content_part.done", at(json!({"content_index": 0, "part": content})));
        }
        "function_call" => {
            begun["arguments"] = json!("");
            events.push("response.output_item.added", json!({"output_index": index, "item": begun}));
            for piece in pieces(word(&part["arguments"])) {
                events.push("response.function_call_arguments.delta", at(json!({"delta": piece})));
            }
            let done = at(json!({"arguments": part["arguments"]}));
            events.push("response.function_call_arguments.done", done);
        }
        _ => events.push("response.output_item.added", json!({"output_index": index, "item": begun})),
    }
}
