//! `feature_mark_failing`: say that a feature does not work. It is this session's then, to be repaired, and nobody
//! else can start it meanwhile.

use cogwork_schemas::{CheckReport, FeatureId, Status, Token};
use cogwork_store::{NewSession, Store};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempt::Whose;
use super::{leave_note, reason};
use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::ToolError;
use crate::server::Server;
use crate::{role, schema};

#[derive(Debug, Deserialize, JsonSchema)]
struct FailArgs {
    /// The feature's id.
    feature_id: FeatureId,
    /// What you saw and how to see it again.
    reason: Option<String>,
    /// For the next attempt, if you do not repair it: what you tried, what is missing.
    note: Option<String>,
}

/// What became of the report.
#[derive(Debug, Serialize, JsonSchema)]
struct Failing {
    success: bool,
    feature_id: FeatureId,
    name: String,
    /// Whether it was passing until now.
    changed: bool,
    status: Status,
    /// How its checks stand before the repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Seen>,
    next: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Seen {
    red: usize,
    total: usize,
}

/// What was found on record and put there.
struct Reported {
    failing: Failing,
    /// Set when the feature was reopened: the claim under which it is repaired.
    reopened: Option<Token>,
}

impl Server {
    fn reported(&self, store: &Store, args: FailArgs, new: &NewSession) -> Result<Reported, ToolError> {
        let (id, reason) = (args.feature_id, reason(args.reason));
        let (whose, before) = (self.whose(store, id)?, store.feature(id)?.status);
        let (reopened, next) = match (whose, before) {
            (Whose::Ours(token), _) => {
                let reopened = store.report_failing(&token, &reason)?;
                leave_note(store, &token, args.note.as_deref())?;
                (reopened.then_some(token), self.ways_on())
            }
            (Whose::Nobodys, Status::Passing) => {
                let token = self.take_broken(store, id, new, &reason)?;
                leave_note(store, &token, args.note.as_deref())?;
                (Some(token), self.ways_on())
            }
            (Whose::Nobodys, Status::Pending | Status::Claimed | Status::Parked | Status::NeedsHuman) => {
                let next = "It does not pass anyway; feature_explain says how it stands.";
                (None, next.to_owned())
            }
        };
        let feature = store.feature(id)?;
        let failing = Failing {
            success: true,
            feature_id: id,
            name: short(&feature.name),
            changed: reopened.is_some(),
            status: feature.status,
            checks: None,
            next,
        };
        Ok(Reported { failing, reopened })
    }

    /// Returns what can be done about a broken feature with the tools of this server's role.
    fn ways_on(&self) -> String {
        let ways = [
            ("feature_request_human_input", "ask a person with feature_request_human_input"),
            ("feature_clear_in_progress", "give it back with feature_clear_in_progress"),
        ];
        let has = |tool: &str| role::has(self.options().role, tool);
        let others: Vec<&str> = ways.iter().filter(|(tool, _)| has(tool)).map(|(_, way)| *way).collect();
        let or = if others.is_empty() { String::new() } else { format!("; or {}", others.join(", or ")) };
        format!("It is yours: repair it and call feature_mark_passing{or}.")
    }
}

impl Failing {
    fn with_checks(mut self, reports: &[CheckReport]) -> Self {
        let red = reports.iter().filter(|report| !report.verdict.is_green()).count();
        if red == 0 && !reports.is_empty() {
            self.next.push_str(
                " All its checks are green, so they do not show what is wrong, and prove no repair.",
            );
        }
        self.checks = (!reports.is_empty()).then_some(Seen { red, total: reports.len() });
        self
    }
}

#[tool_router(router = fail_router, vis = "pub(super)")]
impl Server {
    /// Say that a feature does not work. A passing one is reopened and becomes yours to repair: nobody else can start
    /// it meanwhile, and what depends on it waits.
    #[tool(
        title = "Report feature as failing",
        input_schema = schema::input::<FailArgs>(),
        output_schema = schema::output::<Failing>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_mark_failing(
        &self,
        Args(args): Args<FailArgs>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<Failing>, ToolError> {
        let (id, server, new) = (args.feature_id, self.clone(), self.new_session(&context));
        let told = self.database().run(move |store| server.reported(store, args, &new));
        let Reported { failing, reopened } = told.await?;
        // Red now is what makes green later a proof.
        let seen = match reopened {
            Some(token) => self.look_before(id, &token, &context).await?,
            None => Vec::new(),
        };
        Ok(Out(failing.with_checks(&seen)))
    }
}
