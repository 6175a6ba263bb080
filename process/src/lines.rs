//! Lines from a foreign program: any bytes in, bounded text out.
//!
//! [`Cutter`] is the pure part, [`Lines`] puts it on a stream. Neither fails on what it reads: a line that is too
//! long is cut and says so, invalid UTF-8 is replaced, a last line without an end is a line.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of a line that are kept. Structured agent output has lines of some hundred kilobytes (a file read as one
/// JSON string); what is longer is a flood.
pub const LINE_LIMIT: usize = 1 << 20;

/// Bytes read at once; also bounds how many finished lines wait to be fetched.
pub(crate) const READ_SIZE: usize = 32 << 10;

/// One line of a program's output, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text, invalid UTF-8 replaced.
    pub text: String,
    /// How many further bytes the line had: 0 unless it was cut at [`LINE_LIMIT`].
    pub cut: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.cut > 0 {
            write!(f, "… ({} bytes cut)", self.cut)?;
        }
        Ok(())
    }
}

/// Cuts a stream of bytes into lines; holds one unfinished line, never more than its limit of it.
#[derive(Debug)]
pub struct Cutter {
    limit: usize,
    line: Vec<u8>,
    cut: u64,
}

impl Cutter {
    /// Returns a cutter that keeps `limit` bytes of each line.
    pub fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), cut: 0 }
    }

    /// Takes the next bytes and adds each line that they finish to `lines`.
    pub fn push(&mut self, mut bytes: &[u8], lines: &mut VecDeque<Line>) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.grow(&bytes[..end]);
            lines.push_back(self.take());
            bytes = &bytes[end + 1..];
        }
        self.grow(bytes);
    }

    /// Returns the unfinished line at the end of the stream, if there is one.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.line.is_empty() || self.cut > 0).then(|| self.take())
    }

    fn grow(&mut self, bytes: &[u8]) {
        let room = (self.limit - self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.cut += (bytes.len() - room) as u64;
    }

    fn take(&mut self) -> Line {
        let mut line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if cut == 0 && line.last() == Some(&b'\r') {
            line.pop();
        }
        let text = String::from_utf8(line)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Line { text, cut }
    }
}

/// The lines of any stream, for example of a program's own stdin.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Box<[u8]>,
    cutter: Cutter,
    ready: VecDeque<Line>,
    at_end: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Returns the lines of `reader`, each cut at [`LINE_LIMIT`].
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; READ_SIZE].into(),
            cutter: Cutter::new(LINE_LIMIT),
            ready: VecDeque::new(),
            at_end: false,
        }
    }

    /// Returns the next line, or `None` at the end. Losing the future loses no bytes.
    ///
    /// # Errors
    ///
    /// What the reader itself reports; never what the bytes are.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some(line));
            }
            if self.at_end {
                return Ok(None);
            }
            let count = self.reader.read(&mut self.buffer).await?;
            self.cutter.push(&self.buffer[..count], &mut self.ready);
            if count == 0 {
                self.at_end = true;
                self.ready.extend(self.cutter.finish());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `bytes`, whatever chunks they come in.
    fn lines(limit: usize, bytes: &[u8]) -> Vec<String> {
        let cut_into = |size: usize| {
            let (mut cutter, mut lines) = (Cutter::new(limit), VecDeque::new());
            for chunk in bytes.chunks(size) {
                cutter.push(chunk, &mut lines);
                assert!(cutter.line.len() <= limit);
            }
            lines.extend(cutter.finish());
            lines.iter().map(Line::to_string).collect::<Vec<_>>()
        };
        let whole = cut_into(bytes.len().max(1));
        for size in 1..bytes.len() {
            assert_eq!(cut_into(size), whole, "in chunks of {size}");
        }
        whole
    }

    #[test]
    fn lines_are_cut_at_their_ends() {
        assert_eq!(lines(9, b"a\nbc\r\n\nd"), ["a", "bc", "", "d"]);
        assert_eq!(lines(9, b"a\n"), ["a"]);
        assert_eq!(lines(9, b"\n"), [""]);
        assert_eq!(lines(9, b""), [""; 0]);
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_one_is_whole() {
        assert_eq!(lines(3, b"abcdef\ngh"), ["abc… (3 bytes cut)", "gh"]);
        assert_eq!(lines(3, b"ab\rdef\n"), ["ab\r… (3 bytes cut)"]);
        assert_eq!(lines(3, b"abc\nabcd"), ["abc", "abc… (1 bytes cut)"]);
    }

    #[test]
    fn invalid_bytes_are_replaced() {
        assert_eq!(lines(9, b"a\xFF\xFEb\nc"), ["a\u{FFFD}\u{FFFD}b", "c"]);
    }

    #[tokio::test]
    async fn a_stream_is_read_to_its_end() {
        let mut lines = Lines::new(&b"one\ntwo\nhalf"[..]);
        let mut texts = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            texts.push(line.text);
        }
        assert_eq!(texts, ["one", "two", "half"]);
        assert_eq!(lines.next().await.unwrap(), None);
    }
}
