//! Something that is shown again whenever it changes.

use std::io::{ErrorKind, Write};
use std::time::Duration;

use console::Term;

use super::frame::Size;
use crate::cli::{CliError, Exit, block_on};

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Shows a text again whenever it changes, in its own place on a terminal, one after the other elsewhere: until whoever
/// reads it is gone, or ends this process.
///
/// # Errors
///
/// When the text cannot be made, or not be shown.
pub(crate) fn watch(mut text: impl FnMut() -> Result<String, CliError>) -> Result<Exit, CliError> {
    let mut term = Term::stdout();
    let mut shown = Shown::default();
    block_on(async {
        loop {
            match shown.show(&mut term, text()?) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Exit::Ok),
                written => written?,
            }
            tokio::time::sleep(EVERY).await;
        }
    })?
}

/// What stands there.
#[derive(Default)]
struct Shown {
    text: String,
    rows: usize,
}

impl Shown {
    fn show(&mut self, term: &mut Term, text: String) -> std::io::Result<()> {
        if text == self.text {
            return Ok(());
        }
        let fitting = if term.is_term() { Size::of(term).page(&text) } else { text.clone() };
        if term.is_term() {
            term.clear_last_lines(self.rows)?;
        }
        self.rows = fitting.lines().count();
        self.text = text;
        term.write_all(fitting.as_bytes())?;
        term.flush()
    }
}
