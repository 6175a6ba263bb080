//! The clients: which file each one reads, how it is written, and what our entry in it says.
//!
//! Everything here was tried with the clients themselves, but for Cursor, whose documentation it follows. The
//! environment is read once and given in; no file is touched.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use cogwork_schemas::Role;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::edit::Syntax;

/// A program in which agents live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Client {
    Claude,
    Codex,
    Gemini,
    Opencode,
    Cursor,
}

/// For whom the server is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scope {
    /// For everybody who works in the project's directory; the entry names the project
    Project,
    /// For every project of this user; the server takes the project it is started in
    User,
}

/// Where this user's settings are, and what they can run.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    pub(super) home: PathBuf,
    pub(super) claude_config_dir: Option<PathBuf>,
    pub(super) codex_home: Option<PathBuf>,
    pub(super) gemini_home: Option<PathBuf>,
    pub(super) xdg_config_home: Option<PathBuf>,
    /// The directories in which programs are looked for.
    pub(super) path: Vec<PathBuf>,
}

/// How the server is started.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    /// Absolute: a launcher in between would leave the server behind when the client ends it.
    pub(super) program: String,
    /// Named in the entry, unless the client's own directory decides.
    pub(super) project: Option<String>,
    pub(super) role: Option<Role>,
    /// How long a call may take, in seconds: a call that asks whether a feature works runs its checks.
    pub(super) tool_timeout_s: u32,
}

impl Client {
    pub(super) const ALL: [Self; 5] = [Self::Claude, Self::Codex, Self::Gemini, Self::Opencode, Self::Cursor];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Cursor => "cursor",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Claude => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
            Self::Opencode => "OpenCode",
            Self::Cursor => "Cursor",
        }
    }

    /// Returns the file that the client reads. OpenCode reads several: the one that is there already.
    pub(super) fn file(self, scope: Scope, project: &Path, user: &Surroundings) -> PathBuf {
        let dot = |name: &str| user.home.join(name);
        match (self, scope) {
            (Self::Claude, Scope::Project) => project.join(".mcp.json"),
            (Self::Claude, Scope::User) => {
                user.claude_config_dir.as_ref().unwrap_or(&user.home).join(".claude.json")
            }
            (Self::Codex, Scope::Project) => project.join(".codex/config.toml"),
            (Self::Codex, Scope::User) => {
                user.codex_home.clone().unwrap_or_else(|| dot(".codex")).join("config.toml")
            }
            (Self::Gemini, Scope::Project) => project.join(".gemini/settings.json"),
            (Self::Gemini, Scope::User) => {
                user.gemini_home.as_ref().unwrap_or(&user.home).join(".gemini/settings.json")
            }
            (Self::Opencode, Scope::Project) => existing(&[
                project.join("opencode.json"),
                project.join("opencode.jsonc"),
                project.join(".opencode/opencode.json"),
                project.join(".opencode/opencode.jsonc"),
            ]),
            (Self::Opencode, Scope::User) => {
                let config = user.xdg_config_home.clone().unwrap_or_else(|| dot(".config")).join("opencode");
                existing(&[config.join("opencode.json"), config.join("opencode.jsonc")])
            }
            (Self::Cursor, Scope::Project) => project.join(".cursor/mcp.json"),
            (Self::Cursor, Scope::User) => dot(".cursor/mcp.json"),
        }
    }

    pub(super) fn syntax(self) -> Syntax {
        match self {
            Self::Claude => Syntax::Json,
            Self::Codex => Syntax::Toml,
            Self::Gemini => Syntax::Commented,
            Self::Opencode | Self::Cursor => Syntax::Relaxed,
        }
    }

    /// Returns the key under which all servers stand.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Claude | Self::Gemini | Self::Cursor => "mcpServers",
            Self::Codex => "mcp_servers",
            Self::Opencode => "mcp",
        }
    }

    /// Returns what a file that is not there yet begins with.
    pub(super) fn blank(self) -> &'static str {
        match self {
            Self::Codex => "",
            Self::Claude | Self::Gemini | Self::Cursor => "{}\n",
            // OpenCode writes this line itself when it is missing, and would change the file under us.
            Self::Opencode => "{\n  \"$schema\": \"https://opencode.ai/config.json\"\n}\n",
        }
    }

    /// Returns our entry.
    pub(super) fn entry(self, launch: &Launch) -> Map<String, Value> {
        let (program, args) = (&launch.program, launch.args());
        let timeout_ms = u64::from(launch.tool_timeout_s) * 1_000;
        let entry = match self {
            // `alwaysLoad`: its tools are few, and without it every session begins with a search for them.
            Self::Claude => json!({
                "type": "stdio", "command": program, "args": args, "timeout": timeout_ms, "alwaysLoad": true,
            }),
            Self::Codex => {
                json!({"command": program, "args": args, "tool_timeout_sec": launch.tool_timeout_s})
            }
            Self::Gemini => json!({"command": program, "args": args, "timeout": timeout_ms}),
            Self::Opencode => {
                let command: Vec<&String> = std::iter::once(program).chain(&args).collect();
                json!({"type": "local", "command": command, "enabled": true, "timeout": timeout_ms})
            }
            Self::Cursor => json!({"type": "stdio", "command": program, "args": args}),
        };
        match entry {
            Value::Object(entry) => entry,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        }
    }

    /// Returns what a person does next.
    pub(super) fn next(self, scope: Scope) -> &'static str {
        match (self, scope) {
            (Self::Claude, Scope::Project) => {
                "start `claude` in the project and approve the server; `claude mcp list` shows it"
            }
            (Self::Claude, Scope::User) => "`claude mcp list` shows it; sessions that run need a restart",
            (Self::Codex, Scope::Project) => {
                "start `codex` in the project and trust it, it reads the file only then; `codex mcp list` shows it"
            }
            (Self::Codex, Scope::User) => "`codex mcp list` shows it; sessions that run need a restart",
            (Self::Gemini, Scope::Project) => {
                "start `gemini` in the project and trust the folder; `gemini mcp list` shows it"
            }
            (Self::Gemini, Scope::User) => "`gemini mcp list` shows it, in a folder that Gemini CLI trusts",
            (Self::Opencode, Scope::Project | Scope::User) => "`opencode mcp list` shows it",
            (Self::Cursor, Scope::Project | Scope::User) => {
                "switch the server on in Cursor's settings, under Tools & MCP"
            }
        }
    }

    /// Returns whether this user seems to have the client.
    pub(super) fn is_here(self, user: &Surroundings) -> bool {
        let programs: &[&str] = match self {
            Self::Claude => &["claude"],
            Self::Codex => &["codex"],
            Self::Gemini => &["gemini"],
            Self::Opencode => &["opencode"],
            Self::Cursor => &["cursor", "cursor-agent"],
        };
        let runs = |dir: &PathBuf| programs.iter().any(|name| dir.join(name).is_file());
        let file = self.file(Scope::User, &user.home, user);
        // The directory of the settings is a trace of the client; only Claude Code's is everybody's home.
        let has_settings = match self {
            Self::Claude => file.is_file(),
            Self::Codex | Self::Gemini | Self::Opencode | Self::Cursor => {
                file.parent().is_some_and(Path::is_dir)
            }
        };
        has_settings || user.path.iter().any(runs)
    }
}

impl Launch {
    fn args(&self) -> Vec<String> {
        let mut args = vec!["mcp".to_owned()];
        if let Some(project) = &self.project {
            args.extend(["--project-dir".to_owned(), project.clone()]);
        }
        if let Some(role) = self.role {
            args.extend(["--role".to_owned(), role.word().to_owned()]);
        }
        args
    }
}

/// Returns whether an entry starts this server: `cogwork mcp …` or `cogwork-mcp …`, from anywhere.
pub(super) fn is_ours(entry: &Value, program: &str) -> bool {
    let texts = |key: &str| match entry.get(key) {
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    };
    let line = [texts("command"), texts("args")].concat();
    let Some((first, rest)) = line.split_first() else { return false };
    let name = Path::new(first).file_stem().and_then(|name| name.to_str());
    name == Some("cogwork-mcp")
        || (rest.first() == Some(&"mcp") && (*first == program || name == Some("cogwork")))
}

fn existing(files: &[PathBuf]) -> PathBuf {
    let found = files.iter().find(|file| file.symlink_metadata().is_ok());
    found.or(files.first()).cloned().unwrap_or_default()
}
