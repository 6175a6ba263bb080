//! A model API on loopback that plays a script: what real coding agents talk to in the tests instead of a model.
//!
//! It speaks four dialects, streaming and plain, plays one turn of a [`script`] for each request of an agent, and
//! writes down what it was asked before it answers. It owns no decision about an agent: what a record has to look
//! like is a test's business. It never reaches beyond loopback, and knows nothing of Cogwork.
//!
//! A request's way: `serve` → `dialect` (reads it into what was [`asked`]) → `sessions` (whose turn it is) →
//! `template` (fills it in) → `answer` (finds the agent's own tools) → `dialect` (writes it) → `wire`.

pub mod answer;
pub mod asked;
pub mod dialect;
pub mod record;
pub mod script;
pub mod serve;
pub mod sessions;
pub mod template;
pub mod thread;
mod wire;
