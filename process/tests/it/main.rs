//! The crate from outside: real processes, real git, temporary directories.
//!
//! Sweeps concern a whole process, so a test that could meet the children of another runs [`alone::alone`], in a
//! process of its own.

#[cfg(test)]
mod alone;
#[cfg(test)]
mod check;
#[cfg(test)]
mod contained;
#[cfg(test)]
mod git;
#[cfg(test)]
mod heal;
#[cfg(test)]
mod recognise;
#[cfg(test)]
mod sweep;
