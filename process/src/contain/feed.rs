//! What a running program is still to read, written while its output is read.

use std::future;

use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

/// Bytes that may wait to be read by a program that is talked to.
const MOST_WAITING: usize = 4 << 20;

/// What is still to be written to its stdin.
#[derive(Debug, Default)]
pub(super) struct Feed {
    stdin: Option<ChildStdin>,
    bytes: Vec<u8>,
    fed: usize,
    /// More may be added after the last byte.
    stays_open: bool,
}

impl Feed {
    pub(super) fn new(bytes: Vec<u8>, stays_open: bool) -> Self {
        Self { stdin: None, bytes, fed: 0, stays_open }
    }

    /// Returns the same with the stdin that it goes to.
    pub(super) fn into(self, stdin: Option<ChildStdin>) -> Self {
        Self { stdin, ..self }
    }

    /// Adds to it; returns whether it will be written.
    pub(super) fn add(&mut self, bytes: &[u8]) -> bool {
        let waiting = self.bytes.len() - self.fed;
        if self.stdin.is_none() || !self.stays_open || waiting + bytes.len() > MOST_WAITING {
            return false;
        }
        self.bytes.drain(..self.fed);
        self.fed = 0;
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// Nothing more can come.
    pub(super) fn end(&mut self) {
        self.stays_open = false;
    }

    /// Writes a part, and ends the input after the last if no more can come; then never returns again.
    pub(super) async fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else {
            return future::pending().await;
        };
        if self.fed < self.bytes.len() {
            // A program may well not read, and close its end.
            match stdin.write(&self.bytes[self.fed..]).await {
                Ok(count) if count > 0 => self.fed += count,
                Ok(_) | Err(_) => *self = Self::default(),
            }
            return;
        }
        if self.stays_open {
            (self.bytes, self.fed) = (Vec::new(), 0);
            return future::pending().await;
        }
        *self = Self::default();
    }
}
