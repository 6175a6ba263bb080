//! The store as its callers see it: every operation, in memory and on disk, alone and against other processes.

#![cfg(test)]

mod absence;
mod activity;
mod batches;
mod calls;
mod changing;
mod claims;
mod damage;
mod fencing;
mod fixture;
mod importing;
mod journal;
mod keeping;
mod landing;
mod landings;
mod legacy;
mod migrating;
mod model;
mod opening;
mod past;
mod portable;
mod processes;
mod runs;
mod succession;
mod time;
