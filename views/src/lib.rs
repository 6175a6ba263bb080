//! What is shown of a project, on every surface: made of reads of the store and of nothing else, and the words for it.
//!
//! It asks no clock, no environment and no terminal: what the time is, and in which zone people live, it is told
//! ([`When`]). The fields of what is serialized here are the ones of `--json`.

mod counts;
mod feature;
mod overview;
mod when;

pub use counts::{Counts, counted};
pub use feature::{AttemptView, EvidenceView, FeatureLine, FeatureView, HoldView, standing};
pub use overview::{IdleSlot, LastRun, Overview, Paused, SessionView, TakenOver, WaitView};
pub use when::When;
