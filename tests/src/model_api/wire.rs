//! Answers on their way out: whole bodies, streams of events, and streams that break.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::dialect::{Dialect, Event};
use super::script::{Breakage, Fault};

pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, io::Error>;

/// How much of a stream may wait for a slow reader.
const BUFFER: usize = 16;

/// Returns an answer in one piece.
pub(super) fn whole(
    status: u16,
    content_type: &str,
    headers: &BTreeMap<String, String>,
    body: String,
) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed();
    dressed(Response::new(body), status, content_type, headers)
}

/// A stream of events, and how it is to go wrong.
pub(super) struct Stream {
    pub(super) dialect: Dialect,
    pub(super) events: Vec<Event>,
    pub(super) pause: Duration,
    pub(super) fault: Option<Fault>,
}

/// Returns a stream, which goes on by itself.
pub(super) fn streamed(stream: Stream, headers: &BTreeMap<String, String>) -> Response<Body> {
    let (sender, body) = Channel::new(BUFFER);
    tokio::spawn(send(sender, stream));
    let mut response = dressed(Response::new(body.boxed()), 200, "text/event-stream; charset=utf-8", headers);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What is not a header by the rules of HTTP is left out: a script that writes such a one sees it missing.
fn dressed(
    mut response: Response<Body>,
    status: u16,
    content_type: &str,
    headers: &BTreeMap<String, String>,
) -> Response<Body> {
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in [(CONTENT_TYPE.as_str(), content_type)].into_iter().chain(all) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Sends until the end, the fault, or until nobody reads any more.
async fn send(mut sender: Sender<Bytes, io::Error>, stream: Stream) {
    let Stream { dialect, events, pause, mut fault } = stream;
    for (number, event) in events.iter().enumerate() {
        let mut text = event.encoded();
        if let Some(Fault { breakage, .. }) = fault.take_if(|fault| number >= fault.after) {
            match breakage {
                Breakage::End => return,
                Breakage::Disconnect => return cut(sender),
                Breakage::Hang(time) => {
                    tokio::time::sleep(time).await;
                    return cut(sender);
                }
                Breakage::Error(refusal) => {
                    let body = dialect.error(refusal.status, refusal.kind.as_deref(), &refusal.message);
                    let last = Event { name: Some("error"), data: body.to_string() };
                    // Nobody may read any more, and this is the end in any case.
                    drop(sender.send_data(last.encoded().into()).await);
                    return;
                }
                Breakage::Garbage => text = text.replace(&event.data, "{not json"),
            }
        }
        if sender.send_data(text.into()).await.is_err() {
            return;
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Ends the connection without the end of the body.
fn cut(sender: Sender<Bytes, io::Error>) {
    sender.abort(io::Error::other("the script cuts the connection"));
}
