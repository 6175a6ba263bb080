use super::*;
use crate::Environment;

fn parse(text: &str) -> Result<AgentSpec, String> {
    text.parse().map_err(|error: UnknownAgent| error.to_string())
}

#[test]
fn every_agent_is_printed_as_it_is_read() {
    for word in
        ["scripted", "exec:sh a.sh -x", "claude", "codex", "gemini", "opencode", "acp:goose acp", "auto"]
    {
        assert_eq!(parse(word).unwrap().to_string(), word);
    }
}

#[test]
fn an_unknown_agent_is_answered_with_the_known_ones() {
    assert_eq!(
        parse("cluade").unwrap_err(),
        "unknown agent `cluade`; use scripted, exec:CMD, claude, codex, gemini, opencode, acp:CMD or auto"
    );
    assert!(parse("exec: ").unwrap_err().contains("needs a command"));
    assert!(parse("acp").unwrap_err().contains("needs a command"));
}

fn preflight_of(agent: &str, script: Option<&Path>) -> Result<(), String> {
    let environment = Environment::of(&[("PATH", "/usr/bin:/bin")], &[]);
    preflight(&parse(agent).unwrap(), script, &AgentSettings::default(), &environment)
        .map_err(|error| error.to_string())
}

#[test]
fn agents_of_a_later_version_are_refused_in_a_sentence() {
    for agent in ["codex", "gemini", "opencode", "auto", "acp:x"] {
        let expected = format!(
            "the agent `{agent}` is not supported by this version yet: use claude, exec:CMD or scripted"
        );
        assert_eq!(preflight_of(agent, None).unwrap_err(), expected);
    }
}

#[test]
fn a_known_agent_has_to_be_installed() {
    let error = preflight_of("claude", None).unwrap_err();
    assert!(
        error.starts_with("the agent `claude` is not installed: its program `claude` was not found"),
        "{error}"
    );
    let settings = AgentSettings { program: Some("/bin/sh".into()), ..AgentSettings::default() };
    assert!(preflight(&AgentSpec::Claude, None, &settings, &Environment::of(&[], &[])).is_ok());
}

#[test]
fn a_program_that_is_surely_missing_is_named() {
    for agent in ["exec:no-such-agent --fast", "exec:/no/such/agent"] {
        let error = preflight_of(agent, None).unwrap_err();
        assert!(error.contains("no-such-agent") || error.contains("/no/such/agent"), "{error}");
        assert!(error.contains("was not found"), "{error}");
    }
}

#[test]
fn what_cannot_be_known_is_not_refused() {
    for agent in [
        "exec:sh agent.sh",
        "exec:/bin/sh agent.sh",
        "exec:./agent-of-the-project",
        "exec:tools/agent",
        "exec:FAST=1 no-such-agent",
        "exec:$HOME/agent",
        "exec:(no-such-agent)",
        "exec:if true; then no-such-agent; fi",
        "exec:cd sub && no-such-agent",
    ] {
        assert_eq!(preflight_of(agent, None), Ok(()), "{agent}");
    }
}

#[test]
fn the_scripted_agent_needs_a_script_that_can_be_played() {
    assert!(preflight_of("scripted", None).unwrap_err().contains("--script FILE"));
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script.toml");
    assert!(preflight_of("scripted", Some(&script)).unwrap_err().contains("script.toml"));
    std::fs::write(&script, "a = [{ move = 'dance' }]").unwrap();
    assert!(preflight_of("scripted", Some(&script)).unwrap_err().contains("dance"));
    std::fs::write(&script, "a = [{ move = 'mark_passing' }]").unwrap();
    assert_eq!(preflight_of("scripted", Some(&script)), Ok(()));
}

#[test]
fn the_scripted_agent_is_this_program_again() {
    let programs = Programs { mcp: vec![], agent: vec!["/x/cogwork".into(), "agent".into()] };
    let mut backend = backend(&AgentSpec::Scripted, Some(Path::new("/s.toml")), &programs).unwrap();
    let settings = AgentSettings::default();
    let mcp_config = Path::new("/s/mcp.json");
    let start = Start { role: Role::Coding, settings: &settings, mcp_config, resumes: false };
    let program = backend.program(&start);
    assert_eq!(program.program, "/x/cogwork");
    assert_eq!(program.args, ["agent", "play", "--script", "/s.toml"]);
    let text = Heard::event(AgentEvent::Text { text: "hi".into() });
    assert_eq!(backend.read(r#"{"kind":"text","text":"hi"}"#.into()), text);
    assert_eq!(backend.read("hi".into()), Heard::other("hi".into()));
}
