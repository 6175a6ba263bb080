//! Coverage marks: each arm that handles a fault and each effect has one, and the simulator has to reach them all.
//!
//! Outside of tests a mark costs nothing.

/// Notes that an arm was reached.
#[cfg(not(test))]
pub(crate) fn hit(_what: &'static str, _how: &'static str) {}

#[cfg(test)]
pub(crate) use reached::{all, hit};

#[cfg(test)]
mod reached {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    static REACHED: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());

    /// Notes that an arm was reached.
    pub(crate) fn hit(what: &'static str, how: &'static str) {
        REACHED.lock().unwrap().insert((what, how));
    }

    /// Returns what was reached by this process.
    pub(crate) fn all() -> BTreeSet<(&'static str, &'static str)> {
        REACHED.lock().unwrap().clone()
    }
}
