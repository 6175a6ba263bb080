//! Where a feature stands, in the words that people read: the one table for every surface. On the wire and in the
//! database the stored words stay.

use crate::{Proof, Status};

/// Where a feature stands, as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its checks were red before the work, and are green with it on the main branch.
    Proven,
    /// Its checks were green before any work.
    AlreadyGreen,
    /// It passes on its agent's word.
    NoCheck,
    /// Its work is handed in and waits to land.
    Landing,
    /// A session is at it.
    Running,
    /// It could be started.
    Ready,
    /// Features that it depends on do not pass.
    Blocked,
    /// It waits for a person's answer.
    NeedsYou,
    /// It failed as often as is allowed.
    GivenUp,
}

impl Standing {
    /// All of them, from done to given up.
    pub const ALL: [Self; 9] = [
        Self::Proven,
        Self::AlreadyGreen,
        Self::NoCheck,
        Self::Landing,
        Self::Running,
        Self::Ready,
        Self::Blocked,
        Self::NeedsYou,
        Self::GivenUp,
    ];

    /// Returns the standing of a feature with this status and proof. `is_ready`: nothing that it depends on holds it.
    /// `is_submitted`: what it is claimed for is handed in.
    pub fn new(status: Status, proof: Option<Proof>, is_ready: bool, is_submitted: bool) -> Self {
        match (status, proof) {
            (Status::Passing, Some(Proof::RedGreen)) => Self::Proven,
            (Status::Passing, Some(Proof::AlreadyGreen)) => Self::AlreadyGreen,
            (Status::Passing, Some(Proof::Unverified) | None) => Self::NoCheck,
            (Status::Claimed, _) if is_submitted => Self::Landing,
            (Status::Claimed, _) => Self::Running,
            (Status::Pending, _) if is_ready => Self::Ready,
            (Status::Pending, _) => Self::Blocked,
            (Status::NeedsHuman, _) => Self::NeedsYou,
            (Status::Parked, _) => Self::GivenUp,
        }
    }

    /// Returns its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::AlreadyGreen => "already green",
            Self::NoCheck => "no check",
            Self::Landing => "landing",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::NeedsYou => "needs you",
            Self::GivenUp => "given up",
        }
    }
}
