//! Programs that run the command in their arguments: what that command is.

use super::Denied;
use super::command::operands;
use super::script::{After, Dirs, Reading, Stdin, unknown};
use super::word::{UNKNOWN, Word};

/// How a program takes options before the command it runs. What is not in here is not understood, and so refused.
struct Wrapper {
    names: &'static [&'static str],
    /// Options of one letter without a value, and with one.
    flags: &'static str,
    values: &'static str,
    long_flags: &'static [&'static str],
    long_values: &'static [&'static str],
    /// Words between the options and the command.
    operands: usize,
}

const WRAPPERS: &[Wrapper] = &[
    Wrapper {
        names: &["nohup", "builtin", "noglob", "nocorrect", "coproc", "busybox", "toybox"],
        flags: "",
        values: "",
        long_flags: &[],
        long_values: &[],
        operands: 0,
    },
    Wrapper { names: &["command"], flags: "pvV", values: "", long_flags: &[], long_values: &[], operands: 0 },
    Wrapper { names: &["exec"], flags: "cl", values: "a", long_flags: &[], long_values: &[], operands: 0 },
    Wrapper {
        names: &["time"],
        flags: "apqvV",
        values: "fo",
        long_flags: &["--portability", "--verbose", "--append", "--quiet"],
        long_values: &["--format", "--output"],
        operands: 0,
    },
    Wrapper {
        names: &["nice"],
        flags: "0123456789",
        values: "n",
        long_flags: &[],
        long_values: &["--adjustment"],
        operands: 0,
    },
    Wrapper {
        names: &["ionice"],
        flags: "t",
        values: "cn",
        long_flags: &["--ignore"],
        long_values: &["--class", "--classdata"],
        operands: 0,
    },
    Wrapper {
        names: &["timeout", "gtimeout"],
        flags: "fpv",
        values: "ks",
        long_flags: &["--foreground", "--preserve-status", "--verbose"],
        long_values: &["--kill-after", "--signal"],
        operands: 1,
    },
    Wrapper {
        names: &["stdbuf"],
        flags: "",
        values: "ioe",
        long_flags: &[],
        long_values: &["--input", "--output", "--error"],
        operands: 0,
    },
    Wrapper {
        names: &["setsid"],
        flags: "cfw",
        values: "",
        long_flags: &["--ctty", "--fork", "--wait"],
        long_values: &[],
        operands: 0,
    },
    Wrapper {
        names: &["caffeinate"],
        flags: "dimsu",
        values: "tw",
        long_flags: &[],
        long_values: &[],
        operands: 0,
    },
    Wrapper {
        names: &["env", "genv"],
        flags: "i0v",
        values: "uC",
        long_flags: &["--ignore-environment", "--null", "--debug"],
        long_values: &["--unset", "--chdir"],
        operands: 0,
    },
    Wrapper {
        names: &["xargs", "gxargs"],
        flags: "0rtpxo",
        values: "aEdIiLlnPsJRS",
        long_flags: &["--null", "--no-run-if-empty", "--verbose", "--interactive", "--exit", "--open-tty"],
        long_values: &[
            "--arg-file",
            "--delimiter",
            "--replace",
            "--max-lines",
            "--max-args",
            "--max-procs",
            "--max-chars",
            "--process-slot-var",
        ],
        operands: 0,
    },
];

/// Returns whether a program only passes on, so that what it runs is all that matters.
pub(super) fn is_transparent(name: &str) -> bool {
    WRAPPERS.iter().any(|wrapper| wrapper.names.contains(&name))
}

impl Reading<'_> {
    /// Judges the command that a wrapper runs; `None` for a program that is none.
    pub(super) fn wrapped(
        &mut self,
        dirs: &Dirs,
        name: &str,
        args: &[Word],
        stdin: &Stdin,
    ) -> Result<Option<After>, Denied> {
        let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&name)) else {
            return Ok(None);
        };
        if wrapper.names.contains(&"xargs") {
            return Ok(Some(After::unmoved(dirs)));
        }
        let (options, mut rest) = wrapper.split(name, args)?;
        if name == "command" && options.iter().any(|option| option.starts_with(['v', 'V'])) {
            return Ok(Some(After::unmoved(dirs)));
        }
        if wrapper.names.contains(&"env") {
            let assigned = rest.iter().take_while(|word| word.prefix().contains('=')).count();
            if rest.first().is_some_and(|word| word.pattern == "-") {
                rest = &rest[1..];
            }
            rest = rest.get(assigned..).unwrap_or_default();
            if options.iter().any(|option| option.starts_with('C') || option.starts_with("--chdir")) {
                return self.run(&Dirs::from([None]), rest, stdin).map(Some);
            }
        }
        // These are words of the shell, before which it still takes assignments.
        if matches!(name, "noglob" | "nocorrect" | "coproc") {
            let assigned = rest.iter().take_while(|word| word.prefix().contains('=')).count();
            rest = &rest[assigned..];
        }
        self.run(dirs, rest, stdin).map(Some)
    }

    /// What `xargs` runs ends in words that only its input knows.
    pub(super) fn xargs(&mut self, dirs: &Dirs, args: &[Word]) -> Result<(), Denied> {
        let Some(wrapper) = WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&"xargs")) else {
            return Ok(());
        };
        let (options, command) = wrapper.split("xargs", args)?;
        let replaced = options.iter().find_map(|option| {
            let value = option.strip_prefix("I").or_else(|| option.strip_prefix("--replace="));
            value
                .or_else(|| option.strip_prefix('i').map(|value| if value.is_empty() { "{}" } else { value }))
        });
        let mut words: Vec<Word> = command.to_vec();
        if words.is_empty() {
            return Ok(());
        }
        match replaced.filter(|text| !text.is_empty()) {
            Some(text) => {
                for word in &mut words {
                    word.pattern = word.pattern.replace(text, &UNKNOWN.to_string());
                }
            }
            None => words.push(Word::anything()),
        }
        self.run(dirs, &words, &Stdin::Unknown)?;
        Ok(())
    }

    /// `find` runs commands on what it finds, and removes it.
    pub(super) fn find(&mut self, dirs: &Dirs, args: &[Word]) -> Result<(), Denied> {
        let is_expression =
            |word: &&Word| !word.prefix().starts_with(['-', '(', '!']) || word.prefix() == "-";
        let skipped = args.iter().take_while(|word| matches!(word.prefix(), "-H" | "-L" | "-P")).count();
        let mut roots: Vec<Word> = args[skipped..].iter().take_while(is_expression).cloned().collect();
        if roots.is_empty() {
            roots.push(Word::of("."));
        }
        let mut words = args.iter();
        while let Some(word) = words.next() {
            match word.prefix() {
                "-delete" => roots.iter().try_for_each(|root| self.written(dirs, root))?,
                "-fprint" | "-fprintf" | "-fls" | "-fprint0" => {
                    if let Some(file) = words.next() {
                        self.written(dirs, file)?;
                    }
                }
                "-exec" | "-execdir" | "-ok" | "-okdir" => {
                    let command: Vec<Word> = words
                        .by_ref()
                        .take_while(|word| !matches!(word.prefix(), ";" | "+"))
                        .cloned()
                        .collect();
                    for root in &roots {
                        let found = format!("{}/{UNKNOWN}", root.pattern);
                        let fill = |word: &Word| Word {
                            pattern: word.pattern.replace("{}", &found),
                            splits: word.splits,
                        };
                        let filled: Vec<Word> = command.iter().map(fill).collect();
                        self.run(dirs, &filled, &Stdin::Unknown)?;
                    }
                }
                _ if word.known().is_none()
                    && word.prefix().is_empty()
                    && word.splits
                    && word.unknown() == Some(UNKNOWN) =>
                {
                    self.not_known(dirs, "`find` gets an option from a variable")?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Judges a program that runs some of its arguments, we do not know from where: none of them may begin a command
    /// that is refused.
    pub(super) fn loose(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        let text = |word: &Word| word.known().map(str::to_owned);
        for (n, arg) in args.iter().enumerate() {
            let Some(word) = text(arg) else { continue };
            let takes_script = matches!(word.as_str(), "-c" | "--call" | "--command" | "--run" | "-lc");
            if let Some(next) = args.get(n + 1).filter(|_| takes_script) {
                let Some(script) = text(next) else {
                    self.not_known(dirs, &format!("`{name} {word}` runs what is in a variable"))?;
                    continue;
                };
                self.script(dirs, &script)?;
            } else if word.contains(char::is_whitespace) {
                self.script(dirs, &word)?;
            } else if !word.starts_with('-') && super::rules::is_never(super::rules::base_name(&word)) {
                return Err(Denied::new(format!(
                    "`{word}` is never run for an agent, and not by `{name}` either"
                )));
            }
        }
        // What is behind the options, and behind a `--`, is most likely the command itself.
        let after_dashes = args.iter().position(|arg| arg.pattern == "--").map(|at| args[at + 1..].to_vec());
        match after_dashes.unwrap_or_else(|| operands(args)) {
            words if words.first().is_some_and(|word| self.is_shell_like(word)) => {
                self.run(dirs, &words_from(args, &words), &Stdin::Inherited).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn is_shell_like(&self, word: &Word) -> bool {
        let Some(name) = word.known().map(super::rules::base_name) else { return false };
        super::lists::SHELLS.contains(&name)
            || is_transparent(name)
            || matches!(name, "rm" | "git" | "find" | "eval")
    }
}

/// Returns the arguments from the first of `words` on.
fn words_from(args: &[Word], words: &[Word]) -> Vec<Word> {
    let start = words.first().and_then(|first| args.iter().position(|arg| arg == first));
    args[start.unwrap_or(0)..].to_vec()
}

impl Wrapper {
    /// Splits arguments into options, without dashes where they have one letter, and the rest.
    fn split<'a>(&self, name: &str, args: &'a [Word]) -> Result<(Vec<String>, &'a [Word]), Denied> {
        let mut options = Vec::new();
        let mut at = 0;
        while let Some(arg) = args.get(at) {
            if arg.known().is_none() && arg.prefix().is_empty() && self.operands == 0 {
                // It may be an option, or the command.
                break;
            }
            let text = arg.pattern.as_str();
            if text == "--" {
                at += 1;
                break;
            }
            if !text.starts_with('-') || text == "-" {
                break;
            }
            at += 1 + usize::from(self.takes_next(name, text, args.get(at + 1), &mut options)?);
        }
        Ok((options, args.get(at + self.operands..).unwrap_or_default()))
    }

    /// Reads one word of options and returns whether the next word is its value.
    fn takes_next(
        &self,
        name: &str,
        text: &str,
        next: Option<&Word>,
        options: &mut Vec<String>,
    ) -> Result<bool, Denied> {
        let refused = || {
            unknown(&format!(
                "`{name} {}` is an option that is not understood here",
                text.replace(UNKNOWN, "…")
            ))
        };
        let value = || next.map(|word| word.pattern.clone()).unwrap_or_default();
        if text.starts_with("--") {
            let (long, has_value) = text.split_once('=').map_or((text, false), |(long, _)| (long, true));
            if self.long_flags.contains(&long) || matches!(long, "--help" | "--version") {
                options.push(text.to_owned());
                return Ok(false);
            }
            // GNU's own takes no value but a glued one.
            if self.long_values.contains(&long) {
                options.push(if has_value { text.to_owned() } else { format!("{long}={}", value()) });
                return Ok(!has_value && long != "--replace");
            }
            return Err(refused());
        }
        for (at, letter) in text.char_indices().skip(1) {
            let rest = &text[at + letter.len_utf8()..];
            if self.values.contains(letter) {
                // These two of xargs take a glued value only.
                let takes_next = rest.is_empty() && !matches!(letter, 'i' | 'l');
                options.push(format!("{letter}{}", if takes_next { value() } else { rest.to_owned() }));
                return Ok(takes_next);
            }
            if !self.flags.contains(letter) {
                return Err(refused());
            }
            options.push(letter.to_string());
        }
        Ok(false)
    }
}
