//! Redaction: secrets are taken out of what programs say, before anything keeps it.
//!
//! It owns what a secret is: a value of a variable whose name or shape says so, and what looks like a key whoever's it
//! is (`shapes`). It reads no environment and writes nothing; whoever lets text in calls it there, once.

mod pieces;
mod shapes;

use std::ffi::{OsStr, OsString};

pub use pieces::PieceRedactor;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Values that are shorter could be anything, and would be taken out of everything.
const SHORTEST: usize = 6;
/// A shorter one of small letters only is a word, of a protocol maybe, which would not be understood without it.
const SHORTEST_WORD: usize = 12;
/// How much of a secret has to stand where a text was cut to be taken for it.
const SHORTEST_PART: usize = 8;

/// Parts of a variable's name, between `_`, that say that its value is secret.
const SECRET_WORDS: &[&str] = &[
    "APIKEY",
    "AUTH",
    "COOKIE",
    "CREDENTIAL",
    "CREDENTIALS",
    "DSN",
    "HEADERS",
    "KEY",
    "KEYS",
    "PASS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "PRIVATE",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
];

/// Knows the secrets of a session, and takes them out of text.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that none is cut by a shorter one in it.
    values: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} values)", self.values.len())
    }
}

impl Redactor {
    /// Returns one that knows the secrets among these variables, and every shape.
    pub fn of_variables<'a>(variables: impl IntoIterator<Item = &'a (OsString, OsString)>) -> Self {
        let mut redactor = Self::default();
        for (name, value) in variables {
            let Some(value) = value.to_str() else { continue };
            if is_secret_name(name) {
                redactor.learn(value);
            } else if let Some(password) = password_of_url(value) {
                redactor.learn(password);
            } else if shapes::is_secret(value) {
                redactor.learn(value);
            }
        }
        redactor
    }

    /// Learns one more secret. What is too short to be told from other words is not learnt, and a path is none.
    pub fn learn(&mut self, value: &str) {
        let value = value.trim();
        let is_word = value.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if value.len() < SHORTEST || value.starts_with('/') || (is_word && value.len() < SHORTEST_WORD) {
            return;
        }
        // As it is, as it stands in JSON, and as it stands in JSON that is itself a string of JSON.
        let once = escaped(value);
        let twice = escaped(&once);
        self.values.extend([value.to_owned(), once, twice]);
        // What is printed by lines is found by lines.
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= 2 * SHORTEST_PART);
        self.values.extend(lines.map(str::to_owned));
        self.values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.values.dedup();
    }

    /// Returns the text without secrets. In JSON it stays JSON: a quote is never part of what is taken out.
    pub fn redact(&self, mut text: String) -> String {
        for value in &self.values {
            if text.contains(value.as_str()) {
                text = text.replace(value.as_str(), REDACTED);
            }
        }
        shapes::redact(text)
    }

    /// As [`Self::redact`], for text whose end was cut off, maybe in the middle of a secret.
    pub fn redact_head(&self, mut text: String) -> String {
        let Some(at) = self.begun(&text).filter(|at| text.len() - at >= SHORTEST_PART) else {
            return self.redact(text);
        };
        text.truncate(self.outside(&text, at));
        self.redact(text) + REDACTED
    }

    /// Returns where at the end of a text a secret begins that is not all there.
    fn begun(&self, text: &str) -> Option<usize> {
        let longest = |value: &String| {
            let beginnings = value.char_indices().rev().map(|(end, _)| &value[..end]);
            beginnings.take_while(|start| !start.is_empty()).find(|start| text.ends_with(start)).map(str::len)
        };
        self.values.iter().filter_map(longest).max().map(|length| text.len() - length)
    }

    /// Returns where a text can be cut at `at` or before so that no secret is cut.
    fn outside(&self, text: &str, mut at: usize) -> usize {
        loop {
            let values = self.values.iter().flat_map(|value| text.match_indices(value.as_str()));
            let secrets = values.map(|(start, value)| (start, start + value.len())).chain(shapes::all(text));
            match secrets.filter(|(start, end)| *start < at && at < *end).map(|(start, _)| start).min() {
                Some(start) => at = start,
                None => return at,
            }
        }
    }

    /// As [`Self::redact`], for text whose beginning was cut off, maybe in the middle of a secret.
    pub fn redact_tail(&self, text: String) -> String {
        let start = text.strip_prefix('…').unwrap_or(&text);
        let cut_secret = self.values.iter().find_map(|value| {
            let ends = value.char_indices().map(|(at, _)| &value[at..]).skip(1);
            ends.take_while(|end| end.len() >= SHORTEST_PART).find(|end| start.starts_with(end)).map(str::len)
        });
        match cut_secret {
            Some(length) => self.redact_head(format!("…{REDACTED}{}", &start[length..])),
            None => self.redact_head(text),
        }
    }
}

/// Takes secrets out of lines one by one, of which one key may take several.
#[derive(Debug, Default)]
pub struct LineRedactor {
    is_in_key: bool,
}

impl LineRedactor {
    /// Returns the next line without secrets.
    pub fn redact(&mut self, redactor: &Redactor, line: String) -> String {
        if self.is_in_key {
            self.is_in_key = shapes::is_part_of_key(&line);
            if self.is_in_key || shapes::ends_key(&line) {
                return REDACTED.to_owned();
            }
        }
        self.is_in_key = shapes::opens_key(&line);
        redactor.redact(line)
    }
}

/// Returns whether a variable of this name holds a secret.
fn is_secret_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_uppercase();
    let is_word = |part: &str| {
        SECRET_WORDS.contains(&part)
            || ["KEY", "TOKEN", "SECRET", "PASSWORD"].iter().any(|end| part.ends_with(end))
    };
    name.split('_').any(is_word)
}

/// Returns the password in `scheme://user:password@host`.
fn password_of_url(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (user, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

/// Returns a text as it stands between the quotes of JSON.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
