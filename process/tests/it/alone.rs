//! A test in a process of its own.

use std::any::type_name;
use std::env;
use std::process::Stdio;

/// Set in the process that runs one test only.
const ALONE: &str = "COGWORK_TEST_ALONE";

/// Runs `body` as the only test of a new process. Call it first and only, from the test itself.
pub(crate) fn alone<F: AsyncFnOnce()>(body: F) {
    let name = test_name::<F>();
    if env::var_os(ALONE).is_some() {
        return run(body());
    }
    #[expect(clippy::disallowed_methods, reason = "the test runs itself, outside of what it tests")]
    let mut this = std::process::Command::new(env::current_exe().unwrap());
    // What went wrong is on stderr; stdout is the test runner's own.
    let status = this.args(arguments(name)).env(ALONE, "1").stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{name} failed in its own process: {status}");
}

/// The path of the test that an async closure is written in, as the test runner knows it.
fn test_name<F>() -> &'static str {
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").unwrap().1
}

/// The arguments that have the test runner run one test.
pub(crate) fn arguments(name: &str) -> [&str; 4] {
    [name, "--exact", "--nocapture", "--test-threads=1"]
}

/// Runs `body` to its end, as the driver of a program would.
pub(crate) fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(body);
}
