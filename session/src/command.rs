//! The command line of one session: written and read in this one file, so that both sides agree.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use cogwork_schemas::{FeatureId, Isolation, Role, SessionId, Token};
use cogwork_store::AttemptLimits;
use jiff::SignedDuration;

use crate::machine::{Limits, MEGABYTE, Policy};
use crate::{AgentSettings, AgentSpec, Environment, Programs, environment};

/// Everything a runner process has to be told to run one session of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionCommand {
    /// The project directory, absolute.
    pub project: PathBuf,
    /// From the claim.
    pub session: SessionId,
    /// From the claim.
    pub feature: FeatureId,
    /// From the claim. It travels in the environment, where `ps` does not show it.
    pub token: Token,
    pub role: Role,
    pub agent: AgentSpec,
    /// What the scripted agent plays, absolute.
    pub script: Option<PathBuf>,
    pub isolation: Isolation,
    /// The commit that the workspace starts from; `None` for what is checked out in the project.
    pub base: Option<String>,
    /// How many features the session may have, one after the other; the first is given.
    pub batch: u32,
    /// The agent tries nothing out by itself; the checks decide as ever.
    pub yolo: bool,
    /// After how many failed attempts a feature is parked: what is given back through the MCP server counts, too.
    pub attempts: u32,
    pub limits: SessionLimits,
    pub settings: AgentSettings,
    /// Names of variables that the agent sees beyond the allow list.
    pub pass_env: Vec<String>,
}

/// What a session does at a usage limit of its agent's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnLimit {
    /// Waits for its reset and goes on.
    Wait,
    /// Ends.
    Stop,
}

impl OnLimit {
    /// Returns the word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Stop => "stop",
        }
    }
}

/// The limits of one session.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SessionLimits {
    /// Stop the agent after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_session_s: u32,
    /// Stop the agent after so many seconds without any output
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_silence_s: u32,
    /// Stop the agent after so many seconds of signs of life without doing anything
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_idle_s: u32,
    /// Stop the agent when it does not end within so many seconds of saying that it is through
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub after_result_s: u32,
    /// Stop the agent when it and its programs have more than so many megabytes of memory [default: no limit]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..))]
    pub memory_limit_mb: Option<u32>,
    /// What to do at a usage limit of the agent's account: wait for its reset, or stop
    #[arg(long, value_name = "WHAT", default_value = "wait")]
    pub on_limit: OnLimit,
    /// Begin at most so many seconds after a limit's reset, so that not everybody comes back at once
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub limit_jitter_s: u32,
    /// Kill the agent when it does not end within so many seconds of being told to
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    pub grace_s: u32,
    /// Let the claim expire when this process has not renewed it for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub lease_s: u32,
}

impl Default for SessionLimits {
    fn default() -> Self {
        // As the command line says, which tests hold equal.
        Self {
            max_session_s: 3600,
            max_silence_s: 900,
            max_idle_s: 1800,
            after_result_s: 60,
            memory_limit_mb: None,
            on_limit: OnLimit::Wait,
            limit_jitter_s: 120,
            grace_s: 4,
            lease_s: 60,
        }
    }
}

impl SessionLimits {
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            waits_for_limits: self.on_limit == OnLimit::Wait,
            jitter: SignedDuration::from_secs(i64::from(self.limit_jitter_s)),
        }
    }

    pub fn durations(&self) -> Limits {
        let seconds = |seconds: u32| SignedDuration::from_secs(i64::from(seconds));
        Limits {
            max_session: seconds(self.max_session_s),
            max_silence: seconds(self.max_silence_s),
            max_idle: seconds(self.max_idle_s),
            after_result: seconds(self.after_result_s),
            max_memory: self.memory_limit_mb.map(|limit| u64::from(limit) * MEGABYTE),
            grace: seconds(self.grace_s),
            lease: seconds(self.lease_s),
        }
    }
}

impl SessionCommand {
    /// Returns the program and its arguments.
    pub fn argv(&self, programs: &Programs) -> Vec<OsString> {
        let mut argv = programs.agent.clone();
        argv.push("session".into());
        let mut push = |flag: &str, value: OsString| argv.extend([flag.into(), value]);
        push("--project-dir", self.project.clone().into_os_string());
        push("--session", self.session.0.to_string().into());
        push("--feature", self.feature.0.to_string().into());
        push("--role", self.role.word().into());
        push("--agent", self.agent.to_string().into());
        push("--isolation", isolation_word(self.isolation).into());
        if let Some(base) = &self.base {
            push("--base", base.into());
        }
        if let Some(script) = &self.script {
            push("--script", script.into());
        }
        if self.batch > 1 {
            push("--batch-size", self.batch.to_string().into());
        }
        push("--attempts", self.attempts.to_string().into());
        let limits = &self.limits;
        push("--max-session-s", limits.max_session_s.to_string().into());
        push("--max-silence-s", limits.max_silence_s.to_string().into());
        push("--max-idle-s", limits.max_idle_s.to_string().into());
        push("--after-result-s", limits.after_result_s.to_string().into());
        if let Some(limit) = limits.memory_limit_mb {
            push("--memory-limit-mb", limit.to_string().into());
        }
        push("--on-limit", limits.on_limit.word().into());
        push("--limit-jitter-s", limits.limit_jitter_s.to_string().into());
        push("--grace-s", limits.grace_s.to_string().into());
        push("--lease-s", limits.lease_s.to_string().into());
        for (flag, value) in self.settings.flags() {
            push(flag, value);
        }
        if !self.pass_env.is_empty() {
            push("--pass-env", self.pass_env.join(",").into());
        }
        if self.yolo {
            argv.push("--yolo".into());
        }
        argv
    }

    /// Returns the complete environment of the process: the allowed part of `own`, the token, and the marker by
    /// which a sweep finds it.
    pub fn env(&self, own: &Environment) -> Vec<(OsString, OsString)> {
        let mut env = own.allowed(&self.pass_env);
        env.extend(own.named(self.agent.wanted_env()));
        if let Some(log) = own.get(environment::LOG) {
            env.push((environment::LOG.into(), log.to_owned()));
        }
        env.push((environment::TOKEN.into(), self.token.reveal().into()));
        env.push((environment::MARKER.into(), environment::marker(&self.project, self.session).into()));
        env
    }
}

fn isolation_word(isolation: Isolation) -> &'static str {
    match isolation {
        Isolation::Workspace => "workspace",
        Isolation::Shared => "shared",
    }
}

/// Run one session of one claimed feature, for an orchestrator
///
/// The attempt's token is read from COGWORK_TOKEN. stdout carries one JSON message per line, stdin takes one JSON
/// control message per line and means stop when it ends; stderr is for people.
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner session", version)]
pub struct SessionFlags {
    /// The project's directory
    #[arg(long, value_name = "DIR")]
    project_dir: PathBuf,
    /// The session's number, from the claim
    #[arg(long, value_name = "N")]
    session: SessionId,
    /// The claimed feature
    #[arg(long, value_name = "ID")]
    feature: FeatureId,
    /// What the session is for
    #[arg(long, default_value = "coding", value_parser = role_with_feature)]
    role: Role,
    /// The agent, as `cogwork run` names it
    #[arg(long, value_name = "AGENT")]
    agent: AgentSpec,
    /// What the scripted agent plays
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Where the agent works: workspace or shared
    #[arg(long, value_name = "WHERE", default_value = "workspace", value_parser = isolation)]
    isolation: Isolation,
    /// The commit that the workspace starts from [default: what is checked out in the project]
    #[arg(long, value_name = "COMMIT")]
    base: Option<String>,
    /// How many features the session may have, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: u32,
    /// Have the agent write its code and hand it in without trying it out; the checks decide as ever
    #[arg(long)]
    yolo: bool,
    /// Park a feature after so many failed attempts
    #[arg(long, value_name = "N", default_value_t = AttemptLimits::default().attempts, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    #[command(flatten)]
    limits: SessionLimits,
    #[command(flatten)]
    settings: AgentSettings,
    /// Let the agent see these variables, too
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pass_env: Vec<String>,
}

impl SessionFlags {
    /// Returns the command that these flags and this token are.
    pub fn with_token(self, token: Token) -> SessionCommand {
        SessionCommand {
            project: self.project_dir,
            session: self.session,
            feature: self.feature,
            token,
            role: self.role,
            agent: self.agent,
            script: self.script,
            isolation: self.isolation,
            base: self.base,
            batch: self.batch_size,
            yolo: self.yolo,
            attempts: self.attempts,
            limits: self.limits,
            settings: self.settings,
            pass_env: self.pass_env,
        }
    }
}

/// Reads a role of sessions that are for a feature.
pub fn role_with_feature(word: &str) -> Result<Role, String> {
    match word {
        "coding" => Ok(Role::Coding),
        "testing" => Ok(Role::Testing),
        "initializer" => Err("an initializer has no feature: it is started without `session`".to_owned()),
        _ => Err("no such role: use coding or testing".to_owned()),
    }
}

fn isolation(word: &str) -> Result<Isolation, String> {
    match word {
        "workspace" => Ok(Isolation::Workspace),
        "shared" => Ok(Isolation::Shared),
        _ => Err("use workspace or shared".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> SessionCommand {
        SessionCommand {
            project: "/p q".into(),
            session: SessionId(4),
            feature: FeatureId(7),
            token: Token::new("9-secret"),
            role: Role::Coding,
            agent: AgentSpec::Exec { command: "sh a.sh --x y".into() },
            script: Some("/s.toml".into()),
            isolation: Isolation::Shared,
            base: Some("abc".into()),
            batch: 3,
            yolo: true,
            attempts: 9,
            limits: SessionLimits {
                max_session_s: 1,
                max_silence_s: 2,
                max_idle_s: 5,
                after_result_s: 6,
                memory_limit_mb: Some(9),
                on_limit: OnLimit::Stop,
                limit_jitter_s: 7,
                grace_s: 0,
                lease_s: 4,
            },
            settings: AgentSettings {
                model: Some("m".into()),
                fallback_model: Some("f".into()),
                max_turns: Some(8),
                budget_usd: Some(0.25),
                program: Some("/p/agent".into()),
                policy: crate::PolicyChoice::File("/p/policy.toml".into()),
                sandbox: Some(cogwork_process::contain::SandboxChoice::Landlock),
                sandbox_write: vec!["~/.cargo".into(), "/c".into()],
            },
            pass_env: vec!["A".into(), "B".into()],
        }
    }

    fn read(argv: &[OsString]) -> SessionCommand {
        let flags = SessionFlags::try_parse_from(&argv[1..]).unwrap();
        flags.with_token(Token::new("9-secret"))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let programs = Programs::within("/x/cogwork");
        let argv = command().argv(&programs);
        assert_eq!(argv[..3], ["/x/cogwork", "agent", "session"]);
        assert_eq!(read(&argv[1..]), command());
        let bare = SessionCommand {
            script: None,
            base: None,
            batch: 1,
            yolo: false,
            pass_env: vec![],
            isolation: Isolation::Workspace,
            limits: SessionLimits::default(),
            ..command()
        };
        assert_eq!(read(&bare.argv(&programs)[1..]), bare);
    }

    #[test]
    fn the_defaults_of_the_command_line_are_the_defaults() {
        let argv = ["x", "--project-dir", "/p", "--session", "4", "--feature", "7", "--agent", "scripted"];
        let flags = SessionFlags::try_parse_from(argv).unwrap();
        assert_eq!(flags.limits, SessionLimits::default());
        assert_eq!((flags.isolation, flags.role), (Isolation::Workspace, Role::Coding));
    }

    #[test]
    fn the_token_is_in_the_environment_and_nowhere_else() {
        let own =
            Environment::of(&[("PATH", "/bin")], &[("SECRET", "x"), ("B", "b"), ("COGWORK_LOG", "debug")]);
        let env = command().env(&own);
        let expected = [
            ("PATH", "/bin"),
            ("B", "b"),
            ("COGWORK_LOG", "debug"),
            ("COGWORK_TOKEN", "9-secret"),
            ("COGWORK_MARKER", "/p q/.cogwork#s4"),
        ];
        assert_eq!(env, expected.map(|(key, value)| (key.into(), value.into())));
        let argv = command().argv(&Programs::within("/x"));
        assert!(argv.iter().all(|word| !word.to_string_lossy().contains("secret")));
    }
}
