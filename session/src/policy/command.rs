//! One command: may a program of this name be run, and with these arguments?

use std::path::PathBuf;

use super::expand::no_hidden_substitution;
use super::lists::{BUILTINS, FOREIGN_SHELLS, INDEXING, LISTED, LOOSE, PUBLISHING, RESTRICTED, SHELLS, has};
use super::rules::{base_name, is_never, system_name};
use super::script::{After, Dirs, Reading, Stdin, unknown};
use super::word::Word;
use super::{Denied, program};

impl Reading<'_> {
    /// Judges one command, its words expanded, and what it runs in turn.
    pub(super) fn run(&mut self, dirs: &Dirs, words: &[Word], stdin: &Stdin) -> Result<After, Denied> {
        let Some((first, args)) = words.split_first() else { return Ok(After::unmoved(dirs)) };
        let Some(command) = first.known().filter(|name| !name.starts_with('=')) else {
            return self.not_known(
                dirs,
                &format!("the command `{}` is a matter of variables or patterns", first.shown()),
            );
        };
        let name = base_name(command).to_owned();
        if !matches!(name.as_str(), "cd" | "pushd") {
            args.iter().try_for_each(|arg| self.reads(dirs, arg))?;
        }
        if !BUILTINS.contains(&name.as_str()) {
            self.stands_well(dirs, &name)?;
        }
        if let Some(after) = self.call(dirs, command, stdin)? {
            return Ok(after);
        }
        self.seen.insert(name.clone());
        self.program_allowed(dirs, command, args)?;
        self.arguments(dirs, &name, args)?;
        match name.as_str() {
            "cd" | "pushd" | "popd" => return Ok(self.moved(dirs, &name, args)),
            "eval" | "source" | "." | "trap" | "alias" | "enable" | "complete" | "bind" => {
                return self.builtin(dirs, &name, args, stdin);
            }
            "git" => self.git(dirs, args)?,
            "find" => self.find(dirs, args)?,
            "xargs" => self.xargs(dirs, args)?,
            _ => {}
        }
        if let Some(after) = self.wrapped(dirs, &name, args, stdin)? {
            return Ok(after);
        }
        if SHELLS.contains(&name.as_str()) {
            self.shell(dirs, &name, args, stdin)?;
        } else if FOREIGN_SHELLS.contains(&name.as_str()) {
            self.foreign_shell(&name, args, stdin)?;
        } else {
            self.interpreter(&name, args, stdin)?;
        }
        if LOOSE.contains(&name.as_str()) {
            self.loose(dirs, &name, args)?;
        }
        Ok(After::unmoved(dirs))
    }

    /// Refuses to run a command where Cogwork's own files lie, which it might read without naming them.
    fn stands_well(&self, dirs: &Dirs, name: &str) -> Result<(), Denied> {
        match dirs.iter().flatten().find(|dir| self.place.readable(dir).is_err()) {
            Some(dir) => Err(Denied::new(format!(
                "`{name}` might run in {}, where it has no business: join commands to their `cd` by `&&`",
                dir.display()
            ))),
            None => Ok(()),
        }
    }

    /// Refuses what cannot be known, unless the policy trusts it.
    pub(super) fn not_known(&self, dirs: &Dirs, what: &str) -> Result<After, Denied> {
        match self.policy.trusts_unknown() {
            true => Ok(After::unmoved(&[None].into_iter().chain(dirs.iter().cloned()).collect())),
            false => Err(unknown(what)),
        }
    }

    /// Judges the name of a command by the lists.
    fn program_allowed(&self, dirs: &Dirs, command: &str, args: &[Word]) -> Result<(), Denied> {
        let name = base_name(command);
        if is_never(name) {
            return Err(Denied::new(format!("`{name}` is never run for an agent: do it without")));
        }
        for dir in dirs {
            let dir = dir.as_deref();
            // A link of another name is the program that it leads to.
            if let Some(dir) = dir.filter(|_| command.contains('/')) {
                let real = (self.place.resolve)(&self.place.at(dir, command));
                if let Some(real) =
                    real.file_name().and_then(|name| name.to_str()).filter(|real| is_never(real))
                {
                    return Err(Denied::new(format!(
                        "`{command}` is `{real}`, which is never run for an agent"
                    )));
                }
            }
            if let Some(file) = self.policy.blocked_by(self.place, dir, command) {
                return Err(Denied::new(format!("`{name}` is blocked by the policy {file}: do it without")));
            }
            if self.policy.is_allowed(self.place, dir, command) {
                continue;
            }
            if has(RESTRICTED, name) && !self.policy.trusts_remote() {
                return Err(Denied::new(format!(
                    "`{name}` reaches outside the workspace: do it without (a person may allow it in \
                     .cogwork/policy.toml)"
                )));
            }
            if self.policy.is_listed_only() && !self.is_listed(command, args) {
                return Err(Denied::new(format!(
                    "`{name}` is not on the list of allowed commands: use another (a person may add it in \
                     .cogwork/policy.toml)"
                )));
            }
        }
        Ok(())
    }

    fn is_listed(&self, command: &str, args: &[Word]) -> bool {
        let by_name = system_name(command).is_some_and(|name| {
            LISTED.contains(&name)
                || (BUILTINS.contains(&name) && !command.contains('/'))
                || program::is_transparent(name)
                || matches!(name, "eval" | "source" | "." | "trap" | "alias" | "enable" | "complete" | "bind")
        });
        by_name || is_init_script(command) || (command.starts_with('-') && args.is_empty())
    }

    /// Judges the arguments of commands that are harmless with some and harmful with others.
    fn arguments(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        if INDEXING.contains(&name)
            && (name != "printf" || args.first().is_some_and(|arg| arg.pattern.starts_with("-v")))
        {
            args.iter().try_for_each(no_hidden_substitution)?;
        }
        if matches!(name, "export" | "declare" | "typeset" | "local" | "readonly" | "env") {
            for arg in args {
                if let Some((variable, value)) = arg.pattern.split_once('=') {
                    self.variable(dirs, variable.trim_end_matches('+'), &Word::of(value))?;
                }
            }
        }
        if let Some((_, publishing)) = PUBLISHING.iter().find(|(program, _)| *program == name)
            && let Some(word) = operands(args).first().and_then(|word| word.known())
            && publishing.contains(&word)
            && !self.policy.trusts_remote()
        {
            return Err(Denied::new(format!(
                "`{name} {word}` changes what others see: leave it to a person"
            )));
        }
        match name {
            "rm" | "rmdir" | "unlink" | "shred" => self.removes(dirs, name, args),
            "mv" | "truncate" | "tee" | "touch" | "mkdir" | "mkfifo" | "mknod" => {
                operands(args).iter().try_for_each(|word| self.written(dirs, word))
            }
            "cp" | "ln" | "install" | "rsync" => self.copies(dirs, name, args),
            "sed" | "perl" => self.edits(dirs, name, args),
            "chmod" => self.modes(dirs, args),
            "kill" => kills(args),
            "pkill" | "killall" | "killall5" | "skill" => self.kills_by_name(name, args),
            "curl" | "wget" | "tar" | "unzip" => self.unpacks(dirs, name, args),
            "docker" | "podman" | "nerdctl" => self.container(dirs, name, args),
            "playwright-cli" => {
                match args.iter().find(|arg| matches!(arg.pattern.as_str(), "run-code" | "eval")) {
                    Some(word) => Err(Denied::new(format!(
                        "`playwright-cli {}` runs code: click and type",
                        word.shown()
                    ))),
                    None => Ok(()),
                }
            }
            "shopt" if args.iter().any(|arg| arg.pattern == "expand_aliases") => {
                Err(Denied::new("`shopt expand_aliases` changes what words mean: write commands out"))
            }
            "hash" if args.iter().any(|arg| arg.pattern.starts_with("-p")) => {
                Err(Denied::new("`hash -p` changes what a name means: write the path"))
            }
            "mapfile" | "readarray" if args.iter().any(|arg| arg.pattern.starts_with("-C")) => {
                Err(unknown(&format!("`{name} -C` runs a command for each line")))
            }
            _ => Ok(()),
        }
    }

    fn removes(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        let is_recursive = args.iter().any(|arg| {
            let option = arg.prefix();
            option == "--recursive"
                || (option.starts_with('-') && !option.starts_with("--") && option.contains(['r', 'R']))
        });
        let dashes = args.iter().position(|word| word.pattern == "--").unwrap_or(args.len());
        for (n, word) in args.iter().enumerate() {
            if n <= dashes && word.prefix().starts_with('-') {
                continue;
            }
            let begins_unknown = word.known().is_none() && word.prefix().is_empty();
            let is_pattern_only = word.unknown() == Some(super::word::GLOB);
            if begins_unknown
                && !is_pattern_only
                && (is_recursive || (word.splits && n < dashes))
                && !self.policy.trusts_unknown()
            {
                return Err(unknown(&format!("`{name}` would remove `{}`", word.shown())));
            }
            self.written(dirs, word)?;
            self.keeps_roots(dirs, name, word)?;
        }
        match dirs.contains(&None) && is_recursive && !self.policy.trusts_unknown() {
            true if operands(args).iter().any(|word| !word.prefix().starts_with('/')) => {
                Err(unknown(&format!("`{name}` would remove what lies in a directory")))
            }
            true | false => Ok(()),
        }
    }

    /// Refuses to remove the workspace itself, what it lies in, and its repository.
    fn keeps_roots(&self, dirs: &Dirs, name: &str, word: &Word) -> Result<(), Denied> {
        let Some(path) = word.known() else { return Ok(()) };
        let repository = self.place.workspace.join(".git");
        for dir in dirs.iter().flatten() {
            let real = (self.place.resolve)(&self.place.at(dir, path));
            if self.place.workspace.starts_with(&real)
                || real == repository
                || real.join(".git") == repository
            {
                return Err(Denied::new(format!(
                    "`{name} {path}` would remove the workspace or its repository"
                )));
            }
        }
        Ok(())
    }

    fn copies(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        if let Some(remote) = args.iter().find(|arg| name == "rsync" && is_remote(arg)) {
            return Err(Denied::new(format!(
                "`{}` lies on another machine: work with what is here",
                remote.shown()
            )));
        }
        if name == "rsync"
            && args.iter().any(|arg| arg.prefix().starts_with("-e") || arg.prefix().starts_with("--rsh"))
        {
            return Err(unknown("`rsync -e` runs another command"));
        }
        let target = option_value(args, 't', "--target-directory");
        match target.or_else(|| operands(args).last().cloned()) {
            Some(target) => self.written(dirs, &target),
            None => Ok(()),
        }
    }

    /// `-i` writes the files behind the script.
    fn edits(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        let is_short = |arg: &Word| arg.prefix().starts_with('-') && !arg.prefix().starts_with("--");
        let in_place = |arg: &Word| {
            (is_short(arg) && arg.prefix().contains('i')) || arg.prefix().starts_with("--in-place")
        };
        if !args.iter().any(in_place) {
            return Ok(());
        }
        let is_script = |arg: &Word| {
            (is_short(arg) && arg.prefix().contains(['e', 'f'])) || arg.prefix().starts_with("--expression")
        };
        let has_script = args.iter().any(is_script);
        let mut files = operands(args);
        // The script, or what follows `-e`.
        let scripts = if has_script {
            args.iter().filter(|arg| is_script(arg)).count()
        } else {
            usize::from(name == "sed")
        };
        files.drain(..scripts.min(files.len()));
        files.iter().try_for_each(|word| self.written(dirs, word))
    }

    fn modes(&mut self, dirs: &Dirs, args: &[Word]) -> Result<(), Denied> {
        let Some((mode, files)) =
            operands_with_modes(args).split_first().map(|(mode, files)| (mode.clone(), files.to_vec()))
        else {
            return Ok(());
        };
        if self.policy.is_listed_only() {
            let who_may = mode.known().and_then(|mode| mode.strip_suffix("+x"));
            let is_plain = who_may.is_some_and(|who| who.chars().all(|c| "ugoa".contains(c)));
            if !is_plain || files.is_empty() || args.len() != files.len() + 1 {
                return Err(Denied::new(
                    "only `chmod +x FILE` is allowed here, with `ugoa` before the `+` at most",
                ));
            }
        }
        let is_special = |mode: &str| {
            (mode.contains('s') && mode.contains(['+', '=']))
                || (mode.len() > 3 && mode.chars().all(|c| c.is_ascii_digit()) && !mode.starts_with('0'))
        };
        if mode.known().is_none_or(is_special) {
            return Err(Denied::new(format!("`chmod {}` lends a file's owner: leave it out", mode.shown())));
        }
        files.iter().try_for_each(|word| self.written(dirs, word))
    }

    fn kills_by_name(&self, name: &str, args: &[Word]) -> Result<(), Denied> {
        let targets = operands(args);
        let may = |word: &Word| word.known().is_some_and(|name| self.policy.may_kill(name));
        match targets.iter().find(|word| !may(word)) {
            None if !targets.is_empty() => Ok(()),
            refused => Err(Denied::new(format!(
                "`{name} {}` ends processes by their name, which may be somebody else's: end those that you started, by \
                 the number in `$!`",
                refused.map_or_else(String::new, Word::shown)
            ))),
        }
    }

    /// What a program gets from elsewhere is written somewhere, too.
    fn unpacks(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        if name == "tar" {
            let runs = [
                "--to-command",
                "--checkpoint-action",
                "--use-compress-program",
                "--info-script",
                "--rsh-command",
                "-I",
                "-F",
            ];
            if let Some(arg) =
                args.iter().find(|arg| runs.iter().any(|option| arg.prefix().starts_with(option)))
            {
                return Err(unknown(&format!("`tar {}` runs another command", arg.shown())));
            }
        }
        let targets: &[(char, &str)] = match name {
            "curl" => {
                &[('o', "--output"), ('\0', "--output-dir"), ('c', "--cookie-jar"), ('D', "--dump-header")]
            }
            "wget" => &[('O', "--output-document"), ('P', "--directory-prefix"), ('o', "--output-file")],
            "tar" => &[('C', "--directory")],
            _ => &[('d', "--directory")],
        };
        let found: Vec<Word> =
            targets.iter().filter_map(|(short, long)| option_value(args, *short, long)).collect();
        found.iter().filter(|word| word.pattern != "-").try_for_each(|word| self.written(dirs, word))
    }

    /// A container is another way to the machine it runs on.
    fn container(&mut self, dirs: &Dirs, name: &str, args: &[Word]) -> Result<(), Denied> {
        let refuse = |arg: &Word| {
            Err(Denied::new(format!("`{name} {}` reaches around the workspace: leave it out", arg.shown())))
        };
        for (n, arg) in args.iter().enumerate() {
            let text = arg.prefix();
            let reaches = ["--privileged", "--cap-add", "--device", "--security-opt"]
                .iter()
                .any(|option| text.starts_with(option))
                || (["--pid", "--ipc", "--net", "--network", "--uts", "--userns"]
                    .iter()
                    .any(|option| text.starts_with(option))
                    && (text.ends_with("=host")
                        || args.get(n + 1).is_some_and(|next| next.pattern == "host")));
            if reaches || text.contains("docker.sock") {
                return refuse(arg);
            }
            let mounts = match (text, args.get(n + 1)) {
                ("-v" | "--volume" | "--mount", Some(next)) => Some(next.clone()),
                _ => text
                    .strip_prefix("--volume=")
                    .or_else(|| text.strip_prefix("--mount="))
                    .or_else(|| text.strip_prefix("-v"))
                    .filter(|rest| !rest.is_empty())
                    .map(Word::of),
            };
            let Some(mount) = mounts else { continue };
            let source = mount.pattern.split(',').find_map(|part| {
                part.strip_prefix("source=").or_else(|| part.strip_prefix("src=")).map(str::to_owned)
            });
            let source = Word::of(
                source.unwrap_or_else(|| mount.pattern.split(':').next().unwrap_or_default().to_owned()),
            );
            // A name without a slash is a volume of the container's own.
            if source.pattern.contains(['/', '~', '.']) || source.known().is_none() {
                self.written(dirs, &source)?;
            }
        }
        Ok(())
    }

    /// Returns where the shell is after a command that changes its directory.
    fn moved(&self, dirs: &Dirs, name: &str, args: &[Word]) -> After {
        let operands = operands(args);
        let target = |dir: &Option<PathBuf>| -> Option<PathBuf> {
            match (name, operands.first()) {
                ("popd", _) | ("pushd", None) => None,
                (_, None) => self.place.home.clone(),
                (_, Some(word)) => {
                    let path = word.known().filter(|path| *path != "-" && !path.starts_with('+'))?;
                    let base = dir.clone().or_else(|| path.starts_with('/').then(PathBuf::new))?;
                    Some((self.place.resolve)(&self.place.at(&base, path)))
                }
            }
        };
        After { success: dirs.iter().map(target).collect(), failure: dirs.clone() }
    }
}

/// The project's own start script, wherever it lies below the current directory.
pub(super) fn is_init_script(command: &str) -> bool {
    command == "init.sh"
        || (command.ends_with("/init.sh") && !command.starts_with('/') && !command.contains(".."))
}

fn is_remote(word: &Word) -> bool {
    let before = word.prefix().split('/').next().unwrap_or_default();
    !word.prefix().starts_with('-') && before.contains(':')
}

/// `-1` is everybody, and 1 the system.
fn kills(args: &[Word]) -> Result<(), Denied> {
    let mut targets = args.iter().map(|word| word.pattern.as_str()).skip_while(|text| text.is_empty());
    let first = targets.next().unwrap_or_default();
    let rest: Vec<&str> = targets.collect();
    let is_everybody = |text: &str| matches!(text, "-1" | "1");
    let named_signal = matches!(first, "-s" | "-n" | "--signal");
    let others = rest.iter().skip(usize::from(named_signal)).any(|text| is_everybody(text));
    match others || (is_everybody(first) && rest.is_empty()) {
        true => Err(Denied::new(
            "this ends processes of others: end those that you started, by the number in `$!`",
        )),
        false => Ok(()),
    }
}

/// Returns the words that are no options; all behind `--`.
pub(super) fn operands(args: &[Word]) -> Vec<Word> {
    let mut found = Vec::new();
    let mut only_operands = false;
    for arg in args {
        if !only_operands && arg.pattern == "--" {
            only_operands = true;
        } else if only_operands || !arg.pattern.starts_with('-') || arg.pattern == "-" {
            found.push(arg.clone());
        }
    }
    found
}

/// As [`operands`], where a mode such as `-x` is one as well.
fn operands_with_modes(args: &[Word]) -> Vec<Word> {
    let is_mode = |text: &str| {
        text.starts_with('-') && text.len() > 1 && text[1..].chars().all(|c| "rwxXst,+=ugoa".contains(c))
    };
    args.iter().filter(|arg| !arg.pattern.starts_with('-') || is_mode(&arg.pattern)).cloned().collect()
}

/// Returns the value of an option, glued to it or behind it.
pub(super) fn option_value(args: &[Word], short: char, long: &str) -> Option<Word> {
    for (n, arg) in args.iter().enumerate() {
        let text = arg.pattern.as_str();
        if let Some(rest) = text.strip_prefix(long).filter(|_| text.starts_with("--")) {
            match rest.strip_prefix('=') {
                Some(value) => return Some(Word { pattern: value.to_owned(), splits: arg.splits }),
                None if rest.is_empty() => return args.get(n + 1).cloned(),
                None => {}
            }
        }
        if text.starts_with('-')
            && !text.starts_with("--")
            && let Some(at) = text.find(short)
        {
            let value = &text[at + short.len_utf8()..];
            return match value.is_empty() {
                true => args.get(n + 1).cloned(),
                false => Some(Word { pattern: value.to_owned(), splits: arg.splits }),
            };
        }
    }
    None
}
