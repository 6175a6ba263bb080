//! The program `cogwork` on its own, where no run and no agent is needed.

#![cfg(test)]
#![expect(clippy::disallowed_methods, reason = "tests start programs")]

mod asking;
mod install;
mod packages;
mod place;
