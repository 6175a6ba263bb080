//! Doors for the fuzz targets in `fuzz/`, which are a crate of their own and see only what is public.
//!
//! It owns nothing: what goes through here is the same transport, server and repair of arguments that the program
//! has, over streams that the caller made. Not for use by anything else.

use std::path::Path;

use clap::Parser;
use rmcp::model::JsonObject;
use rmcp::transport::async_rw::AsyncRwTransport;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::options::{Environment, Flags, Options};
use crate::server::Server;
use crate::transport::Opening;
use crate::{arguments, serve, tools};

/// Why a door does not open, in words.
type Failure = Box<dyn std::error::Error>;

/// Serves one conversation for a project, reading tools only, until the client closes the stream.
///
/// # Errors
/// When the server ends in any other way than by the end of the conversation.
pub async fn converse<S>(project: &Path, stream: S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let directory = project.display().to_string();
    let flags = Flags::try_parse_from(["cogwork-mcp", "--read-only", "--project-dir", &directory])?;
    let server = Server::new(Options::resolve(flags, &Environment::default())?)?;
    let (input, output) = tokio::io::split(stream);
    let ended = serve::talk(server.clone(), Opening::new(AsyncRwTransport::new(input, output))).await;
    server.database().close().await;
    ended
}

/// Returns the names of all tools.
pub fn tools() -> Vec<String> {
    tools::router().list_all().iter().map(|tool| tool.name.to_string()).collect()
}

/// Returns the schema of a tool's arguments.
pub fn schema(tool: &str) -> Option<JsonObject> {
    tools::router().get(tool).map(|tool| JsonObject::clone(&tool.input_schema))
}

/// Returns arguments as a schema wants them, or what is wrong with them.
///
/// # Errors
/// One sentence fragment per problem.
pub fn repaired(schema: &JsonObject, arguments: JsonObject) -> Result<JsonObject, Vec<String>> {
    arguments::repaired(schema, arguments)
}
