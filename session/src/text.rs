//! Keeping text short, whatever a program prints.

/// The end of a text that grows.
#[derive(Debug)]
pub struct Tail {
    text: String,
    limit: usize,
}

impl Tail {
    /// Keeps about the last `limit` bytes.
    pub fn of(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    /// Adds a line.
    pub fn push_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if self.text.len() > self.limit * 2 {
            self.cut();
        }
    }

    /// Returns what was kept.
    pub fn into_text(mut self) -> String {
        self.cut();
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    fn cut(&mut self) {
        let surplus = self.text.len().saturating_sub(self.limit);
        let surplus = self.text.ceil_char_boundary(surplus);
        self.text.drain(..surplus);
    }
}

/// Returns `text`, cut after `limit` bytes at the most, with a note of how much is missing.
pub fn shortened(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let kept = text.floor_char_boundary(limit);
        let missing = text.len() - kept;
        text.truncate(kept);
        text.push_str(&format!("… ({missing} more bytes)"));
    }
    text
}

/// Returns `text` as one line that a terminal shows as it is: whatever would move its cursor or change its state is
/// left out.
pub fn printable(text: &str) -> String {
    let visible = |c: char| if c == '\t' || c == '\n' { ' ' } else { c };
    text.chars().map(visible).filter(|c| !c.is_control()).collect()
}

/// Returns the text without anything a terminal would obey: control characters become spaces.
///
/// Names and outputs come from models and files; printing them raw would let them move the cursor or retitle the
/// window.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Returns at most `width` characters of the cleaned text, with an ellipsis when something was cut.
pub fn cut(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= width {
        return text;
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_and_cuts_between_characters() {
        let mut tail = Tail::of(10);
        for _ in 0..1000 {
            tail.push_line("ä ö ü");
        }
        tail.push_line("last");
        assert_eq!(tail.into_text(), " ü\nlast");
    }

    #[test]
    fn a_long_text_says_how_much_is_missing() {
        assert_eq!(shortened("aäb".into(), 4), "aäb");
        assert_eq!(shortened("aäb".into(), 2), "a… (3 more bytes)");
    }

    #[test]
    fn a_terminal_is_not_steered_by_an_agent() {
        assert_eq!(printable("a\tb\u{1b}[2Jc\r\u{7}d\ne"), "a b[2Jcd e");
    }

    #[test]
    fn text_cannot_speak_to_the_terminal() {
        assert_eq!(clean("a\x1b]0;title\x07b\n"), "a ]0;title b ");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
