//! The resources and prompts.

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, InputRequiredResult, Prompt,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceTemplate,
};
use serde_json::{Value, json};

use super::{PNG, from_json, rounds};

const DESCRIPTION: &str = "A fixture of the conformance suite.";

pub(super) fn resources() -> Result<Vec<Resource>, ErrorData> {
    let listed =
        |name: &str| json!({"uri": format!("test://{name}"), "name": name, "description": DESCRIPTION});
    from_json(["static-binary", "static-text", "watched-resource"].map(listed).into_iter().collect())
}

pub(super) fn templates() -> Result<Vec<ResourceTemplate>, ErrorData> {
    from_json(
        json!([{"uriTemplate": "test://template/{id}/data", "name": "template", "description": DESCRIPTION}]),
    )
}

/// Reads one of them; nothing for another address.
pub(super) fn resource(uri: &str) -> Option<Result<ReadResourceResponse, ErrorData>> {
    let content = match uri.strip_prefix("test://")? {
        "static-text" => {
            json!({"mimeType": "text/plain", "text": "This is the content of the static text resource."})
        }
        "static-binary" => json!({"mimeType": "image/png", "blob": PNG}),
        "watched-resource" => json!({"mimeType": "text/plain", "text": "It never changes."}),
        other => {
            let id = other.strip_prefix("template/")?.strip_suffix("/data")?;
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            json!({"mimeType": "application/json", "text": data.to_string()})
        }
    };
    let mut content = content;
    content["uri"] = uri.into();
    let cached =
        json!({"resultType": "complete", "contents": [content], "ttlMs": 0, "cacheScope": "private"});
    Some(from_json::<ReadResourceResult>(cached).map(ReadResourceResponse::from))
}

pub(super) fn prompts() -> Result<Vec<Prompt>, ErrorData> {
    let listed = |name: &str, arguments: &[&str]| {
        let argument = |name: &&str| json!({"name": name, "description": DESCRIPTION, "required": true});
        let arguments: Vec<Value> = arguments.iter().map(argument).collect();
        json!({"name": name, "description": DESCRIPTION, "arguments": arguments})
    };
    from_json(json!([
        listed("test_input_required_result_prompt", &[]),
        listed("test_prompt_with_arguments", &["arg1", "arg2"]),
        listed("test_prompt_with_embedded_resource", &["resourceUri"]),
        listed("test_prompt_with_image", &[]),
        listed("test_simple_prompt", &[]),
    ]))
}

/// Fills in one of them; nothing for another name.
pub(super) fn prompt(request: &GetPromptRequestParams) -> Option<Result<GetPromptResponse, ErrorData>> {
    let argument = |name: &str| {
        let given = request.arguments.as_ref().and_then(|arguments| arguments.get(name));
        given.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let text = |text: &str| json!({"type": "text", "text": text});
    let contents = match request.name.as_str() {
        "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
        "test_prompt_with_arguments" => {
            let (first, second) = (argument("arg1"), argument("arg2"));
            vec![text(&format!("Prompt with arguments: arg1='{first}', arg2='{second}'"))]
        }
        "test_prompt_with_embedded_resource" => {
            let resource = json!({"uri": argument("resourceUri"), "mimeType": "text/plain",
                                  "text": "Embedded resource content for testing."});
            let embedded = json!({"type": "resource", "resource": resource});
            vec![embedded, text("Please process the embedded resource above.")]
        }
        "test_prompt_with_image" => {
            let image = json!({"type": "image", "data": PNG, "mimeType": "image/png"});
            vec![image, text("Please analyze the image above.")]
        }
        "test_input_required_result_prompt" if !is_answered(request) => {
            let question = rounds::form("What context should the prompt use?", "context", "string");
            let asked = json!({"resultType": "input_required", "inputRequests": {"user_context": question}});
            return Some(from_json::<InputRequiredResult>(asked).map(GetPromptResponse::from));
        }
        "test_input_required_result_prompt" => vec![text("The context is known.")],
        _ => return None,
    };
    let messages: Vec<Value> =
        contents.into_iter().map(|content| json!({"role": "user", "content": content})).collect();
    Some(
        from_json::<GetPromptResult>(json!({"resultType": "complete", "messages": messages}))
            .map(GetPromptResponse::from),
    )
}

fn is_answered(request: &GetPromptRequestParams) -> bool {
    request.input_responses.as_ref().is_some_and(|responses| responses.contains_key("user_context"))
}
