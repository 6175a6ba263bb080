//! Text that comes in pieces, with a secret in several of them.

use super::{Redactor, shapes};

/// How much is held back at most, in bytes: a private key is shorter.
const MOST: usize = 16 << 10;

/// Takes secrets out of text that goes on from piece to piece, as a model writes it. What may be the beginning of one
/// is held back until more is there.
#[derive(Debug, Default)]
pub struct PieceRedactor {
    held: String,
}

impl PieceRedactor {
    /// Returns what can be said of the text so far.
    pub fn push(&mut self, redactor: &Redactor, piece: &str) -> String {
        self.held.push_str(piece);
        let begun = [redactor.begun(&self.held), shapes::begun(&self.held)];
        let open = begun.into_iter().flatten().min().unwrap_or(self.held.len());
        let open = redactor.outside(&self.held, open);
        if self.held.len() - open > MOST {
            return self.finish(redactor);
        }
        let held = self.held.split_off(open);
        redactor.redact(std::mem::replace(&mut self.held, held))
    }

    /// Returns the rest of the text, which goes on no further.
    pub fn finish(&mut self, redactor: &Redactor) -> String {
        redactor.redact_head(std::mem::take(&mut self.held))
    }
}
