//! `feature_claim_and_get`: take a feature and read all about it, or confirm that it is this session's.

use cogwork_schemas::{FeatureId, Token};
use cogwork_store::Store;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::attempt;
use super::detail::Detail;
use crate::answer::Out;
use crate::arguments::Args;
use crate::claims::{Claims, Own};
use crate::error::{Code, ToolError};
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct ClaimArgs {
    /// The feature's id; without it the best one for this session.
    feature_id: Option<FeatureId>,
}

/// A feature that is this session's, and whether it was before the call.
pub(super) struct Claimed {
    pub(super) id: FeatureId,
    pub(super) already: bool,
}

impl Server {
    /// Claims a feature, or confirms that it is this session's; without an id the best one.
    ///
    /// # Errors
    /// When it cannot be this session's.
    pub(super) async fn claimed(
        &self,
        id: Option<FeatureId>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Claimed, ToolError> {
        match self.claims() {
            Claims::Given(given) => {
                let mut wanted = given.all();
                if let Some(id) = id {
                    // Says so when it is not among them.
                    self.claims().token(id)?;
                    wanted.retain(|(given, _)| *given == id);
                }
                match (self.first_alive(wanted, id).await?, &self.options().further) {
                    (Some(id), _) => Ok(Claimed { id, already: true }),
                    (None, Some(further)) if id.is_none() => {
                        let (id, already) = self
                            .take_further(given, further, context)
                            .await?
                            .ok_or_else(|| all_done(None))?;
                        Ok(Claimed { id, already })
                    }
                    (None, _) => Err(all_done(id)),
                }
            }
            Claims::Own(own) => self.held_or_claimed(own, id, context).await,
        }
    }

    /// Returns the first of some features whose claim is alive and whose work is still to be done.
    async fn first_alive(
        &self,
        wanted: Vec<(FeatureId, Token)>,
        named: Option<FeatureId>,
    ) -> Result<Option<FeatureId>, ToolError> {
        let alive = move |store: &Store| {
            for (id, token) in &wanted {
                match attempt::is_open(store, *id, token) {
                    Ok(true) => return Ok(Some(*id)),
                    Ok(false) => {}
                    // Landed, or lost: the next one may be alive.
                    Err(error) if named.is_none() && error.code() == Code::StaleToken => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(None)
        };
        self.database().look(alive).await
    }

    async fn held_or_claimed(
        &self,
        own: &Own,
        id: Option<FeatureId>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Claimed, ToolError> {
        let wanted = id.or_else(|| self.claims().features().first().copied());
        if let Some(id) = wanted
            && let Some(token) = self.claims().token(id)?
        {
            let alive = self.database().look(move |store| attempt::live(store, id, &token).map(drop)).await;
            match alive {
                Ok(()) => return Ok(Claimed { id, already: true }),
                // Taken back meanwhile, after a long sleep of this machine perhaps: claim it anew.
                Err(error) if error.code() == Code::StaleToken => drop(own.let_go(id)),
                Err(error) => return Err(error),
            }
        }
        let id = self.claim_own(own, id, context).await?;
        Ok(Claimed { id, already: false })
    }
}

/// Returns how to go on with a claimed feature.
fn hint(store: &Store, detail: &Detail, id: FeatureId, token: Option<&Token>) -> Result<String, ToolError> {
    let already_green = match token {
        Some(token) => attempt::live(store, id, token)?.already_green,
        None => false,
    };
    let when = if !detail.has_checks() {
        "It has no checks and will count as unverified. When it is done"
    } else if already_green {
        "All its checks were green before any work: find out whether anything is missing. When it is done"
    } else {
        "When its checks are green"
    };
    Ok(format!("{}{when}, call feature_mark_passing with feature_id {}.", detail.news(), id.0))
}

/// What an agent has to know that goes on in a directory it has worked in.
const ANEW: &str = "The directory is at the main branch as it is now: what you did before is in it once it is merged, \
                    and so is the work of others. Read files again before you change them.";

fn all_done(named: Option<FeatureId>) -> ToolError {
    let what = match named {
        Some(id) => format!("the work on feature {id} is done and waits to be merged"),
        None => "nothing is left to do of what is assigned to this session".to_owned(),
    };
    ToolError::new(Code::Conflict, what, "You are done: end the session.")
}

#[tool_router(router = claim_router, vis = "pub(super)")]
impl Server {
    /// Take a feature to work on and read all about it: description, steps, checks, dependencies. Call it first.
    /// Repeating it for your own feature is fine. Without feature_id it takes the best one for you.
    #[tool(
        title = "Claim feature",
        input_schema = schema::input::<ClaimArgs>(),
        output_schema = schema::output::<Detail>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_claim_and_get(
        &self,
        Args(args): Args<ClaimArgs>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<Detail>, ToolError> {
        let Claimed { id, already } = self.claimed(args.feature_id, &context).await?;
        let token = self.claims().token(id)?;
        let read = self.database().look(move |store| {
            let mut detail = Detail::read(store, id)?.with_past(store)?;
            detail.hint = Some(hint(store, &detail, id, token.as_ref())?);
            Ok(detail)
        });
        let mut detail = read.await?;
        if !already && self.options().further.as_ref().is_some_and(|further| further.branch.is_some()) {
            detail.hint = detail.hint.map(|hint| format!("{ANEW} {hint}"));
        }
        detail.already_claimed = Some(already);
        detail.claimed_by_you = Some(true);
        Ok(Out(detail))
    }
}
