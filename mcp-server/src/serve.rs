//! The life of the server process: from its streams to its end.
//!
//! It owns when to end: at a signal, and over standard input and output also at the end of the input and when the
//! parent is gone although the input stays open, because a sibling may hold the other end of the pipe. Every one of
//! these is a normal end. A server over HTTP is nobody's child: only a signal ends it.

use std::process::ExitCode;
use std::time::Duration;

use cogwork_process::contain;
use cogwork_process::signals::SignalListener;
use rmcp::service::ServerInitializeError;
use rmcp::transport::Transport;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::io::stdio_pipes;
use rmcp::{RoleServer, ServiceExt};
use tokio::signal::unix::SignalKind;
use tokio::time::timeout;

use crate::http;
use crate::server::Server;
use crate::transport::Opening;

/// How often the parent is looked for.
const PARENT_WATCH: Duration = Duration::from_secs(2);

/// How long a check run that was cancelled may take to clear away what it started.
const CLEARING: Duration = Duration::from_secs(4);

/// How long own claims may take to be given back; what is not is ended by its lease.
const GIVING_BACK: Duration = Duration::from_secs(3);

/// A blocking read of standard input cannot be interrupted; the process ends without it.
const LAST_WAIT: Duration = Duration::from_millis(200);

/// Serves until it is time to end, and returns how the process should end.
pub(crate) fn run(server: &Server) -> ExitCode {
    // One thread: programs that checks start live as long as the thread that started them.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let code = match runtime.block_on(serve(server.clone())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error.as_ref()),
    };
    runtime.shutdown_timeout(LAST_WAIT);
    code
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    tracing::error!(%error, "cannot serve");
    ExitCode::FAILURE
}

type Failure = Box<dyn std::error::Error>;

async fn serve(server: Server) -> Result<(), Failure> {
    let mut end = End::watch(server.options().http.is_none())?;
    tokio::spawn(server.clone().keep_own_claims());
    let served = match &server.options().http {
        Some(options) => http::serve(&server, options, end.reached()).await.map_err(Failure::from),
        None => stdio(&server, &mut end).await,
    };
    // Whoever still runs checks was cancelled with the connection, and holds this until it has cleared up.
    if timeout(CLEARING, server.checking().lock()).await.is_err() {
        tracing::warn!("a check run did not end in time");
        contain::kill_descendants().await;
    }
    if timeout(GIVING_BACK, server.give_back_all()).await.is_err() {
        tracing::warn!("claims could not be given back in time; their leases will end them");
    }
    server.database().close().await;
    served
}

async fn stdio(server: &Server, end: &mut End) -> Result<(), Failure> {
    let (input, output) = stdio_pipes();
    let transport = Opening::new(AsyncRwTransport::new(input, output));
    tokio::select! {
        result = talk(server.clone(), transport) => result,
        reason = end.reached() => {
            tracing::info!(reason, "ending");
            Ok(())
        }
    }
}

/// Talks to the client until it closes the connection. Dropped before that, it cancels all calls.
pub(crate) async fn talk(
    server: Server,
    transport: impl Transport<RoleServer> + 'static,
) -> Result<(), Failure> {
    match server.serve(transport).await {
        Ok(running) => {
            running.waiting().await?;
            Ok(())
        }
        // A client that only probes, or only looks whether the program starts, has had what it wanted.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What tells the process to end.
struct End {
    interrupt: SignalListener,
    terminate: SignalListener,
    hangup: SignalListener,
    /// Who must not be gone, if anybody.
    parent: Option<u32>,
}

impl End {
    fn watch(parent: bool) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: SignalListener::new(SignalKind::interrupt())?,
            terminate: SignalListener::new(SignalKind::terminate())?,
            hangup: SignalListener::new(SignalKind::hangup())?,
            parent: parent.then(std::os::unix::process::parent_id),
        })
    }

    /// Returns once one of them does, with its name for the log.
    async fn reached(&mut self) -> &'static str {
        tokio::select! {
            () = self.interrupt.recv() => "interrupted",
            () = self.terminate.recv() => "terminated",
            () = self.hangup.recv() => "hung up",
            () = orphaned(self.parent) => "the parent is gone",
        }
    }
}

/// Returns when the parent is no longer the one it was. A parent-death signal would not do: clients start servers
/// from short-lived threads, and Linux takes the end of such a thread for the end of the parent.
async fn orphaned(parent: Option<u32>) {
    loop {
        tokio::time::sleep(PARENT_WATCH).await;
        if parent.is_some_and(|parent| parent != std::os::unix::process::parent_id()) {
            return;
        }
    }
}
