use serde_json::json;

use super::*;
use crate::model_api::script::{Message, Tokens, Wish};

const ALL: [Dialect; 4] = [Dialect::Anthropic, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

/// A request in each dialect: one user text, one result of the latest round after an older one, three tools.
fn request(dialect: Dialect) -> (&'static str, Value) {
    match dialect {
        Dialect::Anthropic => (
            "/v1/messages",
            json!({"model": "m", "stream": true, "system": [{"type": "text", "text": "be good"}],
                   "tools": [{"name": "Bash"}, {"name": "mcp__c__feature_skip"}],
                   "messages": [{"role": "user", "content": "do feature #7"},
                                {"role": "user", "content": [{"type": "tool_result", "content": "old"}]},
                                {"role": "assistant", "content": []},
                                {"role": "user", "content": [{"type": "tool_result",
                                    "content": [{"type": "text", "text": "new"}]}]}]}),
        ),
        Dialect::Chat => (
            "/v1/chat/completions",
            json!({"model": "m", "stream": true,
                   "tools": [{"function": {"name": "bash"}}, {"function": {"name": "c_feature_skip"}}],
                   "messages": [{"role": "system", "content": "be good"},
                                {"role": "user", "content": [{"type": "text", "text": "do feature #7"}]},
                                {"role": "tool", "content": "old"}, {"role": "assistant"},
                                {"role": "tool", "content": "new"}]}),
        ),
        Dialect::Responses => (
            "/v1/responses",
            json!({"model": "m", "stream": true, "instructions": "be good",
                   "tools": [{"type": "function", "name": "exec_command"},
                             {"type": "namespace", "name": "mcp__c",
                              "tools": [{"type": "function", "name": "feature_skip"}]}],
                   "input": [{"role": "user", "content": [{"type": "input_text", "text": "do feature #7"}]},
                             {"type": "function_call_output", "output": "old"},
                             {"type": "function_call"},
                             {"type": "function_call_output", "output": [{"text": "new"}]}]}),
        ),
        Dialect::Gemini => (
            "/v1beta/models/m:streamGenerateContent",
            json!({"systemInstruction": {"parts": [{"text": "be good"}]},
                   "tools": [{"functionDeclarations": [{"name": "run_shell_command"},
                                                       {"name": "mcp_c_feature_skip"}]}],
                   "contents": [{"role": "user", "parts": [{"text": "do feature #7"}]},
                                {"role": "user", "parts": [{"functionResponse": {"response": "old"}}]},
                                {"role": "model"},
                                {"role": "user", "parts": [{"functionResponse": {"response": "new"}}]}]}),
        ),
    }
}

fn asked(dialect: Dialect) -> Asked {
    let (path, body) = request(dialect);
    assert_eq!(Dialect::of(path), Some(dialect));
    dialect.read(path, &body)
}

fn answer(dialect: Dialect) -> Answer {
    let message = Message {
        thinking: Some("hm".into()),
        text: Some("hello ".repeat(20)),
        wishes: vec![
            Wish::Tool {
                name: "*feature_skip".into(),
                input: json!({"feature_id": 7, "why": "ä".repeat(40)}),
            },
            Wish::Shell("ls".into()),
        ],
        ..Message::default()
    };
    Answer::new(3, 1_000, &asked(dialect), &message, Tokens::default())
}

fn data(events: &[Event]) -> Vec<Value> {
    let json = events.iter().filter(|event| event.data != "[DONE]");
    json.map(|event| serde_json::from_str(&event.data).unwrap()).collect()
}

#[test]
fn every_dialect_is_read() {
    for dialect in ALL {
        let asked = asked(dialect);
        assert_eq!((asked.model.as_str(), asked.stream), ("m", true), "{dialect:?}");
        assert_eq!(asked.system.trim(), "be good", "{dialect:?}");
        assert_eq!(asked.users, ["do feature #7"], "{dialect:?}");
        assert_eq!(asked.results.len(), 1, "only the latest round counts: {:?}", asked.results);
        assert!(asked.results[0].contains("new"), "{:?}", asked.results);
        assert!(asked.tool_named("*feature_skip").is_some(), "{:?}", asked.tools);
    }
    assert_eq!(Dialect::of("/v1/models"), None);
}

#[test]
fn codex_tools_keep_their_namespace() {
    let answer = answer(Dialect::Responses);
    assert_eq!(answer.calls[0].namespace.as_deref(), Some("mcp__c"));
    let whole = Dialect::Responses.whole(&answer);
    assert_eq!(whole["output"][2]["namespace"], "mcp__c");
    assert_eq!(whole["output"][3].get("namespace"), None);
}

/// Puts a stream together as a client does, and returns its text and the arguments of its first call.
fn assembled(dialect: Dialect, events: &[Value]) -> (String, Value) {
    let join = |pointer: &str| -> String {
        events.iter().filter_map(|event| event.pointer(pointer)?.as_str()).collect()
    };
    let of = |kind: &str, key: &str| -> String {
        events.iter().filter(|event| event["type"] == kind).filter_map(|event| event[key].as_str()).collect()
    };
    let first = |texts: String| {
        let mut values = serde_json::Deserializer::from_str(&texts).into_iter::<Value>();
        values.next().unwrap().unwrap()
    };
    match dialect {
        Dialect::Anthropic => (join("/delta/text"), first(join("/delta/partial_json"))),
        Dialect::Chat => {
            let arguments = join("/choices/0/delta/tool_calls/0/function/arguments");
            (join("/choices/0/delta/content"), first(arguments))
        }
        Dialect::Responses => (
            of("response.output_text.delta", "delta"),
            first(of("response.function_call_arguments.delta", "delta")),
        ),
        Dialect::Gemini => {
            let parts = |event: &Value| event["candidates"][0]["content"]["parts"].clone();
            let texts = events.iter().map(parts).filter(|parts| parts[0]["thought"] != true);
            let text = texts.filter_map(|parts| parts[0]["text"].as_str().map(ToOwned::to_owned)).collect();
            (text, parts(events.last().unwrap())[0]["functionCall"]["args"].clone())
        }
    }
}

#[test]
fn a_stream_says_what_the_whole_says() {
    for dialect in ALL {
        let answer = answer(dialect);
        let events = dialect.events(&answer);
        let (text, arguments) = assembled(dialect, &data(&events));
        assert_eq!(text, answer.text.clone().unwrap(), "{dialect:?}");
        assert_eq!(arguments, answer.calls[0].input, "{dialect:?}");
        let whole = dialect.whole(&answer).to_string();
        assert!(whole.contains(&text) && whole.contains(&answer.calls[1].name), "{dialect:?}: {whole}");
        let named = matches!(dialect, Dialect::Anthropic | Dialect::Responses);
        assert!(events.iter().all(|event| event.name.is_some() == named), "{dialect:?}");
    }
}

#[test]
fn streams_end_as_their_clients_wait_for() {
    let last = |dialect: Dialect| dialect.events(&answer(dialect)).pop().unwrap();
    assert_eq!(last(Dialect::Anthropic).name, Some("message_stop"));
    assert_eq!(last(Dialect::Chat).data, "[DONE]");
    assert_eq!(last(Dialect::Responses).name, Some("response.completed"));
    assert!(last(Dialect::Gemini).data.contains(r#""finishReason":"STOP""#));
    let mut cut = answer(Dialect::Responses);
    cut.stop = Some("max_tokens".into());
    let last = Dialect::Responses.events(&cut).pop().unwrap();
    assert!(last.data.contains(r#""reason":"max_output_tokens""#), "{last:?}");
}

#[test]
fn events_are_encoded_as_lines() {
    let event = Event::named("ping", &json!({"a": "b\nc"}));
    assert_eq!(event.encoded(), "event: ping\ndata: {\"a\":\"b\\nc\"}\n\n");
    assert_eq!(Event::plain(&json!(1)).encoded(), "data: 1\n\n");
}

#[test]
fn errors_have_the_words_of_their_dialect() {
    for (dialect, word) in [
        (Dialect::Anthropic, "rate_limit_error"),
        (Dialect::Chat, "rate_limit_exceeded"),
        (Dialect::Responses, "rate_limit_exceeded"),
        (Dialect::Gemini, "RESOURCE_EXHAUSTED"),
    ] {
        let usual = dialect.error(429, None, "slow down").to_string();
        assert!(usual.contains(word) && usual.contains("slow down"), "{usual}");
        assert!(dialect.error(429, Some("other"), "x").to_string().contains("other"));
    }
}
