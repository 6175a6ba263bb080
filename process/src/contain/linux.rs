//! What containment needs from Linux: `prctl`, `/proc`, pidfds. The interface is the same as that of `other.rs`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cogwork_schemas::Resources;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::sight::Sight;
use super::table::{Process, Table};

/// What the kernel's own files tell.
pub(super) const SIGHT: Sight = Sight {
    boot_id,
    is_same_boot: |one, other| one == other,
    pid_namespace,
    find,
    table,
    resources,
    variable,
    working_dir,
};

pub(super) fn become_subreaper() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Asks for `signal` when the thread that started this process dies. Safe between fork and exec.
pub(super) fn set_death_signal(signal: Signal) -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(signal))?)
}

/// Returns the kernel's id of this boot.
fn boot_id() -> String {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BOOT_ID.get_or_init(|| read().trim().to_owned()).clone()
}

/// Returns the number of the namespace that this process's pids belong to.
fn pid_namespace() -> Option<u64> {
    static NAMESPACE: OnceLock<Option<u64>> = OnceLock::new();
    // The link has no target to follow: `pid:[4026531836]` names the file it stands for.
    let read = || {
        let link = fs::read_link("/proc/self/ns/pid").ok()?;
        link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
    };
    *NAMESPACE.get_or_init(read)
}

/// Returns one process, dead ones that wait to be reaped included.
fn find(pid: i32) -> Option<Process> {
    parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Returns all processes that can be seen.
fn table() -> Table {
    pids().filter_map(find).collect()
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Reads a line of `/proc/PID/stat`.
fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let fields = after_name(stat)?;
    // A leader that ended shows as a zombie while other threads of it still run.
    let is_dead = matches!(*fields.first()?, "Z" | "X" | "x");
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(Process {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        alive: !is_dead || threads > 1,
        has_terminal: *fields.get(4)? != "0",
    })
}

/// Returns what a process takes of the machine, and the processor time in milliseconds of what it has started and
/// waited for.
fn resources(pid: i32) -> Option<(Resources, u64)> {
    parse_resources(
        &fs::read(format!("/proc/{pid}/stat")).ok()?,
        rustix::param::clock_ticks_per_second(),
        rustix::param::page_size() as u64,
    )
}

fn parse_resources(stat: &[u8], ticks_per_second: u64, page: u64) -> Option<(Resources, u64)> {
    let fields = after_name(stat)?;
    let field = |index: usize| -> Option<u64> { fields.get(index)?.parse().ok() };
    let ms = |ticks: u64| ticks * 1000 / ticks_per_second.max(1);
    let own =
        Resources { processes: 1, memory_bytes: field(21)? * page, cpu_ms: ms(field(11)? + field(12)?) };
    Some((own, ms(field(13)? + field(14)?)))
}

/// Returns the fields of a line of `/proc/PID/stat` after the name, which may hold anything, brackets and spaces
/// included.
fn after_name(stat: &[u8]) -> Option<Vec<&str>> {
    let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
    Some(str::from_utf8(&stat[after_name..]).ok()?.split_ascii_whitespace().collect())
}

/// Returns a variable of the environment that a process was started with.
fn variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environ
        .split(|byte| *byte == 0)
        .find_map(|entry| Some(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec()))
}

/// Returns where a process works; where it worked when that was deleted.
fn working_dir(pid: i32) -> Option<PathBuf> {
    let dir = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    match dir.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(deleted) => Some(OsString::from_vec(deleted.to_vec()).into()),
        None => Some(dir),
    }
}

/// Sends `signal` to this very process. A pidfd holds on to it, so that between looking and sending its number
/// cannot pass to another.
pub(super) fn signal_exactly(process: Process, signal: Signal) {
    let Some(pid) = Pid::from_raw(process.pid) else {
        return;
    };
    let is_it = || find(process.pid).is_some_and(|found| found.started == process.started);
    let sent = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) if is_it() => rustix::process::pidfd_send_signal(&pidfd, signal),
        // Kernels before 5.3 have no pidfds.
        Err(rustix::io::Errno::NOSYS) if is_it() => rustix::process::kill_process(pid, signal),
        Ok(_) | Err(_) => Ok(()),
    };
    if let Err(error) = sent {
        tracing::debug!(pid = process.pid, %error, "a process could not be signalled");
    }
}

/// Nothing to do: a sweep finds what is left of a session whose leader was reaped.
pub(super) fn kill_left_group(_pid: i32) {}

/// Returns whether somebody may still be working under a lock file: has it open, or is a git that works inside
/// `dir` (git closes its lock while the user's editor is open). `None` where that cannot be told.
pub(crate) fn is_held(lock: &Path, dir: &Path) -> Option<bool> {
    let has_it_open = |pid: i32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|target| target == lock))
    };
    let is_git = |pid: i32| fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(b"git"));
    let is_at_work = |pid: i32| is_git(pid) && working_dir(pid).is_some_and(|cwd| cwd.starts_with(dir));
    Some(table().living().any(|pid| has_it_open(pid) || is_at_work(pid)))
}

/// Returns whether a git that runs one of `commands` works in `dir`, and not in a repository that lies in it. `None`
/// where that cannot be told.
pub(crate) fn gits_at_work(dir: &Path, commands: &[&str]) -> Option<bool> {
    let is_git = |pid: i32| fs::read(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with(b"git"));
    let is_there = |pid: i32| {
        working_dir(pid).is_some_and(|cwd| {
            let mut below = cwd.ancestors().take_while(|at| *at != dir);
            cwd.starts_with(dir) && !below.any(|at| at.join(".git").exists())
        })
    };
    let runs_one = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|arg| commands.iter().any(|command| command.as_bytes() == arg))
    };
    Some(table().living().any(|pid| is_git(pid) && is_there(pid) && runs_one(pid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let stat = |name: &str, state: &str, threads: u32| {
            format!("42 ({name}) {state} 7 8 9 0 -1 0 1 2 3 4 5 6 7 8 20 0 {threads} 0 123456 1 2 3")
        };
        let alive =
            Process { pid: 42, parent: 7, session: 9, started: 123_456, alive: true, has_terminal: false };
        let dead = Process { alive: false, ..alive };
        assert_eq!(parse(42, stat("sh", "S", 1).as_bytes()), Some(alive));
        assert_eq!(parse(42, stat("a) R 1 1 (b", "S", 1).as_bytes()), Some(alive));
        assert_eq!(parse(42, stat("sh", "Z", 1).as_bytes()), Some(dead));
        assert_eq!(parse(42, stat("leader gone", "Z", 2).as_bytes()), Some(alive));
        let on_terminal = stat("sh", "S", 1).replace(" 7 8 9 0 ", " 7 8 9 34817 ");
        assert_eq!(parse(42, on_terminal.as_bytes()), Some(Process { has_terminal: true, ..alive }));
        assert_eq!(parse(42, b"42 (sh) S 7"), None);
        assert_eq!(parse(42, b""), None);
    }

    #[test]
    fn memory_and_time_are_read_in_their_units() {
        let stat = "42 (a b) S 7 8 9 0 -1 0 1 2 3 4 150 50 30 20 20 0 1 0 123456 999 3 4";
        let own = Resources { processes: 1, memory_bytes: 3 * 4096, cpu_ms: 2000 };
        assert_eq!(parse_resources(stat.as_bytes(), 100, 4096), Some((own, 500)));
        assert_eq!(parse_resources(b"42 (sh) S 7", 100, 4096), None);
    }
}
