//! The way in over standard input and output.
//!
//! It owns one correction: until a client has opened the connection, the library under this server takes
//! anything but a request (a notification sent too early, an answer to a question nobody asked) for its end.
//! Here such a message is dropped, as it would be later on.

use rmcp::RoleServer;
use rmcp::model::{ClientRequest, GetMeta, JsonRpcMessage, ProtocolVersion};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;

/// A transport that takes nothing but requests until one of them has opened the connection.
pub(crate) struct Opening<T> {
    inner: T,
    open: bool,
}

impl<T> Opening<T> {
    /// Wraps a transport nothing was received from yet.
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, open: false }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Opening<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            let message = self.inner.receive().await?;
            if let JsonRpcMessage::Request(request) = &message {
                self.open |= opens(&request.request);
            } else if !self.open {
                tracing::debug!("dropped a message that came before the connection was open");
                continue;
            }
            return Some(message);
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.inner.close().await
    }
}

/// Returns whether the library serves on after this request, in either era: after `initialize`, or after any
/// request but a probe that says for itself which revision it speaks.
fn opens(request: &ClientRequest) -> bool {
    if matches!(request, ClientRequest::InitializeRequest(_)) {
        return true;
    }
    let probe = matches!(request, ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_));
    let meta = request.get_meta();
    let complete = meta.missing_required_keys(&ProtocolVersion::V_2026_07_28).is_empty();
    let known =
        meta.protocol_version().is_some_and(|version| ProtocolVersion::KNOWN_VERSIONS.contains(&version));
    !probe && complete && known
}
