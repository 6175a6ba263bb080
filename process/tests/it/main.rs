//! The crate from outside: real processes, real git, temporary directories.
//!
//! Sweeps concern a whole process, so a test that could meet the children of another runs [`alone::alone`], in a
//! process of its own. What containment can do on Linux alone is tested there alone.

#[cfg(test)]
mod alone;
#[cfg(test)]
mod check;
#[cfg(test)]
mod clone;
#[cfg(test)]
mod contained;
#[cfg(test)]
mod git;
#[cfg(test)]
mod head;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod landing;
#[cfg(test)]
mod landing_heal;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod landing_kills;
#[cfg(test)]
mod landing_people;
#[cfg(test)]
mod landing_places;
#[cfg(test)]
mod locks;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod part;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod reading;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod snapshot_costs;
#[cfg(test)]
mod snapshot_history;
#[cfg(test)]
mod snapshot_in_project;
#[cfg(test)]
mod snapshot_kept;
#[cfg(test)]
mod snapshot_limits;
#[cfg(test)]
mod snapshot_own;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod snapshot_power;
#[cfg(test)]
mod snapshot_shapes;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod sweep;
