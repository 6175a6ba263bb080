//! The server: takes requests, asks the script what to answer, writes it down and answers.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::answer::Answer;
use super::asked::Asked;
use super::dialect::Dialect;
use super::record::{Kind, ModelRecord, Record, Recorder};
use super::script::{Message, Play, Refusal, Scripts, Tokens, Turn};
use super::sessions::Sessions;
use super::template::Facts;
use super::wire::{self, Body};

/// Headers by which agents name their sessions.
const SESSION_HEADERS: [&str; 7] = [
    "x-mock-session",
    "x-claude-code-session-id",
    "session_id",
    "session-id",
    "conversation_id",
    "x-session-affinity",
    "x-opencode-session",
];

const JSON: &str = "application/json";

/// The API: one for all agents of a test.
pub struct Api {
    sessions: Mutex<Sessions>,
    recorder: Recorder,
    count: AtomicU64,
}

/// Where a request belongs: `/s/SESSION[/SCENARIO]` may stand before its path.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    session: Option<&'a str>,
    scenario: Option<&'a str>,
    path: &'a str,
}

/// How one request is answered: a response, or none and a closed connection.
type Outcome = Result<Response<Body>, io::Error>;

impl Api {
    #[must_use]
    pub fn new(scripts: Scripts, recorder: Recorder) -> Self {
        Self { sessions: Mutex::new(Sessions::new(scripts)), recorder, count: AtomicU64::new(0) }
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> io::Result<()> {
        loop {
            let (connection, _) = listener.accept().await?;
            let api = Arc::clone(&self);
            let service = service_fn(move |request| Arc::clone(&api).answered(request));
            let http = hyper::server::conn::http1::Builder::new();
            let served = http.serve_connection(TokioIo::new(connection), service);
            // A client that goes away, or that the script hangs up on, is no fault of this server.
            tokio::spawn(async move { drop(served.await) });
        }
    }

    async fn answered(self: Arc<Self>, request: Request<Incoming>) -> Outcome {
        let n = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let full = head.uri.to_string();
        let place = Place::of(head.uri.path());
        let mut record = Record {
            n,
            method: head.method.to_string(),
            path: full.clone(),
            answer: Kind::Side,
            status: Some(200),
            model: None,
        };
        let dialect = Dialect::of(place.path).filter(|_| head.method == Method::POST);
        let Some(dialect) = dialect else {
            let answer = side(&head.method, place.path, body.len());
            if answer.is_none() {
                (record.answer, record.status) = (Kind::Unknown, Some(404));
            }
            self.recorder.write(&record)?;
            let body = answer.unwrap_or_else(|| {
                Dialect::Anthropic.error(404, None, &format!("mock: no such endpoint {}", place.path))
            });
            let status = record.status.unwrap_or_default();
            return Ok(wire::whole(status, JSON, &BTreeMap::new(), body.to_string()));
        };
        let Ok(body) = serde_json::from_slice::<Value>(&body) else {
            (record.answer, record.status) = (Kind::Error, Some(400));
            self.recorder.write(&record)?;
            let body = dialect.error(400, None, "mock: the body of the request is not JSON");
            return Ok(wire::whole(400, JSON, &BTreeMap::new(), body.to_string()));
        };
        self.recorder.keep(n, &json!({"path": full, "body": body}))?;
        let asked = dialect.read(place.path, &body);
        self.modelled(record, &place, &head.headers, &asked).await
    }

    /// Answers as the script says.
    async fn modelled(
        &self,
        mut record: Record,
        place: &Place<'_>,
        headers: &HeaderMap,
        asked: &Asked,
    ) -> Outcome {
        let named = |name: &&str| headers.get(*name).and_then(|value| value.to_str().ok());
        let session = place.session.or_else(|| SESSION_HEADERS.iter().find_map(named)).unwrap_or("default");
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut model = ModelRecord::of(asked, session, agent);
        let taken = {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.take(session, place.scenario, asked)
        };
        let now = now();
        let (turn, usage) = match taken {
            None => (refused("mock: there is no such scenario".to_owned()), Tokens::default()),
            Some(taken) => {
                let filled = Facts { asked, session, now }.fill(&taken.planned);
                let turn = Turn::read(&filled).unwrap_or_else(|error| {
                    refused(format!("mock: turn {} of {}: {error}", taken.label, taken.scenario))
                });
                (model.scenario, model.turn) = (taken.scenario, taken.label);
                let mut turn = turn;
                if matches!(turn.play, Play::Message(_)) {
                    for (name, value) in taken.script.headers {
                        turn.headers.entry(name).or_insert(value);
                    }
                }
                (turn, taken.script.usage)
            }
        };
        let dialect = asked.dialect;
        match turn.play {
            Play::Hang(time) => {
                (record.answer, record.status, record.model) = (Kind::Hang, None, Some(model));
                self.recorder.write(&record)?;
                tokio::time::sleep(time).await;
                Err(io::Error::other("the script hangs up"))
            }
            Play::Refusal(Refusal { status, kind, message, body }) => {
                (record.answer, record.status, record.model) = (Kind::Error, Some(status), Some(model));
                self.recorder.write(&record)?;
                tokio::time::sleep(turn.delay).await;
                let body = body.unwrap_or_else(|| dialect.error(status, kind.as_deref(), &message));
                let text = body.as_str().map_or_else(|| body.to_string(), ToOwned::to_owned);
                Ok(wire::whole(status, JSON, &turn.headers, text))
            }
            Play::Raw { status, content_type, body } => {
                (record.answer, record.status, record.model) = (Kind::Raw, Some(status), Some(model));
                self.recorder.write(&record)?;
                tokio::time::sleep(turn.delay).await;
                Ok(wire::whole(status, &content_type, &turn.headers, body))
            }
            Play::Message(message) => {
                let answer = Answer::new(record.n, now, asked, &message, usage);
                model.calls = answer.calls.iter().map(|call| call.name.clone()).collect();
                (record.answer, record.model) = (Kind::Message, Some(model));
                self.recorder.write(&record)?;
                tokio::time::sleep(turn.delay).await;
                said(asked, &answer, *message, &turn.headers)
            }
        }
    }
}

fn said(asked: &Asked, answer: &Answer, message: Message, headers: &BTreeMap<String, String>) -> Outcome {
    let dialect = asked.dialect;
    if asked.stream {
        let Message { chunk_delay: pause, fault, .. } = message;
        let stream = wire::Stream { dialect, events: dialect.events(answer), pause, fault };
        return Ok(wire::streamed(stream, headers));
    }
    match message.fault {
        Some(_) => Err(io::Error::other("the script cuts an answer that is no stream")),
        None => Ok(wire::whole(200, JSON, headers, dialect.whole(answer).to_string())),
    }
}

/// A mistake in the script is told to whoever reads the agent's output.
fn refused(message: String) -> Turn {
    let play = Play::Refusal(Refusal { status: 400, kind: None, message, body: None });
    Turn { delay: std::time::Duration::ZERO, headers: BTreeMap::new(), play }
}

/// Returns the answer to a request that no model sees; `None` when a model API has no such thing.
fn side(method: &Method, path: &str, length: usize) -> Option<Value> {
    // Four bytes to a token: near enough for a client that counts.
    let tokens = (length / 4).max(1);
    if method == Method::CONNECT {
        None
    } else if path.ends_with("/count_tokens") {
        Some(json!({"input_tokens": tokens}))
    } else if path.ends_with(":countTokens") {
        Some(json!({"totalTokens": tokens}))
    } else if method == Method::GET && path.trim_end_matches('/').ends_with("/models") {
        let model = json!({"id": "mock-model", "object": "model", "type": "model", "display_name": "Mock",
                           "created": 0, "created_at": "2025-01-01T00:00:00Z", "owned_by": "mock"});
        Some(json!({"object": "list", "has_more": false, "data": [model]}))
    } else if path == "/" {
        Some(json!({"ok": true}))
    } else {
        None
    }
}

#[expect(clippy::disallowed_methods, reason = "answers carry the time, and scripts count from it")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Self {
        let plain = Place { session: None, scenario: None, path };
        let Some(rest) = path.strip_prefix("/s/") else { return plain };
        let (session, mut rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut scenario = None;
        let next = rest.strip_prefix('/').unwrap_or_default();
        let (first, after) = next.split_at(next.find('/').unwrap_or(next.len()));
        if !matches!(first, "" | "v1" | "v1beta") {
            (scenario, rest) = (Some(first), after);
        }
        Place { session: Some(session), scenario, path: if rest.is_empty() { "/" } else { rest } }
    }
}

#[cfg(test)]
mod tests;
