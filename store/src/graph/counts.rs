//! How many features there are in each state, kept while the graph changes.

use cogwork_schemas::Status;

/// How many features there are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pending, and all dependencies pass.
    pub ready: usize,
    /// Pending, and a dependency does not pass.
    pub blocked: usize,
    pub claimed: usize,
    pub passing: usize,
    pub parked: usize,
    pub needs_human: usize,
}

impl Counts {
    /// Returns how many there are in all.
    pub fn total(&self) -> usize {
        let Self { ready, blocked, claimed, passing, parked, needs_human } = self;
        ready + blocked + claimed + passing + parked + needs_human
    }

    pub(super) fn add(&mut self, status: Status, ready: bool) {
        *self.of(status, ready) += 1;
    }

    pub(super) fn take(&mut self, status: Status, ready: bool) {
        *self.of(status, ready) -= 1;
    }

    fn of(&mut self, status: Status, ready: bool) -> &mut usize {
        match status {
            Status::Pending if ready => &mut self.ready,
            Status::Pending => &mut self.blocked,
            Status::Claimed => &mut self.claimed,
            Status::Passing => &mut self.passing,
            Status::Parked => &mut self.parked,
            Status::NeedsHuman => &mut self.needs_human,
        }
    }
}
