//! One server process: started, asked one thing at a time, killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use serde_json::{Value, json};

use super::Shared;
use super::books::Books;

/// Where the coordinator finds a client's server.
#[derive(Default)]
pub(super) struct Slot {
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    child: Option<Child>,
    /// Whether its client was told that it owns a feature, and has not yet asked to pass it.
    holding: bool,
}

impl Slot {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().expect("nobody panics with it")
    }

    pub(super) fn set_holding(&self, holding: bool) {
        self.running().holding = holding;
    }

    /// Kills the server, if there is one and, when that is asked for, it holds a claim.
    pub(super) fn kill(&self, books: &Books, holding: bool) -> bool {
        let mut running = self.running();
        if holding && !running.holding {
            return false;
        }
        let Some(child) = running.child.as_mut().filter(|child| !books.was_killed(child.id())) else {
            return false;
        };
        // Entered before: from here on it may be gone.
        books.killed(child.id(), Instant::now());
        child.kill().expect("our own child can be killed");
        true
    }

    /// Ends a server that did not end by itself.
    pub(super) fn end(&self) {
        if let Some(child) = &mut self.running().child {
            child.kill().expect("our own child can be killed");
        }
    }
}

/// A client's side of its server.
pub(super) struct Server<'a> {
    slot: &'a Slot,
    pub(super) pid: u32,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Requests carry their revision; otherwise the connection was opened by `initialize`.
    stateless: bool,
    next_id: u64,
}

/// The server ended without an answer.
pub(super) struct Gone;

impl<'a> Server<'a> {
    /// Starts a server and opens the connection, in the newer or the older way.
    pub(super) fn start(shared: &'a Shared<'_>, slot: &'a Slot, stateless: bool) -> Result<Self, Gone> {
        let mut command = Command::new(&shared.storm.program);
        for name in
            ["COGWORK_TOKEN", "COGWORK_FEATURES", "COGWORK_SESSION", "COGWORK_WORKSPACE", "PROJECT_DIR"]
        {
            command.env_remove(name);
        }
        let mut child = command
            .args(["mcp", "--role", "all", "--project-dir"])
            .arg(shared.project)
            .env("COGWORK_LEASE_S", shared.storm.lease.as_secs().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stdin = child.stdin.take().expect("its stdin is a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
        let pid = child.id();
        *slot.running() = Running { child: Some(child), holding: false };
        let mut server = Self { slot, pid, stdin, stdout, stateless, next_id: 1 };
        if !stateless {
            let client = json!({"name": "storm", "version": "1"});
            server.ask(
                "initialize",
                json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}),
            )?;
            server.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
        }
        Ok(server)
    }

    /// Calls a tool and returns the answer as it came.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value, Gone> {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    fn ask(&mut self, method: &str, mut params: Value) -> Result<Value, Gone> {
        let id = self.next_id;
        self.next_id += 1;
        if self.stateless {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "storm", "version": "1"});
        }
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let mut line = String::new();
            match self.stdout.read_line(&mut line) {
                Ok(0) | Err(_) => return Err(Gone),
                Ok(_) => {}
            }
            // Half a line is what a kill leaves.
            let Ok(message) = serde_json::from_str::<Value>(&line) else {
                return Err(Gone);
            };
            if message["id"] == id {
                return Ok(message);
            }
        }
    }

    fn say(&mut self, message: &Value) -> Result<(), Gone> {
        writeln!(self.stdin, "{message}").and_then(|()| self.stdin.flush()).map_err(|_| Gone)
    }

    /// Closes the connection, waits for the end of the process, and returns whether it ended as a server should.
    pub(super) fn end(self) -> bool {
        let Self { slot, stdin, stdout, .. } = self;
        drop((stdin, stdout));
        // Out of the slot first: nobody kills a process that was waited for.
        let child = slot.running().child.take();
        child.is_some_and(|mut child| child.wait().expect("our own child can be waited for").success())
    }
}
