//! Doors for the fuzz targets in `fuzz/`, which are a crate of their own and see only what is public.
//!
//! It owns nothing: what goes through here is read by the same backends, and by the same reading of limits, that the
//! program has. The command policy needs no door. Not for use by anything else.

use std::collections::VecDeque;
use std::path::Path;

use cogwork_process::lines::Cutter;
use cogwork_process::redact::{LineRedactor, Redactor};
use cogwork_schemas::Role;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::agent::{self, Heard, McpServer, Start};
use crate::machine::{Ending, Exit};
use crate::report::bounded;
use crate::{AgentSettings, AgentSpec, Programs, words};

/// Bytes of a line that are kept here: few, so that lines are cut.
const LINE: usize = 4 << 10;

/// Returns everything that an agent's output, which comes in these pieces, was taken for, in words.
pub fn read(agent: &AgentSpec, pieces: &[&[u8]], secret: &str) -> Vec<String> {
    let programs = Programs::within("cogwork");
    let Ok(mut backend) = agent::backend(agent, Some(Path::new("/script")), &programs) else {
        return Vec::new();
    };
    let settings = AgentSettings::default();
    // Its files are for whoever starts it; here nobody does.
    drop(backend.program(&Start {
        role: Role::Coding,
        settings: &settings,
        prompt: "Work on feature 7.",
        mcp: &McpServer::default(),
        mcp_config: Path::new("/s/mcp.json"),
        dir: Path::new("/nowhere"),
        workspace: Path::new("/w"),
        env: &[],
        hook: None,
        resumes: false,
    }));
    let (mut cutter, mut lines) = (Cutter::new(LINE), VecDeque::new());
    for piece in pieces {
        cutter.push(piece, &mut lines);
    }
    lines.extend(cutter.finish());
    let mut redactor = Redactor::default();
    redactor.learn(secret);
    let (mut clean, mut said) = (LineRedactor::default(), Vec::new());
    for (n, line) in lines.into_iter().enumerate() {
        let line = clean.redact(&redactor, line.to_string());
        let heard = if n % 4 == 3 { backend.read_stderr(line) } else { backend.read(line) };
        let Heard { events, hopeless, say, is_over: _ } = heard;
        said.extend(events.into_iter().map(|event| crate::json::line(&bounded(event))));
        said.extend(hopeless.map(|outcome| outcome.to_string()));
        drop(say);
    }
    let exit = Exit { ending: Ending::Code(1), stderr_tail: String::new() };
    said.push(backend.outcome(&exit, Timestamp::UNIX_EPOCH, &TimeZone::UTC).to_string());
    // As a report does with everything on its way out.
    said.into_iter().map(|text| redactor.redact(text)).collect()
}

/// Returns when a limit ends that a text tells of; `Some(None)` for one that does not say, `None` for no limit.
pub fn limit(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Option<Timestamp>> {
    match words::trouble(text, now, zone)? {
        words::Trouble::UsageLimit { resets_at } => Some(resets_at),
        words::Trouble::Throttled
        | words::Trouble::ContextFull
        | words::Trouble::Auth
        | words::Trouble::Billing => None,
    }
}
