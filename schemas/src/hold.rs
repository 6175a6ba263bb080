//! Why a feature is not running and what would unblock it: the reason, and the words for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FeatureId, SessionId};

/// Why a feature is not running, and so what would unblock it. Every surface prints this same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "hold")]
pub enum Hold {
    /// Nothing holds it: it starts as soon as a slot is free.
    Ready,
    /// It is being worked on.
    Running { session: SessionId },
    /// Its work is green and waits to be merged; no session runs for it any more.
    /// `waits_for` is what has to happen before that, as far as anybody said so.
    Landing {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits_for: Option<String>,
    },
    /// It is done.
    Passing,
    /// These dependencies do not pass yet; `roots` are the features whose own state decides when that changes.
    Blocked { waiting_for: Vec<FeatureId>, roots: Vec<FeatureId> },
    /// It failed as often as the limit allows; `reason` is what the last attempt said.
    Parked { failed_attempts: u32, reason: String },
    /// A person has to answer first.
    NeedsHuman { question: String },
}

impl Hold {
    /// Returns what holds a feature, as a fragment that follows its name, and what would change that.
    pub fn in_words(&self) -> (String, String) {
        match self {
            Self::Ready => ("is ready: nothing holds it".to_owned(), "It can be claimed now.".to_owned()),
            Self::Running { session } => (
                format!("is being worked on by session {session}"),
                "It is free again when that session ends without passing it.".to_owned(),
            ),
            Self::Landing { waits_for } => (
                match waits_for {
                    Some(wait) => format!("is green, and its landing waits for {wait}"),
                    None => "is green and waits to be integrated".to_owned(),
                },
                "It passes when its work has landed on the main branch.".to_owned(),
            ),
            Self::Passing => ("passes already".to_owned(), "Nothing is left to do for it.".to_owned()),
            Self::Blocked { waiting_for, roots } => (
                format!("waits for {} to pass", listed(waiting_for)),
                match (roots == waiting_for, roots.len()) {
                    (true, 1) => format!("It can start when {} passes.", listed(roots)),
                    (true, _) => format!("It can start when {} pass.", listed(roots)),
                    // Something is between them and it.
                    (false, 1) => format!("First of all, {} has to pass.", listed(roots)),
                    (false, _) => format!("First of all, {} have to pass.", listed(roots)),
                },
            ),
            Self::Parked { failed_attempts, reason } => (
                match failed_attempts {
                    1 => format!("was given up after 1 failed attempt: {reason}"),
                    n => format!("was given up after {n} failed attempts, the last one: {reason}"),
                },
                "Only a person can give it another chance, with `cogwork retry`.".to_owned(),
            ),
            Self::NeedsHuman { question } => (
                format!("waits for a person's answer to: {question}"),
                "It goes on when a person has answered, with `cogwork answer`.".to_owned(),
            ),
        }
    }
}

/// Returns ids as people write them; long lists by their beginning and number.
pub fn listed(ids: &[FeatureId]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(FeatureId::to_string).collect();
    match ids.len().checked_sub(SHOWN) {
        None | Some(0) => shown.join(", "),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shown_by_its_beginning_and_number() {
        let ids = |n| (1..=n).map(FeatureId).collect::<Vec<_>>();
        assert_eq!(listed(&ids(3)), "#1, #2, #3");
        assert_eq!(listed(&ids(10)).matches('#').count(), 10);
        assert_eq!(listed(&ids(12)), "#1, #2, #3, #4, #5, #6, #7, #8, #9, #10 and 2 more");
    }

    #[test]
    fn a_blocked_feature_names_what_would_unblock_it() {
        let ids = |numbers: &[i64]| numbers.iter().copied().map(FeatureId).collect::<Vec<_>>();
        for (waiting_for, roots, next) in [
            (ids(&[3]), ids(&[1, 2]), "First of all, #1, #2 have to pass."),
            (ids(&[3]), ids(&[1]), "First of all, #1 has to pass."),
            (ids(&[1, 2]), ids(&[1, 2]), "It can start when #1, #2 pass."),
            (ids(&[1]), ids(&[1]), "It can start when #1 passes."),
        ] {
            let why = format!("waits for {} to pass", listed(&waiting_for));
            assert_eq!(Hold::Blocked { waiting_for, roots }.in_words(), (why, next.to_owned()));
        }
    }
}
