use serde_json::json;

use super::*;

fn turn(value: Value) -> Turn {
    Turn::read(&planned(value)).unwrap()
}

#[test]
fn a_message_with_wishes_in_order() {
    let turn = turn(
        json!({"text": "hi", "shell": "ls", "tool": {"name": "*x"}, "write": {"path": "p", "content": "c"},
                           "usage": {"input": 7}, "delay": 0.5}),
    );
    assert_eq!(turn.delay, Duration::from_millis(500));
    let Play::Message(message) = turn.play else { panic!("no message") };
    assert_eq!(
        message.wishes,
        [
            Wish::Tool { name: "*x".into(), input: json!({}) },
            Wish::Shell("ls".into()),
            Wish::Write { path: "p".into(), content: "c".into() },
        ]
    );
    assert_eq!(message.usage.unwrap(), Tokens { input: 7, ..Tokens::default() });
}

#[test]
fn errors_short_and_long() {
    let short = turn(json!({"error": 429, "retry_after": 2}));
    assert_eq!(short.headers["retry-after"], "2");
    assert_eq!(short.play, Play::Refusal(refusal_of(429, None, "mock error 429")));
    let long = turn(json!({"error": {"status": 529, "type": "t", "message": "m", "headers": {"x-a": 5}}}));
    assert_eq!(long.headers["x-a"], "5");
    assert_eq!(long.play, Play::Refusal(refusal_of(529, Some("t"), "m")));
}

fn refusal_of(status: u16, kind: Option<&str>, message: &str) -> Refusal {
    Refusal { status, kind: kind.map(Into::into), message: message.into(), body: None }
}

#[test]
fn every_way_to_break_a_stream() {
    for (kind, breakage) in [
        ("disconnect", Breakage::Disconnect),
        ("end", Breakage::End),
        ("garbage", Breakage::Garbage),
        ("hang", Breakage::Hang(Duration::from_secs(3_600))),
        ("error", Breakage::Error(refusal_of(529, None, "Overloaded"))),
    ] {
        let Play::Message(message) = turn(json!({"text": "x", "fault": {"kind": kind, "after": 4}})).play
        else {
            panic!("{kind}")
        };
        assert_eq!(message.fault, Some(Fault { after: 4, breakage }));
    }
    assert_eq!(turn(json!({"hang": 3})).play, Play::Hang(Duration::from_secs(3)));
    let raw = Play::Raw { status: 200, content_type: "text/html".into(), body: "<html>".into() };
    assert_eq!(turn(json!({"raw": "<html>", "content_type": "text/html"})).play, raw);
}

#[test]
fn a_mistake_is_told_at_the_start_with_its_place() {
    for (text, words) in [
        (r#"{"turns": [{"text": "a"}, {"txet": "b"}]}"#, "turn 1 of the scenario `default`"),
        (r#"{"turns": [{"if_result": "("}]}"#, "`(` is no regular expression"),
        (r#"{"tunrs": []}"#, "the file is no script"),
        (r#"{"scenarios": {}, "select": [{"prompt": "a", "scenario": "b"}]}"#, "no scenario `b`"),
    ] {
        let error = Scripts::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_opening_prompt_chooses() {
    let scripts = Scripts::parse(
        r#"{"scenarios": {"default": {}, "full": {"turns": [{"error": 429, "times": 0}]}},
            "select": [{"prompt": "SCENARIO=full\\b", "scenario": "full"}]}"#,
    );
    let scripts = scripts.unwrap();
    assert_eq!(scripts.choose("do it, SCENARIO=full"), "full");
    assert_eq!(scripts.choose("do it, SCENARIO=fuller"), "default");
}
