//! Everything together, as a user meets it: real processes, real SQLite, real git, real kills. And the rules for the
//! workspace's own files that no compiler checks.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests start programs, wait for them and look at the clock")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the few facts that it is about")]

mod absence;
mod agents;
mod batches;
mod broken_head;
mod chaos;
mod contention;
mod demo;
mod handed_in;
mod hostile;
mod idle;
mod in_project;
mod keeping;
mod kills;
mod landing;
mod locked;
mod logs;
mod lone;
mod ownership;
mod people;
mod place;
mod planning;
mod power;
mod readers;
mod refusals;
mod sandbox;
#[cfg(test)]
mod shapes;
mod steering;
mod suspended;
mod switching;
mod testing;
mod tidy;
