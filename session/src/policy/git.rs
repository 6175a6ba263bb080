//! git: what it changes elsewhere, and what it can be told to run.

use super::Denied;
use super::command::operands;
use super::script::{Dirs, Reading, unknown};
use super::word::Word;

/// Subcommands that change or publish to another repository, or serve this one.
const REMOTE: &[&str] = &[
    "push",
    "send-pack",
    "receive-pack",
    "http-push",
    "send-email",
    "request-pull",
    "daemon",
    "instaweb",
    "svn",
    "p4",
    "cvsserver",
    "imap-send",
    "upload-pack",
    "upload-archive",
    "shell",
    "http-backend",
    "credential",
];

/// Keys of the configuration whose value git runs, or by which it finds what it runs; of `*.name` the last part.
const RUNNING_KEYS: &[&str] = &[
    "alias.*",
    "pager.*",
    "include.*",
    "includeif.*",
    "credential.*",
    "url.*",
    "remote.*",
    "protocol.*",
    "core.pager",
    "core.editor",
    "core.sshcommand",
    "core.fsmonitor",
    "core.hookspath",
    "core.askpass",
    "core.gitproxy",
    "core.worktree",
    "core.attributesfile",
    "diff.external",
    "sequence.editor",
    "gpg.program",
    "uploadpack.*",
    "receive.*",
    "init.templatedir",
    "interactive.difffilter",
    "sendemail.*",
    "web.browser",
    "http.*",
];
const RUNNING_LEAVES: &[&str] = &[
    "cmd", "path", "driver", "clean", "smudge", "process", "textconv", "command", "program", "helper",
    "update", "external",
];

/// Values that are harmless wherever they stand.
const HARMLESS_VALUES: &[&str] = &["", "cat", "true", ":", "false", "less", "/dev/null", "0", "1"];

impl Reading<'_> {
    /// Judges a call of git.
    pub(super) fn git(&mut self, dirs: &Dirs, args: &[Word]) -> Result<(), Denied> {
        let mut words = args.iter();
        let mut at = dirs.clone();
        let subcommand = loop {
            let Some(word) = words.next() else { return Ok(()) };
            let Some(text) = word.known() else {
                if word.prefix().starts_with('-') && !word.prefix().starts_with("-c") {
                    continue;
                }
                return self
                    .not_known(dirs, &format!("`git {}` is a matter of variables", word.shown()))
                    .map(drop);
            };
            match text {
                "-c" | "--config-env" => {
                    if let Some(setting) = words.next() {
                        set_by(&setting.pattern)?;
                    }
                }
                "-C" => {
                    if let Some(dir) = words.next() {
                        self.written(dirs, dir)?;
                        at = self.moved_to(&at, dir);
                    }
                }
                "--git-dir" | "--work-tree" | "--exec-path" | "--namespace" | "--super-prefix" => {
                    if let Some(dir) = words.next() {
                        self.written(dirs, dir)?;
                    }
                }
                _ if text.starts_with("--git-dir=")
                    || text.starts_with("--work-tree=")
                    || text.starts_with("--exec-path=") =>
                {
                    let dir = text.split_once('=').map_or("", |(_, dir)| dir);
                    self.written(dirs, &Word::of(dir))?;
                }
                _ if text.starts_with("--config-env=") => {
                    return Err(unknown("`git --config-env` sets what it runs"));
                }
                _ if text.starts_with('-') => {}
                _ => break text,
            }
        };
        let rest: Vec<Word> = words.cloned().collect();
        self.subcommand(&at, subcommand, &rest)
    }

    fn moved_to(&self, dirs: &Dirs, word: &Word) -> Dirs {
        let known = |dir: &Option<std::path::PathBuf>| {
            let dir = dir.as_ref()?;
            word.known().map(|path| (self.place.resolve)(&self.place.at(dir, path)))
        };
        dirs.iter().map(known).collect()
    }

    fn subcommand(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        let trusted = self.policy.trusts_remote();
        if REMOTE.contains(&name) && !trusted {
            return Err(Denied::new(format!(
                "`git {name}` changes what lies elsewhere: commit, and leave it to Cogwork or a person"
            )));
        }
        for arg in args {
            if let Some(transport) = arg.prefix().split_once("::").filter(|_| arg.prefix().starts_with("ext"))
            {
                return Err(unknown(&format!("`{}::` runs a command", transport.0)));
            }
            let long = arg.prefix().split('=').next().unwrap_or_default();
            let runs = [
                "--upload-pack",
                "--receive-pack",
                "--exec",
                "--extcmd",
                "--open-files-in-pager",
                "--template",
                "--tool",
            ];
            // git takes any beginning of an option for the option.
            let shortens = |option: &str| long.len() > 3 && option.starts_with(long);
            if long.starts_with("--") && runs.iter().any(|option| shortens(option)) && name != "commit" {
                return Err(unknown(&format!("`git {name} {}` runs another command", arg.shown())));
            }
        }
        let first =
            operands(args).first().and_then(|word| word.known().map(str::to_owned)).unwrap_or_default();
        let has_short = |letter: char| {
            args.iter().any(|arg| {
                arg.prefix().starts_with('-')
                    && !arg.prefix().starts_with("--")
                    && arg.prefix().contains(letter)
            })
        };
        match name {
            "remote" if !matches!(first.as_str(), "" | "show" | "get-url") && !trusted => {
                Err(Denied::new(format!("`git remote {first}` changes where work goes: leave it as it is")))
            }
            "config" => self.config(dirs, args),
            "bisect" if first == "run" => self.behind(dirs, args, "run"),
            "submodule" if first == "foreach" => match operands(args).get(1).and_then(|word| word.known()) {
                Some(script) if script.contains(char::is_whitespace) => self.script(dirs, script).map(drop),
                _ => self.behind(dirs, args, "foreach"),
            },
            "rebase" | "difftool" if has_short('x') => {
                Err(unknown(&format!("`git {name} -x` runs another command")))
            }
            "grep" if has_short('O') => Err(unknown("`git grep -O` runs another command")),
            "filter-branch" | "filter-repo" | "mergetool" | "archimport" | "fast-import" => {
                Err(unknown(&format!("`git {name}` runs other commands, or rewrites what was there")))
            }
            "worktree" if first == "add" => match operands(args).get(1) {
                Some(dir) => self.written(dirs, dir),
                None => Ok(()),
            },
            "clone" | "init" if super::command::option_value(args, 'c', "--config").is_some() => {
                Err(unknown(&format!("`git {name} --config` sets what git runs")))
            }
            "clone" => match operands(args).get(1) {
                Some(dir) => self.written(dirs, dir),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Judges the command behind a word of a subcommand.
    fn behind(&mut self, dirs: &Dirs, args: &[Word], word: &str) -> Result<(), Denied> {
        let start = args.iter().position(|arg| arg.pattern == word).map_or(args.len(), |at| at + 1);
        let command: Vec<Word> =
            args[start..].iter().skip_while(|arg| arg.prefix().starts_with('-')).cloned().collect();
        self.run(dirs, &command, &super::script::Stdin::Inherited).map(drop)
    }

    /// Reading the configuration is free; writing is, where git does not run what is written.
    fn config(&mut self, dirs: &Dirs, args: &[Word]) -> Result<(), Denied> {
        if args.iter().any(|arg| matches!(arg.prefix(), "--global" | "--system")) && operands(args).len() > 1
        {
            return Err(Denied::new(
                "`git config --global` changes the user's own settings: leave out --global",
            ));
        }
        if let Some(file) = super::command::option_value(args, 'f', "--file") {
            self.written(dirs, &file)?;
        }
        let mut words: Vec<Word> = operands(args);
        if words
            .first()
            .is_some_and(|word| matches!(word.prefix(), "set" | "get" | "unset" | "list" | "edit"))
        {
            words.remove(0);
        }
        match &words[..] {
            [key, value, ..] => set_by(&format!("{}={}", key.pattern, value.pattern)),
            _ => Ok(()),
        }
    }
}

/// Judges a setting, `key=value`.
fn set_by(setting: &str) -> Result<(), Denied> {
    let (key, value) = setting.split_once('=').unwrap_or((setting, "true"));
    let lower = key.to_lowercase();
    let leaf = lower.rsplit('.').next().unwrap_or_default();
    let runs = super::lists::has(RUNNING_KEYS, &lower)
        || (lower.matches('.').count() > 1 && RUNNING_LEAVES.contains(&leaf));
    match (runs || key.contains(super::word::UNKNOWN)) && !HARMLESS_VALUES.contains(&value) {
        true => Err(unknown(&format!("`{}` sets what git runs", setting.replace(super::word::UNKNOWN, "…")))),
        false => Ok(()),
    }
}
