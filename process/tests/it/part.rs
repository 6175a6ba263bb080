//! Parts of tests, played in further processes.

use std::env;
use std::ffi::OsString;

use cogwork_process::base_env;
use cogwork_process::contain::Spawn;

use crate::alone::{arguments, run};

/// Set, to its argument, in a process that plays a part of a test.
const PART: &str = "COGWORK_TEST_PART";

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
