//! Real output of 0.169.0, line by line, and what it comes to.

use super::*;
use crate::agent::tests::{
    Ground, arguments, broken_lines, capture, captures, exited, hear, outcome, tools, word,
};
use crate::machine::Ending;

/// What each capture comes to, with its exit code, without what Codex has written down.
const OUTCOMES: &[(&str, i32, &str)] = &[
    ("success-feature-mcp-shell", 0, "Completed"),
    ("usage-limit", 1, "UsageLimit None Some(117)"),
    // Said in a zone that is not named; eight days are the most that is believed.
    ("usage-limit-far", 1, "UsageLimit None Some(4997)"),
    ("429-retry-after", 1, "Throttled"),
    ("429-bare", 1, "Throttled"),
    // Its words for a failing service are those for a busy one; what it writes down tells them apart.
    ("500", 1, "Throttled"),
    ("401", 1, "Auth"),
    ("context-full", 1, "ContextFull"),
    ("quota", 1, "UsageLimit None None"),
    ("stream-silent", 1, "Transient"),
];

fn heard(text: &str) -> (Codex, Vec<Heard>) {
    hear(Codex::new(), text)
}

#[test]
fn every_capture_comes_to_what_it_was() {
    let mut wrong = Vec::new();
    for (name, code, expected) in OUTCOMES {
        let (codex, heard) = heard(&capture(&format!("codex-0.169.0--{name}")));
        let found = word(&outcome(&codex, &exited(*code, "")));
        if found != *expected {
            wrong.push(format!("{name}: {found}, not {expected}"));
        }
        assert!(heard.iter().all(|heard| heard.hopeless.is_none()), "{name}");
        assert!(codex.can_resume(), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The captures of its server are of a way to drive it that is not used.
    let mine = captures("codex-").into_iter().filter(|name| !name.contains("app-server"));
    assert_eq!(mine.count(), OUTCOMES.len(), "a capture is in no row of the table");
}

#[test]
fn a_whole_feature_is_read_as_what_happened() {
    let (_, heard) = heard(&capture("codex-0.169.0--success-feature-mcp-shell"));
    let events: Vec<AgentEvent> = heard.into_iter().flat_map(|heard| heard.events).collect();
    assert_eq!(
        tools(&events),
        ["features.feature_get_by_id", "shell", "shell", "features.feature_mark_passing"]
    );
    let answers =
        events.iter().filter(|event| matches!(event, AgentEvent::ToolResult { is_error: false, .. }));
    assert_eq!(answers.count(), 4);
    assert!(matches!(&events[0], AgentEvent::Started { id: Some(id), .. } if id.starts_with("01a1f8ff")));
    assert!(events.contains(&AgentEvent::Text { text: "Feature 7 is passing.".to_owned() }));
    assert!(matches!(events.last(), Some(AgentEvent::Result { ok: true, .. })));
}

/// A session that fails with these words, and that has written down this kind of error.
fn written(message: &str, info: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let day = home.path().join("sessions/2026/11/20");
    std::fs::create_dir_all(&day).unwrap();
    let end = format!(
        r#"{{"payload":{{"type":"token_count","rate_limits":{{"primary":{{"used_percent":100,"window_minutes":300,"resets_at":1795182600}}}}}}}}
{{"payload":{{"type":"task_complete","error":{{"message":"m","codex_error_info":{info}}}}}}}"#
    );
    std::fs::write(day.join("rollout-2026-11-20T12-50-00-t1.jsonl"), end).unwrap();
    let mut ground = Ground::new();
    ground.env.push(("CODEX_HOME".into(), home.path().into()));
    let mut codex = Codex::new();
    codex.program(&ground.start(false));
    let failed = json!({ "type": "turn.failed", "error": { "message": message } });
    for line in [json!({ "type": "thread.started", "thread_id": "t1" }), failed] {
        codex.read(line.to_string());
    }
    word(&outcome(&codex, &exited(1, "")))
}

#[test]
fn what_it_has_written_down_goes_before_its_words() {
    let demand = "We’re currently experiencing high demand, which may cause temporary errors.";
    let limit = "You’ve hit your usage limit. Try again at 3:00 PM.";
    for (message, info, expected) in [
        (limit, r#""usage_limit_exceeded""#, "UsageLimit Some(\"five_hour\") Some(60)"),
        (limit, r#""something_new""#, "UsageLimit None Some(130)"),
        (demand, r#""internal_server_error""#, "Transient"),
        ("?", r#""server_overloaded""#, "Throttled"),
        ("?", r#""context_window_exceeded""#, "ContextFull"),
        ("?", r#""unauthorized""#, "Auth"),
        ("The model foo does not exist", r#""model_not_found""#, "Config"),
        ("?", r#"{"http_connection_failed":{"http_status_code":401}}"#, "Auth"),
        ("?", r#"{"http_connection_failed":{"http_status_code":529}}"#, "Transient"),
        ("?", r#"{"response_too_many_failed_attempts":{"http_status_code":429}}"#, "Throttled"),
        ("unexpected status 503 Service Unavailable: x", r#""other""#, "Transient"),
        ("Missing environment variable: `MOCK_KEY`.", r#""other""#, "Auth"),
        ("It rains.", r#""other""#, "ReportedError"),
    ] {
        assert_eq!(written(message, info), expected, "{message} {info}");
    }
}

#[test]
fn what_is_hopeless_is_known_soon() {
    let hopeless = |cause: &str, times: usize| {
        let mut codex = Codex::new();
        let line = json!({ "type": "error", "message": format!("Reconnecting... {cause}") }).to_string();
        (0..times).filter_map(|_| codex.read(line.clone()).hopeless).map(|outcome| word(&outcome)).next()
    };
    let refused = "2/5 (unexpected status 401 Unauthorized: no such key, url: http://x)";
    assert_eq!(hopeless(refused, 1), None, "the first may be a login that is being renewed");
    assert_eq!(hopeless(refused, 2).as_deref(), Some("Auth"));
    let offline = "waiting for network (Connection failed: error sending request)";
    assert_eq!(hopeless(offline, 4), None);
    assert_eq!(hopeless(offline, 5).as_deref(), Some("Transient"));
    assert_eq!(hopeless("2/5 (exceeded retry limit, last status: 429 Too Many Requests)", 9), None);
}

#[test]
fn a_server_that_does_not_come_up_ends_the_session_in_a_sentence() {
    let stderr = "WARNING: x\nError: thread/start: thread/start failed: error creating thread: Fatal error: Failed to \
                  initialize session: required MCP servers failed to initialize: features: No such file";
    let found = outcome(&Codex::new(), &exited(1, stderr)).to_string();
    assert!(found.ends_with("Cogwork's MCP server did not connect: run `cogwork doctor`"), "{found}");
    let usage = outcome(&Codex::new(), &exited(2, "error: unexpected argument '--json' found"));
    assert_eq!(
        usage,
        SessionOutcome::Config { reason: "error: unexpected argument '--json' found".to_owned() }
    );
    let killed = Exit { ending: Ending::Signal(9), stderr_tail: String::new() };
    assert_eq!(word(&outcome(&Codex::new(), &killed)), "Killed");
}

#[test]
fn without_the_end_of_a_turn_nothing_is_complete() {
    let (codex, _) = heard(r#"{"type":"thread.started","thread_id":"t"}"#);
    assert_eq!(word(&outcome(&codex, &exited(0, ""))), "Failed");
    assert_eq!(word(&outcome(&codex, &exited(1, "why"))), "Failed");
}

#[test]
fn prose_is_no_evidence() {
    for text in
        ["unexpected status 401 Unauthorized", "You’ve hit your usage limit.", "Reconnecting... 2/5 (401)"]
    {
        let mut codex = Codex::new();
        for line in [
            json!({ "type": "thread.started", "thread_id": "t" }),
            json!({ "type": "item.completed", "item": { "type": "agent_message", "text": text } }),
            json!({ "type": "item.completed", "item": { "type": "error", "message": text } }),
            json!({ "type": "item.completed", "item": { "type": "command_execution", "aggregated_output": text } }),
            json!({ "type": "turn.completed", "usage": {} }),
        ] {
            assert_eq!(codex.read(line.to_string()).hopeless, None);
        }
        assert_eq!(outcome(&codex, &exited(0, "")), SessionOutcome::Completed, "{text}");
    }
}

#[test]
fn broken_lines_are_signs_of_life() {
    let mut codex = Codex::new();
    for line in broken_lines() {
        let heard = codex.read(line.clone());
        assert!(matches!(&heard.events[..], [AgentEvent::Other { .. }]), "{line:.40}: {heard:?}");
        assert_eq!(heard.hopeless, None);
    }
}

#[test]
fn the_token_and_the_login_stay_where_they_are() {
    let ground = Ground {
        settings: crate::AgentSettings { model: Some("m".into()), ..Default::default() },
        ..Ground::new()
    };
    let mut codex = Codex::new();
    let program = codex.program(&ground.start(false));
    let args = arguments(&program);
    assert_eq!(args[..2], ["exec", "--json"]);
    assert_eq!(args.last().map(String::as_str), Some("-"));
    assert!(program.env.is_empty() && program.files.is_empty());
    assert_eq!(program.asking, Asking::Interrupt);
    for setting in [
        r#"mcp_servers.features.command="/x/cogwork""#,
        r#"mcp_servers.features.args=["mcp","--features","7"]"#,
        r#"mcp_servers.features.env_vars=["HOME","COGWORK_TOKEN"]"#,
        "mcp_servers.features.required=true",
        r#"shell_environment_policy.exclude=["COGWORK_TOKEN"]"#,
        r#"sandbox_mode="danger-full-access""#,
        r#"projects={"/w"={trust_level="untrusted"}}"#,
    ] {
        assert!(args.iter().any(|arg| arg == setting), "{setting} is not among {args:?}");
    }
    assert!(args.join(" ").contains("--model m"));
    let plans = Ground { role: Role::Initializer, ..Ground::new() };
    assert!(
        arguments(&codex.program(&plans.start(false))).contains(&r#"sandbox_mode="read-only""#.to_owned())
    );
}

#[test]
fn a_second_life_goes_on_with_the_first_and_without_it_begins_anew() {
    let (mut codex, _) = heard(&capture("codex-0.169.0--usage-limit"));
    let ground = Ground::new();
    let args = arguments(&codex.program(&ground.start(true)));
    assert_eq!(args[..3], ["exec", "resume", "--json"]);
    assert_eq!(args[args.len() - 2..], ["01a1f8ff-a63f-7552-9446-fdb5962062da", "-"]);
    // The file of the conversation is gone.
    assert_eq!(word(&outcome(&codex, &exited(1, "Error: no rollout found"))), "Transient");
    assert!(!codex.can_resume());
    assert_eq!(arguments(&codex.program(&ground.start(false)))[..2], ["exec", "--json"]);
}
