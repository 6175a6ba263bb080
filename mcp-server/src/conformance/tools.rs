//! The tools that answer, or that ask in the way of the older revision.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientResult, ContentBlock,
    ElicitRequest, ProgressNotificationParam, ServerNotification, ServerRequest, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::{Value, json};

use super::{PNG, from_json, is_modern, rounds};

/// A moment of silence.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// What the suite wants between two notifications.
const PAUSE: Duration = Duration::from_millis(50);

/// Returns the tools of this module and those that take several rounds.
pub(super) fn all() -> Vec<Tool> {
    let nothing = [
        "test_audio_content",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_embedded_resource",
        "test_error_handling",
        "test_image_content",
        "test_logging_tool",
        "test_missing_capability",
        "test_multiple_content_types",
        "test_simple_text",
        "test_streaming_elicitation",
        "test_tool_with_logging",
        "test_tool_with_progress",
    ];
    let empty = || json!({"type": "object", "properties": {}});
    let one =
        |name: &str| json!({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]});
    let mut tools: Vec<Tool> =
        nothing.iter().chain(&rounds::NAMES).map(|name| tool(name, &empty())).collect();
    tools.push(tool("test_sampling", &one("prompt")));
    tools.push(tool("test_elicitation", &one("message")));
    tools.push(tool("json_schema_2020_12_tool", &every_keyword()));
    let region = json!({"type": "string", "x-mcp-header": "Region"});
    tools.push(tool("test_custom_header", &json!({"type": "object", "properties": {"region": region}})));
    tools
}

fn tool(name: &str, schema: &Value) -> Tool {
    let schema = schema.as_object().cloned().unwrap_or_default();
    Tool::new(name.to_owned(), "A fixture of the conformance suite.", Arc::new(schema))
}

/// A schema with what the product's dialect leaves out.
fn every_keyword() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object",
                              "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

/// Calls one of them.
pub(super) async fn call(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let text = |text: &str| json!({"type": "text", "text": text});
    let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
    let resource = |uri: &str, mime: &str, text: &str| json!({"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": text}});
    let content = match request.name.as_ref() {
        "test_image_content" => vec![image],
        "test_audio_content" => vec![json!({"type": "audio", "data": WAV, "mimeType": "audio/wav"})],
        "test_embedded_resource" => {
            vec![resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]
        }
        "test_multiple_content_types" => vec![
            text("Multiple content types test:"),
            image,
            resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
        ],
        "test_error_handling" => {
            let content = ContentBlock::text("This tool intentionally returns an error for testing");
            return Ok(CallToolResult::error(vec![content]).into());
        }
        "test_tool_with_progress" => vec![text(with_progress(context).await?)],
        "test_tool_with_logging" => vec![text(with_logging(context).await?)],
        "test_sampling" => vec![text(&sampled(request, context).await?)],
        "test_elicitation" => vec![text(&elicited("User response", with_message(request), context).await?)],
        "test_elicitation_sep1034_defaults" => {
            vec![text(&elicited("Elicitation completed", with_defaults(), context).await?)]
        }
        "test_elicitation_sep1330_enums" => {
            vec![text(&elicited("Elicitation completed", with_choices(), context).await?)]
        }
        "test_missing_capability" => {
            let wanted: ClientCapabilities = from_json(json!({"sampling": {}}))?;
            let declared = context.client_capabilities().is_some_and(|declared| declared.sampling.is_some());
            if !declared {
                return Err(ErrorData::missing_required_client_capability(wanted));
            }
            vec![text("The client can sample.")]
        }
        _ => vec![text("This is a simple text response for testing.")],
    };
    Ok(from_json::<CallToolResult>(json!({"resultType": "complete", "content": content}))?.into())
}

fn failed(error: impl std::fmt::Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

async fn with_progress(context: &RequestContext<RoleServer>) -> Result<&'static str, ErrorData> {
    for done in [0.0, 50.0, 100.0] {
        if let Some(token) = context.meta.get_progress_token() {
            let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
            context.peer.notify_progress(progress).await.map_err(failed)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok("The work is done.")
}

async fn with_logging(context: &RequestContext<RoleServer>) -> Result<&'static str, ErrorData> {
    for said in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        if !is_modern(context) {
            let params = json!({"level": "info", "data": said});
            let notification: ServerNotification =
                from_json(json!({"method": "notifications/message", "params": params}))?;
            context.peer.send_notification(notification).await.map_err(failed)?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok("Three messages were logged.")
}

async fn sampled(
    request: &CallToolRequestParams,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let question: ServerRequest = from_json(rounds::sampling(&argument(request, "prompt"), 100))?;
    let ClientResult::CreateMessageResult(answer) =
        context.peer.send_request(question).await.map_err(failed)?
    else {
        return Err(failed("the client answered something else"));
    };
    let answer = serde_json::to_value(answer).map_err(failed)?;
    Ok(format!("LLM response: {}", answer["content"]["text"].as_str().unwrap_or_default()))
}

async fn elicited(
    said: &str,
    params: Value,
    context: &RequestContext<RoleServer>,
) -> Result<String, ErrorData> {
    let question = ServerRequest::ElicitRequest(ElicitRequest::new(from_json(params)?));
    let ClientResult::ElicitResult(answer) = context.peer.send_request(question).await.map_err(failed)?
    else {
        return Err(failed("the client answered something else"));
    };
    let answer = serde_json::to_value(answer).map_err(failed)?;
    Ok(format!("{said}: action={}, content={}", answer["action"], answer["content"]))
}

fn argument(request: &CallToolRequestParams, name: &str) -> String {
    let given = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
    given.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn with_message(request: &CallToolRequestParams) -> Value {
    let properties = json!({"username": {"type": "string"}, "email": {"type": "string"}});
    json!({"message": argument(request, "message"),
           "requestedSchema": {"type": "object", "properties": properties, "required": ["username", "email"]}})
}

fn with_defaults() -> Value {
    let properties = json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": true},
    });
    json!({"message": "Who is it?", "requestedSchema": {"type": "object", "properties": properties}})
}

fn with_choices() -> Value {
    let options = json!(["option1", "option2", "option3"]);
    let titled = json!([{"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"}]);
    let properties = json!({
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": titled},
        "legacyEnum": {"type": "string", "enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": titled}},
    });
    json!({"message": "Which ones?", "requestedSchema": {"type": "object", "properties": properties}})
}
