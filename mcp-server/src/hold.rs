//! The words for why a feature is not running and what would unblock it.
//!
//! The reason itself is the store's one function; this is how tools say it.

use cogwork_schemas::{FeatureId, Hold};

/// Returns what holds a feature, as a fragment that follows its name, and what would change that.
pub(crate) fn in_words(hold: &Hold) -> (String, String) {
    match hold {
        Hold::Ready => (
            "is ready: nothing holds it".to_owned(),
            "It can be claimed now with feature_claim_and_get.".to_owned(),
        ),
        Hold::Running { session } => (
            format!("is being worked on by session {session}"),
            "It is free again when that session ends without passing it.".to_owned(),
        ),
        Hold::Passing => (
            "passes already".to_owned(),
            "Nothing is left to do for it.".to_owned(),
        ),
        Hold::Blocked { waiting_for, roots } => (
            format!("waits for {} to pass", listed(waiting_for)),
            format!(
                "It can start when {} {}.",
                listed(roots),
                if roots.len() == 1 { "passes" } else { "pass" }
            ),
        ),
        Hold::Parked {
            failed_attempts,
            reason,
        } => (
            format!("is parked after {failed_attempts} failed attempts, the last one: {reason}"),
            "Only a person can give it another chance, with `cogwork retry`.".to_owned(),
        ),
        Hold::NeedsHuman => (
            "waits for a person's answer".to_owned(),
            "It goes on when a person has answered.".to_owned(),
        ),
    }
}

/// Returns ids as people write them; long lists by their beginning and number.
pub(crate) fn listed(ids: &[FeatureId]) -> String {
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
        assert_eq!(
            listed(&ids(12)),
            "#1, #2, #3, #4, #5, #6, #7, #8, #9, #10 and 2 more"
        );
    }

    #[test]
    fn a_blocked_feature_names_what_would_unblock_it() {
        let hold = Hold::Blocked {
            waiting_for: vec![FeatureId(3)],
            roots: vec![FeatureId(1), FeatureId(2)],
        };
        let (why, next) = in_words(&hold);
        assert_eq!(why, "waits for #3 to pass");
        assert_eq!(next, "It can start when #1, #2 pass.");
    }
}
