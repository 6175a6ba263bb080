//! The real program over real pipes, in both eras of the protocol.

#![cfg(test)]

mod asking;
mod batches;
mod claiming;
mod client;
mod creating;
mod depending;
mod every_tool;
mod failing;
mod garbage;
mod giving_back;
mod gotchas;
mod http;
mod http_client;
mod life;
mod looking;
mod marking;
mod project;
mod protocol;
mod questions;
mod reading;
mod table;
