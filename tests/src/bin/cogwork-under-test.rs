//! The program `cogwork` once more, so that cargo builds it afresh before the tests of this crate and tells them
//! where it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    cogwork::main()
}
