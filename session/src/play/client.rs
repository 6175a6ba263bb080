//! A client of an MCP server over stdio: just enough of the protocol for an agent that knows what it wants.
//!
//! One JSON-RPC message per line; one call at a time. It answers what a server may ask and ignores what it tells.

use std::io;

use serde_json::{Value, json};

/// The newest revision of the protocol that still begins with `initialize`.
const PROTOCOL_VERSION: &str = "2025-11-25";

/// Lines to and from a server.
pub(super) trait Wire {
    /// Sends one line; `line` ends with its line end.
    async fn send(&mut self, line: &str) -> io::Result<()>;
    /// Returns the next line, `None` when the server is gone.
    async fn receive(&mut self) -> io::Result<Option<String>>;
}

/// A server that was greeted.
pub(super) struct Client<W> {
    wire: W,
    next_id: i64,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) is_error: bool,
    /// What a model would read.
    pub(super) text: String,
    /// The answer as data, from the structured part or from the text.
    pub(super) data: Option<Value>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the MCP server ended without an answer")]
    Ended,
    #[error("cannot talk to the MCP server: {0}")]
    Io(#[from] io::Error),
    #[error("the MCP server refused `{method}`: {message}")]
    Refused { method: String, message: String },
    #[error("the MCP server answered with something that is no answer: {line}")]
    Malformed { line: String },
}

impl<W: Wire> Client<W> {
    /// Greets a server.
    pub(super) async fn connect(wire: W) -> Result<Self, ClientError> {
        let mut client = Self { wire, next_id: 1 };
        let hello = json!({
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": { "name": "cogwork-scripted", "version": env!("CARGO_PKG_VERSION") },
        });
        client.request("initialize", hello).await?;
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(client)
    }

    /// Calls a tool and waits for its answer for as long as it takes: a tool may run checks.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Result<Answer, ClientError> {
        let result = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await?;
        let texts =
            result["content"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
        let text = texts.collect::<Vec<_>>().join("\n");
        let data = match result.get("structuredContent") {
            Some(data) => Some(data.clone()),
            None => serde_json::from_str(&text).ok(),
        };
        Ok(Answer { is_error: result["isError"].as_bool().unwrap_or(false), text, data })
    }

    async fn request(&mut self, method: &str, params: Value) -> Result<Value, ClientError> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        loop {
            let mut message = self.receive().await?;
            if message["method"].is_string() {
                self.serve(&message).await?;
            } else if message["id"] == json!(id) {
                if let Some(message) = message["error"]["message"].as_str() {
                    let (method, message) = (method.to_owned(), message.to_owned());
                    return Err(ClientError::Refused { method, message });
                }
                return Ok(message["result"].take());
            }
        }
    }

    /// Answers a request of the server; nothing is offered to it but a sign of life.
    async fn serve(&mut self, request: &Value) -> Result<(), ClientError> {
        let Some(id) = request.get("id") else {
            return Ok(());
        };
        let answer = if request["method"] == "ping" {
            json!({ "jsonrpc": "2.0", "id": id, "result": {} })
        } else {
            let error = json!({ "code": -32601, "message": "not offered by this client" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        };
        self.send(&answer).await
    }

    async fn send(&mut self, message: &Value) -> Result<(), ClientError> {
        Ok(self.wire.send(&format!("{message}\n")).await?)
    }

    async fn receive(&mut self) -> Result<Value, ClientError> {
        let line = self.wire.receive().await?.ok_or(ClientError::Ended)?;
        serde_json::from_str(&line)
            .map_err(|_| ClientError::Malformed { line: line.chars().take(200).collect() })
    }

    /// Hangs up.
    pub(super) fn into_wire(self) -> W {
        self.wire
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A server that greets properly and then says `lines`.
    struct Stub {
        lines: VecDeque<String>,
        heard: Vec<Value>,
    }

    impl Wire for Stub {
        async fn send(&mut self, line: &str) -> io::Result<()> {
            assert!(line.ends_with('\n') && line.lines().count() == 1);
            self.heard.push(serde_json::from_str(line).unwrap());
            Ok(())
        }

        async fn receive(&mut self) -> io::Result<Option<String>> {
            Ok(self.lines.pop_front())
        }
    }

    async fn talk(lines: &[&str]) -> (Result<Answer, String>, Vec<Value>) {
        let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{}}}"#;
        let lines = [hello].iter().chain(lines).map(|line| (*line).to_owned()).collect();
        let mut client = Client::connect(Stub { lines, heard: vec![] }).await.unwrap();
        let answer = client.call("feature_get_by_id", json!({"feature_id": 7})).await;
        (answer.map_err(|error| error.to_string()), client.into_wire().heard)
    }

    #[tokio::test]
    async fn a_call_is_answered_between_other_things() {
        let (answer, heard) = talk(&[
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":"p1","method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":"p2","method":"roots/list"}"#,
            r#"{"jsonrpc":"2.0","id":99,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"{\"key\":\"add\"}"}]}}"#,
        ])
        .await;
        let data = Some(json!({"key": "add"}));
        assert_eq!(answer, Ok(Answer { is_error: false, text: r#"{"key":"add"}"#.into(), data }));
        let methods: Vec<_> = heard.iter().filter_map(|message| message["method"].as_str()).collect();
        assert_eq!(methods, ["initialize", "notifications/initialized", "tools/call"]);
        assert_eq!(heard[3], json!({"jsonrpc": "2.0", "id": "p1", "result": {}}));
        assert_eq!(heard[4]["error"]["code"], -32601);
        assert_eq!(heard.len(), 5, "a notification is not answered");
    }

    #[tokio::test]
    async fn a_tool_error_is_an_answer_and_a_refusal_is_none() {
        let (answer, _) = talk(&[
            r#"{"jsonrpc":"2.0","id":2,"result":{"isError":true,"content":[{"type":"text","text":"red"}]}}"#,
        ])
        .await;
        assert_eq!(answer, Ok(Answer { is_error: true, text: "red".into(), data: None }));
        let (answer, _) =
            talk(&[r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"no tool"}}"#]).await;
        assert_eq!(answer.unwrap_err(), "the MCP server refused `tools/call`: no tool");
    }

    #[tokio::test]
    async fn a_server_that_dies_or_babbles_is_an_error_and_no_hang() {
        let (answer, _) = talk(&[]).await;
        assert_eq!(answer.unwrap_err(), "the MCP server ended without an answer");
        let (answer, _) = talk(&["listening on port 7"]).await;
        assert_eq!(
            answer.unwrap_err(),
            "the MCP server answered with something that is no answer: listening on port 7"
        );
    }
}
