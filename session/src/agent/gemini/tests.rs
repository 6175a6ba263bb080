//! Real output of 0.61.0, line by line, and what it comes to.

use std::path::Path;

use cogwork_schemas::Role;
use serde_json::json;

use super::*;
use crate::agent::Content;
use crate::agent::tests::{
    Ground, arguments, broken_lines, capture, captures, exited, hear, outcome, tools, word,
};

/// What each capture comes to, with its exit code.
const OUTCOMES: &[(&str, i32, &str)] = &[
    ("success-feature-mcp-shell-write", 0, "Completed"),
    ("401", 145, "Auth"),
    ("429-daily", 173, "UsageLimit None None"),
    ("max-turns", 53, "TurnLimit"),
];

fn heard(text: &str) -> (Gemini, Vec<Heard>) {
    hear(Gemini::new(), text)
}

#[test]
fn every_capture_comes_to_what_it_was() {
    for (name, code, expected) in OUTCOMES {
        let (gemini, heard) = heard(&capture(&format!("gemini-0.61.0--{name}")));
        assert_eq!(word(&outcome(&gemini, &exited(*code, ""))), *expected, "{name}");
        assert!(heard.iter().all(|heard| heard.hopeless.is_none()), "{name}");
        let has_answered = ["success-feature-mcp-shell-write", "max-turns"].contains(name);
        assert_eq!(gemini.can_resume(), has_answered, "{name}");
    }
    assert_eq!(captures("gemini-").len(), OUTCOMES.len(), "a capture is in no row of the table");
}

#[test]
fn a_whole_feature_is_read_as_what_happened() {
    let (_, heard) = heard(&capture("gemini-0.61.0--success-feature-mcp-shell-write"));
    let events: Vec<AgentEvent> = heard.into_iter().flat_map(|heard| heard.events).collect();
    assert_eq!(
        tools(&events),
        [
            "mcp_features_feature_get_by_id",
            "run_shell_command",
            "write_file",
            "mcp_features_feature_mark_passing"
        ]
    );
    assert!(
        matches!(&events[0], AgentEvent::Started { model: Some(model), .. } if model == "gemini-2.5-pro")
    );
    assert!(events.contains(&AgentEvent::Usage { input_tokens: 500, output_tokens: 100, cost_usd: None }));
    assert!(matches!(events.last(), Some(AgentEvent::Result { ok: true, .. })));
}

/// A session whose result is an error of this kind.
fn failed(kind: &str, message: &str, code: i32) -> String {
    let error = json!({ "type": kind, "message": message });
    let result = json!({ "type": "result", "status": "error", "error": error });
    let (gemini, _) = heard(&format!("{}\n{result}", json!({ "type": "init", "session_id": "x" })));
    word(&outcome(&gemini, &exited(code, "")))
}

#[test]
fn errors_of_the_service_are_known_by_their_number() {
    let inner = |code: u64, message: &str| {
        format!("[API Error: {}]", json!({ "error": { "code": code, "message": message } }))
    };
    for (message, code, expected) in [
        (inner(400, "prompt is too long: 215000 tokens > 200000 maximum"), 144, "ContextFull"),
        (inner(400, "The input token count exceeds the maximum number of tokens allowed"), 144, "ContextFull"),
        (inner(429, "Number of request tokens has exceeded your per-minute rate limit"), 173, "Throttled"),
        (inner(500, "mock error 500"), 244, "Transient"),
        (inner(503, "The model is overloaded."), 247, "Transient"),
        (inner(403, "no"), 147, "Auth"),
        (inner(404, "models/foo is not found"), 148, "Config"),
        ("[API Error: exception TypeError: fetch failed sending request]".to_owned(), 1, "Transient"),
        (
            "[API Error: You have exhausted your capacity on this model. Your quota will reset after 2h30m0s.]\nmore"
                .to_owned(),
            173,
            "UsageLimit None Some(150)",
        ),
        // Without a number in the message there is one in the exit code.
        ("[API Error: Too many requests]\nPlease wait and try again later.".to_owned(), 173, "Throttled"),
        ("[API Error: no]".to_owned(), 247, "Transient"),
        ("It rains.".to_owned(), 1, "ReportedError"),
        ("It rains.".to_owned(), 130, "ReportedError"),
    ] {
        assert_eq!(failed("unknown", &message, code), expected, "{message}");
    }
    assert_eq!(failed("FatalAuthenticationError", "no", 41), "Auth");
    assert_eq!(failed("FatalInputError", "no", 42), "Config");
}

#[test]
fn without_a_result_the_exit_code_decides() {
    let up = json!({ "type": "init", "session_id": "x" }).to_string();
    for (text, code, stderr, expected) in [
        ("", 41, "Please set an Auth method in your settings.json", "Auth"),
        ("", 1, "Unknown argument: output-format", "Config"),
        ("", 55, "not a trusted directory", "Config"),
        (up.as_str(), 53, "", "TurnLimit"),
        // After a signal it says nothing and exits as if all were well.
        (up.as_str(), 0, "", "Failed"),
        (up.as_str(), 130, "", "Failed"),
    ] {
        assert_eq!(word(&outcome(&heard(text).0, &exited(code, stderr))), expected, "{code} {stderr}");
    }
}

#[test]
fn its_stderr_tells_of_retries_and_of_a_missing_server() {
    let mut gemini = Gemini::new();
    let line =
        r#"Attempt 2 failed with status 429. Retrying with backoff... _ApiError: {"error":{"code":429}}"#;
    let told = gemini.read_stderr(line.to_owned()).events;
    let cause = "attempt 2 failed with status 429".to_owned();
    assert_eq!(told, [AgentEvent::Retrying { cause, delay_ms: None }]);
    let heard = gemini.read_stderr("MCP issues detected. Run /mcp list for status.".to_owned());
    assert_eq!(heard.hopeless.map(|outcome| word(&outcome)).as_deref(), Some("Config"));
    for line in
        ["", "Attempt", "Attempt x failed. y", "    at foo (file:///x)", "He said: MCP issues detected."]
    {
        assert_eq!(gemini.read_stderr(line.to_owned()), Heard::other(line.to_owned()));
    }
}

#[test]
fn prose_is_no_evidence() {
    for text in [
        "[API Error: 429]",
        "You have exhausted your daily quota on this model.",
        "Maximum session turns exceeded",
    ] {
        let lines = [
            json!({ "type": "init", "session_id": "x" }),
            json!({ "type": "message", "role": "assistant", "content": text }),
            json!({ "type": "tool_result", "status": "error", "output": text }),
            json!({ "type": "error", "severity": "warning", "message": text }),
            json!({ "type": "result", "status": "success" }),
        ];
        let (gemini, heard) = heard(&lines.map(|line| line.to_string()).join("\n"));
        assert!(heard.iter().all(|heard| heard.hopeless.is_none()));
        assert_eq!(outcome(&gemini, &exited(0, "")), SessionOutcome::Completed, "{text}");
    }
}

#[test]
fn broken_lines_are_signs_of_life() {
    let mut gemini = Gemini::new();
    for line in broken_lines() {
        let heard = gemini.read(line.clone());
        assert!(matches!(&heard.events[..], [AgentEvent::Other { .. }]), "{line:.40}: {heard:?}");
    }
}

fn settings(program: &AgentProgram, dir: &Path) -> Value {
    let path = dir.join("gemini/.gemini/settings.json");
    let (_, content) = program.files.iter().find(|(file, _)| *file == path).unwrap();
    let Content::Text(text) = content else { panic!("{content:?}") };
    serde_json::from_str(text).unwrap()
}

#[test]
fn its_home_is_the_sessions_and_its_login_the_users() {
    let users = tempfile::tempdir().unwrap();
    let own = users.path().join(".gemini");
    std::fs::create_dir(&own).unwrap();
    let theirs = r#"{ // theirs
        "security": {"auth": {"selectedType": "oauth-personal"}}, "mcpServers": {"theirs": {}}, "general": {"vimMode": true}}"#;
    std::fs::write(own.join("settings.json"), theirs).unwrap();
    std::fs::write(own.join("oauth_creds.json"), "{}").unwrap();
    let mut ground = Ground::new();
    ground.env[0].1 = users.path().into();
    ground.settings.max_turns = Some(9);
    let mut gemini = Gemini::new();
    let program = gemini.program(&ground.start(false));
    arguments(&program);
    assert!(program.env.contains(&("GEMINI_CLI_HOME".into(), "/s/gemini".into())));
    let links: Vec<_> =
        program.files.iter().filter(|(_, content)| matches!(content, Content::Link(_))).collect();
    let link = (
        Path::new("/s/gemini/.gemini/oauth_creds.json").to_owned(),
        Content::Link(own.join("oauth_creds.json")),
    );
    assert_eq!(links, [&link], "what is not there is not linked");
    let found = settings(&program, Path::new("/s"));
    assert_eq!(found["security"]["auth"]["selectedType"], "oauth-personal");
    assert_eq!(found["general"]["vimMode"], true);
    assert_eq!(found["model"]["maxSessionTurns"], 9);
    assert_eq!(found["mcpServers"].as_object().unwrap().len(), 1);
    let server = &found["mcpServers"]["features"];
    assert_eq!(server["command"], "/x/cogwork");
    assert_eq!(
        (&server["env"]["HOME"], &server["env"]["COGWORK_TOKEN"]),
        (&json!("${HOME}"), &json!("9-secret"))
    );
    assert_eq!(found["tools"], Value::Null);
    let plans = Ground { role: Role::Initializer, ..Ground::new() };
    let found = settings(&gemini.program(&plans.start(false)), Path::new("/s"));
    assert!(found["tools"]["exclude"].as_array().unwrap().contains(&json!("run_shell_command")));
}

#[test]
fn a_second_life_goes_on_with_the_first_and_without_it_begins_anew() {
    let (mut gemini, _) = heard(&capture("gemini-0.61.0--max-turns"));
    let ground = Ground::new();
    let args = arguments(&gemini.program(&ground.start(true)));
    assert_eq!(args[args.len() - 2..], ["--resume", "be3978ea-0396-453b-b7a5-4e75aa46bc77"]);
    let gone = exited(42, "Error resuming session: Invalid session identifier");
    assert_eq!(word(&outcome(&gemini, &gone)), "Transient");
    assert!(!gemini.can_resume());
    assert!(!arguments(&gemini.program(&ground.start(false))).contains(&"--resume".to_owned()));
}
