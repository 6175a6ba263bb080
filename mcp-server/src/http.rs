//! The way in over HTTP, for any number of clients on this machine.
//!
//! It owns the listener and its bounds (how many connections, how long a client may take, how much it may send), and
//! what stands before the protocol: loopback only, a bearer token ([`bearer`]), `Host` and `Origin`. What comes
//! through goes to the library's streamable HTTP service, in both eras. All clients are one worker to the database:
//! own claims belong to the process, not to a connection. It is the only module that names the web libraries.

mod bearer;
mod gate;

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::server::Server;
use bearer::BearerError;
pub(crate) use bearer::{Bearer, SHORTEST};
use gate::{Gate, guard};

/// Where clients post to.
const PATH: &str = "/mcp";

/// The longest message, as long as a line of standard input may be.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// Connections at one time. A client keeps two or three; whoever comes when all are taken waits in the kernel's queue.
const MAX_CONNECTIONS: u32 = 128;

/// How long a client may take to send the head of a request, and how long a connection may lie idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of the head of a request.
const MAX_HEAD: usize = 32 * 1024;

/// Bytes that are held unread for one connection.
const CONNECTION_BUFFER: usize = 64 * 1024;

/// How long a session of the older protocol is kept for a client that says nothing. Most clients never say that they
/// leave; one that comes back later is told to open anew.
const SESSION_IDLE: Duration = Duration::from_secs(3_600);

/// How long what was being answered may take to go out once the server ends.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// After a failed accept, which is nearly always a lack of file descriptors, some may have become free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where to serve.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    /// The token from the environment; without one the project's own is used.
    pub(crate) given: Option<Bearer>,
}

/// Why there is no server over HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// Somebody else has the port, or the address is not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// There is no token that clients could show.
    #[error("no bearer token: {0}")]
    Bearer(#[from] BearerError),
}

/// Reads the address of the command line.
///
/// # Errors
/// A sentence when it is no address with a port, or one that others could reach.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
    let address: SocketAddr = numeric
        .parse()
        .map_err(|_| "it must be a loopback address and a port, such as 127.0.0.1:4711".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err("other machines could reach it, and only loopback addresses are served: give 127.0.0.1 or [::1], and reach it \
         from elsewhere through a tunnel"
        .to_owned())
}

/// Serves until `end`, and returns once the last answers are out.
///
/// # Errors
/// When it cannot be begun.
pub(crate) async fn serve(
    server: &Server,
    http: &Http,
    end: impl Future<Output = &'static str>,
) -> Result<(), HttpError> {
    let (bearer, found_in) = match &http.given {
        Some(bearer) => (bearer.clone(), None),
        None => Bearer::of_project(&server.options().project).map(|(bearer, path)| (bearer, Some(path)))?,
    };
    let address = http.address;
    let listening = |source| HttpError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listening)?;
    announce(listener.local_addr().map_err(listening)?, found_in);

    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(["localhost", "127.0.0.1", "[::1]"])
        .enforce_origin_validation()
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"])
        .with_max_request_body_bytes(MAX_BODY)
        .with_json_response(true);
    let stop_protocol = config.cancellation_token.clone();
    let mut sessions = LocalSessionManager::default();
    sessions.session_config = session_config();
    let sessions = Arc::new(sessions);
    let gate = Arc::new(Gate::new(bearer, Arc::clone(&sessions)));
    #[cfg(not(feature = "conformance"))]
    let of_all = server.clone();
    #[cfg(feature = "conformance")]
    let of_all = crate::conformance::Fixtures::before(server.clone());
    let service = StreamableHttpService::new(move || Ok(of_all.clone()), sessions, config);
    // The gate stands before this one route; elsewhere there is nothing to find, and whoever looks for a way to log in
    // is told that there is none.
    let router = Router::new().route_service(PATH, service).route_layer(from_fn_with_state(gate, guard));

    let (stop, stopped) = watch::channel(());
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let reason = tokio::select! {
        reason = end => reason,
        never = accept(&listener, &router, &slots, &stopped) => match never {},
    };
    tracing::info!(reason, "ending");
    drop(listener);
    stop_protocol.cancel();
    drop(stop);
    // Every connection holds a slot until it is closed.
    if timeout(LAST_ANSWERS, slots.acquire_many(MAX_CONNECTIONS)).await.is_err() {
        tracing::debug!("connections were still open at the end");
    }
    Ok(())
}

fn session_config() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    config
}

/// Says on one line where the server is and how to get in, where somebody reads it; the token itself is never said.
fn announce(address: SocketAddr, found_in: Option<PathBuf>) {
    let token = found_in.map_or_else(|| "$COGWORK_HTTP_TOKEN".to_owned(), |path| path.display().to_string());
    drop(writeln!(io::stderr(), "cogwork-mcp: serving http://{address}{PATH}; bearer token in {token}"));
}

/// Takes connections for ever.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    slots: &Arc<Semaphore>,
    stopped: &watch::Receiver<()>,
) -> Infallible {
    loop {
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else {
            // Nobody closes the semaphore.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(stream, router.clone(), stopped.clone(), slot))),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves one connection until either side has had enough.
async fn converse(
    stream: TcpStream,
    router: Router,
    mut stopped: watch::Receiver<()>,
    slot: OwnedSemaphorePermit,
) {
    // Answers are small and somebody waits for each.
    drop(stream.set_nodelay(true));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .max_buf_size(CONNECTION_BUFFER)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended");
    }
    drop(slot);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_taken() {
        for good in ["127.0.0.1:0", "127.8.0.1:80", "[::1]:4711", "localhost:4711"] {
            assert!(loopback(good).unwrap().ip().is_loopback(), "{good}");
        }
        for reachable in ["0.0.0.0:80", "192.168.1.4:80", "[::]:80", "8.8.8.8:1"] {
            assert!(loopback(reachable).unwrap_err().contains("only loopback"), "{reachable}");
        }
        for nothing in ["", "4711", "127.0.0.1", "example.com:80", "localhost"] {
            assert!(loopback(nothing).unwrap_err().contains("such as 127.0.0.1:4711"), "{nothing}");
        }
    }
}
