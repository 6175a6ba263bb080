//! A server over HTTP and a client made of a socket, so that a test can say every byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Era, command, succeeded};

/// How long anything may take here before the test has failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running server and where it is.
pub(crate) struct HttpServer {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// What it says on standard error after its first line.
    stderr: Option<JoinHandle<Vec<String>>>,
}

impl HttpServer {
    /// Starts the server with the token in its environment, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let token = "it-0123456789abcdef".to_owned();
        Self::spawn(command.env("COGWORK_HTTP_TOKEN", &token), |_| token)
    }

    /// Starts the server with the project's own token.
    pub(crate) fn start_with_file(command: &mut Command) -> Self {
        Self::spawn(command, |path| std::fs::read_to_string(path).unwrap().trim_end().to_owned())
    }

    fn spawn(command: &mut Command, token: impl FnOnce(&str) -> String) -> Self {
        let command = command.args(["--http", "127.0.0.1:0"]);
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = lines.next().expect("a line that says where it is");
        let stderr = Some(std::thread::spawn(move || lines.collect()));
        let line = line.strip_prefix("cogwork-mcp: serving http://").unwrap_or_else(|| panic!("{line}"));
        let (address, found_in) = line.split_once("/mcp; bearer token in ").unwrap();
        Self { address: address.parse().unwrap(), token: token(found_in), child, stderr }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends one request as it is and returns the whole response. No response may hold the token.
    pub(crate) fn raw(&self, request: &[u8]) -> Response {
        let mut stream = self.connect();
        // A server that has seen enough may stop reading.
        drop(stream.write_all(request));
        Response::read(stream, &self.token)
    }

    /// Sends a request with the token and these further headers.
    pub(crate) fn request(&self, method: &str, headers: &[(&str, &str)], body: &str) -> Response {
        self.raw(self.text(method, headers, body).as_bytes())
    }

    /// Returns a request with the token as text.
    pub(crate) fn text(&self, method: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut text =
            format!("{method} /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        let host = self.address.to_string();
        let token = format!("Bearer {}", self.token);
        let usual = [
            ("Host", host.as_str()),
            ("Authorization", token.as_str()),
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
        ];
        let given = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        let all = usual.iter().filter(|(name, _)| !given(name)).chain(headers);
        for (name, value) in all.filter(|(_, value)| !value.is_empty()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        format!("{text}\r\n{body}")
    }

    /// Opens a connection of the protocol.
    pub(crate) fn open(&self, era: Era) -> HttpClient<'_> {
        self.open_with(era, json!({}))
    }

    /// Opens a connection for a client that can do these things.
    pub(crate) fn open_with(&self, era: Era, capabilities: Value) -> HttpClient<'_> {
        let mut client = HttpClient { server: self, session: None, capabilities, next_id: 1 };
        if era == Era::Initialize {
            let params = json!({"protocolVersion": "2025-06-18", "capabilities": client.capabilities,
                                "clientInfo": {"name": "it", "version": "1"}});
            let response =
                client.post(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}));
            assert_eq!(response.answer(0)["result"]["protocolVersion"], "2025-06-18", "{response:?}");
            client.session = Some(response.header("mcp-session-id").unwrap().to_owned());
            let opened = client.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
            assert_eq!(opened.status, 202);
        }
        client
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = command("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the program, and returns how it ended and what it still said on standard error.
    pub(crate) fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let status = self.child.wait().unwrap();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        assert_eq!(stdout, "", "standard output is the protocol's");
        (status, self.stderr.take().unwrap().join().unwrap())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One client of a server, in one era.
pub(crate) struct HttpClient<'a> {
    server: &'a HttpServer,
    /// Of the older era.
    session: Option<String>,
    capabilities: Value,
    next_id: i64,
}

impl HttpClient<'_> {
    fn post(&self, message: &Value) -> Response {
        self.server.raw(self.text(message).as_bytes())
    }

    /// Returns the request that posts a message.
    fn text(&self, message: &Value) -> String {
        let method = message["method"].as_str().unwrap_or_default();
        let name =
            message["params"]["name"].as_str().or(message["params"]["uri"].as_str()).unwrap_or_default();
        let headers = match &self.session {
            Some(session) => vec![("Mcp-Session-Id", session.as_str())],
            None if method == "initialize" || method.starts_with("notifications/") => Vec::new(),
            None => vec![("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", name)],
        };
        self.server.text("POST", &headers, &message.to_string())
    }

    fn message(&mut self, method: &str, mut params: Value) -> (i64, Value) {
        let id = self.next_id;
        self.next_id += 1;
        if self.session.is_none() {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "it", "version": "1"});
        }
        (id, json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }

    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let (id, message) = self.message(method, params);
        self.post(&message).answer(id)
    }

    /// Sends a request and returns its id and the connection on which the answer will come.
    pub(crate) fn send(&mut self, method: &str, params: Value) -> (i64, TcpStream) {
        let (id, message) = self.message(method, params);
        let mut stream = self.server.connect();
        stream.write_all(self.text(&message).as_bytes()).unwrap();
        (id, stream)
    }

    pub(crate) fn notify(&self, method: &str, params: Value) {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        message["params"] = params;
        assert_eq!(self.post(&message).status, 202);
    }

    /// Answers what the server has asked.
    pub(crate) fn reply(&self, id: &Value, result: &Value) {
        let reply = json!({"jsonrpc": "2.0", "id": id, "result": result});
        assert_eq!(self.post(&reply).status, 202);
    }

    /// Calls a tool that must succeed, and returns its JSON.
    pub(crate) fn get(&mut self, tool: &str, arguments: Value) -> Value {
        let mut params = json!({"name": tool});
        params["arguments"] = arguments;
        succeeded(&self.ask("tools/call", params))
    }

    /// Opens the stream on which the older era's server speaks unasked.
    pub(crate) fn listen(&self) -> TcpStream {
        let headers = [("Mcp-Session-Id", self.session.as_deref().unwrap())];
        let mut stream = self.server.connect();
        stream.write_all(self.server.text("GET", &headers, "").as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        stream
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Response {
    /// Reads to the end of the connection.
    pub(crate) fn read(mut stream: TcpStream, token: &str) -> Self {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains(token), "the token is in {text}");
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            panic!("no response: {read:?} {text}");
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { joined(body) } else { body.to_owned() };
        Self { status, head: head.to_owned(), body }
    }

    /// Reads a stream of events up to its first message, and returns that and an iterator over those that follow.
    pub(crate) fn next_message(stream: TcpStream) -> (Value, impl Iterator<Item = Value>) {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut messages = lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        (messages.next().unwrap(), messages)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| {
            line.split_once(": ").filter(|(other, _)| other.eq_ignore_ascii_case(name)).is_some()
        };
        self.head
            .lines()
            .find(|text| line(text))
            .and_then(|text| text.split_once(": "))
            .map(|(_, value)| value)
    }

    /// Returns all messages of the body, be it one or a stream of events.
    pub(crate) fn messages(&self) -> Vec<Value> {
        let events =
            self.body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| !data.is_empty());
        let texts: Vec<&str> =
            if self.body.starts_with('{') { vec![self.body.as_str()] } else { events.collect() };
        texts
            .into_iter()
            .map(|text| serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}")))
            .collect()
    }

    /// Returns the answer to a request.
    pub(crate) fn answer(&self, id: i64) -> Value {
        self.messages().into_iter().find(|message| message["id"] == id).unwrap_or_else(|| panic!("{self:?}"))
    }
}

/// Joins the chunks of a body.
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").unwrap();
        if size == 0 {
            break;
        }
    }
    body
}
