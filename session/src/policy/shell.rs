//! Programs that take a script or code: shells, `eval`, interpreters.

use super::Denied;
use super::command::{is_init_script, operands};
use super::lists::INTERPRETERS;
use super::script::{After, Dirs, Reading, Stdin, unknown};
use super::word::Word;

impl Reading<'_> {
    /// Judges a builtin that reads its arguments as a script.
    pub(super) fn builtin(
        &mut self,
        dirs: &Dirs,
        name: &str,
        args: &[Word],
        stdin: &Stdin,
    ) -> Result<After, Denied> {
        match name {
            "eval" => {
                let words: Vec<&Word> = args.iter().skip_while(|word| word.pattern == "--").collect();
                let Some(texts) = words.iter().map(|word| word.known()).collect::<Option<Vec<_>>>() else {
                    return self.not_known(dirs, "`eval` runs what is in a variable or what a command says");
                };
                self.script(dirs, &texts.join(" "))
            }
            "trap" => match operands(args).first() {
                Some(action) if args.len() > 1 => match action.known() {
                    Some(action) => self.script(dirs, action).map(|_| After::unmoved(dirs)),
                    None => self.not_known(dirs, "`trap` runs what is in a variable"),
                },
                _ => Ok(After::unmoved(dirs)),
            },
            "alias" => match args.iter().find(|word| word.pattern.contains('=') || word.known().is_none()) {
                Some(word) => Err(Denied::new(format!(
                    "`alias {}` changes what words mean: write commands out",
                    word.shown()
                ))),
                None => Ok(After::unmoved(dirs)),
            },
            "source" | "." => {
                let Some(file) = operands(args).first().cloned() else { return Ok(After::unmoved(dirs)) };
                self.file(dirs, name, &file, stdin)?;
                // It may go anywhere.
                Ok(After::unmoved(&dirs.iter().cloned().chain([None]).collect()))
            }
            // `enable -f`, `complete -C`, `bind -x`.
            _ => match args
                .iter()
                .find(|word| word.prefix().starts_with('-') && word.prefix().contains(['f', 'C', 'F', 'x']))
            {
                Some(word) => Err(unknown(&format!("`{name} {}` runs other code", word.shown()))),
                None => Ok(After::unmoved(dirs)),
            },
        }
    }

    /// Judges a shell: its script is in its arguments, in a file or on its stdin.
    pub(super) fn shell(
        &mut self,
        dirs: &Dirs,
        name: &str,
        args: &[Word],
        stdin: &Stdin,
    ) -> Result<(), Denied> {
        let mut words = args.iter();
        let (mut takes_script, mut reads_stdin) = (false, false);
        let operand = loop {
            let Some(word) = words.next() else { break None };
            let Some(text) = word.known() else { break Some(word) };
            match text {
                "-" | "--" => break words.next(),
                "--rcfile" | "--init-file" => {
                    if let Some(file) = words.next() {
                        self.file(dirs, name, file, &Stdin::Inherited)?;
                    }
                }
                _ if text.starts_with("--rcfile=") || text.starts_with("--init-file=") => {
                    return Err(unknown(&format!("`{name} {text}` runs another file")));
                }
                _ if text.starts_with("--") => {}
                _ if text.starts_with(['-', '+']) => {
                    takes_script |= text.starts_with('-') && text.contains('c');
                    reads_stdin |= text.starts_with('-') && text.contains('s');
                    if text.ends_with(['o', 'O']) {
                        words.next();
                    }
                }
                _ => break Some(word),
            }
        };
        match (operand, takes_script) {
            (Some(script), true) => match script.known() {
                Some(script) => self.script(dirs, script).map(drop),
                None => self
                    .not_known(
                        dirs,
                        &format!("`{name} -c` runs what is in a variable or what a command says"),
                    )
                    .map(drop),
            },
            (Some(_), false) if reads_stdin => self.stdin_script(dirs, name, stdin),
            (Some(file), false) => self.file(dirs, name, file, stdin),
            (None, true) => Ok(()),
            (None, false) => self.stdin_script(dirs, name, stdin),
        }
    }

    fn stdin_script(&mut self, dirs: &Dirs, name: &str, stdin: &Stdin) -> Result<(), Denied> {
        match stdin {
            Stdin::Inherited => Ok(()),
            Stdin::Text(script) => self.script(dirs, script).map(drop),
            Stdin::Unknown => {
                self.not_known(dirs, &format!("`{name}` runs what it reads on its stdin")).map(drop)
            }
        }
    }

    /// Judges that a shell runs a file. What stands in it is not looked at: it may change before it is run.
    fn file(&mut self, dirs: &Dirs, name: &str, file: &Word, stdin: &Stdin) -> Result<(), Denied> {
        let is_stdin = |path: &str| matches!(path, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0");
        let Some(path) = file.known() else {
            return self.not_known(dirs, &format!("`{name} {}` runs a script", file.shown())).map(drop);
        };
        if is_stdin(path) {
            return self.stdin_script(dirs, name, stdin);
        }
        if path.starts_with("/dev/") || path.starts_with("/proc/") {
            return self.not_known(dirs, &format!("`{name} {path}` runs what it reads there")).map(drop);
        }
        let is_allowed = |dir: &Option<std::path::PathBuf>| {
            let command = if path.contains('/') { path.to_owned() } else { format!("./{path}") };
            is_init_script(path) || self.policy.is_allowed(self.place, dir.as_deref(), &command)
        };
        if self.policy.is_listed_only() && !dirs.iter().all(is_allowed) {
            return Err(Denied::new(format!(
                "`{name} {path}` runs a script that is not listed: a person may add `{path}` in .cogwork/policy.toml"
            )));
        }
        Ok(())
    }

    /// A shell of another language is never understood.
    pub(super) fn foreign_shell(&mut self, name: &str, args: &[Word], stdin: &Stdin) -> Result<(), Denied> {
        let takes_code =
            args.iter().any(|word| word.prefix().starts_with('-') && word.prefix().contains('c'));
        let reads = operands(args).is_empty() && *stdin != Stdin::Inherited;
        match (takes_code || reads) && !self.policy.trusts_unknown() {
            true => Err(unknown(&format!("`{name}` runs a script in a language that is not read here"))),
            false => Ok(()),
        }
    }

    /// Judges an interpreter: code that comes from a pipe is nobody's, and in its arguments it cannot be read.
    pub(super) fn interpreter(&mut self, name: &str, args: &[Word], stdin: &Stdin) -> Result<(), Denied> {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let Some((_, letters, long)) = INTERPRETERS.iter().find(|(known, ..)| *known == stem) else {
            return Ok(());
        };
        let is_awk = stem.ends_with("awk");
        let takes_code = |word: &&Word| {
            let text = word.prefix();
            let is_short =
                text.starts_with('-') && !text.starts_with("--") && text.contains(|c| letters.contains(c));
            is_short || long.iter().any(|option| text == *option || text.starts_with(&format!("{option}=")))
        };
        let code = args.iter().find(takes_code);
        let names_nothing = operands(args).iter().all(|word| word.pattern == "-");
        let is_module = args
            .iter()
            .any(|word| matches!(word.prefix(), "-m" | "-V" | "--version" | "-v" | "-h" | "--help"));
        if *stdin == Stdin::Unknown
            && code.is_none()
            && !is_awk
            && names_nothing
            && !is_module
            && !self.policy.trusts_unknown()
        {
            return Err(unknown(&format!("`{name}` runs what it reads on its stdin")));
        }
        let hides = code.is_some()
            || (matches!(stdin, Stdin::Text(_)) && names_nothing && !is_awk)
            || (is_awk && args.iter().any(|word| runs_in_awk(&word.pattern)));
        match hides && self.policy.is_listed_only() && !self.policy.trusts_unknown() {
            true => Err(unknown(&format!("`{name}` gets code in its arguments"))),
            false => Ok(()),
        }
    }
}

/// Returns whether an awk program may start another.
fn runs_in_awk(program: &str) -> bool {
    ["system", "getline", "|", ">"].iter().any(|word| program.contains(word))
}
