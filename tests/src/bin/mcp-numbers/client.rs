//! A client that does nothing but send a line, wait for a line and look at the clock.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

/// A running server.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
}

/// What the kernel says about a process's memory.
pub(crate) struct Memory {
    /// The largest resident set it ever had.
    pub(crate) peak_mb: f64,
    /// Pages that no other process can share with it.
    pub(crate) own_mb: f64,
}

impl Client {
    fn spawn(server: &Path, project: &Path) -> Self {
        let mut child = Command::new(server)
            .arg("--project-dir")
            .arg(project)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .current_dir(project)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the server starts");
        let stdout = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
        let stdin = child.stdin.take();
        Self { child, stdin, stdout, next_id: 0 }
    }

    /// Starts a server and returns it with the milliseconds until it had answered `initialize`.
    pub(crate) fn initialized(server: &Path, project: &Path) -> (Self, f64) {
        let begin = Instant::now();
        let mut client = Self::spawn(server, project);
        let (answer, _) = client.ask("initialize", &json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "numbers", "version": "1"},
        }));
        let ms = since(begin);
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18", "{answer}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        (client, ms)
    }

    pub(crate) fn open(server: &Path, project: &Path) -> Self {
        Self::initialized(server, project).0
    }

    /// Starts a server and returns the milliseconds until it had answered `server/discover`.
    pub(crate) fn discovered(server: &Path, project: &Path) -> f64 {
        let begin = Instant::now();
        let mut client = Self::spawn(server, project);
        let (answer, _) = client.ask(
            "server/discover",
            &json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "numbers", "version": "1"},
            }}),
        );
        let ms = since(begin);
        assert!(answer["result"].is_object(), "{answer}");
        ms
    }

    /// Calls a tool and returns the answer with its milliseconds.
    pub(crate) fn timed(&mut self, tool: &str, arguments: &Value) -> (Value, f64) {
        self.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
    }

    /// Calls a tool that has to succeed and returns its milliseconds.
    pub(crate) fn succeeding(&mut self, tool: &str, arguments: &Value) -> f64 {
        let (answer, ms) = self.timed(tool, arguments);
        assert_eq!(answer["result"]["isError"], false, "{tool} {arguments}: {answer}");
        ms
    }

    pub(crate) fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let mb = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel says it");
            let kib: f64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().expect("a number");
            kib / 1024.0
        };
        Memory { peak_mb: mb("VmHWM"), own_mb: mb("RssAnon") }
    }

    fn ask(&mut self, method: &str, params: &Value) -> (Value, f64) {
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        let request = request.to_string();
        let mut line = String::new();
        let begin = Instant::now();
        self.send(&request);
        self.stdout.read_line(&mut line).expect("an answer");
        let ms = since(begin);
        let answer: Value = serde_json::from_str(&line).expect("an answer is JSON");
        assert_eq!(answer["id"], self.next_id, "{answer}");
        (answer, ms)
    }

    fn send(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the server reads");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.child.wait());
    }
}

fn since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}
