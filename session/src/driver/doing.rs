//! What readers elsewhere are told of a session while it lives: what it waits for, what it has taken, what it is at.
//!
//! It is told beside everything else, at each renewal and when a wait begins or ends; what cannot be recorded now is
//! told the next time, in its newest form. Nothing here decides anything, and no secret of the session gets out.

use std::pin::Pin;

use cogwork_schemas::{Activity, AgentEvent, SessionOutcome, Usage};
use cogwork_store::StoreError;
use jiff::Timestamp;
use serde_json::Value;

use super::Driver;
use super::clean;

/// Fields of a tool's input that name a file, as the agents call them.
const PATHS: [&str; 5] = ["file_path", "filePath", "path", "notebook_path", "absolute_path"];

/// What a session has said and done, as far as readers want to know.
#[derive(Debug, Default)]
pub(super) struct Doing {
    activity: Activity,
    /// Of the lives of its agent that are over, and of the present one, which counts from its own beginning.
    past: Usage,
    life: Usage,
    wait: Wait,
}

/// Whether it waits for its agent's account or service.
#[derive(Debug, Clone, Default)]
enum Wait {
    #[default]
    Never,
    Until(Timestamp, SessionOutcome),
    Over,
}

/// Something that is being told.
pub(super) type Telling<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 'a>>;

impl Doing {
    /// Hears one thing that the agent said or did.
    pub(super) fn hear(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::ToolCall { tool, input } => {
                self.activity.tool = Some(format!("{tool} {input}"));
                if let Some(file) = changed_file(tool, input) {
                    self.activity.change = Some(file);
                }
            }
            AgentEvent::Usage { input_tokens, output_tokens, cost_usd } => {
                self.life =
                    Usage { input_tokens: *input_tokens, output_tokens: *output_tokens, cost_usd: *cost_usd };
            }
            AgentEvent::Text { .. }
            | AgentEvent::Started { .. }
            | AgentEvent::ToolResult { .. }
            | AgentEvent::Retrying { .. }
            | AgentEvent::Allowance { .. }
            | AgentEvent::Result { .. }
            | AgentEvent::Other { .. } => {}
        }
    }

    pub(super) fn waits(&mut self, until: Timestamp, because: SessionOutcome) {
        self.wait = Wait::Until(until, because);
    }

    /// Another life of the agent begins: a wait is over, and its usage counts from the beginning.
    pub(super) fn begins_life(&mut self) {
        self.past = self.usage();
        self.life = Usage::default();
        if let Wait::Until(..) = self.wait {
            self.wait = Wait::Over;
        }
    }

    /// Returns what the session has taken, over all lives of its agent.
    pub(super) fn usage(&self) -> Usage {
        let cost_usd = match (self.past.cost_usd, self.life.cost_usd) {
            (None, None) => None,
            (past, life) => Some(past.unwrap_or(0.0) + life.unwrap_or(0.0)),
        };
        Usage {
            input_tokens: self.past.input_tokens.saturating_add(self.life.input_tokens),
            output_tokens: self.past.output_tokens.saturating_add(self.life.output_tokens),
            cost_usd,
        }
    }
}

impl Driver<'_> {
    /// Begins to tell what the session does, unless that is still under way.
    pub(super) fn tell_doing(&mut self) {
        if self.telling.is_some() {
            return;
        }
        let (store, session, secrets) =
            (self.world.store, self.world.job.session, self.world.report.secrets());
        let redacted = |text: &Option<String>| text.clone().map(|text| secrets.redact(text));
        let Activity { tool, change, checks } = &self.doing.activity;
        let activity = Activity { tool: redacted(tool), change: redacted(change), checks: *checks };
        let (wait, usage) = (self.doing.wait.clone(), self.doing.usage());
        let wait = match wait {
            Wait::Until(until, because) => Wait::Until(until, clean::outcome(secrets, because)),
            Wait::Never | Wait::Over => wait,
        };
        self.telling = Some(Box::pin(async move {
            match &wait {
                Wait::Until(until, because) => {
                    store.call(|store| store.session_waits(session, *until, because)).await?;
                }
                Wait::Over => store.call(|store| store.session_goes_on(session)).await?,
                Wait::Never => {}
            }
            if usage != Usage::default() {
                store.call(|store| store.record_usage(session, &usage)).await?;
            }
            if activity != Activity::default() {
                store.call(|store| store.record_activity(session, &activity)).await?;
            }
            Ok(())
        }));
    }
}

/// Returns the file that a tool changes, as its agent names it; nothing for a tool that only looks.
fn changed_file(tool: &str, input: &str) -> Option<String> {
    let tool = tool.to_lowercase();
    if !["write", "edit", "replace", "patch"].iter().any(|word| tool.contains(word)) {
        return None;
    }
    let input: Value = serde_json::from_str(input).ok()?;
    PATHS.iter().find_map(|field| input.get(field)?.as_str().map(str::to_owned))
}

pub(super) async fn next_told(telling: &mut Option<Telling<'_>>) -> Result<(), StoreError> {
    match telling {
        Some(telling) => telling.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(input_tokens: u64, cost_usd: Option<f64>) -> AgentEvent {
        AgentEvent::Usage { input_tokens, output_tokens: 1, cost_usd }
    }

    #[test]
    fn usage_adds_up_over_the_lives_of_an_agent() {
        let mut doing = Doing::default();
        doing.hear(&usage(5, Some(0.5)));
        doing.hear(&usage(10, Some(1.0)));
        doing.begins_life();
        doing.hear(&usage(3, None));
        assert_eq!(doing.usage(), Usage { input_tokens: 13, output_tokens: 2, cost_usd: Some(1.0) });
    }

    #[test]
    fn what_is_changed_is_named_and_what_is_read_is_not() {
        let input = r#"{"file_path": "src/a.rs"}"#;
        assert_eq!(changed_file("Edit", input).as_deref(), Some("src/a.rs"));
        assert_eq!(changed_file("write_file", r#"{"path": "b"}"#).as_deref(), Some("b"));
        assert_eq!(changed_file("Read", input), None);
        assert_eq!(changed_file("Write", "no JSON"), None);
    }
}
