//! The way from an asynchronous tool call to the synchronous store.
//!
//! It owns the one connection: opened at the first call that needs it, so that a server in a directory without a
//! project still starts, lists its tools and says what is wrong; used by one call at a time, in the order in which
//! they came; off the runtime's thread, so that a slow disk holds up no ping. It never interprets what it runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cogwork_store::Store;
use tokio::sync::Mutex;

use crate::clock;
use crate::error::ToolError;

/// The store of one project.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    project: PathBuf,
    /// Tokio's mutex: it is fair, it may be held across the hop to another thread, and a panic does not poison it.
    store: Arc<Mutex<Option<Store>>>,
}

impl Database {
    /// Names the project; nothing is opened yet.
    pub(crate) fn of(project: &Path) -> Self {
        Self { project: project.to_owned(), store: Arc::default() }
    }

    /// Runs one use of the store and returns its result.
    ///
    /// Dropping the returned future does not undo a use that has begun: each one is a transaction that ends whole.
    ///
    /// # Errors
    /// What the use returned, or why the project cannot be opened.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let mut slot = Arc::clone(&self.store).lock_owned().await;
        let project = self.project.clone();
        let done = tokio::task::spawn_blocking(move || {
            let store = match slot.take() {
                Some(store) => store,
                None => Store::open_or_adopt(&project, clock::now())?.0,
            };
            // Back in its slot only after a use that returned: a connection that a panic went through is not reused.
            let result = job(&store);
            *slot = Some(store);
            result
        });
        match done.await {
            Ok(result) => result,
            Err(panic) => Err(ToolError::internal(&panic)),
        }
    }

    /// Closes the file, so that the next use opens it anew.
    pub(crate) async fn close(&self) {
        drop(self.store.lock().await.take());
    }
}
