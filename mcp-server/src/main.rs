//! The program `cogwork-mcp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cogwork_mcp::main(std::env::args_os())
}
