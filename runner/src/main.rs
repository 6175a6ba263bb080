//! The program `cogwork-runner`: the library, with its siblings found beside it.

use std::process::ExitCode;

use cogwork_session::Programs;

fn main() -> ExitCode {
    cogwork_runner::main(Programs::beside_this_one(), std::env::args_os())
}
