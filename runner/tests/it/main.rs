//! The real program `cogwork-runner` with real agents, which are shell commands: no model, no network.

#![cfg(test)]

mod batches;
mod containment;
mod conversation;
mod held_database;
mod hook;
mod logs;
mod next_attempt;
mod project;
#[cfg(target_os = "linux")]
mod resources;
mod runner;
mod sandbox;
mod scripted;
mod secrets;
mod session;
mod standalone;
