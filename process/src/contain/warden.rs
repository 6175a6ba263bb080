//! The warden: a process of ours that outlives a killed one for as long as it takes to clear up.
//!
//! A process that is killed clears nothing away: what its programs started in sessions of their own would live on.
//! So a runner splits in two before it begins. The process that was started stays behind as the warden, which holds
//! nothing and waits; its child goes on as the runner. A killed runner leaves its tree to the warden, the nearest
//! subreaper above it, and that sweeps and ends as the runner ended. A killed warden is noticed by the runner, which
//! ends as if its parent were gone. Only both at once leave something, for the sweep of the next start.
//!
//! To whoever started it the warden is the runner: same standard streams, same exit code or signal, and signals that
//! are sent to it are passed on. It is made of the runner's own pages, so it costs next to no memory.

#![expect(unsafe_code, reason = "fork and the waiting for signals have no safe form")]

use std::convert::Infallible;
use std::io;
use std::ptr;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::{become_subreaper, kill_descendants, os};

/// What a warden waits for. The rest of the signals either kill it, of which the runner hears, or mean nothing.
const HEARD: [i32; 8] = [
    libc::SIGCHLD,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
];

/// The exit code where that of the runner is not known.
const LOST: i32 = 128;

/// Splits this process: the caller goes on as the child of its warden, under a new number. Call it first of all.
///
/// When the warden dies the caller is sent `at_its_death`, which has to be heard by then.
///
/// # Errors
///
/// When there are threads already, which would not be in the child, or what the kernel reports. Then there is no
/// warden, and the caller is who it was.
pub(super) fn split(at_its_death: Signal) -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a process with several threads cannot be split"));
    }
    become_subreaper()?;
    let before = block(&set(&HEARD))?;
    let warden = rustix::process::getpid();
    // SAFETY: this is the only thread, so the child has all there is and no lock is held by anybody else.
    match unsafe { libc::fork() } {
        -1 => {
            let error = io::Error::last_os_error();
            restore(&before)?;
            Err(error)
        }
        0 => {
            os::set_death_signal(at_its_death)?;
            if rustix::process::getppid() != Some(warden) {
                rustix::process::kill_process(rustix::process::getpid(), at_its_death)?;
            }
            restore(&before)
        }
        child => match watch(child, &set(&HEARD)) {
            Ok(never) => match never {},
            // Without ears it can still wait for the end. The runner lives, so there is no way back.
            Err(_) => {
                let status = wait(child, WaitOptions::empty());
                clear();
                match status {
                    Ok(Some(status)) => end_like(status),
                    Ok(None) | Err(_) => exit(LOST),
                }
            }
        },
    }
}

/// The life of the warden.
fn watch(runner: i32, heard: &libc::sigset_t) -> io::Result<Infallible> {
    let_go_of_streams();
    loop {
        let (signal, is_sent) = next(heard)?;
        match signal {
            libc::SIGCHLD => {
                if let Some(status) = wait(runner, WaitOptions::NOHANG)? {
                    clear();
                    end_like(status);
                }
            }
            // The shell that we were started from only looks at us.
            libc::SIGTSTP if !is_sent => raise(libc::SIGSTOP),
            // What comes from the terminal, the runner has got itself.
            signal if is_sent => pass_on(runner, signal),
            _ => {}
        }
    }
}

/// Kills and reaps everything below, which is what the runner left.
fn clear() {
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() {
        runtime.block_on(kill_descendants());
    }
}

/// Ends this process as `status` says that another one ended.
fn end_like(status: WaitStatus) -> ! {
    if let Some(signal) = status.terminating_signal() {
        // SAFETY: both only change how this process takes a signal.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        block_none();
        raise(signal);
    }
    exit(status.exit_status().unwrap_or(LOST))
}

fn exit(code: i32) -> ! {
    // SAFETY: it never returns. The runner has run its destructors; running ours would flush its buffers again.
    unsafe { libc::_exit(code) }
}

/// Whoever reads the runner's output is to see its end, and whoever writes its input that nobody reads it any more.
fn let_go_of_streams() {
    let Ok(null) = std::fs::File::options().read(true).write(true).open("/dev/null") else {
        return;
    };
    // Its copies keep a pipe open, which is no more than untidy.
    rustix::stdio::dup2_stdin(&null).ok();
    rustix::stdio::dup2_stdout(&null).ok();
}

/// Returns the next signal, and whether a process sent it; otherwise the kernel did, as for a terminal's Ctrl-C.
fn next(heard: &libc::sigset_t) -> io::Result<(i32, bool)> {
    loop {
        // SAFETY: all zeros are a valid siginfo_t.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: both point to live values of the right types.
        let signal = unsafe { libc::sigwaitinfo(heard, &raw mut info) };
        if signal > 0 {
            // Codes of the kernel are above 0; a parent's death comes as if it had been sent.
            return Ok((signal, info.si_code <= 0));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn wait(pid: i32, options: WaitOptions) -> io::Result<Option<WaitStatus>> {
    let waited = rustix::process::waitpid(Pid::from_raw(pid), options)?;
    Ok(waited.map(|(_, status)| status))
}

fn pass_on(runner: i32, signal: i32) {
    // It is our child and not reaped: the number is its own. It may be dead, which the next signal tells.
    // SAFETY: touches no memory.
    unsafe { libc::kill(runner, signal) };
}

fn raise(signal: i32) {
    // SAFETY: touches no memory; our handlers are the kernel's own.
    unsafe { libc::raise(signal) };
}

fn set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: sigemptyset makes the set valid whatever was in it, and the signals are real ones.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

fn block(signals: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    change_mask(libc::SIG_BLOCK, signals)
}

fn restore(mask: &libc::sigset_t) -> io::Result<()> {
    change_mask(libc::SIG_SETMASK, mask).map(drop)
}

fn block_none() {
    // It is about to end by a signal; if that stays blocked it ends by a code.
    restore(&set(&[])).ok();
}

fn change_mask(how: i32, signals: &libc::sigset_t) -> io::Result<libc::sigset_t> {
    let mut before = set(&[]);
    // SAFETY: both point to live, valid sets.
    match unsafe { libc::sigprocmask(how, ptr::from_ref(signals), &raw mut before) } {
        0 => Ok(before),
        _ => Err(io::Error::last_os_error()),
    }
}
