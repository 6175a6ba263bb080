//! The workspace's own files, and Rust text with everything taken out that is no code of the program.

use std::fs;
use std::path::{Path, PathBuf};

/// Directories that are made by tools or by running Cogwork.
const NOT_OURS: [&str; 5] = ["target", ".git", ".cogwork", "cogwork-demo", "json"];

/// One file of the workspace.
pub(super) struct Source {
    /// Relative to the root of the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl Source {
    /// Returns the name of the crate's directory.
    pub(super) fn crate_dir(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Returns the name of the file without its directories.
    pub(super) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Returns whether the file exists for tests alone.
    pub(super) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.file_name() == "tests.rs"
            || ["/tests/", "/simulator/"].iter().any(|part| self.path.contains(part))
    }

    /// Returns the text without comments, literals and items that exist only under test.
    pub(super) fn code(&self) -> String {
        without_test_items(&blanked(&self.text))
    }
}

/// Returns the root of the workspace.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns every file whose name ends in one of these, by path. Files that are not text are left out.
pub(super) fn files(endings: &[&str]) -> Vec<Source> {
    let (root, mut found) = (root(), Vec::new());
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    directories.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending))
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Returns whether the word stands in the code, and not as a part of a longer word.
pub(super) fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part) && !code[at + word.len()..].starts_with(part))
}

/// Replaces comments and the insides of literals by spaces, and keeps every line where it is.
pub(super) fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = comment_end(&chars, at).or_else(|| literal_end(&chars, at));
        let next = end.unwrap_or(at + 1);
        for &c in &chars[at..next] {
            code.push(if end.is_some() && c != '\n' { ' ' } else { c });
        }
        at = next;
    }
    code
}

/// Returns where the comment ends that begins here, if one does.
fn comment_end(chars: &[char], start: usize) -> Option<usize> {
    let pair = |at: usize| (chars.get(at).copied(), chars.get(at + 1).copied());
    match pair(start) {
        (Some('/'), Some('/')) => {
            let length = chars[start..].iter().position(|&c| c == '\n');
            Some(length.map_or(chars.len(), |length| start + length))
        }
        (Some('/'), Some('*')) => {
            let (mut at, mut depth) = (start, 0_u32);
            while at < chars.len() {
                match pair(at) {
                    (Some('/'), Some('*')) => (at, depth) = (at + 2, depth + 1),
                    (Some('*'), Some('/')) => (at, depth) = (at + 2, depth - 1),
                    _ => at += 1,
                }
                if depth == 0 {
                    break;
                }
            }
            Some(at.min(chars.len()))
        }
        _ => None,
    }
}

/// Returns where the string or character ends that begins here, if one does.
fn literal_end(chars: &[char], start: usize) -> Option<usize> {
    let after_word = start > 0 && (chars[start - 1].is_alphanumeric() || chars[start - 1] == '_');
    match chars[start] {
        '"' => Some(quoted_end(chars, start + 1, '"')),
        // A lifetime has no second quote right after its first character.
        '\'' if chars.get(start + 1) == Some(&'\\') || chars.get(start + 2) == Some(&'\'') => {
            Some(quoted_end(chars, start + 1, '\''))
        }
        'r' if !after_word || matches!(chars[start - 1], 'b' | 'c') => {
            let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
            let open = start + 1 + hashes;
            if chars.get(open) != Some(&'"') {
                return None;
            }
            let closes =
                |at: usize| chars[at] == '"' && (1..=hashes).all(|n| chars.get(at + n) == Some(&'#'));
            let close = (open + 1..chars.len()).find(|&at| closes(at));
            Some(close.map_or(chars.len(), |at| at + 1 + hashes))
        }
        _ => None,
    }
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> usize {
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == quote => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// Takes out what `#[cfg(test)]` stands before: up to the end of its braces, or to the semicolon if it has none.
pub(super) fn without_test_items(code: &str) -> String {
    let mut rest = code;
    let mut kept = String::with_capacity(code.len());
    while let Some((before, item)) = rest.split_once("#[cfg(test)]") {
        kept.push_str(before);
        let mut depth = 0_u32;
        let end = item.find(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(c, '}' | ';')
        });
        rest = end.map_or("", |end| &item[end + 1..]);
    }
    kept + rest
}
