//! One run: what starts, what lands, when it is over.
//!
//! [`engine`] decides and does nothing. Around it lie the way to the main branch ([`integrate`]), the start from what
//! the store holds ([`resume`]) and the lock that makes a run the only one of its project. Talks to the store, to git
//! and to runner processes. Never to a terminal, and never to a model.

pub mod clock;
pub mod engine;
pub mod integrate;
pub mod resume;
mod run_lock;

pub use run_lock::{Holder, RunLock, RunLockError};
