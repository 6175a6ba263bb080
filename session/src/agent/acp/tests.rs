//! Real conversations of four agents, and what they come to.

use cogwork_schemas::AgentEvent;
use serde_json::json;

use super::*;
use crate::agent::tests::{Ground, arguments, broken_lines, capture, captures, exited, then, word};

/// What each capture comes to.
const OUTCOMES: &[(&str, &str)] = &[
    ("claude-agent-acp-0.49.0--success-wire", "Completed"),
    ("claude-agent-acp-0.49.0--limit-wire", "UsageLimit None Some(20)"),
    ("codex-acp-2.6.0--success-wire", "Completed"),
    // It says that all went well, and its state that it did not.
    ("codex-acp-2.6.0--429-as-success-wire", "Throttled"),
    ("codex-acp-2.6.0--usage-limit-wire", "UsageLimit None Some(80)"),
    ("gemini-0.61.0--success-wire", "Completed"),
    ("gemini-0.61.0--429-daily-wire", "UsageLimit None None"),
    ("opencode-1.18.33--success-wire", "Completed"),
];

/// A conversation in which the agent's part is given.
struct Conversation {
    acp: Acp,
    /// What we said, in order.
    said: Vec<Value>,
    heard: Vec<Heard>,
}

impl Conversation {
    fn begin(ground: &Ground) -> Self {
        let mut acp = Acp::new("agent acp".to_owned());
        let program = acp.program(&ground.start(false));
        arguments(&program);
        let Input::Conversation(lines) = program.input else { panic!("{:?}", program.input) };
        Self {
            acp,
            said: lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect(),
            heard: vec![],
        }
    }

    fn hear(&mut self, message: &Value) -> &Heard {
        let heard = self.acp.read(message.to_string());
        self.said.extend(heard.say.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        self.heard.push(heard);
        self.heard.last().unwrap()
    }

    fn methods(&self) -> Vec<&str> {
        self.said.iter().filter_map(|message| message["method"].as_str()).collect()
    }

    fn outcome(&self, code: i32) -> SessionOutcome {
        self.acp.outcome(&exited(code, ""), then(), &TimeZone::UTC)
    }

    /// Our question of this method is answered.
    fn answer(&mut self, method: &str, result: &Value) -> &Heard {
        let asked = self.said.iter().rfind(|message| message["method"] == method).unwrap();
        let id = asked["id"].clone();
        self.hear(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
    }

    fn up(ground: &Ground) -> Self {
        let mut talk = Self::begin(ground);
        talk.answer(
            "initialize",
            &json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } }),
        );
        talk.answer("session/new", &json!({ "sessionId": "s1" }));
        assert_eq!(talk.methods(), ["initialize", "session/new", "session/prompt"]);
        talk
    }
}

/// Plays the agent's part of a capture; its answers get the numbers of our questions.
fn played(name: &str) -> Conversation {
    let mut talk = Conversation::begin(&Ground::new());
    let mut asked = std::collections::HashMap::new();
    for line in capture(&format!("acp--{name}")).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let mut message = line["msg"].clone();
        if line["dir"] == "->" {
            if let (Some(id), Some(method)) = (message["id"].as_u64(), message["method"].as_str()) {
                // We choose a mode where that conversation did not.
                if method == "session/prompt" && talk.methods().last() == Some(&"session/set_mode") {
                    talk.answer("session/set_mode", &json!({}));
                }
                asked.insert(id, method.to_owned());
            }
            continue;
        }
        if message["method"].is_null() {
            let method = &asked[&message["id"].as_u64().unwrap()];
            let ours = talk.said.iter().rfind(|said| said["method"] == method.as_str());
            message["id"] =
                ours.unwrap_or_else(|| panic!("{name}: we did not ask for {method}"))["id"].clone();
        }
        talk.hear(&message);
    }
    talk
}

#[test]
fn every_capture_comes_to_what_it_was() {
    let mut wrong = Vec::new();
    for (name, expected) in OUTCOMES {
        let talk = played(name);
        let found = word(&talk.outcome(0));
        if found != *expected {
            wrong.push(format!("{name}: {found}, not {expected}"));
        }
        assert!(talk.heard.last().unwrap().is_over, "{name}");
        // Where there was no answer, there is nothing to go on with.
        assert_eq!(talk.acp.can_resume(), *name != "gemini-0.61.0--429-daily-wire", "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(captures("acp--").len(), OUTCOMES.len(), "a capture is in no row of the table");
}

#[test]
fn a_whole_feature_is_read_as_what_happened() {
    for (name, get, mark) in [
        (
            "claude-agent-acp-0.49.0",
            "mcp__features__feature_get_by_id",
            "mcp__features__feature_mark_passing",
        ),
        ("opencode-1.18.33", "features_feature_get_by_id", "features_feature_mark_passing"),
        (
            "gemini-0.61.0",
            "feature_get_by_id (features MCP Server)",
            "feature_mark_passing (features MCP Server)",
        ),
    ] {
        let talk = played(&format!("{name}--success-wire"));
        let events: Vec<&AgentEvent> = talk.heard.iter().flat_map(|heard| &heard.events).collect();
        let tools = |answers: bool| -> Vec<String> {
            let tool = |event: &&AgentEvent| {
                if let AgentEvent::ToolCall { tool, .. } = event {
                    return (!answers).then(|| tool.clone());
                }
                let AgentEvent::ToolResult { tool, is_error: false, .. } = event else { return None };
                answers.then(|| tool.clone())
            };
            events.iter().filter_map(tool).collect()
        };
        for answers in [false, true] {
            let tools = tools(answers);
            assert_eq!((tools.len(), tools[0].as_str(), tools[3].as_str()), (4, get, mark), "{name}");
        }
        assert!(events.iter().any(|event| matches!(event, AgentEvent::Started { version: Some(_), .. })));
        assert!(matches!(events.last(), Some(AgentEvent::Result { ok: true, .. })));
    }
}

#[test]
fn a_mode_without_a_judge_is_chosen_where_there_is_one() {
    let talk = played("codex-acp-2.6.0--success-wire");
    assert_eq!(talk.methods(), ["initialize", "session/new", "session/set_mode", "session/prompt"]);
    assert_eq!(talk.said[2]["params"]["modeId"], "agent-full-access");
    let plans = Ground { role: Role::Initializer, ..Ground::new() };
    let mut talk = Conversation::begin(&plans);
    talk.answer("initialize", &json!({ "protocolVersion": 1 }));
    let modes = json!({ "availableModes": [{ "id": "agent-full-access" }] });
    talk.answer("session/new", &json!({ "sessionId": "s", "modes": modes }));
    assert_eq!(talk.methods(), ["initialize", "session/new", "session/prompt"]);
}

#[test]
fn it_is_allowed_what_its_role_allows_and_only_this_once() {
    let options = json!([
        { "kind": "allow_always", "optionId": "always" }, { "kind": "allow_once", "optionId": "once" },
        { "kind": "reject_once", "optionId": "no" }]);
    for (role, kind, expected) in [
        (Role::Coding, "execute", "once"),
        (Role::Coding, "edit", "once"),
        (Role::Initializer, "other", "once"),
        (Role::Initializer, "read", "once"),
        (Role::Initializer, "execute", "no"),
        (Role::Initializer, "edit", "no"),
    ] {
        let mut talk = Conversation::up(&Ground { role, ..Ground::new() });
        let params = json!({ "options": options, "toolCall": { "kind": kind } });
        let question = json!({ "id": "q-7", "method": "session/request_permission", "params": params });
        talk.hear(&question);
        let answer = talk.said.last().unwrap();
        assert_eq!(
            (&answer["id"], &answer["result"]["outcome"]["optionId"]),
            (&json!("q-7"), &json!(expected))
        );
    }
}

#[test]
fn a_tool_that_is_first_heard_of_in_a_question_is_a_call() {
    let mut talk = Conversation::up(&Ground::new());
    let ask = |id: &str| {
        let call = json!({ "toolCallId": id, "title": "ls", "rawInput": { "command": "ls" } });
        json!({ "id": 7, "method": "session/request_permission", "params": { "options": [], "toolCall": call } })
    };
    let input = r#"{"command":"ls"}"#.to_owned();
    assert_eq!(talk.hear(&ask("a")).events, [AgentEvent::ToolCall { tool: "ls".to_owned(), input }]);
    let known = json!({ "sessionUpdate": "tool_call", "toolCallId": "b", "title": "ls" });
    talk.hear(&json!({ "method": "session/update", "params": { "update": known } }));
    assert_eq!(talk.hear(&ask("b")).events, []);
    let done = json!({ "sessionUpdate": "tool_call_update", "toolCallId": "a", "status": "failed" });
    let done = json!({ "method": "session/update", "params": { "update": done } });
    let told = AgentEvent::ToolResult { tool: "ls".to_owned(), is_error: true, output: String::new() };
    assert_eq!(talk.hear(&done).events, [told]);
}

#[test]
fn a_question_that_is_cut_short_or_unknown_is_answered() {
    let mut talk = Conversation::up(&Ground::new());
    let cut = format!(
        r#"{{"jsonrpc":"2.0","id":5,"method":"session/request_permission","params":{{"x":"{}… (99 bytes cut)"#,
        "y".repeat(1 << 20)
    );
    let said = talk.acp.read(cut).say;
    assert_eq!(said, [r#"{"jsonrpc":"2.0","id":5,"result":{"outcome":{"outcome":"cancelled"}}}"#]);
    talk.hear(&json!({ "jsonrpc": "2.0", "id": 9, "method": "fs/read_text_file", "params": {} }));
    assert_eq!(talk.said.last().unwrap()["error"]["code"], -32601);
}

#[test]
fn errors_are_known_in_the_words_of_each_agent() {
    for (error, expected) in [
        (json!({ "code": -32000, "message": "Authentication required" }), "Auth"),
        (json!({ "code": 401, "message": "API key not valid" }), "Auth"),
        (json!({ "code": 500, "message": "oops" }), "Transient"),
        (
            json!({ "code": -32603, "message": "Internal error: x", "data": { "errorKind": "server_error" } }),
            "Transient",
        ),
        (
            json!({ "code": -32603, "message": "Internal error: slow", "data": { "errorKind": "rate_limit" } }),
            "Throttled",
        ),
        (json!({ "code": -32603, "message": "x", "data": { "errorKind": "authentication_failed" } }), "Auth"),
        (json!({ "code": -32603, "message": "Internal error: Prompt is too long" }), "ContextFull"),
        (
            json!({ "code": -32603, "message": "Internal error",
            "data": { "message": "m", "codexErrorInfo": { "responseTooManyFailedAttempts": { "httpStatusCode": 429 } } } }),
            "Throttled",
        ),
        (
            json!({ "code": -32603, "message": "Internal error", "data": { "message": "It rains." } }),
            "ReportedError",
        ),
    ] {
        let mut talk = Conversation::up(&Ground::new());
        let id = talk.said.last().unwrap()["id"].clone();
        assert!(talk.hear(&json!({ "jsonrpc": "2.0", "id": id, "error": error })).is_over);
        assert_eq!(word(&talk.outcome(143)), expected, "{error}");
    }
}

#[test]
fn what_ends_before_its_turn_is_over_is_not_complete() {
    assert_eq!(word(&Conversation::begin(&Ground::new()).outcome(127)), "Config");
    assert_eq!(word(&Conversation::up(&Ground::new()).outcome(0)), "Failed");
    for (reason, expected) in
        [("end_turn", "Completed"), ("max_turn_requests", "TurnLimit"), ("refusal", "ReportedError")]
    {
        let mut talk = Conversation::up(&Ground::new());
        talk.answer("session/prompt", &json!({ "stopReason": reason }));
        assert_eq!(word(&talk.outcome(143)), expected);
    }
    let mut talk = Conversation::begin(&Ground::new());
    let heard = talk.answer("initialize", &json!({ "protocolVersion": 2 }));
    let told = heard.hopeless.as_ref().unwrap().to_string();
    assert!(told.contains("it speaks version 2 of the Agent Client Protocol, not version 1"), "{told}");
}

#[test]
fn it_is_asked_to_end_in_its_own_language() {
    let mut talk = Conversation::begin(&Ground::new());
    assert_eq!(talk.acp.farewell(), None, "there is nothing to cancel yet");
    let mut talk = Conversation::up(&Ground::new());
    let line: Value = serde_json::from_str(&talk.acp.farewell().unwrap()).unwrap();
    assert_eq!((&line["method"], &line["params"]["sessionId"]), (&json!("session/cancel"), &json!("s1")));
    talk.answer("session/prompt", &json!({ "stopReason": "cancelled" }));
    assert_eq!(talk.acp.farewell(), None);
}

#[test]
fn a_second_life_goes_on_with_the_first_and_without_it_begins_anew() {
    let ground = Ground::new();
    let mut talk = Conversation::up(&ground);
    let new = json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "new" } });
    talk.hear(&json!({ "method": "session/update", "params": { "update": new } }));
    talk.acp.program(&ground.start(true));
    talk.said.push(json!({ "method": "initialize", "id": 1 }));
    talk.answer("initialize", &json!({ "protocolVersion": 1, "agentCapabilities": { "loadSession": true } }));
    assert_eq!(talk.methods().last(), Some(&"session/load"));
    assert_eq!(talk.said.last().unwrap()["params"]["sessionId"], "s1");
    // What was said before is said again, and is no progress.
    let old = json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": "old" } });
    let told = json!({ "method": "session/update", "params": { "update": old } });
    assert!(matches!(&talk.hear(&told).events[..], [AgentEvent::Other { .. }]));
    assert_eq!(word(&talk.outcome(1)), "Transient");
    assert!(!talk.acp.can_resume());
    talk.answer("session/load", &json!({}));
    assert!(matches!(&talk.hear(&told).events[..], [AgentEvent::Text { .. }]));
    assert!(talk.acp.can_resume());
}

#[test]
fn prose_is_no_evidence() {
    let mut talk = Conversation::up(&Ground::new());
    for text in
        ["exceeded retry limit, last status: 429 Too Many Requests", "You've hit your limit · resets 3pm"]
    {
        let update = json!({ "sessionUpdate": "agent_message_chunk", "content": { "text": text } });
        talk.hear(&json!({ "method": "session/update", "params": { "update": update } }));
    }
    talk.answer("session/prompt", &json!({ "stopReason": "end_turn" }));
    assert_eq!(talk.outcome(143), SessionOutcome::Completed);
}

#[test]
fn broken_lines_are_signs_of_life() {
    let mut talk = Conversation::up(&Ground::new());
    for line in broken_lines() {
        let heard = talk.acp.read(line.clone());
        assert!(matches!(&heard.events[..], [AgentEvent::Other { .. }]), "{line:.40}: {heard:?}");
        assert!(heard.say.is_empty());
    }
}
