//! A model API on loopback that plays a script, for real coding agents that are tested without a model.
//!
//! `mock-model-api --script FILE [--record FILE] [--bodies DIR] [--exit-with-parent]` prints one line of JSON when it
//! is ready, `{"port": …, "url": …}`, and serves until it is killed. The format of the script stands in
//! `model_api/script.rs`.

#![expect(clippy::print_stdout, reason = "the line that says where it listens")]
#![expect(clippy::print_stderr, reason = "a person reads why it did not start")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use cogwork_tests::model_api::record::Recorder;
use cogwork_tests::model_api::script::Scripts;
use cogwork_tests::model_api::serve::Api;
use serde_json::json;
use tokio::net::TcpListener;

/// A model API on loopback that plays a script.
#[derive(Parser)]
struct Flags {
    /// The script
    #[arg(long, value_name = "FILE")]
    script: PathBuf,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Appends a line of JSON for each request
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Keeps the body of each request to a model
    #[arg(long, value_name = "DIR")]
    bodies: Option<PathBuf>,
    /// Ends when the program that started it has ended
    #[arg(long)]
    exit_with_parent: bool,
}

/// How often it looks whether its parent lives.
const LOOK: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    match started(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mock-model-api: {error}");
            ExitCode::FAILURE
        }
    }
}

fn started(flags: &Flags) -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::os::unix::process::parent_id();
    let scripts = Scripts::parse(&std::fs::read_to_string(&flags.script)?)?;
    let recorder = Recorder::new(flags.record.as_deref(), flags.bodies.clone())?;
    let api = Arc::new(Api::new(scripts, recorder));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", flags.port)).await?;
        let port = listener.local_addr()?.port();
        println!("{}", json!({"port": port, "url": format!("http://127.0.0.1:{port}")}));
        tokio::select! {
            served = api.serve(listener) => served?,
            () = orphaned(parent), if flags.exit_with_parent => {}
        }
        Ok(())
    })
}

async fn orphaned(parent: u32) {
    while std::os::unix::process::parent_id() == parent {
        tokio::time::sleep(LOOK).await;
    }
}
