//! How long things may take, and how much they may have.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The limits of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long the agent may work on one feature, in one life.
    pub max_session: SignedDuration,
    /// How long the agent may print nothing.
    pub max_silence: SignedDuration,
    /// How long the agent may give signs of life and do nothing.
    pub max_idle: SignedDuration,
    /// How many bytes of memory the session may have; `None` for as many as there are.
    pub max_memory: Option<u64>,
    /// How long the agent may take to end after it has said that it is through.
    pub after_result: SignedDuration,
    /// How long the agent may take to end after it was told to, before it is killed.
    pub grace: SignedDuration,
    /// How long a claim lives without being renewed.
    pub lease: SignedDuration,
}

impl Limits {
    /// Returns the time between two renewals: a third of the lease, so that two may fail before the claim is lost.
    /// Never less than 100 ms, so that a mad lease does not make the machine spin.
    pub fn renew_every(&self) -> SignedDuration {
        (self.lease / 3).max(SignedDuration::from_millis(100))
    }
}
