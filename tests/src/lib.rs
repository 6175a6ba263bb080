//! End-to-end tests of Cogwork; they are in `tests/it`. Beside this file are the programs that they start, what
//! measures the figures of the README, and the model API that real agents are tested against.

pub mod contention;
pub mod kills;
pub mod model_api;
