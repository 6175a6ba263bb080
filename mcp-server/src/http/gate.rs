//! What a request has to pass before the protocol sees it: the token, and the bounds on what it may send.
//!
//! A request without the token is refused before a byte of its body is read. The token goes no further: what comes
//! after can neither log nor answer it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Bearer, MAX_BODY};

/// How long a client may take to send a message.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of messages that are read at one time, over all connections; further ones wait.
const READING: usize = 4 * MAX_BODY;

/// Sessions of the older protocol at one time: each client needs one.
const MAX_SESSIONS: usize = 256;

/// The way in.
#[derive(Debug)]
pub(super) struct Gate {
    bearer: Bearer,
    sessions: Arc<LocalSessionManager>,
    /// One permit for each KiB.
    reading: Semaphore,
}

impl Gate {
    pub(super) fn new(bearer: Bearer, sessions: Arc<LocalSessionManager>) -> Self {
        Self { bearer, sessions, reading: Semaphore::new(READING / 1024) }
    }

    /// Returns whether there are as many sessions as there may be.
    async fn is_full(&self) -> bool {
        self.sessions.sessions.read().await.len() >= MAX_SESSIONS
    }

    /// Reads the whole message, within its bounds.
    async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        // A message that does not say how long it is may be as long as any.
        let length = announced.unwrap_or(MAX_BODY);
        if length > MAX_BODY {
            return Err(Refusal::TooLarge);
        }
        let permits = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let _room = self.reading.acquire_many(permits).await.map_err(|_| Refusal::Broken)?;
        match timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
            Ok(Err(_)) => Err(Refusal::Broken),
            Err(_) => Err(Refusal::TooSlow),
        }
    }
}

/// Returns whether a request can only be the first of a session: the newer protocol has none.
fn opens_session(request: &Request) -> bool {
    let headers = request.headers();
    let modern = headers
        .get("mcp-protocol-version")
        .is_some_and(|version| version.as_bytes() >= ProtocolVersion::V_2026_07_28.as_str().as_bytes());
    request.method() == Method::POST && !headers.contains_key("mcp-session-id") && !modern
}

/// Why a request goes no further.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    NoToken,
    TooLarge,
    TooSlow,
    TooMany,
    Broken,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken => (
                StatusCode::UNAUTHORIZED,
                [(WWW_AUTHENTICATE, "Bearer realm=\"cogwork\"")],
                "send the header `Authorization: Bearer TOKEN`; the line that the server printed at its start says where \
                 the token is\n",
            )
                .into_response(),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "a message may have at most 16 MiB\n").into_response()
            }
            Self::TooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "the message took more than 30 s to arrive\n").into_response()
            }
            Self::TooMany => {
                (StatusCode::SERVICE_UNAVAILABLE, "256 sessions are open: close one (DELETE) or wait\n").into_response()
            }
            Self::Broken => (StatusCode::BAD_REQUEST, "the message did not arrive whole\n").into_response(),
        }
    }
}

/// Lets a request through, or says why not.
pub(super) async fn guard(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if !gate.bearer.is_shown_by(request.headers().get(AUTHORIZATION)) {
        return Refusal::NoToken.into_response();
    }
    request.headers_mut().remove(AUTHORIZATION);
    if opens_session(&request) && gate.is_full().await {
        return Refusal::TooMany.into_response();
    }
    let (head, body) = request.into_parts();
    match gate.read(&head.headers, body).await {
        Ok(message) => next.run(Request::from_parts(head, Body::from(message))).await,
        Err(refusal) => refusal.into_response(),
    }
}
