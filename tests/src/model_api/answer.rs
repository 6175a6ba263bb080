//! What the model answers, the same for every dialect: the wishes of a turn as calls of tools that the agent offers.

use serde_json::{Value, json};

use super::asked::Asked;
use super::script::{Message, Tokens, Wish};

/// A model's message in neutral form.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Unique in the life of this server; the identifiers of the message are made from it.
    pub number: u64,
    /// Unix time in seconds.
    pub now: i64,
    pub model: String,
    pub thinking: Option<String>,
    pub text: Option<String>,
    pub calls: Vec<Call>,
    pub stop: Option<String>,
    pub usage: Tokens,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub namespace: Option<String>,
    pub free_form: bool,
    pub input: Value,
}

impl Answer {
    /// Makes the answer that a message is to this request.
    #[must_use]
    pub fn new(number: u64, now: i64, asked: &Asked, message: &Message, usage: Tokens) -> Self {
        let named = [message.model.as_deref().unwrap_or_default(), &asked.model, "mock-model"];
        let model = named.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let calls = message.wishes.iter().enumerate();
        Self {
            number,
            now,
            model: model.to_owned(),
            thinking: message.thinking.clone(),
            text: message.text.clone(),
            calls: calls.map(|(at, wish)| call(format!("call_{number}_{at}"), asked, wish)).collect(),
            stop: message.stop.clone(),
            usage: message.usage.unwrap_or(usage),
        }
    }
}

fn call(id: String, asked: &Asked, wish: &Wish) -> Call {
    let (name, input) = match wish {
        Wish::Tool { name, input } => {
            let found = asked.tool_named(name);
            // What is not offered is called all the same: a model may do that.
            (found.unwrap_or_else(|| name.trim_start_matches('*').to_owned()), input.clone())
        }
        Wish::Shell(command) => shell(asked, command),
        Wish::Write { path, content } => write(asked, path, content),
    };
    let offered = asked.offered(&name);
    let namespace = offered.and_then(|tool| tool.namespace.clone());
    Call { id, namespace, free_form: offered.is_some_and(|tool| tool.free_form), name, input }
}

/// The agents' own shell tools, and how each takes a command.
fn shell(asked: &Asked, command: &str) -> (String, Value) {
    let described = json!({"command": command, "description": "run"});
    let forms = [
        ("Bash", described.clone()),               // Claude Code
        ("exec_command", json!({"cmd": command})), // Codex
        ("shell_command", json!({"command": command})),
        ("shell", json!({"command": ["bash", "-c", command]})),
        ("bash", described.clone()),              // OpenCode
        ("run_shell_command", described.clone()), // Gemini CLI
    ];
    let own = forms.into_iter().find(|(name, _)| asked.offered(name).is_some());
    own.map_or_else(|| ("Bash".to_owned(), described), |(name, input)| (name.to_owned(), input))
}

/// The agents' own tools to write a file; the shell where there is none.
fn write(asked: &Asked, path: &str, content: &str) -> (String, Value) {
    let forms = [
        ("Write", json!({"file_path": path, "content": content})), // Claude Code
        ("write", json!({"filePath": path, "content": content})),  // OpenCode
        ("write_file", json!({"file_path": path, "content": content})), // Gemini CLI
    ];
    match forms.into_iter().find(|(name, _)| asked.offered(name).is_some()) {
        Some((name, input)) => (name.to_owned(), input),
        None => shell(asked, &format!("printf %s {} > {}", quoted(content), quoted(path))),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::asked::Offered;
    use super::super::dialect::Dialect;
    use super::*;

    fn calls(tools: &[&str], wishes: &[Wish]) -> Vec<(String, Value)> {
        let mut asked = Asked::new(Dialect::Anthropic, "m", true);
        asked.tools = tools.iter().map(|name| Offered::plain(name)).collect();
        let message = Message { wishes: wishes.to_vec(), ..Message::default() };
        let answer = Answer::new(1, 0, &asked, &message, Tokens::default());
        answer.calls.into_iter().map(|call| (call.name, call.input)).collect()
    }

    #[test]
    fn wishes_become_calls_of_what_the_agent_has() {
        let write = Wish::Write { path: "a".into(), content: "it's".into() };
        let shell = Wish::Shell("ls".into());
        assert_eq!(
            calls(&["Bash", "Write"], &[shell.clone(), write.clone()]),
            [
                ("Bash".into(), json!({"command": "ls", "description": "run"})),
                ("Write".into(), json!({"file_path": "a", "content": "it's"})),
            ]
        );
        assert_eq!(
            calls(&["exec_command"], &[shell, write]),
            [
                ("exec_command".into(), json!({"cmd": "ls"})),
                ("exec_command".into(), json!({"cmd": r"printf %s 'it'\''s' > 'a'"})),
            ]
        );
        let tool = Wish::Tool { name: "*nowhere".into(), input: json!({}) };
        assert_eq!(calls(&[], &[tool]), [("nowhere".into(), json!({}))]);
    }
}
