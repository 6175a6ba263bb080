use super::*;

fn sent(value: Value) -> (String, Value) {
    let CallToolResponse::Complete(result) = Out(value).into_call_tool_result().unwrap() else {
        panic!("an answer is complete");
    };
    assert_eq!(result.is_error, Some(false));
    let text = result.content[0].as_text().unwrap().text.clone();
    (text, result.structured_content.unwrap())
}

#[test]
fn text_and_structured_content_are_the_same_bytes() {
    let (text, structured) = sent(json!({"id": 3, "name": "ü \"quoted\"", "a": [1, 2]}));
    assert_eq!(text, structured.to_string());
    assert!(text.starts_with(r#"{"id":3,"name":"#), "the order of the fields is kept: {text}");
}

#[test]
fn an_answer_at_the_limit_is_left_alone() {
    let frame = chars(&json!({"text": ""}));
    let exact = json!({"text": "x".repeat(MAX_CHARS - frame)});
    assert_eq!(sent(exact.clone()).1, exact);
}

#[test]
fn an_answer_over_the_limit_says_what_is_missing() {
    for long in [
        json!({"id": 3, "description": "ü".repeat(50_000), "steps": ["a", "b"]}),
        json!({"id": 3, "description": "\n".repeat(9_000)}),
        json!({"id": 3, "steps": vec!["do this and that"; 5_000]}),
        json!({"id": 3, "steps": vec!["x".repeat(3_000); 50], "other": vec![json!({"a": "y".repeat(900)}); 90]}),
        json!({"id": 3, "blocked_by": (0..100_000).collect::<Vec<i64>>()}),
    ] {
        let (text, structured) = sent(long.clone());
        assert!(text.chars().count() <= MAX_CHARS, "{} characters", text.chars().count());
        assert_eq!(text, structured.to_string());
        assert_eq!(structured["id"], 3);
        let cut = &structured["truncated"][0];
        assert!(cut["total"].as_u64() > cut["shown"].as_u64(), "{cut}");
        assert!(structured["hint"].as_str().unwrap().contains("feature_get_by_id"));
        assert!(text.chars().count() > 1_000, "it keeps what fits: {}", text.chars().count());
    }
}

#[test]
fn what_is_cut_can_be_found_by_its_field() {
    let (_, structured) = sent(json!({"description": "x".repeat(20_000)}));
    assert_eq!(structured["truncated"], json!([{"field": "description", "shown": 4000, "total": 20_000}]));
    assert_eq!(structured["description"].as_str().unwrap().len(), 4000);
}
