//! The way from an asynchronous tool call to the synchronous store.
//!
//! It owns the one connection: opened at the first call that needs it, so that a server in a directory without a
//! project still starts, lists its tools and says what is wrong; used by one call at a time, in the order in which
//! they came; off the runtime's thread, so that a slow disk holds up no ping, but for questions that are answered
//! sooner than another thread wakes up. It never interprets what it runs.
//!
//! A server that nobody checked the database for does so itself: once, beside its calls, on a connection of its own.
//! What that finds is what every later call is answered with.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use cogwork_store::{StateHome, Store, StoreError};
use tokio::sync::Mutex;

use crate::error::{Code, ToolError};
use crate::{clock, contain};

/// The store of one project.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    project: PathBuf,
    /// Where its copies lie outside it.
    state_home: StateHome,
    /// Tokio's mutex: it is fair, it may be held across the hop to another thread, and a panic does not poison it.
    store: Arc<Mutex<Option<Store>>>,
    /// What is wrong with the file, once that is known.
    damage: Arc<OnceLock<StoreError>>,
    /// Nobody has begun to look for damage, and somebody should.
    unchecked: Arc<AtomicBool>,
}

impl Database {
    /// Names the project; nothing is opened yet. `checked` when whoever started this server looked for damage.
    pub(crate) fn of(project: &Path, state_home: StateHome, checked: bool) -> Self {
        Self {
            project: project.to_owned(),
            state_home,
            store: Arc::default(),
            damage: Arc::default(),
            unchecked: Arc::new(AtomicBool::new(!checked)),
        }
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
        if let Some(damage) = self.damage.get() {
            return Err(damage.into());
        }
        let (project, state_home) = (self.project.clone(), self.state_home.clone());
        let done = tokio::task::spawn_blocking(move || {
            let store = match slot.take() {
                Some(store) => store,
                None => state_home.open_or_adopt(&project, clock::source())?.0,
            };
            // Back in its slot only after a use that returned: a connection that a panic went through is not reused.
            let result = job(&store);
            *slot = Some(store);
            Ok(result)
        });
        match done.await {
            Ok(Ok(result)) => {
                self.look_for_damage();
                result
            }
            Ok(Err(not_opened)) => Err(not_opened),
            Err(panic) => Err(ToolError::internal(&panic)),
        }
    }

    /// Asks the store something that a few rows by their ids answer: at once and on this thread, which takes half the
    /// time of two hops between threads. What would have to wait for somebody is asked again, where it may.
    ///
    /// # Errors
    /// As [`Database::run`].
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        question: impl Fn(&Store) -> Result<T, ToolError> + Send + 'static,
    ) -> Result<T, ToolError> {
        match self.at_once(&question) {
            Some(answer) => answer,
            None => self.run(question).await,
        }
    }

    /// Returns the answer, unless the store is not open yet, somebody uses it, or another process holds it up.
    fn at_once<T>(&self, question: impl Fn(&Store) -> Result<T, ToolError>) -> Option<Result<T, ToolError>> {
        let mut slot = self.store.try_lock().ok().filter(|_| self.damage.get().is_none())?;
        let store = slot.take()?;
        // As above, back in its slot only when it returned.
        let answer = match contain::panics_of(|| store.at_once(question)) {
            Ok(answer) => {
                *slot = Some(store);
                answer
            }
            Err(panic) => Err(ToolError::internal(&panic)),
        };
        Some(answer).filter(|answer| !answer.as_ref().is_err_and(|error| error.code() == Code::Busy))
    }

    /// Begins to read the whole file, after the first call that could use it: none waits for this.
    fn look_for_damage(&self) {
        if !self.unchecked.swap(false, Ordering::Relaxed) {
            return;
        }
        let (project, damage) = (self.project.clone(), Arc::clone(&self.damage));
        // Nobody waits for its end either: a server may end before it is known.
        drop(tokio::task::spawn_blocking(move || {
            // What else may be wrong, a call meets by itself.
            if let Err(error @ StoreError::Corrupt { .. }) =
                Store::open(&project, clock::source()).and_then(|store| store.file().check_integrity())
            {
                drop(damage.set(error));
            }
        }));
    }

    /// Closes the file, so that the next use opens it anew.
    pub(crate) async fn close(&self) {
        drop(self.store.lock().await.take());
    }
}

#[cfg(test)]
mod tests;
