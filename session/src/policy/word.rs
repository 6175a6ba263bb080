//! Words of a command line: as much of each as can be known without running anything.

use brush_parser::ParserOptions;
use brush_parser::word::{BraceExpressionMember, BraceExpressionOrText};

/// Stands for what is known when the line runs only.
pub(super) const UNKNOWN: char = '\0';
/// Stands for what a pattern matches in the file system.
pub(super) const GLOB: char = '\u{1}';

/// How many words one with braces may become.
const MAX_WORDS: usize = 200;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    /// Its text, with [`UNKNOWN`] and [`GLOB`] for what is not known.
    pub(super) pattern: String,
    /// It may become several words, or none.
    pub(super) splits: bool,
}

impl Word {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { pattern: text.into(), splits: false }
    }

    /// Returns a word that can be anything, and any number of words.
    pub(super) fn anything() -> Self {
        Self { pattern: UNKNOWN.to_string(), splits: true }
    }

    /// Returns its text, if all of it is known.
    pub(super) fn known(&self) -> Option<&str> {
        self.unknown().is_none().then_some(self.pattern.as_str())
    }

    /// Returns what is known of its beginning.
    pub(super) fn prefix(&self) -> &str {
        self.pattern.split([UNKNOWN, GLOB]).next().unwrap_or_default()
    }

    /// Returns what ends the known beginning, [`UNKNOWN`] or [`GLOB`].
    pub(super) fn unknown(&self) -> Option<char> {
        self.pattern.chars().find(|c| [UNKNOWN, GLOB].contains(c))
    }

    /// Returns it for a person, with what is not known left out.
    pub(super) fn shown(&self) -> String {
        self.pattern.replace(UNKNOWN, "…").replace(GLOB, "*")
    }
}

/// How deep braces may stand in braces: for each level more, open ones take the parser several times as long.
const MAX_BRACES: usize = 8;

/// Returns the words that braces make of one, or `None` when they are too many.
pub(super) fn braces(raw: &str) -> Option<Vec<String>> {
    if !raw.contains('{') {
        return Some(vec![raw.to_owned()]);
    }
    if nesting(raw) > MAX_BRACES {
        return None;
    }
    match brush_parser::word::parse_brace_expansions(raw, &ParserOptions::default()) {
        Ok(Some(pieces)) => concatenated(&pieces),
        Ok(None) | Err(_) => Some(vec![raw.to_owned()]),
    }
}

/// Returns how deep braces outside quotes are nested, at most.
fn nesting(raw: &str) -> usize {
    let (mut depth, mut deepest, mut quote) = (0_usize, 0, None);
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if quote != Some('\'') => drop(chars.next()),
            '\'' | '"' if quote.is_none() => quote = Some(c),
            c if quote == Some(c) => quote = None,
            '{' if quote.is_none() => depth += 1,
            '}' if quote.is_none() => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn concatenated(pieces: &[BraceExpressionOrText]) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    for piece in pieces {
        let ends = match piece {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => alternatives(members)?,
        };
        if words.len() * ends.len() > MAX_WORDS {
            return None;
        }
        words = words.iter().flat_map(|word| ends.iter().map(move |end| format!("{word}{end}"))).collect();
    }
    Some(words)
}

fn alternatives(members: &[BraceExpressionMember]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for member in members {
        match member {
            BraceExpressionMember::Child(pieces) => words.extend(concatenated(pieces)?),
            // Nobody spells a program or a path that matters in this way who wants it to be read.
            BraceExpressionMember::NumberSequence { .. } | BraceExpressionMember::CharSequence { .. } => {
                words.push(UNKNOWN.to_string());
            }
        }
        if words.len() > MAX_WORDS {
            return None;
        }
    }
    Some(words)
}

/// Returns what stands between `$'` and `'`, or `None` where an escape is beyond the plain ones.
pub(super) fn ansi_c(text: &str) -> Option<String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        plain.push(match chars.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '\\' => '\\',
            '\'' => '\'',
            '"' => '"',
            _ => return None,
        });
    }
    Some(plain)
}

/// Returns text outside quotes, with its patterns marked.
pub(super) fn with_globs(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '*' | '?' | '[') { GLOB } else { c }).collect()
}
