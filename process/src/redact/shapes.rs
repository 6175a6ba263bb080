//! What looks like a secret, whoever's it is.

use super::REDACTED;

/// How a kind of key begins, how many characters it has behind that at least, and which.
struct Shape {
    start: &'static str,
    least: usize,
    is_part: fn(char) -> bool,
    /// The beginning is no secret and stays.
    keeps_start: bool,
}

const SHAPES: &[Shape] = &[
    key("sk-", 16),
    key("rk_live_", 16),
    key("sk_live_", 16),
    key("sk_test_", 16),
    key("ghp_", 20),
    key("gho_", 20),
    key("ghu_", 20),
    key("ghs_", 20),
    key("ghr_", 20),
    key("github_pat_", 20),
    key("glpat-", 16),
    key("xoxb-", 16),
    key("xoxp-", 16),
    key("xapp-", 16),
    key("npm_", 30),
    key("pypi-", 30),
    key("AIza", 30),
    key("hf_", 30),
    Shape { start: "AKIA", least: 16, is_part: is_upper, keeps_start: false },
    Shape { start: "ASIA", least: 16, is_part: is_upper, keeps_start: false },
    Shape { start: "Bearer ", least: 16, is_part: is_bearer, keeps_start: true },
    Shape { start: "bearer ", least: 16, is_part: is_bearer, keeps_start: true },
    Shape { start: "eyJ", least: 40, is_part: is_jwt, keeps_start: false },
];

const fn key(start: &'static str, least: usize) -> Shape {
    Shape { start, least, is_part: is_key, keeps_start: false }
}

fn is_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

fn is_bearer(c: char) -> bool {
    is_key(c) || matches!(c, '.' | '~' | '+' | '/' | '=')
}

fn is_jwt(c: char) -> bool {
    is_key(c) || c == '.'
}

const PEM: &str = "-----BEGIN ";
/// A private key ends somewhere; where its end is missing, what may be part of it goes.
const PEM_END: &str = "-----END ";
/// How long the first or last line of a private key may be, in bytes.
const LONGEST_NAME: usize = 60;
/// How long what begins like a key is looked at, in bytes; such keys are shorter.
const LONGEST: usize = 4 << 10;
/// How many characters the random part of an attempt's token has.
const TOKEN_DIGITS: usize = 32;

/// Returns whether a value as a whole has the shape of a secret.
pub(super) fn is_secret(value: &str) -> bool {
    value.len() < 10_000 && found(value, 0).is_some_and(|(start, end)| start == 0 && end == value.len())
}

/// Returns whether a private key begins in this line and ends in a later one.
pub(super) fn opens_key(line: &str) -> bool {
    line.rfind(PEM).is_some_and(|at| pem_end(line, at).is_some() && !line[at..].contains(PEM_END))
}

/// Returns whether all of a line may be the body of a key.
pub(super) fn is_part_of_key(line: &str) -> bool {
    part_of_key(line) == line.len()
}

/// Returns whether a key ends in a line.
pub(super) fn ends_key(line: &str) -> bool {
    line.contains(PEM_END)
}

/// Returns where at the end of a text something begins that looks like a secret so far, and may go on.
pub(super) fn begun(text: &str) -> Option<usize> {
    let pem = text.rfind(PEM).filter(|at| is_key_so_far(text, *at));
    let bytes = text.as_bytes();
    let in_word = |at: usize| at > 0 && is_word_byte(bytes[at - 1]);
    let key = (text.len().saturating_sub(LONGEST)..text.len())
        .filter(|at| text.is_char_boundary(*at) && !in_word(*at))
        .find(|at| is_begun(&text[*at..]));
    pem.into_iter().chain(key).min()
}

/// Returns whether what begins at `at` may be a private key of which more is to come.
fn is_key_so_far(text: &str, at: usize) -> bool {
    let rest = &text[at + PEM.len()..];
    if !rest.contains("-----") {
        return rest.len() < LONGEST_NAME;
    }
    let Some(end) = pem_end(text, at) else { return false };
    let (key, closing) = text.split_at(end);
    let is_closed = key[at..].contains(PEM_END);
    !is_closed
        && (PEM_END.starts_with(closing) || (closing.starts_with(PEM_END) && closing.len() < LONGEST_NAME))
}

/// Returns whether all of a text is the beginning of a key.
fn is_begun(rest: &str) -> bool {
    let starts = SHAPES.iter().any(|shape| match rest.strip_prefix(shape.start) {
        Some(body) => body.chars().all(shape.is_part),
        None => shape.start.starts_with(rest),
    });
    starts || PEM.starts_with(rest)
}

/// Returns the text without what looks like a secret.
pub(super) fn redact(text: String) -> String {
    let (mut clean, mut at) = (String::new(), 0);
    for (start, end) in all(&text) {
        clean.push_str(&text[at..start]);
        clean.push_str(REDACTED);
        at = end;
    }
    if at == 0 {
        return text;
    }
    clean.push_str(&text[at..]);
    clean
}

/// Returns where all that looks like a secret begins and ends.
pub(super) fn all(text: &str) -> impl Iterator<Item = (usize, usize)> {
    std::iter::successors(found(text, 0), move |(_, end)| found(text, *end))
}

/// Returns where the first secret from `from` on begins and ends.
fn found(text: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    for at in from..bytes.len() {
        // Each kind begins with one of these; looking at more is for what does.
        if !matches!(
            bytes[at],
            b's' | b'r' | b'g' | b'x' | b'n' | b'p' | b'A' | b'h' | b'B' | b'b' | b'e' | b'-' | b'0'..=b'9'
        ) {
            continue;
        }
        if at > 0 && is_word_byte(bytes[at - 1]) {
            continue;
        }
        let end = match bytes[at] {
            b'-' => pem_end(text, at),
            b'0'..=b'9' => token_end(text, at),
            _ => key_at(text, at).map(|(_, end)| end),
        };
        if let Some(end) = end {
            let start = key_at(text, at).map_or(at, |(start, _)| start);
            return Some((start, end));
        }
    }
    None
}

/// A letter before it makes it part of a word, but for the `n` and `t` of an escaped line or tabulator.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() && !matches!(byte, b'n' | b't' | b'r')
}

fn key_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let shape = SHAPES.iter().find(|shape| rest.starts_with(shape.start))?;
    let body = &rest[shape.start.len()..];
    let length = body.find(|c| !(shape.is_part)(c)).unwrap_or(body.len());
    let start = if shape.keeps_start { at + shape.start.len() } else { at };
    (length >= shape.least && body.as_bytes()[..length].iter().any(u8::is_ascii_alphanumeric))
        .then_some((start, at + shape.start.len() + length))
}

/// An attempt's token: its number, a dash, 32 hexadecimal digits.
fn token_end(text: &str, at: usize) -> Option<usize> {
    let digits = text[at..].find(|c: char| !c.is_ascii_digit())?;
    let secret = text[at + digits..].strip_prefix('-')?;
    let length = secret.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(secret.len());
    (length == TOKEN_DIGITS).then_some(at + digits + 1 + length)
}

fn pem_end(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?.strip_prefix(PEM)?;
    let (kind, body) = rest.split_once("-----")?;
    if kind.len() > 40 || !kind.ends_with("PRIVATE KEY") {
        return None;
    }
    let body_at = text.len() - body.len();
    let length = part_of_key(body);
    let closing = &body[length..];
    let end = match closing.strip_prefix(PEM_END).and_then(|rest| rest.find("KEY-----")) {
        Some(name) if name <= 40 => PEM_END.len() + name + "KEY-----".len(),
        Some(_) | None => 0,
    };
    Some(body_at + length + end)
}

/// Returns how much of a text may be the body of a key: base64, headers, and line ends, escaped or not.
fn part_of_key(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at += match bytes[at] {
            b'\\' if matches!(bytes.get(at + 1), Some(b'n' | b'r')) => 2,
            b'\\' if bytes.get(at + 1) == Some(&b'\\') && matches!(bytes.get(at + 2), Some(b'n' | b'r')) => 3,
            b'-' => break,
            byte if byte.is_ascii_alphanumeric() || b"+/=:, \n\r\t".contains(&byte) => 1,
            _ => break,
        };
    }
    at
}
