//! Checks: run a shell command, report what it showed, leave no process.
//!
//! It owns how a check is run and what is kept of it. It talks to `sh`; what a red check means is its callers'
//! matter.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use cogwork_schemas::{Check, CheckReport, CheckVerdict};

use crate::clock;
use crate::contain::{Contained, Exit, Sandbox, Spawn, StartError, Stderr};
use crate::redact::Redactor;
use crate::tail::Tail;

/// Characters of a check's output that are kept: enough for the failing assertion, small enough for a database row
/// and for a model's context.
const TAIL_CHARS: usize = 4000;

/// What a check gets between SIGTERM and SIGKILL at its time limit, to print what it was doing.
const GRACE: Duration = Duration::from_secs(1);

/// Runs one check with `sh -c` in `dir`, in a session of its own and with nothing but `env` as its environment.
///
/// At its end, or at its time limit, everything that it started is gone too, background servers included. Never
/// fails: what goes wrong is the report's verdict. Secrets of `env`, and what looks like one, are not in the report. Dropping the future kills the check.
pub async fn run(check: &Check, dir: &Path, env: &[(OsString, OsString)]) -> CheckReport {
    run_within(check, dir, env, None).await
}

/// As [`run()`], in a sandbox.
pub async fn run_within(
    check: &Check,
    dir: &Path,
    env: &[(OsString, OsString)],
    sandbox: Option<&Sandbox>,
) -> CheckReport {
    let start = clock::now();
    let mut printed = Printed::new();
    let verdict = match start_shell(check, dir, env, sandbox) {
        Ok(mut shell) => decide(check, &mut shell, &mut printed).await,
        Err(error) => CheckVerdict::NotStarted { reason: error.to_string() },
    };
    CheckReport {
        command: check.command.clone(),
        verdict,
        duration_ms: clock::millis_since(start),
        output_tail: last(Redactor::of_variables(env).redact_tail(printed.tail.text(4 * TAIL_CHARS))),
        output_digest: format!("{:016x}", printed.digest),
    }
}

/// Runs all checks, one after the other, also those after a red one.
pub async fn run_all(
    checks: &[Check],
    dir: &Path,
    env: &[(OsString, OsString)],
    sandbox: Option<&Sandbox>,
) -> Vec<CheckReport> {
    let mut reports = Vec::with_capacity(checks.len());
    for check in checks {
        reports.push(run_within(check, dir, env, sandbox).await);
    }
    reports
}

/// Returns the end of a text. It is cut after the redaction, which could not know half a secret.
fn last(text: String) -> String {
    match text.char_indices().rev().nth(TAIL_CHARS - 1) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]),
        Some(_) | None => text,
    }
}

fn start_shell(
    check: &Check,
    dir: &Path,
    env: &[(OsString, OsString)],
    sandbox: Option<&Sandbox>,
) -> Result<Contained, StartError> {
    let mut spawn = Spawn::new("sh", dir);
    spawn.args = vec!["-c".into(), check.command.clone().into()];
    spawn.env = env.to_vec();
    spawn.stderr = Stderr::WithStdout;
    spawn.sandbox = sandbox.cloned();
    spawn.start()
}

async fn decide(check: &Check, shell: &mut Contained, printed: &mut Printed) -> CheckVerdict {
    let limit = Duration::from_secs(check.timeout_s.into());
    let (exit, timed_out) = shell.wait_limited(limit, GRACE, |bytes| printed.push(bytes)).await;
    match exit {
        _ if timed_out => CheckVerdict::TimedOut,
        Exit::Code(0) => CheckVerdict::Green,
        Exit::Code(exit_code) => CheckVerdict::Red { exit_code },
        Exit::Signal(signal) => CheckVerdict::Red { exit_code: 128 + signal },
    }
}

/// What a check printed: the end of it, and a digest of all.
struct Printed {
    tail: Tail,
    digest: u64,
}

impl Printed {
    fn new() -> Self {
        Self {
            // No character takes more than four bytes.
            tail: Tail::new(4 * TAIL_CHARS),
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.tail.push(bytes);
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_fnv_1a_and_does_not_depend_on_chunks() {
        let digest = |chunks: &[&[u8]]| {
            let mut printed = Printed::new();
            chunks.iter().for_each(|chunk| printed.push(chunk));
            printed.digest
        };
        // The reference values of the algorithm's authors.
        assert_eq!(digest(&[]), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(&[b"a"]), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(digest(&[b"foobar"]), 0x8594_4171_f739_67e8);
        assert_eq!(digest(&[b"foo", b"", b"bar"]), 0x8594_4171_f739_67e8);
    }
}
