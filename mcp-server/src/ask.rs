//! Asks the person behind the client, where there is one.
//!
//! It owns the two ways that the protocol has for it. In the older era the server sends a question while the call
//! waits (`elicitation/create`). Since 2026-07-28 it may not: the call's result is that input is required, and the
//! client makes the same call again with the answer. Between the two calls nothing is remembered: the client carries
//! a state that is signed with a key of this process and bound to the question, so neither can be made up or moved.
//! What is asked is a [`HumanRequest`]; what becomes of the answer is the caller's matter.
//!
//! # For a tool that asks
//!
//! Take a [`Round`] as an argument of the handler, call [`Server::ask`], and return [`OrAsk`]:
//!
//! - [`Asked::Answered`]: go on with the answers; they fit the request.
//! - [`Asked::AskAndCallAgain`]: return [`OrAsk::Ask`] as it is. The same handler runs again with the answer, so what
//!   it does before it asks must be done only when not [`Round::is_second`].
//! - [`Asked::Declined`], [`Asked::Dismissed`], [`Asked::CannotAsk`]: ordinary outcomes, never errors. Say to the model
//!   what to do instead.

mod form;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use cogwork_schemas::{Answer, HumanRequest};
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::tool::{IntoCallToolResult, ToolCallContext};
use rmcp::model::{
    CallToolResponse, ClientResult, ElicitRequest, ElicitRequestParams, InputRequest, InputRequests,
    InputRequiredResult, InputResponses, ProtocolVersion, RequestStateCodec, RequestStateError, SealOptions,
    ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext, ServiceError};
use rmcp::{ErrorData, RoleServer};
use serde::Serialize;
use serde_json::Value;

use crate::answer::Out;
use crate::error::{Code, ToolError};
use crate::role;
use crate::server::Server;

/// How long a person may take. Long enough for a night; a client gives up long before.
const PATIENCE: Duration = Duration::from_secs(12 * 3_600);

/// The name of the only question in a round.
const QUESTION: &str = "question";

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Asked {
    /// A person answered, by the ids of the fields; it fits the request.
    Answered(BTreeMap<String, Answer>),
    /// A person has seen it and does not want to answer.
    Declined,
    /// Nobody answered: the form was closed, or nobody is there to see it.
    Dismissed,
    /// This client cannot ask anybody, or this role has nobody to ask.
    CannotAsk,
    /// The client will ask and then make the same call again.
    AskAndCallAgain(Box<InputRequiredResult>),
}

/// What a call carries of an earlier one that ended in a question.
#[derive(Debug, Default)]
pub(crate) struct Round {
    state: Option<String>,
    responses: Option<InputResponses>,
}

impl Round {
    /// Returns whether this call claims to answer what an earlier one asked. Whether it does is for [`Server::ask`]
    /// to say.
    pub(crate) fn is_second(&self) -> bool {
        self.state.is_some()
    }
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Round {
    fn from_context_part(context: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        Ok(Self { state: context.request_state.take(), responses: context.input_responses.take() })
    }
}

/// A tool's answer, or the question that has to be answered before there is one.
#[derive(Debug)]
pub(crate) enum OrAsk<T> {
    Answer(T),
    Ask(Box<InputRequiredResult>),
}

impl<T: Serialize> IntoCallToolResult for OrAsk<T> {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        match self {
            Self::Answer(answer) => Out(answer).into_call_tool_result(),
            Self::Ask(question) => Ok(CallToolResponse::InputRequired(*question)),
        }
    }
}

/// Signs what a client carries from one round to the next.
#[derive(Debug, Default)]
pub(crate) struct Seal(OnceLock<RequestStateCodec>);

impl Seal {
    /// Returns the codec, whose key is drawn at the first question and never leaves the process.
    fn codec(&self) -> Result<&RequestStateCodec, ToolError> {
        if self.0.get().is_none() {
            let mut key = [0_u8; RequestStateCodec::MIN_KEY_LENGTH];
            getrandom::fill(&mut key).map_err(|error| ToolError::internal(&error))?;
            let codec = RequestStateCodec::try_new(key).map_err(|error| ToolError::internal(&error))?;
            // Another call may have been faster; its key is as good.
            drop(self.0.set(codec));
        }
        self.0.get().ok_or_else(|| ToolError::internal(&"no key for request states"))
    }

    /// Returns a state that [`Self::open`] takes back for so long, with the same words.
    pub(crate) fn state(&self, bound_to: &str, ttl: Duration) -> Result<String, ToolError> {
        let options = SealOptions::new().associated_data(bound_to.as_bytes()).ttl(ttl);
        Ok(self.codec()?.seal_with(&[], &options))
    }

    /// Takes a state back that the client has carried.
    ///
    /// # Errors
    /// When the state was not given for this very question, or too long ago.
    pub(crate) fn open(&self, state: &str, bound_to: &str) -> Result<(), ToolError> {
        let (what, next) = match self.codec()?.open_with(state, bound_to.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(RequestStateError::Expired) => (
                "the answer came more than 12 hours after the question and was not taken",
                "Call again without `requestState` to ask anew.",
            ),
            Err(_) => (
                "the `requestState` of this call is not one that this server gave for this question; nothing of it was \
                 taken",
                "Call again without `requestState`.",
            ),
        };
        Err(ToolError::new(Code::InvalidArgument, what, next))
    }
}

impl Server {
    /// Asks a person, or says why that cannot be. `about` names the tool and what it is about, so that an answer
    /// counts for nothing else.
    ///
    /// # Errors
    /// When the client took the call back, when it shows a state that is not ours, or when its answer does not fit
    /// the request. The request itself must have no [`HumanRequest::problems`].
    pub(crate) async fn ask(
        &self,
        about: &str,
        request: &HumanRequest,
        round: &Round,
        context: &RequestContext<RoleServer>,
    ) -> Result<Asked, ToolError> {
        let version = context.protocol_version().unwrap_or(ProtocolVersion::V_2025_06_18);
        let modern = version >= ProtocolVersion::V_2026_07_28;
        let bound_to = format!("{about}\n{}", serde_json::to_string(request).unwrap_or_default());
        if modern && round.is_second() {
            self.seal().open(round.state.as_deref().unwrap_or_default(), &bound_to)?;
            if let Some(answer) = round.responses.as_ref().and_then(|responses| responses.get(QUESTION)) {
                return taken(request, answer);
            }
        }
        if !role::is_interactive(self.options().role) || !can_show_forms(context) {
            return Ok(Asked::CannotAsk);
        }
        let params = form::params(request, &version).map_err(|error| ToolError::internal(&error))?;
        if !modern {
            return waited_for(request, params, context).await;
        }
        let question = InputRequest::Elicitation(ElicitRequest::new(params));
        let state = self.seal().state(&bound_to, PATIENCE)?;
        let requests = InputRequests::from([(QUESTION.to_owned(), question)]);
        Ok(Asked::AskAndCallAgain(Box::new(InputRequiredResult::new(Some(requests), Some(state)))))
    }
}

/// A client that declares elicitation without saying which kind means forms.
fn can_show_forms(context: &RequestContext<RoleServer>) -> bool {
    let elicitation = context.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    elicitation.is_some_and(|kinds| kinds.form.is_some() || kinds.url.is_none())
}

/// Sends the question and waits for its answer, as the older era has it.
async fn waited_for(
    request: &HumanRequest,
    params: ElicitRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<Asked, ToolError> {
    let question = ServerRequest::ElicitRequest(ElicitRequest::new(params));
    let options = PeerRequestOptions::with_timeout(PATIENCE);
    let asking =
        async { context.peer.send_request_with_option(question, options).await?.await_response().await };
    let answer = tokio::select! {
        answer = asking => answer,
        () = context.ct.cancelled() => return Err(ToolError::cancelled()),
    };
    match answer {
        Ok(ClientResult::ElicitResult(answer)) => {
            taken(request, &serde_json::to_value(answer).map_err(|error| ToolError::internal(&error))?)
        }
        Err(ServiceError::Timeout { .. }) => Ok(Asked::Dismissed),
        Err(
            ServiceError::Cancelled { .. } | ServiceError::TransportClosed | ServiceError::TransportSend(_),
        ) => Err(ToolError::cancelled()),
        // It promised forms and cannot show this one.
        Ok(_) | Err(_) => {
            tracing::info!("the client did not take a question");
            Ok(Asked::CannotAsk)
        }
    }
}

/// Takes what the client says came of it, which is not to be trusted any more than arguments are.
fn taken(request: &HumanRequest, answer: &Value) -> Result<Asked, ToolError> {
    match answer["action"].as_str() {
        Some("accept") => {
            let answers = form::answers(request, &answer["content"]);
            let misfits = request.misfits(&answers);
            if misfits.is_empty() { Ok(Asked::Answered(answers)) } else { Err(misfit(&misfits.join("; "))) }
        }
        Some("decline") => Ok(Asked::Declined),
        Some("cancel") => Ok(Asked::Dismissed),
        Some(_) | None => Err(misfit("it has no `action` that is accept, decline or cancel")),
    }
}

fn misfit(what: &str) -> ToolError {
    ToolError::new(
        Code::InvalidArgument,
        format!("the client's answer does not fit the question: {what}"),
        "Call again to ask anew.",
    )
}

#[cfg(test)]
mod tests;
