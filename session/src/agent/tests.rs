use super::*;
use crate::Environment;

/// Everything that a life begins with, somewhere.
pub(super) struct Ground {
    pub(super) role: Role,
    pub(super) settings: AgentSettings,
    pub(super) mcp: McpServer,
    pub(super) dir: PathBuf,
    pub(super) env: Vec<(OsString, OsString)>,
}

impl Ground {
    pub(super) fn new() -> Self {
        let env = [("HOME", "/home/ann"), ("COGWORK_TOKEN", "9-secret")];
        let without_token = &env[..1];
        let mcp = McpServer {
            command: "/x/cogwork".to_owned(),
            args: ["mcp", "--features", "7"].map(str::to_owned).to_vec(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        Self {
            role: Role::Coding,
            settings: AgentSettings::default(),
            mcp,
            dir: "/s".into(),
            env: without_token.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        }
    }

    pub(super) fn start(&self, resumes: bool) -> Start<'_> {
        Start {
            role: self.role,
            settings: &self.settings,
            prompt: "Work on feature 7.",
            mcp: &self.mcp,
            mcp_config: Path::new("/s/mcp.json"),
            dir: &self.dir,
            workspace: Path::new("/w"),
            env: &self.env,
            hook: Some("'c' 'hook' || exit 2"),
            resumes,
        }
    }
}

/// Returns the arguments of a program; the token is neither in them nor in what its own programs inherit.
pub(super) fn arguments(program: &AgentProgram) -> Vec<String> {
    let args: Vec<String> = program.args.iter().map(|arg| arg.clone().into_string().unwrap()).collect();
    assert!(args.iter().all(|arg| !arg.contains("secret")), "`ps` shows {args:?}");
    assert!(program.env.iter().all(|(_, value)| !value.to_string_lossy().contains("secret")), "{program:?}");
    args
}

/// Returns a real capture.
pub(super) fn capture(name: &str) -> String {
    let path = format!("{}/samples/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Has a backend read a text, line by line.
pub(super) fn hear<B: Backend>(mut backend: B, text: &str) -> (B, Vec<Heard>) {
    let heard = text.lines().map(|line| backend.read(line.to_owned())).collect();
    (backend, heard)
}

/// Returns what the end of a life means that was captured.
pub(super) fn outcome(backend: &impl Backend, exit: &Exit) -> SessionOutcome {
    backend.outcome(exit, then(), &TimeZone::UTC)
}

/// Returns the tools that were called, in order.
pub(super) fn tools(events: &[AgentEvent]) -> Vec<&str> {
    let calls = events.iter().filter_map(|event| {
        let AgentEvent::ToolCall { tool, .. } = event else { return None };
        Some(tool.as_str())
    });
    calls.collect()
}

/// Returns the names of the captures that begin so.
pub(super) fn captures(prefix: &str) -> Vec<String> {
    let all = std::fs::read_dir(format!("{}/samples", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| Some(name.strip_prefix(prefix)?.strip_suffix(".jsonl")?.to_owned())).collect()
}

/// When captures were made, about.
pub(super) fn then() -> Timestamp {
    "2026-11-20T12:50:00Z".parse().unwrap()
}

/// Returns an outcome as a word, a usage limit with its window and how many minutes it lasts.
pub(super) fn word(outcome: &SessionOutcome) -> String {
    if let SessionOutcome::UsageLimit { resets_at, window } = outcome {
        let minutes = resets_at.map(|at| at.duration_since(then()).as_mins());
        return format!("UsageLimit {window:?} {minutes:?}");
    }
    let text = format!("{outcome:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

pub(super) fn exited(code: i32, stderr_tail: &str) -> Exit {
    Exit { ending: crate::machine::Ending::Code(code), stderr_tail: stderr_tail.to_owned() }
}

/// Lines that no backend may stumble over: each is a sign of life and nothing more.
pub(super) fn broken_lines() -> Vec<String> {
    let cut = format!("{{\"type\":\"result\",\"x\":\"{}… (99 bytes cut)", "y".repeat(1 << 20));
    let glued =
        r#"{"type":"turn.failed","err{"type":"turn.failed","error":{"message":"429 Too Many Requests"}}"#;
    ["", "{", "null", "[]", "7", r#"{"type":3}"#, r#"{"type":"news"}"#, "{}{}", "\u{fffd}", "\u{0}", glued]
        .map(str::to_owned)
        .into_iter()
        .chain(["[".repeat(100_000), cut])
        .collect()
}

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
    let spec = parse(agent).unwrap();
    let found = preflight(&spec, script, &AgentSettings::default(), &environment);
    found.map(|same| assert_eq!(same, spec)).map_err(|error| error.to_string())
}

#[test]
fn auto_is_the_first_agent_that_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let chosen = || {
        let path = dir.path().to_str().unwrap();
        let environment = Environment::of(&[("PATH", path)], &[]);
        preflight(&AgentSpec::Auto, None, &AgentSettings::default(), &environment)
    };
    let error = chosen().unwrap_err().to_string();
    assert!(error.contains("none of `claude`, `codex`, `gemini`, `opencode` was found on PATH"), "{error}");
    for (program, expected) in
        [("opencode", "opencode"), ("codex", "codex"), ("gemini", "codex"), ("claude", "claude")]
    {
        let path = dir.path().join(program);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(chosen().unwrap().to_string(), expected);
    }
    let settings = AgentSettings { program: Some("/bin/sh".into()), ..AgentSettings::default() };
    let error = preflight(&AgentSpec::Auto, None, &settings, &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("say which with --agent"), "{error}");
}

#[test]
fn an_agent_that_is_only_a_command_takes_no_model() {
    let settings = AgentSettings { model: Some("m".into()), ..AgentSettings::default() };
    let spec = AgentSpec::Acp { command: "sh".into() };
    let error = preflight(&spec, None, &settings, &Environment::default()).unwrap_err();
    assert!(error.to_string().contains("takes no --model"), "{error}");
}

#[test]
fn a_known_agent_has_to_be_installed() {
    for agent in ["claude", "codex", "gemini", "opencode"] {
        let settings = AgentSettings { program: Some("/no/such/agent".into()), ..AgentSettings::default() };
        let error = preflight(&parse(agent).unwrap(), None, &settings, &Environment::default())
            .unwrap_err()
            .to_string();
        let expected =
            format!("the agent `{agent}` is not installed: its program `/no/such/agent` was not found");
        assert!(error.starts_with(&expected), "{error}");
    }
    let settings = AgentSettings { program: Some("/bin/sh".into()), ..AgentSettings::default() };
    assert!(preflight(&AgentSpec::Claude, None, &settings, &Environment::of(&[], &[])).is_ok());
}

#[test]
fn a_program_that_is_surely_missing_is_named() {
    for agent in ["exec:no-such-agent --fast", "exec:/no/such/agent", "acp:no-such-agent acp"] {
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
    let program = backend.program(&Ground::new().start(false));
    assert_eq!(program.program, "/x/cogwork");
    assert_eq!(program.args, ["agent", "play", "--script", "/s.toml"]);
    let text = Heard::event(AgentEvent::Text { text: "hi".into() });
    assert_eq!(backend.read(r#"{"kind":"text","text":"hi"}"#.into()), text);
    assert_eq!(backend.read("hi".into()), Heard::other("hi".into()));
}
