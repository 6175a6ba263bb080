//! The program `cogwork-runner`: `cogwork agent` by another name, with its siblings found beside it.

use std::process::ExitCode;

use cogwork_session::Programs;

fn main() -> ExitCode {
    cogwork::agent(&Programs::beside_this_one(), std::env::args_os())
}
