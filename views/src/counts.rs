//! How many features stand where. They are listed, and never added up: one that was proven and one on its agent's word
//! alone are not two of the same.

use cogwork_schemas::{Proof, Standing};
use cogwork_store::{Store, StoreError};
use serde::Serialize;

/// How many features there are in all, and in each standing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub total: usize,
    /// Those with the stored status `passing`: the next three together.
    pub passing: usize,
    pub proven: usize,
    pub already_green: usize,
    pub no_check: usize,
    pub landing: usize,
    pub running: usize,
    pub ready: usize,
    pub blocked: usize,
    #[serde(rename = "needs_human")]
    pub needs_you: usize,
    pub given_up: usize,
}

impl Counts {
    /// Counts the features of a project.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn of_project(store: &Store) -> Result<Self, StoreError> {
        let (graph, proofs) = (store.graph()?, store.proofs()?);
        let counts = graph.counts();
        let of = |proof| proofs.get(&proof).copied().unwrap_or_default();
        let landing = graph.iter().filter(|node| node.submitted).count();
        Ok(Self {
            total: counts.total(),
            passing: counts.passing,
            proven: of(Proof::RedGreen),
            already_green: of(Proof::AlreadyGreen),
            no_check: of(Proof::Unverified),
            landing,
            running: counts.claimed.saturating_sub(landing),
            ready: counts.ready,
            blocked: counts.blocked,
            needs_you: counts.needs_human,
            given_up: counts.parked,
        })
    }

    /// Returns how many stand there.
    pub fn with_standing(&self, standing: Standing) -> usize {
        match standing {
            Standing::Proven => self.proven,
            Standing::AlreadyGreen => self.already_green,
            Standing::NoCheck => self.no_check,
            Standing::Landing => self.landing,
            Standing::Running => self.running,
            Standing::Ready => self.ready,
            Standing::Blocked => self.blocked,
            Standing::NeedsYou => self.needs_you,
            Standing::GivenUp => self.given_up,
        }
    }

    /// Returns them as a line: `5 features: 3 proven, 1 no check, 1 running`.
    pub fn line(&self) -> String {
        let total = match self.total {
            0 => return "no feature".to_owned(),
            1 => "1 feature".to_owned(),
            total => format!("{total} features"),
        };
        let some = Standing::ALL.into_iter().filter(|standing| self.with_standing(*standing) > 0);
        let some: Vec<_> =
            some.map(|standing| format!("{} {}", self.with_standing(standing), standing.word())).collect();
        format!("{total}: {}", some.join(", "))
    }
}

/// Returns a number with its noun: "1 session", "2 sessions".
pub fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_up() {
        let counts = Counts { total: 6, proven: 2, no_check: 1, ready: 3, ..Counts::default() };
        assert_eq!(counts.line(), "6 features: 2 proven, 1 no check, 3 ready");
        assert_eq!(Counts { total: 1, proven: 1, ..Counts::default() }.line(), "1 feature: 1 proven");
        assert_eq!(Counts::default().line(), "no feature");
    }
}
