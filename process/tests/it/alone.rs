//! A test in a process of its own, and parts for tests to play in further processes.

use std::any::type_name;
use std::env;
use std::ffi::OsString;
use std::future::Future;

use cogwork_process::base_env;
use cogwork_process::contain::Spawn;

/// Set in the process that runs one test only.
const ALONE: &str = "COGWORK_TEST_ALONE";

/// Set, to its argument, in a process that plays a part of a test.
const PART: &str = "COGWORK_TEST_PART";

/// Runs `body` as the only test of a new process. Call it first and only, from the test itself.
pub(crate) fn alone<F: AsyncFnOnce()>(body: F) {
    let name = test_name::<F>();
    if env::var_os(ALONE).is_some() {
        return run(body());
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the test runs itself, outside of what it tests"
    )]
    let mut this = std::process::Command::new(env::current_exe().unwrap());
    let status = this.args(arguments(name)).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "{name} failed in its own process: {status}");
}

/// Plays a part in a process that [`part`] describes; as an ordinary test it does nothing.
pub(crate) fn play<F: AsyncFnOnce(OsString)>(body: F) {
    if let Some(argument) = env::var_os(PART) {
        run(body(argument));
    }
}

/// Returns the program that runs the test `name` as a part, with one argument.
pub(crate) fn part(name: &str, argument: impl Into<OsString>) -> Spawn {
    let mut spawn = Spawn::new(env::current_exe().unwrap(), "/");
    spawn.args = arguments(name).map(OsString::from).into();
    spawn.env = base_env();
    spawn.env.push((PART.into(), argument.into()));
    spawn
}

/// The path of the test that an async closure is written in, as the test runner knows it.
fn test_name<F>() -> &'static str {
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    name.split_once("::").unwrap().1
}

fn arguments(name: &str) -> [&str; 4] {
    [name, "--exact", "--nocapture", "--test-threads=1"]
}

fn run(body: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(body);
}
