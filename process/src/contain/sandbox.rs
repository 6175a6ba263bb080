//! Sandboxes: a program, and all that it ever starts, writes only where it may. Reading, and the network, stay free.
//!
//! It owns the two walls there are on Linux and finds out which stands here. bubblewrap gives the program a file system
//! of its own in which all else is read-only, and a view of processes in which there are only its own. Landlock has the
//! kernel refuse; nothing else changes, so that it works inside containers as well. Elsewhere there is neither.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Exit, Spawn};

/// The program that makes file systems.
const BUBBLEWRAP: &str = "bwrap";
/// How long its trial may take.
const TRIAL: Duration = Duration::from_secs(10);
/// What is written to without harm.
#[cfg(target_os = "linux")]
const DEVICES: &[&str] =
    &["/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/shm"];

/// Which sandbox is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxChoice {
    /// None.
    #[default]
    Off,
    /// bubblewrap where it works, Landlock otherwise; none is not good enough.
    Auto,
    Bubblewrap,
    Landlock,
}

impl FromStr for SandboxChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "off" => Ok(Self::Off),
            "auto" => Ok(Self::Auto),
            "bubblewrap" => Ok(Self::Bubblewrap),
            "landlock" => Ok(Self::Landlock),
            _ => Err(format!("there is no sandbox `{word}`: use auto, bubblewrap, landlock or off")),
        }
    }
}

impl SandboxChoice {
    /// Returns the word that [`FromStr`] reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "landlock",
        }
    }
}

/// What holds a program back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    Bubblewrap,
    Landlock,
}

/// Where a program may write: nowhere, but for these rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    pub wall: Wall,
    /// A later one goes before an earlier.
    pub rules: Vec<Rule>,
}

/// What a sandbox does with a directory and all below it, or with a file. One that is not there means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    Writable(PathBuf),
    /// Read-only in what is writable; Landlock knows no such thing.
    Sealed(PathBuf),
    /// What is written at `at` goes to `dir`, and what else is there is not seen. With Landlock `at` stays as it is, and
    /// `dir` has to be asked for by its own name.
    Own {
        dir: PathBuf,
        at: PathBuf,
    },
}

/// A sandbox that is wanted cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no sandbox here: {reason}")]
pub struct NoSandbox {
    /// What was tried, and what came of it.
    pub reason: String,
}

/// What a sandbox comes to for one start.
pub(super) enum Around {
    Nothing,
    /// The program was put into the arguments of another.
    Program,
    /// The kernel's rules, to be obeyed by the new process.
    #[cfg(target_os = "linux")]
    Rules(std::os::fd::OwnedFd),
}

impl Wall {
    /// Returns the wall that there is here, of those that are wanted; `None` when none is. Asks by trying.
    ///
    /// # Errors
    ///
    /// [`NoSandbox`] when none that is wanted stands.
    pub async fn find(
        choice: SandboxChoice,
        env: &[(OsString, OsString)],
    ) -> Result<Option<Self>, NoSandbox> {
        let refused = |reason| NoSandbox { reason };
        match choice {
            SandboxChoice::Off => Ok(None),
            _ if cfg!(not(target_os = "linux")) => {
                Err(refused("it needs Linux, use --sandbox off".to_owned()))
            }
            SandboxChoice::Bubblewrap => {
                bubblewrap_works(env).await.map(|()| Some(Self::Bubblewrap)).map_err(refused)
            }
            SandboxChoice::Landlock => landlock_works().map(|()| Some(Self::Landlock)).map_err(refused),
            SandboxChoice::Auto => match (bubblewrap_works(env).await, landlock_works()) {
                (Ok(()), _) => Ok(Some(Self::Bubblewrap)),
                (Err(_), Ok(())) => Ok(Some(Self::Landlock)),
                (Err(one), Err(other)) => {
                    Err(refused(format!("{one}, {other}; install bubblewrap, or use --sandbox off")))
                }
            },
        }
    }

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "Landlock",
        }
    }
}

impl Sandbox {
    /// Changes what is started so that it is held.
    pub(super) fn put_around(self, spawn: &mut Spawn) -> io::Result<Around> {
        match self.wall {
            Wall::Bubblewrap => {
                let inner = std::mem::replace(&mut spawn.program, BUBBLEWRAP.into());
                let inner_args = std::mem::take(&mut spawn.args);
                spawn.args = self.bubblewrap_args(&spawn.cwd);
                spawn.args.push(inner);
                spawn.args.extend(inner_args);
                Ok(Around::Program)
            }
            Wall::Landlock => landlock_rules(&self.rules),
        }
    }

    fn bubblewrap_args(&self, cwd: &Path) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        let mut push = |words: &[&std::ffi::OsStr]| args.extend(words.iter().map(OsString::from));
        push(&["--ro-bind".as_ref(), "/".as_ref(), "/".as_ref(), "--dev".as_ref(), "/dev".as_ref()]);
        // A process table of its own: it sees nobody else's environment, and signals nobody else.
        push(&["--unshare-pid".as_ref(), "--unshare-ipc".as_ref(), "--proc".as_ref(), "/proc".as_ref()]);
        // Whoever may mount may undo all this.
        push(&["--cap-drop".as_ref(), "ALL".as_ref(), "--die-with-parent".as_ref()]);
        for rule in &self.rules {
            match rule {
                Rule::Writable(path) => push(&["--bind-try".as_ref(), path.as_os_str(), path.as_os_str()]),
                Rule::Sealed(path) => push(&["--ro-bind-try".as_ref(), path.as_os_str(), path.as_os_str()]),
                Rule::Own { dir, at } => push(&["--bind".as_ref(), dir.as_os_str(), at.as_os_str()]),
            }
        }
        push(&["--chdir".as_ref(), cwd.as_os_str(), "--".as_ref()]);
        args
    }
}

/// Starts something harmless in a sandbox: whether namespaces may be made here is known only then.
async fn bubblewrap_works(env: &[(OsString, OsString)]) -> Result<(), String> {
    let mut trial = Spawn::new("true", "/");
    trial.env = env.to_vec();
    trial.sandbox = Some(Sandbox { wall: Wall::Bubblewrap, rules: vec![] });
    let mut trial = trial.start().map_err(|_| "bubblewrap is not installed".to_owned())?;
    match trial.wait_limited(TRIAL, Duration::ZERO, |_| {}).await {
        (Exit::Code(0), _) => Ok(()),
        _ => {
            let said = trial.stderr_tail();
            Err(format!(
                "bubblewrap does not work ({})",
                said.lines().next_back().unwrap_or("it says nothing")
            ))
        }
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::os::fd::{AsRawFd, OwnedFd};
    use std::path::PathBuf;

    use landlock::{
        ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
        RulesetCreated, RulesetCreatedAttr, RulesetError, Scope,
    };

    use super::{Around, DEVICES, Rule};

    /// Since this one, moving and cutting files are refused as well; with an earlier one there would be holes.
    const NEEDED: ABI = ABI::V3;

    fn ruleset() -> Result<RulesetCreated, RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(AccessFs::from_write(NEEDED))?
            .set_compatibility(CompatLevel::BestEffort)
            // Newer kernels keep its signals and its abstract sockets to itself, too.
            .scope(Scope::from_all(ABI::V6))?
            .create()
    }

    pub(super) fn landlock_works() -> Result<(), String> {
        match ruleset().map(Option::<OwnedFd>::from) {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err("this kernel has no Landlock of version 3 or newer".to_owned()),
        }
    }

    pub(super) fn landlock_rules(wanted: &[Rule]) -> io::Result<Around> {
        let refused = |error: RulesetError| io::Error::other(format!("Landlock: {error}"));
        let mut rules = ruleset().map_err(refused)?;
        let writable = wanted.iter().filter_map(|rule| match rule {
            Rule::Writable(path) | Rule::Own { dir: path, .. } => Some(path.clone()),
            Rule::Sealed(_) => None,
        });
        for path in DEVICES.iter().map(PathBuf::from).chain(writable) {
            let Ok(meta) = path.metadata() else { continue };
            let Ok(file) = PathFd::new(&path) else { continue };
            let all = AccessFs::from_write(NEEDED);
            let of_files: BitFlags<AccessFs> = AccessFs::WriteFile | AccessFs::Truncate;
            let rights = if meta.is_dir() { all } else { of_files };
            rules = rules.add_rule(PathBeneath::new(file, rights)).map_err(refused)?;
        }
        match Option::<OwnedFd>::from(rules) {
            Some(fd) => Ok(Around::Rules(fd)),
            None => Err(io::Error::other("this kernel has no Landlock")),
        }
    }

    impl Around {
        /// Obeys the kernel's rules from here on. Between fork and exec: system calls only.
        #[expect(unsafe_code, reason = "the C library has no name for this system call")]
        pub(in crate::contain) fn obey(&self) -> io::Result<()> {
            let Self::Rules(rules) = self else { return Ok(()) };
            rustix::thread::set_no_new_privs(true)?;
            // SAFETY: the call takes a descriptor, which `rules` keeps open, and a number; it touches no memory.
            let answer = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
            if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::io;

    use super::{Around, Rule};

    pub(super) fn landlock_works() -> Result<(), String> {
        Err("only Linux has Landlock".to_owned())
    }

    pub(super) fn landlock_rules(_wanted: &[Rule]) -> io::Result<Around> {
        Err(io::Error::other("only Linux has Landlock"))
    }

    impl Around {
        /// Nothing to obey.
        pub(in crate::contain) fn obey(&self) -> io::Result<()> {
            Ok(())
        }
    }
}

use kernel::{landlock_rules, landlock_works};
