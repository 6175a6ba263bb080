//! The server in a thread of this process, for programs that need one beside them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::record::Recorder;
use super::script::Scripts;
use super::serve::Api;

/// A model API on loopback, for as long as this lives.
pub struct Model {
    url: String,
    /// Its thread ends when this is gone.
    _alive: oneshot::Sender<()>,
}

impl Model {
    /// Serves a script, on a port that is free.
    ///
    /// # Errors
    ///
    /// A sentence, when the script is wrong or this machine has no room for one more server.
    pub fn start(script: &serde_json::Value) -> Result<Self, String> {
        let scripts = Scripts::parse(&script.to_string()).map_err(|error| error.to_string())?;
        let recorder = Recorder::new(None, None).map_err(|error| error.to_string())?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        let (alive, dead) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    _ = Arc::new(Api::new(scripts, recorder)).serve(listener) => {}
                    _ = dead => {}
                }
            });
        });
        Ok(Self { url: format!("http://{address}"), _alive: alive })
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }
}
