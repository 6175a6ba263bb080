//! Redirections: what a command writes to, and what it is fed.

use std::path::Path;

use brush_parser::ParserOptions;
use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, RedirectList};

use super::Denied;
use super::script::{Dirs, Reading, Stdin, unreadable};
use super::word::{UNKNOWN, Word};

impl Reading<'_> {
    pub(super) fn redirects(
        &mut self,
        dirs: &Dirs,
        list: Option<&RedirectList>,
        stdin: &Stdin,
    ) -> Result<Stdin, Denied> {
        let mut stdin = stdin.clone();
        for redirect in list.iter().flat_map(|list| &list.0) {
            if let Some(fed) = self.redirect(dirs, redirect)? {
                stdin = fed;
            }
        }
        Ok(stdin)
    }

    /// Judges a redirection and returns the stdin that it gives.
    pub(super) fn redirect(&mut self, dirs: &Dirs, redirect: &IoRedirect) -> Result<Option<Stdin>, Denied> {
        match redirect {
            IoRedirect::File(_, kind, IoFileRedirectTarget::Filename(word)) => {
                let writes = !matches!(kind, IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput);
                for word in self.words(dirs, &word.value)? {
                    if writes {
                        self.written(dirs, &word)?;
                    }
                    self.reads(dirs, &word)?;
                }
                Ok((!writes).then_some(Stdin::Unknown))
            }
            IoRedirect::File(_, _, IoFileRedirectTarget::ProcessSubstitution(_, subshell)) => {
                self.list(dirs, &subshell.list)?;
                Ok(Some(Stdin::Unknown))
            }
            IoRedirect::File(_, kind, IoFileRedirectTarget::Duplicate(word)) => {
                let words = self.words(dirs, &word.value)?;
                // `>&name` is a file as well.
                let is_number = |word: &Word| {
                    word.known()
                        .is_some_and(|text| text.trim_end_matches('-').chars().all(|c| c.is_ascii_digit()))
                };
                if matches!(kind, IoFileRedirectKind::DuplicateOutput) {
                    for word in words.iter().filter(|word| !is_number(word)) {
                        self.written(dirs, word)?;
                    }
                    return Ok(None);
                }
                Ok(Some(Stdin::Unknown))
            }
            IoRedirect::File(_, kind, IoFileRedirectTarget::Fd(_)) => {
                Ok(matches!(kind, IoFileRedirectKind::DuplicateInput).then_some(Stdin::Unknown))
            }
            IoRedirect::HereDocument(_, document) => {
                let text = if document.requires_expansion {
                    let pieces =
                        brush_parser::word::parse_heredoc(&document.doc.value, &ParserOptions::default())
                            .map_err(|_| {
                                unreadable(&document.doc.value, "the here-document is not understood")
                            })?;
                    self.joined_pieces(dirs, &pieces, true)?
                } else {
                    Word::of(document.doc.value.clone())
                };
                Ok(Some(text.known().map_or(Stdin::Unknown, |text| Stdin::Text(text.to_owned()))))
            }
            IoRedirect::HereString(_, word) => {
                let text = self.scalar(dirs, &word.value)?;
                Ok(Some(text.known().map_or(Stdin::Unknown, |text| Stdin::Text(text.to_owned()))))
            }
            IoRedirect::OutputAndError(word, _) => {
                for word in self.words(dirs, &word.value)? {
                    self.written(dirs, &word)?;
                }
                Ok(None)
            }
        }
    }

    /// Judges that something is written to what a word names.
    pub(super) fn written(&self, dirs: &Dirs, word: &Word) -> Result<(), Denied> {
        let more = self.policy.writable(self.place);
        for dir in dirs {
            let prefix = word.prefix();
            let base = match dir {
                Some(dir) => dir.as_path(),
                None if prefix.starts_with(['/', '~']) => Path::new("/"),
                None => continue,
            };
            if prefix.is_empty() && word.unknown() == Some(UNKNOWN) {
                continue;
            }
            let mut path = self.place.at(base, prefix);
            // What a half-known name becomes lies in the directory of its known half.
            if word.known().is_none() && !prefix.is_empty() && !prefix.ends_with('/') {
                path.pop();
            }
            self.place.writable(&path, &more, true)?;
        }
        Ok(())
    }

    /// Judges that what a word names may be read.
    pub(super) fn reads(&self, dirs: &Dirs, word: &Word) -> Result<(), Denied> {
        dirs.iter().try_for_each(|dir| self.place.word_readable(dir.as_deref(), word))
    }
}
