use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

/// An API in a thread of its own, and its record.
struct Running {
    port: u16,
    dir: tempfile::TempDir,
}

impl Running {
    fn new(script: &Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(Some(&dir.path().join("record")), None).unwrap();
        let api = Arc::new(Api::new(Scripts::parse(&script.to_string()).unwrap(), recorder));
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { api.serve(TcpListener::from_std(listener).unwrap()).await })
        });
        Self { port, dir }
    }

    /// Sends a request as it stands and returns everything that comes back until the connection ends.
    fn raw(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A connection that is cut may end with an error; what came before counts.
        drop(stream.read_to_end(&mut answer));
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn ask(&self, prefix: &str, stream: bool) -> String {
        let body = json!({"model": "m", "stream": stream, "tools": [{"name": "Bash"}],
                          "messages": [{"role": "user", "content": "go"}]});
        self.raw(&format!("POST {prefix}/v1/messages?beta=true"), &body.to_string())
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("record")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[test]
fn paths_may_name_session_and_scenario() {
    for (path, session, scenario, rest) in [
        ("/v1/messages", None, None, "/v1/messages"),
        ("/s/a/v1/messages", Some("a"), None, "/v1/messages"),
        ("/s/a/full/v1/messages", Some("a"), Some("full"), "/v1/messages"),
        ("/s/a/full", Some("a"), Some("full"), "/"),
        ("/s/a", Some("a"), None, "/"),
    ] {
        assert_eq!(Place::of(path), Place { session, scenario, path: rest }, "{path}");
    }
}

#[test]
fn it_plays_and_records() {
    let api = Running::new(&json!({"headers": {"x-all": "1"}, "turns": [
        {"error": 429, "retry_after": 2}, {"text": "hello", "shell": "ls"}, {"raw": "<html>", "status": 502}]}));
    let limited = api.ask("", true);
    assert!(limited.starts_with("HTTP/1.1 429") && limited.contains("retry-after: 2"), "{limited}");
    assert!(limited.contains("rate_limit_error") && !limited.contains("x-all"), "{limited}");
    let streamed = api.ask("", true);
    assert!(streamed.contains("event: message_stop") && streamed.contains("x-all: 1"), "{streamed}");
    let raw = api.ask("", false);
    assert!(raw.starts_with("HTTP/1.1 502") && raw.ends_with("<html>"), "{raw}");
    let whole = api.ask("/s/b", false);
    assert!(whole.starts_with("HTTP/1.1 429"), "another session begins at the beginning: {whole}");
    assert!(api.raw("GET /v1/models", "").contains("mock-model"));
    assert!(api.raw("CONNECT elsewhere:443", "").starts_with("HTTP/1.1 404"));
    let records = api.records();
    let answers: Vec<_> = records.iter().map(|record| record["answer"].as_str().unwrap()).collect();
    assert_eq!(answers, ["error", "message", "raw", "error", "side", "unknown"]);
    assert_eq!(records[1]["model"]["calls"], json!(["Bash"]));
    assert_eq!(records[1]["model"]["tools"], json!(["Bash"]));
    assert_eq!((&records[1]["model"]["turn"], &records[3]["model"]["session"]), (&json!(1), &json!("b")));
    assert!(records[5]["path"].as_str().unwrap().contains("elsewhere"));
}

#[test]
fn streams_break_as_the_script_says() {
    let fault = |kind: &str, after: u64| json!({"text": "x".repeat(100), "fault": {"kind": kind, "after": after, "seconds": 0.1}});
    let api = Running::new(&json!({"turns": [
        fault("disconnect", 3), fault("end", 3), fault("garbage", 3), fault("error", 3), fault("hang", 3), {"hang": 0.1}]}));
    let [cut, ended, garbage, error, silent, nothing] = std::array::from_fn(|_| api.ask("", true));
    let complete = |answer: &str| answer.ends_with("0\r\n\r\n");
    let events = |answer: &str| answer.matches("data: ").count();
    assert!(!complete(&cut) && events(&cut) <= 3, "{cut}");
    assert!(complete(&ended) && events(&ended) == 3, "{ended}");
    assert!(complete(&garbage) && garbage.contains("{not json") && garbage.contains("message_stop"));
    assert!(complete(&error) && error.contains("event: error") && error.contains("overloaded_error"));
    assert!(!complete(&silent) && events(&silent) == 3, "{silent}");
    assert_eq!(nothing, "");
    assert!(api.ask("", true).contains("done"), "it still serves");
}
