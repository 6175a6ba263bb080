//! The prompts Cogwork gives to agents: one template per kind of work, each with a typed context.
//!
//! Owns the words an agent reads first, and nothing else: no clock, no database, no process. The only I/O is reading
//! a project's own version of a template, `<project>/.cogwork/prompts/<name>.md`, which wins over the built-in one.
//! No context holds a secret, so no prompt can.

mod coding;
mod error;
mod feature;
mod hints;
mod initializer;
mod judging;
mod render;

pub use coding::{Coding, Repair};
pub use error::PromptError;
pub use feature::{Answered, FeatureText, PreviousAttempt, RedCheck};
pub use hints::{Hints, TestHint};
pub use initializer::{EXISTING_TOLD, Existing, FILES_TOLD, Initializer};
pub use judging::{Review, Testing};
pub use render::{Prompt, override_path, render};
