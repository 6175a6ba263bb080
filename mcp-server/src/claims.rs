//! Which features this server may change, and the tokens that prove it.
//!
//! It owns the tokens: given ones as they came, with those that the session takes later, and own ones from the claim
//! until the feature passes or the server ends. It talks to nobody and decides only by what it holds; whether a token still counts is the store's word.
//! No token ever goes into an answer or a log.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cogwork_schemas::{FeatureId, SessionId, Token, listed};
use jiff::Timestamp;

use crate::error::{Code, ToolError};
use crate::options::Assignment;

/// The rights of this server.
#[derive(Debug)]
pub(crate) enum Claims {
    /// Given at the start, or taken later by the session; whoever started the session renews and ends them.
    Given(Given),
    /// The server claims, renews and ends by itself.
    Own(Own),
}

/// What a session was given, and what it took since.
#[derive(Debug)]
pub(crate) struct Given {
    held: Mutex<Vec<(FeatureId, Token)>>,
    /// Held while a further feature is taken: a session takes one at a time.
    taking: tokio::sync::Mutex<()>,
}

/// What a server without an orchestrator may claim, and has claimed.
#[derive(Debug)]
pub(crate) struct Own {
    /// Only these, unless empty.
    only: Vec<FeatureId>,
    held: Mutex<BTreeMap<FeatureId, Held>>,
}

/// One claim of our own.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) token: Token,
    pub(crate) session: SessionId,
    pub(crate) since: Timestamp,
}

impl Claims {
    /// Takes what the server was started with.
    pub(crate) fn of(assignment: &Assignment) -> Self {
        match assignment {
            Assignment::Given(features) => Self::Given(Given {
                held: Mutex::new(features.clone()),
                taking: tokio::sync::Mutex::default(),
            }),
            Assignment::Own { only } => Self::Own(Own { only: only.clone(), held: Mutex::default() }),
        }
    }

    /// Returns the token for a feature; `None` when the server may claim it but has not.
    ///
    /// # Errors
    /// When the feature is not this server's to change.
    pub(crate) fn token(&self, id: FeatureId) -> Result<Option<Token>, ToolError> {
        match self {
            Self::Given(given) => match given.all().into_iter().find(|(feature, _)| *feature == id) {
                Some((_, token)) => Ok(Some(token)),
                None => Err(not_assigned(id, self.features())),
            },
            Self::Own(own) if !own.may_claim(id) => Err(not_assigned(id, own.only.clone())),
            Self::Own(own) => Ok(own.held().get(&id).map(|held| held.token.clone())),
        }
    }

    /// Returns the features that were given or are held, in the order in which they came.
    pub(crate) fn features(&self) -> Vec<FeatureId> {
        match self {
            Self::Given(given) => given.all().into_iter().map(|(id, _)| id).collect(),
            Self::Own(own) => own.held().keys().copied().collect(),
        }
    }
}

impl Given {
    /// Remembers a feature that the session has taken; once.
    pub(crate) fn hold(&self, id: FeatureId, token: Token) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.iter().any(|(feature, _)| *feature == id) {
            held.push((id, token));
        }
    }

    /// Returns all claims as they are now, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<(FeatureId, Token)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the turn to take a further feature.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.taking.lock().await
    }
}

impl Own {
    /// Returns the only features the server may claim; empty when it may claim any.
    pub(crate) fn only(&self) -> &[FeatureId] {
        &self.only
    }

    fn may_claim(&self, id: FeatureId) -> bool {
        self.only.is_empty() || self.only.contains(&id)
    }

    /// Remembers a won claim.
    pub(crate) fn hold(&self, id: FeatureId, held: Held) {
        self.held().insert(id, held);
    }

    /// Forgets a claim that has ended, and returns it.
    pub(crate) fn let_go(&self, id: FeatureId) -> Option<Held> {
        self.held().remove(&id)
    }

    /// Returns whether a feature is held by this very claim.
    pub(crate) fn holds(&self, id: FeatureId, token: &Token) -> bool {
        self.held().get(&id).is_some_and(|held| held.token == *token)
    }

    /// Returns all claims as they are now.
    pub(crate) fn all(&self) -> Vec<(FeatureId, Held)> {
        self.held().iter().map(|(id, held)| (*id, held.clone())).collect()
    }

    /// Every use is one map operation, so what a panic left behind is whole.
    fn held(&self) -> MutexGuard<'_, BTreeMap<FeatureId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_assigned(id: FeatureId, mut assigned: Vec<FeatureId>) -> ToolError {
    assigned.sort_unstable();
    let (whose, next) = if assigned.is_empty() {
        ("no feature is".to_owned(), "You can only read here.")
    } else {
        (
            format!("only {} {}", listed(&assigned), if assigned.len() == 1 { "is" } else { "are" }),
            "Leave it to others.",
        )
    };
    ToolError::new(
        Code::NotAssigned,
        format!("feature {id} is not assigned to this session, {whose}; nothing was changed"),
        next,
    )
}
