//! Reading a script: every command that it would run, in every directory that it could run in, judged one by one.
//!
//! The script is walked as the shell would walk it. What a `cd` does is followed, both for the case that it succeeds
//! and that it fails; a function is judged where it stands and where it is called; what stands in a substitution, in a
//! here-document that a shell reads or in an argument that is a script is read in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use brush_parser::ast::{
    AndOr, AndOrList, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem, CompoundCommand,
    CompoundList, ExtendedTestExpr, FunctionBody, Pipeline, SeparatorOperator, SimpleCommand,
};
use brush_parser::{Parser, ParserOptions};

use super::expand::no_hidden_substitution;
use super::lists::{COMMAND_VARIABLES, SLIPPED_VARIABLES, has};
use super::path::Place;
use super::word::{UNKNOWN, Word};
use super::{Denied, Policy};

/// How deep scripts may stand in scripts.
const MAX_DEPTH: usize = 12;
/// How many commands one line may come to.
const MAX_COMMANDS: usize = 4000;
/// How deep brackets may stand in brackets: the parser tries each more than once.
const MAX_NESTING: usize = 24;
/// How many `case`s may stand in one another, for the same reason.
const MAX_CASES: usize = 6;
/// How many directories are told apart.
const MAX_DIRS: usize = 8;

/// Where the shell may be; `None` for somewhere unknown.
pub(super) type Dirs = BTreeSet<Option<PathBuf>>;

/// Where it may be after a command that succeeded, and after one that failed.
#[derive(Debug, Clone)]
pub(super) struct After {
    pub(super) success: Dirs,
    pub(super) failure: Dirs,
}

impl After {
    pub(super) fn unmoved(dirs: &Dirs) -> Self {
        Self { success: dirs.clone(), failure: dirs.clone() }
    }

    fn either(self) -> Dirs {
        joined(self.success, self.failure)
    }
}

/// What a command reads on its stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stdin {
    /// What the whole line reads: nothing.
    Inherited,
    Text(String),
    /// What another command says, or a file.
    Unknown,
}

/// One reading of one line.
pub(super) struct Reading<'a> {
    pub(super) policy: &'a Policy,
    pub(super) place: &'a Place<'a>,
    functions: BTreeMap<String, FunctionBody>,
    commands: usize,
    depth: usize,
    /// The names of all commands so far.
    pub(super) seen: BTreeSet<String>,
}

pub(super) fn judge(policy: &Policy, place: &Place<'_>, dir: &Path, line: &str) -> Result<(), Denied> {
    let mut reading =
        Reading { policy, place, functions: BTreeMap::new(), commands: 0, depth: 0, seen: BTreeSet::new() };
    let dirs = Dirs::from([Some(dir.to_owned())]);
    reading.script(&dirs, line)?;
    let finds = ["pgrep", "pidof"].iter().any(|name| reading.seen.contains(*name));
    if finds && reading.seen.contains("kill") {
        return Err(Denied::new(
            "this ends processes by their name, which may be somebody else's: end those that you \
                                started, by the number in `$!`",
        ));
    }
    Ok(())
}

pub(super) fn unreadable(text: &str, why: &str) -> Denied {
    let start: String = text.chars().take(60).collect();
    Denied::new(format!("`{}` cannot be read ({why}): write it in a simpler way", start.trim()))
}

pub(super) fn unknown(what: &str) -> Denied {
    Denied::new(format!("{what}, which cannot be known before it runs: write the command out"))
}

impl Reading<'_> {
    /// Judges a script and returns where the shell may be after it.
    pub(super) fn script(&mut self, dirs: &Dirs, text: &str) -> Result<After, Denied> {
        if let Some(odd) = text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(unreadable(text, &format!("it has the control character {}", odd.escape_unicode())));
        }
        if nesting(text) > MAX_NESTING || cases(text) > MAX_CASES {
            return Err(unreadable(text, "its brackets are nested too deeply"));
        }
        if self.depth >= MAX_DEPTH {
            return Err(unreadable(text, "scripts in scripts, too many"));
        }
        let mut parser = Parser::new(text.as_bytes(), &ParserOptions::default());
        let program = parser.parse_program().map_err(|error| unreadable(text, &error.to_string()))?;
        self.depth += 1;
        let mut after = After::unmoved(dirs);
        for list in &program.complete_commands {
            after = self.list(&after.either(), list)?;
        }
        self.depth -= 1;
        Ok(after)
    }

    pub(super) fn list(&mut self, dirs: &Dirs, list: &CompoundList) -> Result<After, Denied> {
        let mut after = After::unmoved(dirs);
        for item in &list.0 {
            let before = after.clone().either();
            after = self.and_or(&before, &item.0)?;
            if matches!(item.1, SeparatorOperator::Async) {
                after = After::unmoved(&before);
            }
        }
        Ok(after)
    }

    fn and_or(&mut self, dirs: &Dirs, list: &AndOrList) -> Result<After, Denied> {
        let mut after = self.pipeline(dirs, &list.first)?;
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) => {
                    let ran = self.pipeline(&after.success, pipeline)?;
                    after = After { success: ran.success, failure: joined(after.failure, ran.failure) };
                }
                AndOr::Or(pipeline) => {
                    let ran = self.pipeline(&after.failure, pipeline)?;
                    after = After { success: joined(after.success, ran.success), failure: ran.failure };
                }
            }
        }
        Ok(after)
    }

    fn pipeline(&mut self, dirs: &Dirs, pipeline: &Pipeline) -> Result<After, Denied> {
        let mut after = After::unmoved(dirs);
        for (n, command) in pipeline.seq.iter().enumerate() {
            let stdin = if n == 0 { Stdin::Inherited } else { Stdin::Unknown };
            after = self.command(dirs, command, &stdin)?;
        }
        // Where the last one runs is up to the shell.
        if pipeline.seq.len() > 1 {
            let moved = joined(after.either(), dirs.clone());
            after = After::unmoved(&moved);
        }
        if pipeline.bang {
            after = After { success: after.failure, failure: after.success };
        }
        Ok(after)
    }

    fn command(&mut self, dirs: &Dirs, command: &Command, stdin: &Stdin) -> Result<After, Denied> {
        match command {
            Command::Simple(simple) => self.simple(dirs, simple, stdin),
            Command::Compound(compound, redirects) => {
                let stdin = self.redirects(dirs, redirects.as_ref(), stdin)?;
                self.compound(dirs, compound, &stdin)
            }
            Command::Function(function) => {
                let name = function.fname.value.clone();
                if matches!(name.as_str(), "cd" | "pushd" | "popd" | "command" | "builtin" | "exec" | "eval")
                {
                    return Err(Denied::new(format!(
                        "`{name}` is made a function here: give it another name"
                    )));
                }
                // It may be called in another directory, and with anything.
                self.body(dirs, &function.body, &Stdin::Unknown)?;
                self.functions.insert(name, function.body.clone());
                Ok(After::unmoved(dirs))
            }
            Command::ExtendedTest(test, redirects) => {
                self.redirects(dirs, redirects.as_ref(), stdin)?;
                self.test(dirs, &test.expr)?;
                Ok(After::unmoved(dirs))
            }
        }
    }

    fn body(&mut self, dirs: &Dirs, body: &FunctionBody, stdin: &Stdin) -> Result<After, Denied> {
        let stdin = self.redirects(dirs, body.1.as_ref(), stdin)?;
        self.compound(dirs, &body.0, &stdin)
    }

    /// Judges a call of a function that the script defines; `None` when there is none of that name.
    pub(super) fn call(&mut self, dirs: &Dirs, name: &str, stdin: &Stdin) -> Result<Option<After>, Denied> {
        let Some(body) = self.functions.get(name).cloned() else { return Ok(None) };
        if self.depth >= MAX_DEPTH {
            // It calls itself: whatever it does, it has been judged, but not in every directory.
            return Ok(Some(After::unmoved(&Dirs::from([None]))));
        }
        self.depth += 1;
        let after = self.body(dirs, &body, stdin);
        self.depth -= 1;
        // It may have been defined on a way that was not taken.
        let moved = joined(after?.either(), dirs.clone());
        Ok(Some(After::unmoved(&moved)))
    }

    fn compound(&mut self, dirs: &Dirs, command: &CompoundCommand, stdin: &Stdin) -> Result<After, Denied> {
        match command {
            CompoundCommand::Arithmetic(arithmetic) => {
                self.arithmetic(dirs, &arithmetic.expr.value)?;
                Ok(After::unmoved(dirs))
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                for expr in [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten() {
                    self.arithmetic(dirs, &expr.value)?;
                }
                self.repeated(dirs, None, &clause.body.list, stdin)
            }
            CompoundCommand::BraceGroup(group) => self.fed(dirs, &group.list, stdin),
            CompoundCommand::Subshell(subshell) => {
                self.fed(dirs, &subshell.list, stdin)?;
                Ok(After::unmoved(dirs))
            }
            CompoundCommand::ForClause(clause) => {
                for word in clause.values.iter().flatten() {
                    self.words(dirs, &word.value)?;
                }
                self.repeated(dirs, None, &clause.body.list, stdin)
            }
            CompoundCommand::CaseClause(clause) => {
                self.words(dirs, &clause.value.value)?;
                let mut after = dirs.clone();
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.words(dirs, &pattern.value)?;
                    }
                    if let Some(list) = &case.cmd {
                        // One may fall through to the next.
                        after = joined(after.clone(), self.fed(&after, list, stdin)?.either());
                    }
                }
                Ok(After::unmoved(&after))
            }
            CompoundCommand::IfClause(clause) => {
                let condition = self.fed(dirs, &clause.condition, stdin)?;
                let mut after = self.fed(&condition.success, &clause.then, stdin)?.either();
                let mut otherwise = condition.failure;
                for branch in clause.elses.iter().flatten() {
                    let taken = match &branch.condition {
                        Some(condition) => {
                            let condition = self.fed(&otherwise, condition, stdin)?;
                            otherwise = condition.failure;
                            condition.success
                        }
                        None => std::mem::take(&mut otherwise),
                    };
                    after = joined(after, self.fed(&taken, &branch.body, stdin)?.either());
                }
                Ok(After::unmoved(&joined(after, otherwise)))
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.repeated(dirs, Some(&clause.0), &clause.1.list, stdin)
            }
            CompoundCommand::Coprocess(coprocess) => {
                self.command(dirs, &coprocess.body, &Stdin::Unknown)?;
                Ok(After::unmoved(dirs))
            }
        }
    }

    /// Judges what is run again and again, until it is in no new directory.
    fn repeated(
        &mut self,
        dirs: &Dirs,
        condition: Option<&CompoundList>,
        body: &CompoundList,
        stdin: &Stdin,
    ) -> Result<After, Denied> {
        let mut known = dirs.clone();
        for _ in 0..3 {
            let mut after = known.clone();
            if let Some(condition) = condition {
                after = self.fed(&after, condition, stdin)?.either();
            }
            after = joined(self.fed(&after, body, stdin)?.either(), known.clone());
            if after == known {
                return Ok(After::unmoved(&known));
            }
            known = after;
        }
        let anywhere = joined(known, Dirs::from([None]));
        self.fed(&anywhere, body, stdin)?;
        Ok(After::unmoved(&anywhere))
    }

    /// Judges a list inside a command whose stdin it reads.
    fn fed(&mut self, dirs: &Dirs, list: &CompoundList, stdin: &Stdin) -> Result<After, Denied> {
        if *stdin == Stdin::Inherited {
            return self.list(dirs, list);
        }
        let mut after = After::unmoved(dirs);
        for item in &list.0 {
            let before = after.either();
            let pipelines =
                [&item.0.first].into_iter().chain(item.0.additional.iter().map(|next| match next {
                    AndOr::And(pipeline) | AndOr::Or(pipeline) => pipeline,
                }));
            // Any of them may be the one that reads it.
            for command in pipelines.filter_map(|pipeline| pipeline.seq.first()) {
                self.command(&before, command, &Stdin::Unknown)?;
            }
            after = self.and_or(&before, &item.0)?;
        }
        Ok(after)
    }

    fn test(&mut self, dirs: &Dirs, test: &ExtendedTestExpr) -> Result<(), Denied> {
        match test {
            ExtendedTestExpr::And(one, other) | ExtendedTestExpr::Or(one, other) => {
                self.test(dirs, one)?;
                self.test(dirs, other)
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => self.test(dirs, inner),
            ExtendedTestExpr::UnaryTest(_, word) => self.indexing(dirs, &word.value),
            ExtendedTestExpr::BinaryTest(_, one, other) => {
                self.indexing(dirs, &one.value)?;
                self.indexing(dirs, &other.value)
            }
        }
    }

    /// Judges a word that may be taken for arithmetic.
    fn indexing(&mut self, dirs: &Dirs, word: &str) -> Result<(), Denied> {
        self.words(dirs, word)?.iter().try_for_each(no_hidden_substitution)
    }

    /// Counts a piece of work, so that no line takes for ever.
    pub(super) fn count(&mut self) -> Result<(), Denied> {
        self.commands += 1;
        match self.commands > MAX_COMMANDS {
            true => Err(Denied::new(
                "this line comes to too many commands: write it to a script in the workspace",
            )),
            false => Ok(()),
        }
    }

    fn simple(&mut self, dirs: &Dirs, simple: &SimpleCommand, stdin: &Stdin) -> Result<After, Denied> {
        self.count()?;
        let (mut words, mut stdin) = (Vec::new(), stdin.clone());
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let name = simple.word_or_name.iter().map(|word| CommandPrefixOrSuffixItem::Word(word.clone()));
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        for item in prefix.cloned().chain(name).chain(suffix.cloned()) {
            match item {
                CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    if let Some(fed) = self.redirect(dirs, &redirect)? {
                        stdin = fed;
                    }
                }
                CommandPrefixOrSuffixItem::Word(word) => words.extend(self.words(dirs, &word.value)?),
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    self.assignment(dirs, &assignment)?;
                    // Behind the name it is an argument: `export A=b`, `make CC=gcc`.
                    if !words.is_empty() {
                        words.extend(self.words(dirs, &word.value)?);
                    }
                }
                CommandPrefixOrSuffixItem::ProcessSubstitution(_, subshell) => {
                    self.list(dirs, &subshell.list)?;
                    words.push(Word { pattern: format!("/dev/fd/{UNKNOWN}"), splits: false });
                }
            }
        }
        if words.is_empty() {
            return Ok(After::unmoved(dirs));
        }
        self.run(dirs, &words, &stdin)
    }

    fn assignment(&mut self, dirs: &Dirs, assignment: &brush_parser::ast::Assignment) -> Result<(), Denied> {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) => name,
            AssignmentName::ArrayElementName(name, index) => {
                self.arithmetic(dirs, index)?;
                name
            }
        };
        let values = match &assignment.value {
            AssignmentValue::Scalar(word) => vec![self.scalar(dirs, &word.value)?],
            AssignmentValue::Array(elements) => {
                let mut values = Vec::new();
                for (index, value) in elements {
                    if let Some(index) = index {
                        self.arithmetic(dirs, &index.value)?;
                    }
                    values.extend(self.words(dirs, &value.value)?);
                }
                values
            }
        };
        values.iter().try_for_each(|value| self.variable(dirs, name, value))
    }

    /// Judges that a variable of this name gets this value.
    pub(super) fn variable(&mut self, dirs: &Dirs, name: &str, value: &Word) -> Result<(), Denied> {
        // As an index, a value is read as arithmetic once more.
        if value.pattern.contains("[$(") || value.pattern.contains("[`") || value.pattern.contains("[<(") {
            return Err(unknown(&format!("the value of `{name}` hides a command")));
        }
        if has(SLIPPED_VARIABLES, name) && !value.pattern.is_empty() {
            return Err(Denied::new(format!(
                "`{name}` would change what other commands run: leave it as it is"
            )));
        }
        if self.policy.is_listed_only() && name == "PATH" {
            return Err(Denied::new(
                "`PATH` decides which programs the listed names mean: leave it as it is",
            ));
        }
        if has(COMMAND_VARIABLES, name) && !value.pattern.is_empty() {
            let Some(command) = value.known() else {
                return Err(unknown(&format!("`{name}` gets a command")));
            };
            self.script(dirs, command)?;
        }
        Ok(())
    }
}

pub(super) fn joined(mut one: Dirs, other: Dirs) -> Dirs {
    one.extend(other);
    if one.len() > MAX_DIRS { Dirs::from([None]) } else { one }
}

/// Returns how deep brackets are nested, at most.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for c in text.chars() {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Returns how deep `case` is nested, at most; quoted ones count, too.
fn cases(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for word in text.split(|c: char| c.is_whitespace() || ";&|()".contains(c)) {
        match word {
            "case" => depth += 1,
            "esac" => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
