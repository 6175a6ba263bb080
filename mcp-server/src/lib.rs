//! `cogwork-mcp`: the feature database of a project as tools, resources and prompts for any MCP client.
//!
//! It owns the protocol and nothing else: tools parse, ask [`cogwork_store`] and wrap the answer; checks are run by
//! [`cogwork_process`]. It is the only crate that names the MCP library. Standard output carries the protocol and
//! never anything else; logs go to standard error. Three rules hold everywhere: identity and rights come from how
//! the process was started, never from the model; a call is always answered, whatever happens inside it; and no
//! answer or log holds a token.
//!
//! A call's way: `transport` or `http` → `server` (finds the tool, repairs the `arguments`, contains panics) → `tools` →
//! `database` → `answer` or `error`.

mod answer;
mod arguments;
mod ask;
mod claims;
mod clock;
mod completion;
#[cfg(feature = "conformance")]
mod conformance;
mod contain;
mod database;
mod error;
mod further;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod judge;
mod options;
mod own;
mod prompts;
mod resources;
mod role;
mod schema;
mod serve;
mod server;
mod tools;
mod transport;
mod workspace;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use options::{Environment, Flags, Options};
use server::Server;

/// The exit code of a command line that makes no sense, as clap has it.
const USAGE: u8 = 2;

/// Runs the program: `args` begins with the program's name, as [`std::env::args_os`] does.
///
/// Ends with 0 however the client leaves, 2 when flags or environment contradict themselves, 1 when it cannot
/// serve at all.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let environment = Environment::read();
    let flags = match Flags::try_parse_from(args) {
        Ok(flags) => flags,
        Err(help_or_error) => {
            // Nobody speaks the protocol yet; when even this cannot be printed, the exit code has to say it.
            drop(help_or_error.print());
            return ExitCode::from(u8::try_from(help_or_error.exit_code()).unwrap_or(USAGE));
        }
    };
    log_to_stderr(&environment);
    match started(flags, &environment) {
        Ok(server) => serve::run(&server),
        Err(error) => refused(error.as_ref()),
    }
}

fn started(flags: Flags, environment: &Environment) -> Result<Server, Box<dyn std::error::Error>> {
    Ok(Server::new(Options::resolve(flags, environment)?)?)
}

/// A person reads why the program they started did not start; where stderr is closed, the exit code has to say it.
fn refused(error: &dyn std::error::Error) -> ExitCode {
    drop(writeln!(std::io::stderr(), "cogwork-mcp: {error}"));
    ExitCode::from(USAGE)
}

/// `COGWORK_LOG` takes what `RUST_LOG` does elsewhere; without it only what somebody should look at is written. What
/// the protocol library warns of is a client's mistake, which the client has been told.
fn log_to_stderr(environment: &Environment) {
    let filter = EnvFilter::new(environment.text("COGWORK_LOG").unwrap_or("warn,rmcp=error"));
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        // Told on stderr by a macro that panics where stderr is closed, which is mostly why it could not be written.
        .log_internal_errors(false)
        .with_env_filter(filter);
    // A second one in the same process, in tests say, is as good as the first.
    drop(subscriber.try_init());
}
