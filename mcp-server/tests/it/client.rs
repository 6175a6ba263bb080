//! A small MCP client that holds the program to the protocol: every line is JSON, every answer is bounded, says
//! the same in text and structure, and holds no token.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// How long anything may take here before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client opens the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// `initialize` first, then plain requests.
    Initialize,
    /// No opening at all: every request carries its revision.
    Stateless,
}

pub(crate) const ERAS: [Era; 2] = [Era::Initialize, Era::Stateless];

/// Returns the command for a program; the test's own environment does not reach it.
#[expect(clippy::disallowed_methods, reason = "a test starts the program under test")]
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in [
        "CLAUDE_PROJECT_DIR",
        "COGWORK_HTTP_TOKEN",
        "COGWORK_LOG",
        "COGWORK_MARKER",
        "COGWORK_TOKEN",
        "COGWORK_FEATURES",
        "COGWORK_SESSION",
        "COGWORK_WORKSPACE",
        "PROJECT_DIR",
    ] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn server() -> Command {
    command(env!("CARGO_BIN_EXE_cogwork-mcp"))
}

/// A running server and the client's side of its pipes.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    era: Era,
    /// What the client says it can do; the older era says it once.
    pub(crate) capabilities: Value,
    next_id: i64,
    /// Notifications that came while an answer was waited for.
    pub(crate) notifications: Vec<Value>,
    /// What must never be in a line of the server.
    pub(crate) secrets: Vec<String>,
}

impl Client {
    /// Starts the program without a word.
    pub(crate) fn spawn(command: &mut Command, era: Era) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let stdin = child.stdin.take();
        let (notifications, secrets) = (Vec::new(), Vec::new());
        Self { child, stdin, lines, era, capabilities: json!({}), next_id: 1, notifications, secrets }
    }

    /// Starts the program and opens the connection.
    pub(crate) fn open(command: &mut Command, era: Era) -> Self {
        let mut client = Self::spawn(command, era);
        if era == Era::Initialize {
            let answer = client.initialize(json!({}));
            assert_eq!(answer["result"]["protocolVersion"], "2025-06-18", "{answer}");
        }
        client
    }

    /// Opens the connection in the older era, for a client that can do these things, and returns the answer.
    pub(crate) fn initialize(&mut self, capabilities: Value) -> Value {
        let mut params =
            json!({"protocolVersion": "2025-06-18", "clientInfo": {"name": "it", "version": "1"}});
        params["capabilities"] = capabilities;
        let answer = self.ask("initialize", params);
        self.notify("notifications/initialized", json!({}));
        answer
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn send_line(&mut self, line: &[u8]) {
        self.send_bytes(line);
        self.send_bytes(b"\n");
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        let mut notification = json!({"jsonrpc": "2.0", "method": method});
        notification["params"] = params;
        self.send_line(notification.to_string().as_bytes());
    }

    /// Answers what the server has asked.
    pub(crate) fn reply(&mut self, id: &Value, result: &Value) {
        let reply = json!({"jsonrpc": "2.0", "id": id, "result": result});
        self.send_line(reply.to_string().as_bytes());
    }

    /// Sends a request and returns its id.
    pub(crate) fn send(&mut self, method: &str, mut params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        if self.era == Era::Stateless {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "it", "version": "1"});
        }
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send_line(request.to_string().as_bytes());
        id
    }

    /// Returns the answer to a request.
    pub(crate) fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.message().unwrap_or_else(|| panic!("the server ended without an answer"));
            if message["id"] == id {
                return message;
            }
            assert!(message.get("id").is_none(), "an answer to nothing: {message}");
            self.notifications.push(message);
        }
    }

    /// Returns the next message, or `None` at the end of the server's output.
    pub(crate) fn message(&mut self) -> Option<Value> {
        let line = match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => panic!("no answer within {PATIENCE:?}"),
        };
        assert!(!self.secrets.iter().any(|secret| line.contains(secret)), "a secret is in {line}");
        Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON on stdout: {line}")))
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Calls a tool and returns the whole answer.
    pub(crate) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({"name": tool});
        params["arguments"] = arguments;
        self.ask("tools/call", params)
    }

    /// Calls a tool that must succeed, and returns its JSON.
    pub(crate) fn get(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, arguments);
        succeeded(&answer)
    }

    /// Calls a tool that must fail, and returns its text.
    pub(crate) fn fail(&mut self, tool: &str, arguments: Value) -> String {
        let answer = self.call(tool, arguments);
        failed(&answer)
    }

    /// Closes the input and returns how the program ended.
    pub(crate) fn close(mut self) -> ExitStatus {
        drop(self.stdin.take());
        self.ended()
    }

    /// Closes the input and returns everything that still came.
    pub(crate) fn close_and_collect(mut self) -> Vec<Value> {
        drop(self.stdin.take());
        std::iter::from_fn(|| self.message()).collect()
    }

    /// Waits for the end of the program, which must come by itself.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        while self.message().is_some() {}
        self.child.wait().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = command("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Takes an answer as a success, and holds it to what every success promises.
pub(crate) fn succeeded(answer: &Value) -> Value {
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    let structured = &result["structuredContent"];
    let text = result["content"][0]["text"].as_str().unwrap();
    assert_eq!(text, structured.to_string(), "text and structure differ");
    assert_eq!(result["content"].as_array().unwrap().len(), 1);
    assert!(text.chars().count() <= 10_000, "{} characters", text.chars().count());
    structured.clone()
}

/// Takes an answer as a tool's error, and holds it to what every error promises.
pub(crate) fn failed(answer: &Value) -> String {
    let result = &answer["result"];
    assert_eq!(result["isError"], true, "{answer}");
    assert!(result.get("structuredContent").is_none() && result.get("_meta").is_none(), "{answer}");
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Error (") && text.contains("): "), "{text}");
    assert!(text.chars().count() <= 10_000 && text.ends_with(|c: char| c != ' '), "{text}");
    text.to_owned()
}
