//! Real output of two versions, line by line, and what it comes to.

use cogwork_schemas::AgentEvent;

use super::*;
use crate::agent::AgentSettings;
use crate::agent::tests::Ground;
use crate::machine::Ending;

const VERSIONS: [&str; 2] = ["2.1.197", "2.1.329"];

/// What each capture comes to, with the exit code that its process had (128 + n after signal n) and the last of its
/// words on stderr, where they count. A capture whose versions differ is named with its version.
const OUTCOMES: &[(&str, i32, &str)] = &[
    ("success-text", 0, "Completed"),
    ("success-feature-mcp-bash-write", 0, "Completed"),
    ("partial-messages", 0, "Completed"),
    ("usage-allowed", 0, "Completed"),
    ("usage-warning", 0, "Completed"),
    ("limit-five-hour", 1, "UsageLimit at five_hour"),
    ("limit-seven-day", 1, "UsageLimit at seven_day"),
    ("limit-seven-day-opus", 1, "UsageLimit at seven_day_opus"),
    ("limit-out-of-credits", 1, "UsageLimit at five_hour"),
    ("limit-mid-session", 1, "UsageLimit at five_hour"),
    ("throttled-subscription-429", 1, "Throttled"),
    ("throttled-key-429-exhausted", 1, "Throttled"),
    ("throttled-key-429-then-ok", 0, "Completed"),
    ("throttled-key-429-retry-after-120", 1, "Throttled"),
    ("overloaded-529", 1, "Transient"),
    ("overloaded-529-fallback-model", 0, "Completed"),
    ("server-error-500", 1, "Transient"),
    ("bad-key-401", 1, "Auth"),
    ("forbidden-403", 1, "Auth"),
    ("no-credit-400", 1, "Billing"),
    ("context-full-400", 1, "ContextFull"),
    ("no-such-model-404", 1, "Config"),
    ("2.1.197--refusal", 1, "ReportedError"),
    ("2.1.329--refusal", 0, "Completed"),
    ("not-logged-in", 1, "Auth"),
    ("connection-refused", 1, "Transient"),
    ("no-answer-timeout", 1, "Transient"),
    ("html-200", 1, "Transient"),
    ("stream-garbage", 0, "Completed"),
    ("permission-denied", 0, "Completed"),
    ("mcp-failed", 0, "Completed"),
    ("mcp-pending", 0, "Completed"),
    ("mcp-tool-error", 0, "Completed"),
    ("max-turns", 1, "TurnLimit"),
    ("max-budget", 1, "BudgetSpent"),
    ("resume-missing", 1, "ReportedError"),
    ("2.1.197--background-task-at-end", 0, "Completed"),
    // It was killed while its task went on; it had said that it was through.
    ("2.1.329--background-task-at-end", 137, "Completed"),
    ("sigterm-in-bash", 143, "Killed"),
    ("2.1.197--sigint-in-bash", 1, "ReportedError"),
    ("2.1.329--sigint-in-bash", 0, "ReportedError"),
    ("sigterm-waiting-for-model", 143, "Killed"),
    ("sigint-waiting-for-model", 0, "Failed"),
];

fn capture(name: &str) -> String {
    let path = format!("{}/samples/claude-{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn heard(name: &str) -> (Claude, Vec<Heard>) {
    let mut claude = Claude::new();
    let heard = capture(name).lines().map(|line| claude.read(line.to_owned())).collect();
    (claude, heard)
}

fn now() -> Timestamp {
    "2026-11-20T12:50:00Z".parse().unwrap()
}

fn exit(code: i32) -> Exit {
    Exit { ending: Ending::Code(code), stderr_tail: String::new() }
}

fn word(outcome: &SessionOutcome) -> String {
    if let SessionOutcome::UsageLimit { resets_at, window } = outcome {
        assert!(resets_at.is_none_or(|at| at > now() - jiff::SignedDuration::from_hours(1)), "{outcome:?}");
        assert!(window.is_none() || resets_at.is_some());
        return window.as_ref().map_or("UsageLimit".to_owned(), |window| format!("UsageLimit at {window}"));
    }
    let text = format!("{outcome:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_capture_comes_to_what_it_was() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (name, code, expected) in OUTCOMES {
        let files: Vec<String> = if name.starts_with("2.") {
            vec![(*name).to_owned()]
        } else {
            VERSIONS.iter().map(|version| format!("{version}--{name}")).collect()
        };
        for file in files {
            seen += 1;
            let (claude, _) = heard(&file);
            let found = word(&claude.outcome(&exit(*code), now(), &TimeZone::UTC));
            if found != *expected {
                wrong.push(format!("{file}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The captures of its conversation mode are of a way to drive it that is not used.
    let all = std::fs::read_dir(format!("{}/samples", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mine = names.filter(|name| name.starts_with("claude-") && !name.contains("stream-input"));
    assert_eq!(mine.count(), seen, "a capture is in no row of the table");
}

#[test]
fn what_is_hopeless_is_known_at_once() {
    let hopeless = |name: &str| {
        let (_, heard) = heard(name);
        heard.into_iter().enumerate().find_map(|(line, heard)| Some((line, word(&heard.hopeless?))))
    };
    for version in VERSIONS {
        let of = |name: &str| hopeless(&format!("{version}--{name}"));
        assert_eq!(of("mcp-failed"), Some((0, "Config".to_owned())));
        // The newer one waits for a server that is to be loaded always.
        let pending = (version == "2.1.197").then(|| (0, "Config".to_owned()));
        assert_eq!(of("mcp-pending"), pending);
        assert_eq!(of("bad-key-401"), Some((1, "Auth".to_owned())));
        assert_eq!(of("success-feature-mcp-bash-write"), None);
        assert_eq!(of("server-error-500"), None);
        assert_eq!(of("throttled-key-429-then-ok"), None);
    }
    let old = r#"{"type":"system","subtype":"init","session_id":"x","claude_code_version":"1.0.128","mcp_servers":[]}"#;
    let told = Claude::new().read(old.to_owned()).hopeless.unwrap().to_string();
    assert!(told.contains("Claude Code 1.0.128 is too old"), "{told}");
}

#[test]
fn a_whole_feature_is_read_as_what_happened() {
    for version in VERSIONS {
        let (claude, heard) = heard(&format!("{version}--success-feature-mcp-bash-write"));
        let events: Vec<AgentEvent> = heard.into_iter().flat_map(|heard| heard.events).collect();
        let tools: Vec<&str> = events
            .iter()
            .filter_map(|event| {
                let AgentEvent::ToolCall { tool, .. } = event else { return None };
                Some(tool.as_str())
            })
            .collect();
        assert_eq!(
            tools,
            ["mcp__features__feature_get_by_id", "Bash", "Write", "mcp__features__feature_mark_passing"]
        );
        assert!(matches!(&events[0], AgentEvent::Started { version: Some(found), .. } if found == version));
        assert!(matches!(events.last(), Some(AgentEvent::Result { ok: true, .. })));
        assert!(claude.can_resume());
    }
}

#[test]
fn prose_is_no_evidence() {
    for text in [
        "You've hit your 5-hour limit · resets 1:13pm (UTC)",
        "API Error: 429 Too Many Requests",
        "All features are passing.",
        "Quota exceeded. Invalid API key. Prompt is too long.",
    ] {
        let block = serde_json::json!({"type": "text", "text": text});
        let said = serde_json::json!({"type": "assistant", "message": {"model": "m", "content": [block]}});
        let tool = serde_json::json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "tool_use_id": "t", "content": text, "is_error": true}]}});
        let done =
            serde_json::json!({"type": "result", "subtype": "success", "is_error": false, "result": text});
        let mut claude = Claude::new();
        for line in [&said, &tool, &done] {
            assert_eq!(claude.read(line.to_string()).hopeless, None);
        }
        assert_eq!(claude.outcome(&exit(0), now(), &TimeZone::UTC), SessionOutcome::Completed, "{text}");
    }
}

#[test]
fn what_it_says_before_it_is_up_is_about_its_command_line() {
    let ended = |code, stderr: &str| {
        let exit = Exit { ending: Ending::Code(code), stderr_tail: stderr.to_owned() };
        Claude::new().outcome(&exit, now(), &TimeZone::UTC)
    };
    let config = ended(1, "some warning\nerror: unknown option '--frobnicate'");
    assert_eq!(config, SessionOutcome::Config { reason: "error: unknown option '--frobnicate'".to_owned() });
    assert_eq!(word(&ended(1, "Invalid API key · Please run /login")), "Auth");
    let killed = Exit { ending: Ending::Signal(9), stderr_tail: String::new() };
    assert_eq!(word(&Claude::new().outcome(&killed, now(), &TimeZone::UTC)), "Killed");
}

#[test]
fn broken_lines_are_signs_of_life() {
    let mut claude = Claude::new();
    let deep = "[".repeat(100_000);
    for line in ["", "{", "null", "[]", "7", r#"{"type":3}"#, r#"{"type":"news"}"#, "{}{}", "\u{fffd}", &deep]
    {
        let heard = claude.read(line.to_owned());
        assert!(matches!(&heard.events[..], [AgentEvent::Other { .. }]), "{line:.20}: {heard:?}");
        assert_eq!(heard.hopeless, None);
    }
}

#[test]
fn a_second_life_goes_on_with_the_first_and_forgets_its_failure() {
    let (mut claude, _) = heard("2.1.329--limit-five-hour");
    let settings =
        AgentSettings { model: Some("m".to_owned()), max_turns: Some(9), ..AgentSettings::default() };
    let ground = Ground { settings, ..Ground::new() };
    let start = |resumes| ground.start(resumes);
    let args = |program: &AgentProgram| -> Vec<String> {
        program.args.iter().map(|arg| arg.clone().into_string().unwrap()).collect()
    };
    let resumed = claude.program(&start(true));
    assert!(args(&resumed).contains(&"--resume".to_owned()));
    assert_eq!(word(&claude.outcome(&exit(143), now(), &TimeZone::UTC)), "Config");
    let anew = args(&claude.program(&start(false)));
    assert!(!anew.contains(&"--resume".to_owned()));
    let joined = anew.join(" ");
    assert!(joined.contains("--strict-mcp-config --setting-sources  --permission-mode dontAsk"), "{joined}");
    assert!(joined.contains("--model m --max-turns 9 --settings {"), "{joined}");
    assert!(joined.ends_with("--mcp-config /s/mcp.json"), "{joined}");
    let settings: Value =
        serde_json::from_str(&anew[anew.iter().position(|arg| arg == "--settings").unwrap() + 1]).unwrap();
    let asked = &settings["hooks"]["PreToolUse"][0];
    assert_eq!(
        (asked["matcher"].as_str(), asked["hooks"][0]["onFailure"].as_str()),
        (Some("*"), Some("block"))
    );
    assert_eq!(asked["hooks"][0]["command"], "'c' 'hook' || exit 2");
}
