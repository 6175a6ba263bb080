//! `feature_request_human_input`: a question that only a person can answer. It is stored before anything else: the
//! feature waits for the answer, whoever gives it and however long that takes. A person who sits behind the client
//! is asked at once besides.

mod question;

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, Feature, FeatureId, HumanRequest, SessionOutcome, Status};
use cogwork_store::{Store, StoreError};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Serialize;

use super::attempt::{Whose, not_claimed};
use crate::arguments::Args;
use crate::ask::{self, OrAsk, Round};
use crate::claims::Claims;
use crate::clock::now;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

use question::Question;

const NAME: &str = "feature_request_human_input";

/// What became of the question.
#[derive(Debug, Serialize, JsonSchema)]
struct Asked {
    success: bool,
    feature_id: FeatureId,
    status: Status,
    /// False when it was asked before the call.
    changed: bool,
    answered: bool,
    /// By the id of the field.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<BTreeMap<String, Answer>>,
    next: String,
}

impl Asked {
    fn waiting(feature: &Feature, changed: bool) -> Self {
        Self {
            success: true,
            feature_id: feature.id,
            status: feature.status,
            changed,
            answered: false,
            answers: None,
            next: "It waits for a person and is not yours meanwhile: leave it. Whoever takes it after the answer is \
                   told."
                .to_owned(),
        }
    }

    fn answered(feature: &Feature, answers: BTreeMap<String, Answer>, is_ours: bool) -> Self {
        let next = if is_ours {
            "Go on with the work."
        } else {
            "Call feature_claim_and_get with its id to go on with it; if that is refused, it is another session's."
        };
        Self {
            answered: true,
            answers: Some(answers),
            next: next.to_owned(),
            ..Self::waiting(feature, false)
        }
    }

    /// Returns the answer to a question that was asked before: it waits, or a person has answered it meanwhile.
    fn before(feature: &Feature, request: &HumanRequest, is_ours: bool) -> Option<Self> {
        if feature.human_request.as_ref() != Some(request) {
            return None;
        }
        match &feature.human_response {
            Some(response) => Some(Self::answered(feature, response.fields.clone(), is_ours)),
            None if feature.status == Status::NeedsHuman => Some(Self::waiting(feature, false)),
            None => None,
        }
    }
}

impl Server {
    /// Stores a question, unless it was asked before: by this session, whose claim ended with it, or by an earlier
    /// one, whose answer is good for this one too.
    fn asked(&self, store: &Store, id: FeatureId, request: &HumanRequest) -> Result<Asked, ToolError> {
        // Says so when the feature is not among this session's.
        self.claims().token(id)?;
        let (feature, whose) = (store.feature(id)?, self.whose(store, id));
        if let Some(before) = Asked::before(&feature, request, matches!(whose, Ok(Whose::Ours(_)))) {
            return Ok(before);
        }
        let token = match whose? {
            Whose::Ours(token) => token,
            Whose::Nobodys => return Err(not_claimed(id)),
        };
        let now = now();
        store.ask_human(&token, request)?;
        if let Claims::Own(own) = self.claims()
            && let Some(held) = own.let_go(id)
        {
            store.end_session(held.session, &SessionOutcome::Completed, held.ms_until(now))?;
        }
        Ok(Asked::waiting(&store.feature(id)?, true))
    }

    /// Takes the answer of a person who was asked at once, and the feature with it where this session may: nothing
    /// keeps the work any more. Somebody else may have answered, or taken the feature, at the same moment.
    async fn answered_at_once(
        &self,
        id: FeatureId,
        request: HumanRequest,
        answers: BTreeMap<String, Answer>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Asked, ToolError> {
        let answer = move |store: &Store| match store.answer_human(id, &answers) {
            Ok(()) | Err(StoreError::WrongStatus { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        };
        self.database().run(answer).await?;
        if let Claims::Own(own) = self.claims()
            && let Err(error) = self.claim_own(own, Some(id), context).await
        {
            tracing::info!(feature = id.0, %error, "an answered feature could not be claimed again");
        }
        let server = self.clone();
        self.database().run(move |store| server.asked(store, id, &request)).await
    }
}

#[tool_router(router = human_router, vis = "pub(super)")]
impl Server {
    /// Ask a person what you cannot decide or get yourself, such as a choice or a credential's name (never a secret
    /// itself). Your feature waits for the answer and is not yours meanwhile.
    #[tool(
        title = "Ask a person",
        input_schema = schema::input::<Question>(),
        output_schema = schema::output::<Asked>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_request_human_input(
        &self,
        Args(question): Args<Question>,
        round: Round,
        context: RequestContext<RoleServer>,
    ) -> Result<OrAsk<Asked>, ToolError> {
        let (id, request, server) = (question.feature_id, HumanRequest::from(question), self.clone());
        let store = {
            let request = request.clone();
            move |store: &Store| server.asked(store, id, &request)
        };
        let asked = self.database().run(store).await?;
        if asked.answered {
            return Ok(OrAsk::Answer(asked));
        }
        Ok(match self.ask(&format!("{NAME} {id}"), &request, &round, &context).await? {
            ask::Asked::AskAndCallAgain(question) => OrAsk::Ask(question),
            ask::Asked::Answered(answers) => {
                OrAsk::Answer(self.answered_at_once(id, request, answers, &context).await?)
            }
            // Stored it is; the second round of a call has found it so.
            ask::Asked::Declined | ask::Asked::Dismissed | ask::Asked::CannotAsk => {
                OrAsk::Answer(Asked { changed: asked.changed || round.is_second(), ..asked })
            }
        })
    }
}
