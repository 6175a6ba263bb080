//! The tools that ask in rounds, as the revision 2026-07-28 has it.

use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, InputRequiredResult,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value, json};

use super::from_json;
use crate::server::Server;

pub(super) const NAMES: [&str; 8] = [
    "test_input_required_result_capabilities",
    "test_input_required_result_elicitation",
    "test_input_required_result_list_roots",
    "test_input_required_result_multi_round",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_request_state",
    "test_input_required_result_sampling",
    "test_input_required_result_tampered_state",
];

/// How long an answer may take.
const TTL: Duration = Duration::from_secs(60);

/// One round: its questions by name, and what its state is bound to, if it has one.
struct Round {
    questions: Value,
    bound_to: Option<&'static str>,
}

impl Round {
    fn of(questions: Value, bound_to: Option<&'static str>) -> Self {
        Self { questions, bound_to }
    }

    fn is_answered_by(&self, responses: &Map<String, Value>) -> bool {
        let names = self.questions.as_object().into_iter().flat_map(Map::keys);
        names.into_iter().all(|name| responses.get(name).is_some_and(Value::is_object))
    }
}

/// Calls one of them; nothing for another name.
pub(super) fn call(
    server: &Server,
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Option<Result<CallToolResponse, ErrorData>> {
    let name = || form("What is your name?", "name", "string");
    let ok = || form("Please confirm", "ok", "boolean");
    let sampling = || sampling("What is the capital of France?", 100);
    let roots = || json!({"method": "roots/list", "params": {}});
    let round = Round::of;
    let rounds = match request.name.strip_prefix("test_input_required_result_")? {
        "elicitation" => vec![round(json!({"user_name": name()}), None)],
        "sampling" => vec![round(json!({"capital_question": sampling()}), None)],
        "list_roots" => vec![round(json!({"client_roots": roots()}), None)],
        "request_state" | "tampered_state" => vec![round(json!({"confirm": ok()}), Some("confirm"))],
        "multiple_inputs" => {
            let all = json!({"user_name": name(), "greeting": sampling(), "client_roots": roots()});
            vec![round(all, Some("all"))]
        }
        "multi_round" => vec![
            round(json!({"step1": name()}), Some("step 1")),
            round(
                json!({"step2": form("What is your favourite colour?", "color", "string")}),
                Some("step 2"),
            ),
        ],
        "capabilities" => vec![round(what_the_client_can(context, name(), sampling()), None)],
        _ => return None,
    };
    Some(played(server, request, &rounds))
}

/// Finds the round that the call answers, and returns the next one or the end.
fn played(
    server: &Server,
    request: &CallToolRequestParams,
    rounds: &[Round],
) -> Result<CallToolResponse, ErrorData> {
    let responses: Map<String, Value> =
        request.input_responses.clone().unwrap_or_default().into_iter().collect();
    let mut next = 0;
    for (index, round) in rounds.iter().enumerate() {
        if !round.is_answered_by(&responses) {
            continue;
        }
        if let Some(bound_to) = round.bound_to {
            let state = request.request_state.as_deref().unwrap_or_default();
            server
                .seal()
                .open(state, bound_to)
                .map_err(|error| ErrorData::invalid_params(error.to_string(), None))?;
        }
        next = index + 1;
    }
    let Some(round) = rounds.get(next) else {
        return Ok(CallToolResult::success(vec![ContentBlock::text("All is answered.")]).into());
    };
    Ok(asking(server, round)?.into())
}

fn asking(server: &Server, round: &Round) -> Result<InputRequiredResult, ErrorData> {
    let mut result = json!({"resultType": "input_required", "inputRequests": round.questions});
    if let Some(bound_to) = round.bound_to {
        let state = server.seal().state(bound_to, TTL);
        result["requestState"] =
            state.map_err(|error| ErrorData::internal_error(error.to_string(), None))?.into();
    }
    from_json(result)
}

/// Asks for no more than the client has declared.
fn what_the_client_can(context: &RequestContext<RoleServer>, form: Value, sampling: Value) -> Value {
    let declared = context.client_capabilities().unwrap_or_default();
    let mut questions = Map::new();
    if declared.elicitation.is_some() {
        questions.insert("user_name".to_owned(), form);
    }
    if declared.sampling.is_some() {
        questions.insert("greeting".to_owned(), sampling);
    }
    questions.into()
}

/// Returns a question with one field.
pub(super) fn form(message: &str, field: &str, kind: &str) -> Value {
    let schema = json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    json!({"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}})
}

/// Returns a question to the client's model.
pub(super) fn sampling(prompt: &str, max_tokens: u32) -> Value {
    let message = json!({"role": "user", "content": {"type": "text", "text": prompt}});
    json!({"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": max_tokens}})
}
