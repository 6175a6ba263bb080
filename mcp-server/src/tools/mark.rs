//! `feature_mark_passing`: a question, not a statement. The server runs the checks; they decide.

mod work;

use std::path::PathBuf;

use cogwork_schemas::{Feature, FeatureId, Proof};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Serialize;

use super::OneFeature;
use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::ToolError;
use crate::server::Server;
use crate::{judge, schema, workspace};

use work::{HandedIn, Landed, More, Standing, Then, standing};

/// What became of the question.
#[derive(Debug, Serialize, JsonSchema)]
struct Marked {
    success: bool,
    feature_id: FeatureId,
    name: String,
    /// False when it was so before the call.
    changed: bool,
    state: State,
    /// How well it is known that it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    proof: Option<Proof>,
    /// Features that can be started now and could not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    newly_ready: Option<Vec<FeatureId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Counts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    next: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Green; it is merged, checked once more and then passes.
    WaitingForIntegration,
    Passing,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Counts {
    passing: usize,
    total: usize,
}

/// What to do next in a session that may take further features.
const PERHAPS: &str = "Call feature_claim_and_get without an id: it gives you your next feature, or tells you that you \
                       are done.";

impl Marked {
    fn new(feature: &Feature, state: State, changed: bool, next: &str) -> Self {
        Self {
            success: true,
            feature_id: feature.id,
            name: short(&feature.name),
            changed,
            state,
            proof: feature.proof,
            newly_ready: None,
            stats: None,
            hint: None,
            next: next.to_owned(),
        }
    }

    fn waiting(feature: &Feature, changed: bool, more: &More) -> Self {
        let next = match more {
            More::Assigned => "Call feature_claim_and_get for the next feature assigned to you.",
            More::Perhaps => PERHAPS,
            More::Nothing => "You are done: end the session.",
        };
        Self::new(feature, State::WaitingForIntegration, changed, next)
    }

    fn landed(feature: &Feature, changed: bool, landed: Landed) -> Self {
        let Landed { newly_ready, passing, total, something_ready } = landed;
        let next = match (passing == total, something_ready) {
            (true, _) => "Every feature passes: you are done.",
            (false, true) => "Call feature_claim_and_get for the next feature.",
            (false, false) => "Nothing else is ready: feature_get_blocked shows what waits for what.",
        };
        Self {
            newly_ready: Some(newly_ready),
            stats: Some(Counts { passing, total }),
            ..Self::new(feature, State::Passing, changed, next)
        }
    }
}

impl Server {
    async fn marked(&self, feature: &Feature, handed_in: HandedIn) -> Marked {
        let HandedIn { proof, changed, then, repositories } = handed_in;
        let marked = match then {
            Then::Landed(landed) => Marked::landed(feature, changed, landed),
            Then::Waits(more) => Marked::waiting(feature, changed, &more),
        };
        Marked { proof: Some(proof), hint: self.hint(proof, &repositories).await, ..marked }
    }

    /// Returns what an agent should know beyond the result: a weak proof, repositories that are no part of the work, and
    /// what is not committed.
    async fn hint(&self, proof: Proof, repositories: &[PathBuf]) -> Option<String> {
        let mut hints = Vec::new();
        if !repositories.is_empty() {
            let named: Vec<_> = repositories.iter().map(|dir| dir.display().to_string()).collect();
            hints.push(format!(
                "Repositories of their own: {}; their files are handed in as plain files, their history is kept apart.",
                named.join(", ")
            ));
        }
        match proof {
            Proof::AlreadyGreen => hints.push(
                "All checks were green before any work, so they prove nothing about it; this is on record."
                    .to_owned(),
            ),
            Proof::Unverified => {
                hints.push(
                    "The feature has no check: it counts as unverified, on your word alone.".to_owned(),
                );
            }
            Proof::RedGreen => {}
        }
        // Of a workspace everything is handed in.
        if !workspace::is_apart(self.options()) {
            let uncommitted = judge::uncommitted(&self.options().workspace).await;
            if !uncommitted.is_empty() {
                hints.push(format!("Not committed yet: {}; commit it.", uncommitted.join(", ")));
            }
        }
        (!hints.is_empty()).then(|| hints.join(" "))
    }
}

#[tool_router(router = mark_router, vis = "pub(super)")]
impl Server {
    /// Ask whether your feature passes: the server runs its checks. Green: it is handed in. Red: you get what is
    /// red and its output, and the feature stays yours. Call it when the work is done; repeating it is fine.
    #[tool(
        title = "Check and pass feature",
        input_schema = schema::input::<OneFeature>(),
        output_schema = schema::output::<Marked>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_mark_passing(
        &self,
        Args(args): Args<OneFeature>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<Marked>, ToolError> {
        let (id, token) = (args.feature_id, self.claims().token(args.feature_id)?);
        let _turn = self.checking().lock().await;
        let own = token.clone();
        let standing = self.database().look(move |store| standing(store, id, token.as_ref())).await?;
        Ok(Out(match standing {
            Standing::Passing(feature) => {
                let goes_on = match own {
                    Some(own) => self.may_take_further(&own).await.unwrap_or(false),
                    None => false,
                };
                let next = if goes_on { PERHAPS } else { "Nothing is left to do for it." };
                Marked::new(&feature, State::Passing, false, next)
            }
            Standing::Tested(work) => {
                self.tested(&work, &context).await?;
                let next = "It passes on: end the session, or report what its checks do not show with \
                            feature_mark_failing.";
                Marked::new(&work.feature, State::Passing, false, next)
            }
            Standing::Open(work) => {
                let handed_in = self.hand_in(&work, &context).await?;
                self.marked(&work.feature, handed_in).await
            }
        }))
    }
}
