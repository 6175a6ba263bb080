//! The `--agent` of the command line.

use std::fmt;
use std::str::FromStr;

use super::{claude, codex, gemini, opencode};

/// Which agent a session starts, as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentSpec {
    /// The built-in agent that plays a script; no model, no cost.
    Scripted,
    /// Any command: prompt on stdin, ids and the MCP configuration in its environment.
    Exec { command: String },
    /// Claude Code.
    Claude,
    /// OpenAI Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// OpenCode.
    Opencode,
    /// Any agent that speaks the Agent Client Protocol.
    Acp { command: String },
    /// Whichever is installed.
    Auto,
}

/// The word after `--agent` names no agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownAgent {
    /// Not one of the known words.
    #[error(
        "unknown agent `{word}`; use scripted, exec:CMD, claude, codex, gemini, opencode, acp:CMD or auto"
    )]
    Word { word: String },
    /// `exec:` or `acp:` with nothing behind it.
    #[error("the agent `{kind}:` needs a command behind the colon, for example `{kind}:sh my-agent.sh`")]
    NoCommand { kind: &'static str },
}

impl AgentSpec {
    /// Returns the names of the variables that its program needs, if they are set.
    pub(crate) fn wanted_env(&self) -> &'static [&'static str] {
        match self {
            Self::Claude => claude::WANTED,
            Self::Codex => codex::WANTED,
            Self::Gemini => gemini::WANTED,
            Self::Opencode => opencode::WANTED,
            // Which agent it is, nobody knows: `--pass-env` names what it needs.
            Self::Scripted | Self::Exec { .. } | Self::Acp { .. } | Self::Auto => &[],
        }
    }
}

impl AgentSpec {
    /// Returns what its program writes between sessions, below the home directory: its login, its conversations.
    pub(crate) fn keeps(&self) -> &'static [&'static str] {
        match self {
            Self::Claude => &[".claude", ".claude.json", ".cache/claude-cli-nodejs"],
            Self::Codex => &[".codex"],
            Self::Gemini => &[".gemini"],
            Self::Opencode => {
                &[".local/share/opencode", ".local/state/opencode", ".config/opencode", ".cache/opencode"]
            }
            Self::Scripted | Self::Exec { .. } | Self::Acp { .. } | Self::Auto => &[],
        }
    }

    /// Returns the variable that puts one of these directories elsewhere, and which.
    pub(crate) fn moves(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Claude => Some(("CLAUDE_CONFIG_DIR", ".claude")),
            Self::Codex => Some(("CODEX_HOME", ".codex")),
            Self::Gemini
            | Self::Opencode
            | Self::Scripted
            | Self::Exec { .. }
            | Self::Acp { .. }
            | Self::Auto => None,
        }
    }

    /// Returns what of that says which programs are run in later sessions, and is not an agent's to write.
    pub(crate) fn obeys(&self) -> &'static [&'static str] {
        match self {
            Self::Claude => &[
                ".claude/settings.json",
                ".claude/settings.local.json",
                ".claude/CLAUDE.md",
                ".claude/agents",
                ".claude/commands",
                ".claude/hooks",
                ".claude/plugins",
                ".claude/skills",
            ],
            Self::Codex => &[".codex/config.toml", ".codex/AGENTS.md", ".codex/prompts", ".codex/skills"],
            Self::Gemini => &[".gemini/settings.json", ".gemini/GEMINI.md", ".gemini/extensions"],
            Self::Opencode => &[".config/opencode/opencode.json", ".config/opencode/plugin"],
            Self::Scripted | Self::Exec { .. } | Self::Acp { .. } | Self::Auto => &[],
        }
    }
}

impl FromStr for AgentSpec {
    type Err = UnknownAgent;

    fn from_str(text: &str) -> Result<Self, UnknownAgent> {
        let command = |kind: &'static str, command: &str| match command.trim() {
            "" => Err(UnknownAgent::NoCommand { kind }),
            command => Ok(command.to_owned()),
        };
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("exec:") {
            return command("exec", rest).map(|command| Self::Exec { command });
        }
        if let Some(rest) = text.strip_prefix("acp:") {
            return command("acp", rest).map(|command| Self::Acp { command });
        }
        match text {
            "scripted" => Ok(Self::Scripted),
            "exec" => Err(UnknownAgent::NoCommand { kind: "exec" }),
            "claude" => Ok(Self::Claude),
            "codex" => Ok(Self::Codex),
            "gemini" => Ok(Self::Gemini),
            "opencode" => Ok(Self::Opencode),
            "acp" => Err(UnknownAgent::NoCommand { kind: "acp" }),
            "auto" => Ok(Self::Auto),
            word => Err(UnknownAgent::Word { word: word.to_owned() }),
        }
    }
}

/// Prints what [`FromStr`] reads.
impl fmt::Display for AgentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scripted => f.write_str("scripted"),
            Self::Exec { command } => write!(f, "exec:{command}"),
            Self::Claude => f.write_str("claude"),
            Self::Codex => f.write_str("codex"),
            Self::Gemini => f.write_str("gemini"),
            Self::Opencode => f.write_str("opencode"),
            Self::Acp { command } => write!(f, "acp:{command}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}
