//! Everything together, as a user meets it: real processes, real SQLite, real git, real kills. And the rules for the
//! workspace's own files that no compiler checks.

#![cfg(test)]

mod agents;
mod chaos;
mod demo;
mod place;
mod refusals;
mod tidy;
