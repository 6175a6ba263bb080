use std::process::ExitCode;

fn main() -> ExitCode {
    cogwork::main()
}
