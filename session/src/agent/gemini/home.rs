//! The home of a session's Gemini CLI: its settings with our MCP server, and links to the user's login.
//!
//! There is no flag for an MCP server, system settings count only when root wrote them, and a file in the workspace
//! would be the project's. What is left is a home of the session's own, in the session's directory. It starts from
//! the user's settings; a renewed login is written through its link, where the user's own sessions find it.

use std::fs;
use std::path::{Path, PathBuf};

use cogwork_schemas::Role;
use serde_json::{Map, Value, json};

use crate::agent::{Content, SERVER, Start};

/// What belongs to the user's login, in the directory `.gemini` of their home.
const LOGIN: &[&str] = &[
    ".env",
    "gemini-credentials.json",
    "google_accounts.json",
    "installation_id",
    "oauth_creds.json",
    "user_id",
];

/// It asks its service so often before it gives up, within half a minute; long waits are ours.
const ATTEMPTS: u32 = 4;

/// Tools of which a session that only plans has none.
const CHANGING: &[&str] = &["run_shell_command", "write_file", "replace", "edit"];

/// Returns the files of a session's home.
pub(super) fn files(start: &Start<'_>, home: &Path) -> Vec<(PathBuf, Content)> {
    let own = home.join(".gemini");
    let users = ["GEMINI_CLI_HOME", "HOME"].iter().find_map(|name| start.variable(name)).map(PathBuf::from);
    let mut files = Vec::new();
    let mut settings = Map::new();
    if let Some(users) = users {
        let dir = users.join(".gemini");
        settings = fs::read_to_string(dir.join("settings.json")).map(|text| read(&text)).unwrap_or_default();
        let links = LOGIN.iter().map(|name| (own.join(name), dir.join(name)));
        let links = links.chain([(home.join(".env"), users.join(".env"))]);
        let present = links.filter(|(_, target)| target.exists());
        files.extend(present.map(|(path, target)| (path, Content::Link(target))));
    }
    let settings = with_ours(settings, start);
    files.push((own.join("settings.json"), Content::Text(format!("{settings:#}\n"))));
    files
}

fn with_ours(mut settings: Map<String, Value>, start: &Start<'_>) -> Value {
    let env: Map<String, Value> =
        start.mcp.env.iter().map(|(name, value)| (name.clone(), given(start, name, value).into())).collect();
    let server = json!({
        "command": start.mcp.command,
        "args": start.mcp.args,
        "env": env,
        "trust": true,
        // Milliseconds: a check takes its time.
        "timeout": 3_600_000,
    });
    settings.insert("mcpServers".to_owned(), json!({ SERVER: server }));
    set(&mut settings, "mcp", "allowed", json!([SERVER]));
    set(&mut settings, "general", "maxAttempts", json!(ATTEMPTS));
    for flag in ["disableAutoUpdate", "disableUpdateNag"] {
        set(&mut settings, "general", flag, json!(true));
    }
    set(&mut settings, "general", "enableAutoUpdate", json!(false));
    set(&mut settings, "hooksConfig", "enabled", json!(false));
    if let Some(turns) = start.settings.max_turns {
        set(&mut settings, "model", "maxSessionTurns", json!(turns));
    }
    match start.role {
        Role::Initializer | Role::Chat => set(&mut settings, "tools", "exclude", json!(CHANGING)),
        Role::Coding | Role::Testing | Role::Orchestrator | Role::All => {}
    }
    Value::Object(settings)
}

/// Returns a variable by its name, which it looks up in its own environment; what is not there, as it is.
fn given(start: &Start<'_>, name: &str, value: &str) -> String {
    match start.variable(name) {
        Some(_) => format!("${{{name}}}"),
        None => value.to_owned(),
    }
}

/// Sets one entry of a group, whatever stands in its place.
fn set(settings: &mut Map<String, Value>, group: &str, key: &str, value: Value) {
    let group = settings.entry(group).or_insert_with(|| json!({}));
    if !group.is_object() {
        *group = json!({});
    }
    group[key] = value;
}

/// Reads settings as it does, comments and all; what is no object is none.
fn read(text: &str) -> Map<String, Value> {
    match serde_json::from_str(&without_comments(text)) {
        Ok(Value::Object(settings)) => settings,
        Ok(_) | Err(_) => Map::new(),
    }
}

/// Returns JSON without the comments and the last commas that people write into it.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('"', _) => {
                kept.push(c);
                while let Some(c) = chars.next() {
                    kept.push(c);
                    match c {
                        '\\' => kept.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            ('/', Some('/')) => {
                // The end of the line stays.
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
            }
            ('/', Some('*')) => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if (last, c) == ('*', '/') {
                        break;
                    }
                    last = c;
                }
            }
            ('}' | ']', _) => {
                let end = kept.trim_end().len();
                if kept.get(..end).is_some_and(|text| text.ends_with(',')) {
                    kept.truncate(end - 1);
                }
                kept.push(c);
            }
            _ => kept.push(c),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_their_comments() {
        let text = r#"{ // mine
            "a": "x // no comment, \" /* nor this */", /* but
            this */ "b": [1, 2, ], "c": {"d": 1,},
        }"#;
        let read = Value::Object(read(text));
        let expected = json!({"a": "x // no comment, \" /* nor this */", "b": [1, 2], "c": {"d": 1}});
        assert_eq!(read, expected);
        for text in ["", "{", "[]", "7", "/*", "//", "\"", "\"\\", "{]"] {
            assert_eq!(super::read(text), Map::new(), "{text}");
        }
    }
}
