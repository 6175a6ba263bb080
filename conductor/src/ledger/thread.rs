//! The real ledger: one thread with one connection, on which everything that a run writes happens.
//!
//! A statement may wait ten seconds for a lock and a commit as long as the disk likes. Here nobody waits for it but the
//! call itself: the loop of the run goes on hearing runners and signals.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::{NodeIdentity, Presence, ProcessIdentity, SessionId, Token};
use cogwork_store::{Secret, Store, StoreError, TimeSource};
use tokio::sync::mpsc::Sender;

use super::{Call, CallId, Clerk, Fault, Owners, changes_after};
use crate::ports::{Input, Ledger};

/// How often the database is looked at for what other processes wrote. One look costs microseconds.
const NOTICE: Duration = Duration::from_millis(50);

/// The calls of a run on their way to the database. Dropped, its thread ends after the call that it is at.
pub struct LedgerThread {
    calls: mpsc::Sender<(CallId, Call)>,
}

impl LedgerThread {
    /// Opens the database of a project for a run that knows its journal up to `seen`.
    ///
    /// # Errors
    ///
    /// The store's, and a thread that cannot be started.
    pub fn start(
        project: &Path,
        clock: TimeSource,
        seen: i64,
        taken_over: BTreeMap<SessionId, Token>,
        inputs: Sender<Input>,
    ) -> Result<Self, StoreError> {
        let store = Store::open(project, clock)?;
        let (calls, received) = mpsc::channel();
        // No two runs have a process and a time in common, and none has another's secrets.
        let run = format!("run {:?} {seen}", contain::own_identity());
        let clerk = Clerk::new(Box::new(ThisMachine), Box::new(Secret::random), run, taken_over);
        let serving = Serving { store, clerk, seen, version: None, lost: None, inputs };
        // Unbounded, because at most one call is under way.
        let thread = std::thread::Builder::new().name("ledger".to_owned());
        thread.spawn(move || serving.serve(&received)).map_err(|source| StoreError::Io {
            action: "start a thread for",
            path: project.to_owned(),
            source,
        })?;
        Ok(Self { calls })
    }
}

impl Ledger for LedgerThread {
    fn call(&mut self, id: CallId, call: &Call) {
        // The thread lives as long as this; if it has failed, its own last input has said so.
        drop(self.calls.send((id, call.clone())));
    }
}

/// Whoever knows the processes of this machine.
struct ThisMachine;

impl Owners for ThisMachine {
    fn presence(&self, process: &ProcessIdentity, node: Option<&NodeIdentity>) -> Presence {
        contain::presence(process, node)
    }
}

struct Serving {
    store: Store,
    clerk: Clerk,
    /// The last journal entry that was told.
    seen: i64,
    /// The version of the database when it was last looked at.
    version: Option<i64>,
    /// Why there is nothing to be read any more. It was told, once.
    lost: Option<String>,
    inputs: Sender<Input>,
}

impl Serving {
    fn serve(mut self, calls: &mpsc::Receiver<(CallId, Call)>) {
        loop {
            let told = match calls.recv_timeout(NOTICE) {
                Ok((id, call)) => {
                    let reply = match &self.lost {
                        Some(reason) => Err(Fault::Fatal { reason: reason.clone() }),
                        None => self.clerk.perform(&self.store, id, &call),
                    };
                    // What a call made true is told before its answer.
                    self.tell_changes() && self.tell(Input::Ledger { id, reply })
                }
                Err(RecvTimeoutError::Timeout) => self.look_around(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if !told {
                return;
            }
        }
    }

    /// Looks whether somebody else has written something. Returns whether anybody still listens.
    fn look_around(&mut self) -> bool {
        match self.store.file().data_version() {
            Ok(version) if self.version == Some(version) => true,
            Ok(version) => {
                self.version = Some(version);
                self.tell_changes()
            }
            Err(error) => match Fault::from_store_error(&error) {
                Fault::Fatal { reason } => self.tell_loss(reason),
                Fault::Refused { .. } | Fault::Again { .. } | Fault::Unknown { .. } => true,
            },
        }
    }

    /// Tells what the journal gained, however long it takes until it can be read: an answer must not overtake it.
    fn tell_changes(&mut self) -> bool {
        loop {
            match changes_after(&self.store, self.seen) {
                Ok(None) => return true,
                Ok(Some(changes)) => {
                    self.seen = changes.through;
                    return self.tell(Input::Changes(Box::new(changes)));
                }
                Err(Fault::Fatal { reason }) => return self.tell_loss(reason),
                Err(Fault::Refused { .. } | Fault::Again { .. } | Fault::Unknown { .. }) => {
                    if self.inputs.is_closed() {
                        return false;
                    }
                    pause();
                }
            }
        }
    }

    /// Tells that the ledger cannot be read any more: once, whoever asks.
    fn tell_loss(&mut self, reason: String) -> bool {
        self.lost.replace(reason.clone()).is_some() || self.tell(Input::LedgerLost { reason })
    }

    fn tell(&self, input: Input) -> bool {
        self.inputs.blocking_send(input).is_ok()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread has nothing else to do: the ledger is what it waits for"
)]
fn pause() {
    std::thread::sleep(NOTICE);
}
