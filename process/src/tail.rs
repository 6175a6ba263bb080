//! The end of a stream: bounded memory, whatever is printed.

/// Keeps the last bytes of what it is given.
#[derive(Debug)]
pub(crate) struct Tail {
    limit: usize,
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    /// Returns a tail that keeps `limit` bytes (and needs twice that).
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), cut: false }
    }

    /// Takes the next bytes of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(self.limit)..];
        // Cut only when twice the limit is there, so that a byte is moved at most once per byte that comes.
        if self.bytes.len() + kept.len() > 2 * self.limit {
            let surplus = (self.bytes.len() + kept.len() - self.limit).min(self.bytes.len());
            self.bytes.drain(..surplus);
            self.cut = true;
        }
        self.cut |= kept.len() < bytes.len();
        self.bytes.extend_from_slice(kept);
    }

    /// Returns the end as text: at most `chars` characters, invalid UTF-8 replaced, a leading `…` where something
    /// was cut off.
    pub(crate) fn text(&self, chars: usize) -> String {
        let surplus = self.bytes.len().saturating_sub(self.limit);
        let mut end = &self.bytes[surplus..];
        let mut cut = self.cut || surplus > 0;
        if cut {
            // The cut may have gone through a character; its rest is no character.
            let rest = end.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
            end = &end[rest..];
        }
        let text = String::from_utf8_lossy(end);
        let skip = match text.char_indices().rev().nth(chars.saturating_sub(1)) {
            Some((at, _)) => at,
            None => 0,
        };
        cut |= skip > 0;
        format!("{}{}", if cut { "…" } else { "" }, &text[skip..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail_of(limit: usize, chunks: &[&[u8]], chars: usize) -> String {
        let mut tail = Tail::new(limit);
        for chunk in chunks {
            tail.push(chunk);
            assert!(tail.bytes.len() <= 2 * limit);
        }
        tail.text(chars)
    }

    #[test]
    fn a_short_stream_is_kept_whole() {
        assert_eq!(tail_of(8, &[b"abc", b"def"], 8), "abcdef");
        assert_eq!(tail_of(8, &[], 8), "");
    }

    #[test]
    fn a_long_stream_loses_its_beginning() {
        assert_eq!(tail_of(4, &[b"abcdefgh"], 9), "…efgh");
        assert_eq!(tail_of(4, &[b"abc", b"def", b"gh"], 9), "…efgh");
        assert_eq!(tail_of(4, &[&b"a"[..]; 100], 9), "…aaaa");
        assert_eq!(tail_of(8, &[b"abcdef"], 3), "…def");
    }

    #[test]
    fn a_cut_character_and_invalid_bytes_do_no_harm() {
        assert_eq!(tail_of(4, &["aaü€".as_bytes()], 9), "…€");
        assert_eq!(tail_of(8, &[b"a\xFFb"], 9), "a\u{FFFD}b");
    }
}
