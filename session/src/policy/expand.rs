//! Expansion: what the words of a script become, as far as that is known, and what runs while they do.

use brush_parser::ParserOptions;
use brush_parser::word::{
    Parameter, ParameterExpr, ParameterTransformOp, TildeExpr, WordPiece, WordPieceWithSource,
};

use super::Denied;
use super::lists::SECRET_VARIABLES;
use super::script::{Dirs, Reading, unknown, unreadable};
use super::word::{UNKNOWN, Word, ansi_c, braces, with_globs};

impl Reading<'_> {
    /// Returns the words that one of the script becomes, after judging what runs in it.
    pub(super) fn words(&mut self, dirs: &Dirs, raw: &str) -> Result<Vec<Word>, Denied> {
        // Alone it is a command, and no pattern.
        if raw == "[" {
            return Ok(vec![Word::of(raw)]);
        }
        let Some(expanded) = braces(raw) else { return Ok(vec![Word::anything()]) };
        expanded.iter().map(|raw| self.scalar(dirs, raw)).collect()
    }

    pub(super) fn scalar(&mut self, dirs: &Dirs, raw: &str) -> Result<Word, Denied> {
        let pieces = brush_parser::word::parse(raw, &ParserOptions::default())
            .map_err(|_| unreadable(raw, "the word is not understood"))?;
        self.joined_pieces(dirs, &pieces, false)
    }

    pub(super) fn joined_pieces(
        &mut self,
        dirs: &Dirs,
        pieces: &[WordPieceWithSource],
        is_quoted: bool,
    ) -> Result<Word, Denied> {
        let mut word = Word::default();
        for piece in pieces {
            self.piece(dirs, &piece.piece, is_quoted, &mut word)?;
        }
        Ok(word)
    }

    fn piece(
        &mut self,
        dirs: &Dirs,
        piece: &WordPiece,
        is_quoted: bool,
        word: &mut Word,
    ) -> Result<(), Denied> {
        match piece {
            WordPiece::Text(text) if is_quoted => word.pattern.push_str(text),
            WordPiece::Text(text) => {
                word.pattern.push_str(&with_globs(text));
                word.splits |= text.contains(['*', '?', '[']);
            }
            WordPiece::SingleQuotedText(text) => word.pattern.push_str(text),
            WordPiece::AnsiCQuotedText(text) => match ansi_c(text) {
                Some(text) => word.pattern.push_str(&text),
                None => word.pattern.push(UNKNOWN),
            },
            WordPiece::DoubleQuotedSequence(pieces) | WordPiece::GettextDoubleQuotedSequence(pieces) => {
                let inner = self.joined_pieces(dirs, pieces, true)?;
                word.pattern.push_str(&inner.pattern);
            }
            WordPiece::TildeExpansion(tilde) => match (tilde, &self.place.home) {
                (TildeExpr::Home, Some(home)) => word.pattern.push_str(&home.to_string_lossy()),
                _ => word.pattern.push(UNKNOWN),
            },
            WordPiece::ParameterExpansion(expression) => {
                let value = self.parameter(dirs, expression)?;
                word.splits |= !is_quoted && value.is_none();
                match value {
                    Some(text) => word.pattern.push_str(&text),
                    None => word.pattern.push(UNKNOWN),
                }
            }
            WordPiece::CommandSubstitution(script) => self.substitution(dirs, script, is_quoted, word)?,
            WordPiece::BackquotedCommandSubstitution(script) => {
                self.substitution(dirs, &unescaped_backquotes(script), is_quoted, word)?;
            }
            WordPiece::EscapeSequence(text) => {
                let plain = text.strip_prefix('\\').unwrap_or(text);
                word.pattern.push_str(plain.strip_prefix('\n').unwrap_or(plain));
            }
            WordPiece::ArithmeticExpression(expr) => {
                self.arithmetic(dirs, &expr.value)?;
                word.pattern.push(UNKNOWN);
            }
        }
        Ok(())
    }

    fn substitution(
        &mut self,
        dirs: &Dirs,
        script: &str,
        is_quoted: bool,
        word: &mut Word,
    ) -> Result<(), Denied> {
        self.script(dirs, script)?;
        word.pattern.push(UNKNOWN);
        word.splits |= !is_quoted;
        Ok(())
    }

    /// Returns the value of the few variables that are known, after judging what runs in the expression.
    fn parameter(&mut self, dirs: &Dirs, expression: &ParameterExpr) -> Result<Option<String>, Denied> {
        if let ParameterExpr::Parameter { parameter: Parameter::Named(name), indirect: false } = expression
            && name == "HOME"
        {
            return Ok(self.place.home.as_ref().map(|home| home.to_string_lossy().into_owned()));
        }
        if let ParameterExpr::Parameter { parameter: Parameter::Named(name), indirect: false } = expression
            && name == "PWD"
            && let [Some(dir)] = dirs.iter().collect::<Vec<_>>()[..]
        {
            return Ok(Some(dir.to_string_lossy().into_owned()));
        }
        if let ParameterExpr::Transform { op: ParameterTransformOp::PromptExpand, .. } = expression {
            return Err(unknown("`@P` runs what stands in a variable"));
        }
        let written = format!("{expression:?}");
        if let Some(name) = SECRET_VARIABLES.iter().find(|name| written.contains(**name)) {
            return Err(Denied::new(format!("`{name}` is a secret of this session: work without it")));
        }
        for text in nested(expression) {
            // A default is a word, an offset arithmetic, a pattern either; in all of them the same is run.
            self.arithmetic(dirs, &text)?;
        }
        Ok(None)
    }

    /// Judges what runs inside text that is expanded as in double quotes.
    pub(super) fn arithmetic(&mut self, dirs: &Dirs, text: &str) -> Result<(), Denied> {
        self.count()?;
        for parse in [brush_parser::word::parse, brush_parser::word::parse_heredoc] {
            // Quotes count in one reading and not in the other; what either would run is judged.
            match parse(text, &ParserOptions::default()) {
                Ok(pieces) => drop(self.joined_pieces(dirs, &pieces, true)?),
                Err(_) if text.contains(['$', '`']) => return Err(unreadable(text, "it is not understood")),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Returns the texts inside an expansion that are themselves expanded.
fn nested(expression: &ParameterExpr) -> Vec<String> {
    use ParameterExpr as E;
    let (parameter, texts) = match expression {
        E::Parameter { parameter, .. }
        | E::ParameterLength { parameter, .. }
        | E::Transform { parameter, .. } => (Some(parameter), vec![]),
        E::UseDefaultValues { parameter, default_value: text, .. }
        | E::AssignDefaultValues { parameter, default_value: text, .. }
        | E::IndicateErrorIfNullOrUnset { parameter, error_message: text, .. }
        | E::UseAlternativeValue { parameter, alternative_value: text, .. }
        | E::RemoveSmallestSuffixPattern { parameter, pattern: text, .. }
        | E::RemoveLargestSuffixPattern { parameter, pattern: text, .. }
        | E::RemoveSmallestPrefixPattern { parameter, pattern: text, .. }
        | E::RemoveLargestPrefixPattern { parameter, pattern: text, .. }
        | E::UppercaseFirstChar { parameter, pattern: text, .. }
        | E::UppercasePattern { parameter, pattern: text, .. }
        | E::LowercaseFirstChar { parameter, pattern: text, .. }
        | E::LowercasePattern { parameter, pattern: text, .. } => (Some(parameter), vec![text.clone()]),
        E::Substring { parameter, offset, length, .. } => (
            Some(parameter),
            vec![Some(offset.value.clone()), length.as_ref().map(|length| length.value.clone())],
        ),
        E::ReplaceSubstring { parameter, pattern, replacement, .. } => {
            (Some(parameter), vec![Some(pattern.clone()), replacement.clone()])
        }
        E::VariableNames { .. } | E::MemberKeys { .. } => (None, vec![]),
    };
    let index = match parameter {
        Some(Parameter::NamedWithIndex { index, .. }) => Some(index.clone()),
        Some(
            Parameter::Positional(_)
            | Parameter::Special(_)
            | Parameter::Named(_)
            | Parameter::NamedWithAllIndices { .. },
        )
        | None => None,
    };
    texts.into_iter().chain([index]).flatten().collect()
}

/// Refuses a word that hides a substitution behind single quotes, where it may be taken for arithmetic.
pub(super) fn no_hidden_substitution(word: &Word) -> Result<(), Denied> {
    match word.pattern.contains("$(") || word.pattern.contains('`') {
        true => Err(unknown(&format!("`{}` hides a command", word.shown()))),
        false => Ok(()),
    }
}

/// Returns a script from between backquotes as the shell reads it.
fn unescaped_backquotes(script: &str) -> String {
    let mut plain = String::new();
    let mut chars = script.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next) if c == '\\' && matches!(next, '`' | '\\' | '$') => plain.extend(chars.next()),
            _ => plain.push(c),
        }
    }
    plain
}
