//! Real output of 1.18.33, line by line, and what it comes to.

use cogwork_schemas::AgentEvent;

use super::*;
use crate::agent::tests::{
    Ground, arguments, broken_lines, capture, captures, exited, hear, outcome, tools, word,
};
use crate::machine::Ending;

/// What each capture comes to, with its exit code (128 + n after signal n).
const OUTCOMES: &[(&str, i32, &str)] = &[
    ("success-feature-mcp-shell-write", 0, "Completed"),
    ("401", 1, "Auth"),
    // Without its log it says nothing at all.
    ("429-silent-retry-killed-after-25s", 137, "Killed"),
];

fn heard(text: &str) -> (Opencode, Vec<Heard>) {
    hear(Opencode::new(), text)
}

#[test]
fn every_capture_comes_to_what_it_was() {
    for (name, code, expected) in OUTCOMES {
        let (opencode, heard) = heard(&capture(&format!("opencode-1.18.33--{name}")));
        let exit = match code {
            129.. => Exit { ending: Ending::Signal(code - 128), stderr_tail: String::new() },
            _ => exited(*code, ""),
        };
        assert_eq!(word(&outcome(&opencode, &exit)), *expected, "{name}");
        assert!(heard.iter().all(|heard| heard.hopeless.is_none()), "{name}");
    }
    // The capture of its server is of a way to drive it that is not used.
    let mine = captures("opencode-").into_iter().filter(|name| !name.contains("serve-sse"));
    assert_eq!(mine.count(), OUTCOMES.len(), "a capture is in no row of the table");
}

#[test]
fn a_whole_feature_is_read_as_what_happened() {
    let (opencode, heard) = heard(&capture("opencode-1.18.33--success-feature-mcp-shell-write"));
    let events: Vec<AgentEvent> = heard.into_iter().flat_map(|heard| heard.events).collect();
    assert_eq!(
        tools(&events),
        ["features_feature_get_by_id", "bash", "write", "features_feature_mark_passing"]
    );
    assert!(matches!(&events[0], AgentEvent::Started { id: Some(id), .. } if id.starts_with("ses_")));
    let usage = AgentEvent::Usage { input_tokens: 500, output_tokens: 100, cost_usd: None };
    assert!(events.contains(&usage), "the tokens of all steps");
    assert!(
        matches!(events.last(), Some(AgentEvent::Result { ok: true, text }) if text == "Feature 7 is passing.")
    );
    assert!(opencode.can_resume());
}

fn error(name: &str, data: &Value) -> Value {
    json!({ "type": "error", "sessionID": "s", "error": { "name": name, "data": data } })
}

#[test]
fn the_last_error_decides_unless_it_worked_on() {
    for (name, data, expected) in [
        ("APIError", json!({ "message": "slow down", "statusCode": 429, "isRetryable": true }), "Throttled"),
        ("APIError", json!({ "message": "mock error 500", "statusCode": 500 }), "Transient"),
        ("APIError", json!({ "message": "Quota exceeded.", "statusCode": 429 }), "UsageLimit None None"),
        ("APIError", json!({ "message": "Credit balance is too low", "statusCode": 400 }), "Billing"),
        ("ContextOverflowError", json!({ "message": "prompt is too long" }), "ContextFull"),
        ("ProviderAuthError", json!({ "message": "no key" }), "Auth"),
        ("ProviderModelNotFoundError", json!({ "modelID": "foo" }), "Config"),
        ("UnknownError", json!({ "message": "It rains." }), "ReportedError"),
    ] {
        let failure = error(name, &data);
        assert_eq!(word(&outcome(&heard(&failure.to_string()).0, &exited(1, ""))), expected, "{data}");
        let later = json!({ "type": "text", "sessionID": "s", "part": { "text": "On we go." } });
        let (opencode, _) = heard(&format!("{failure}\n{later}"));
        assert_eq!(outcome(&opencode, &exited(0, "")), SessionOutcome::Completed, "{data}");
    }
}

#[test]
fn a_conversation_that_stays_too_long_is_ended() {
    let overflow = error("ContextOverflowError", &json!({ "message": "prompt is too long" }));
    let summary = json!({ "type": "text", "sessionID": "s", "part": { "text": "ok" } });
    let tool = json!({ "type": "tool_use", "sessionID": "s", "part": { "tool": "bash", "state": {} } });
    let hopeless = |lines: &[&Value]| {
        let (_, heard) = heard(&lines.iter().map(|line| line.to_string()).collect::<Vec<_>>().join("\n"));
        heard.into_iter().find_map(|heard| heard.hopeless)
    };
    assert_eq!(hopeless(&[&overflow, &summary]), None, "it made it shorter");
    assert_eq!(hopeless(&[&overflow, &summary, &overflow]), Some(SessionOutcome::ContextFull));
    assert_eq!(hopeless(&[&overflow, &summary, &tool, &overflow]), None);
}

/// A line of its log, of 1.18.33.
fn refused(message: &str, small: bool) -> String {
    format!(
        "timestamp=2026-11-20T18:08:35.489Z level=ERROR run=b5c2f06f message=\"stream error\" providerID=mock \
         modelID=mock-model session.id=ses_e05 small={small} agent=build mode=primary \
         error.error=\"AI_APICallError: {message}\""
    )
}

#[test]
fn its_log_tells_of_refusals_and_too_many_of_them_end_it() {
    let mut opencode = Opencode::new();
    for round in 1..=7 {
        let heard = opencode.read_stderr(refused(r#"He said: \"slow down\""#, false));
        let cause = r#"He said: "slow down""#.to_owned();
        assert_eq!(heard.events, [AgentEvent::Retrying { cause, delay_ms: None }]);
        assert_eq!(heard.hopeless.is_some(), round == 7, "{round}");
    }
    for (message, expected) in [
        ("mock error 500", "Transient"),
        ("Rate limit reached", "Throttled"),
        ("You've hit your limit", "UsageLimit None None"),
    ] {
        let mut opencode = Opencode::new();
        let last = (0..7).map(|_| opencode.read_stderr(refused(message, false))).last().unwrap();
        assert_eq!(word(&last.hopeless.unwrap()), expected);
    }
    assert!(matches!(&opencode.read_stderr(refused("x", true)).events[..], [AgentEvent::Other { .. }]));
}

#[test]
fn a_server_that_does_not_come_up_ends_the_session() {
    let down = |key: &str| {
        let line = format!(
            "timestamp=2026-11-20T18:18:29.621Z level=WARN run=5d9 message=\"server unavailable\" key={key} type=local \
             status=failed"
        );
        Opencode::new().read_stderr(line).hopeless.map(|outcome| word(&outcome))
    };
    assert_eq!(down("features").as_deref(), Some("Config"));
    assert_eq!(down("theirs"), None);
    for line in [
        "",
        "timestamp=",
        "timestamp=1 message=\"x",
        "message=\"server unavailable\" key=features status=failed",
    ] {
        assert_eq!(Opencode::new().read_stderr(line.to_owned()), Heard::other(line.to_owned()));
    }
}

#[test]
fn prose_is_no_evidence() {
    for text in
        ["AI_APICallError: 429", "You've hit your 5-hour limit · resets 1:13pm (UTC)", "prompt is too long"]
    {
        let lines = [
            json!({ "type": "text", "sessionID": "s", "part": { "text": text } }),
            json!({ "type": "tool_use", "sessionID": "s", "part": { "tool": "bash", "state": { "status": "error", "error": text } } }),
            json!({ "type": "step_finish", "sessionID": "s", "part": { "reason": "stop" } }),
        ];
        let (opencode, heard) = heard(&lines.map(|line| line.to_string()).join("\n"));
        assert!(heard.iter().all(|heard| heard.hopeless.is_none()));
        assert_eq!(outcome(&opencode, &exited(0, "")), SessionOutcome::Completed, "{text}");
    }
}

#[test]
fn broken_lines_are_signs_of_life() {
    let mut opencode = Opencode::new();
    for line in broken_lines() {
        let heard = opencode.read(line.clone());
        assert!(matches!(&heard.events[..], [AgentEvent::Other { .. }]), "{line:.40}: {heard:?}");
    }
}

#[test]
fn its_configuration_is_laid_over_the_users() {
    let mut opencode = Opencode::new();
    let config = |program: &AgentProgram| -> Value {
        let (_, text) = program.env.iter().find(|(name, _)| name == "OPENCODE_CONFIG_CONTENT").unwrap();
        serde_json::from_str(text.to_str().unwrap()).unwrap()
    };
    let program = opencode.program(&Ground::new().start(false));
    assert_eq!(arguments(&program)[..3], ["run", "--format", "json"]);
    let found = config(&program);
    assert_eq!(found["mcp"]["features"]["command"], json!(["/x/cogwork", "mcp", "--features", "7"]));
    let path = "/s/opencode/COGWORK_TOKEN";
    let env = json!({ "HOME": "/home/ann", "COGWORK_TOKEN": format!("{{file:{path}}}") });
    assert_eq!(found["mcp"]["features"]["environment"], env);
    assert_eq!(program.files, [(path.into(), Content::Text("9-secret".to_owned()))]);
    assert_eq!(found["permission"], json!({ "*": "allow" }));
    let plans = Ground { role: Role::Initializer, ..Ground::new() };
    assert_eq!(config(&opencode.program(&plans.start(false)))["permission"]["bash"], "deny");
}

#[test]
fn a_second_life_goes_on_with_the_first_and_without_it_begins_anew() {
    let (mut opencode, _) = heard(&capture("opencode-1.18.33--401"));
    let ground = Ground::new();
    let args = arguments(&opencode.program(&ground.start(true)));
    assert_eq!(args[args.len() - 2..], ["--session", "ses_e070015baffemiLyc8kiDQgnuo"]);
    assert_eq!(word(&outcome(&opencode, &exited(1, "Error: Session not found"))), "Transient");
    assert!(!opencode.can_resume());
    assert!(!arguments(&opencode.program(&ground.start(false))).contains(&"--session".to_owned()));
}
