//! `acp:CMD`: any agent that speaks the Agent Client Protocol, as a conversation in JSON-RPC on its stdin and stdout.
//!
//! It owns the course of the conversation: hello, a session with our MCP server, one prompt, its end. What the agent
//! reports on the way stands in [`read`], what the end means in [`evidence`], what we say in [`say`]. Nothing is
//! offered to the agent but its own tools: no files, no terminals. Measured with claude-agent-acp 0.49.0, codex-acp
//! 2.6.0, Gemini CLI 0.61.0 and OpenCode 1.18.33.

mod evidence;
mod read;
mod say;
#[cfg(test)]
mod tests;

use cogwork_schemas::{Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::refusal::reason;
use super::{AgentProgram, Backend, Heard, Input, McpServer, Start};
use crate::machine::Exit;
use evidence::Evidence;
use read::{Message, Reader};
use say::{CANCEL, HELLO, MODE, PROMPT, SESSION};

/// The version of the protocol that is spoken here.
const VERSION: u64 = 1;

/// Modes in which an agent does not let a further model judge what its tools may do.
const FREE_MODES: &[&str] = &["agent-full-access", "full-access"];

pub(super) struct Acp {
    command: String,
    reader: Reader,
    evidence: Evidence,
    talk: Talk,
    /// What the present life can be resumed by.
    session: Option<String>,
    /// Some life had an answer: what has none, some agents do not keep.
    has_answered: bool,
    /// The agent can go on with a session of an earlier process.
    can_load: bool,
}

/// What the present life is about.
#[derive(Debug, Default)]
struct Talk {
    prompt: String,
    cwd: String,
    mcp: McpServer,
    /// It may write, and run what it likes.
    is_free: bool,
    /// The session to go on with.
    loads: Option<String>,
    is_prompted: bool,
}

impl Acp {
    pub(super) fn new(command: String) -> Self {
        Self {
            command,
            reader: Reader::default(),
            evidence: Evidence::default(),
            talk: Talk::default(),
            session: None,
            has_answered: false,
            can_load: false,
        }
    }

    fn answered(&mut self, id: u64, result: &Value) -> Heard {
        match id {
            HELLO => self.greeted(result),
            SESSION => self.opened(result),
            // Whether it took the mode or not: it will be asked for permission, or not.
            MODE => self.prompt(),
            PROMPT => {
                self.evidence.ended(result);
                Heard { is_over: true, ..Heard::events(read::end(result)) }
            }
            _ => Heard::default(),
        }
    }

    fn greeted(&mut self, result: &Value) -> Heard {
        let version = result["protocolVersion"].as_u64();
        if version != Some(VERSION) {
            let told =
                version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
            let reason = format!("it speaks {told} of the Agent Client Protocol, not version {VERSION}");
            return Heard::default().hopeless(Some(SessionOutcome::Config { reason }));
        }
        self.can_load = result["agentCapabilities"]["loadSession"] == true;
        self.reader.greeted(result);
        let Talk { cwd, mcp, loads, .. } = &self.talk;
        let line = match loads {
            Some(session) => say::load(session, cwd, mcp),
            None => say::open(cwd, mcp),
        };
        saying(line)
    }

    fn opened(&mut self, result: &Value) -> Heard {
        self.session = result["sessionId"].as_str().map(str::to_owned).or_else(|| self.talk.loads.clone());
        let Some(session) = &self.session else {
            let reason = "it opened a session and did not say which".to_owned();
            return Heard::default().hopeless(Some(SessionOutcome::Config { reason }));
        };
        self.evidence.is_up = true;
        let started = self.reader.opened(session);
        let modes = result["modes"]["availableModes"].as_array();
        let offered = |mode: &&&str| modes.into_iter().flatten().any(|offer| offer["id"] == ***mode);
        let heard = match FREE_MODES.iter().find(offered).filter(|_| self.talk.is_free) {
            Some(mode) => saying(say::mode(session, mode)),
            None => self.prompt(),
        };
        Heard { events: vec![started], ..heard }
    }

    fn prompt(&mut self) -> Heard {
        let Some(session) = &self.session else {
            return Heard::default();
        };
        self.talk.is_prompted = true;
        saying(say::prompt(session, &self.talk.prompt))
    }

    fn refused(&mut self, id: u64, error: &Value) -> Heard {
        if id == MODE {
            return self.prompt();
        }
        if [HELLO, SESSION, PROMPT].contains(&id) {
            self.evidence.refused(id == PROMPT, error);
            let text = error["message"].as_str().unwrap_or_default().to_owned();
            let result = cogwork_schemas::AgentEvent::Result { ok: false, text };
            return Heard { is_over: true, ..Heard::event(result) };
        }
        Heard::default()
    }

    /// Answers what the agent asks us.
    fn asked(&mut self, id: &Value, method: &str, params: &Value) -> Heard {
        if method != "session/request_permission" {
            return saying(say::no_such_method(id, method));
        }
        let call = self.reader.asked(&params["toolCall"]);
        let heard = saying(say::permission(id, params, self.talk.is_free));
        Heard { events: call.into_iter().collect(), ..heard }
    }
}

fn saying(line: String) -> Heard {
    Heard { say: vec![line], ..Heard::default() }
}

impl Backend for Acp {
    fn program(&mut self, start: &Start<'_>) -> AgentProgram {
        self.has_answered = start.resumes && (self.has_answered || self.evidence.has_answered);
        (self.reader, self.evidence) = (Reader::default(), Evidence::default());
        self.talk = Talk {
            prompt: start.prompt.to_owned(),
            cwd: start.workspace.to_string_lossy().into_owned(),
            mcp: start.mcp.clone(),
            is_free: match start.role {
                Role::Initializer | Role::Chat => false,
                Role::Coding | Role::Testing | Role::Orchestrator | Role::All => true,
            },
            loads: self.session.clone().filter(|_| start.resumes && self.can_load),
            is_prompted: false,
        };
        AgentProgram {
            input: Input::Conversation(vec![say::hello(VERSION)]),
            ..AgentProgram::new("sh".into(), vec!["-c".into(), self.command.clone().into()])
        }
    }

    fn writes_in_pieces(&self) -> bool {
        true
    }

    fn read(&mut self, line: String) -> Heard {
        match read::message(&line) {
            Some(Message::Answer { id, result }) => self.answered(id, &result),
            Some(Message::Refusal { id, error }) => self.refused(id, &error),
            Some(Message::Question { id, method, params }) => self.asked(&id, &method, &params),
            Some(Message::News { method, params }) if method == "session/update" => {
                let update = &params["update"];
                // What an earlier life said is said again before the session is there.
                if self.talk.is_prompted {
                    self.evidence.take(update);
                    Heard::events(self.reader.events(update))
                } else {
                    Heard::other(line)
                }
            }
            Some(Message::News { .. }) | None => Heard::other(line),
        }
    }

    fn farewell(&mut self) -> Option<String> {
        let session =
            self.session.as_deref().filter(|_| self.talk.is_prompted && !self.evidence.is_over())?;
        Some(say::notification(CANCEL, session))
    }

    fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        if self.talk.loads.is_some() && !self.evidence.is_up {
            return SessionOutcome::Transient { reason: reason("its conversation cannot be gone on with") };
        }
        self.evidence.outcome(exit, now, local)
    }

    fn can_resume(&self) -> bool {
        let has_answered = self.has_answered || self.evidence.has_answered;
        self.session.is_some() && self.can_load && self.evidence.is_up && has_answered
    }
}
