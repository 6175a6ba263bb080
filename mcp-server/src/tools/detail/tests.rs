use super::*;

fn feature(description: &str, steps: Vec<String>) -> Detail {
    let feature = Feature {
        id: FeatureId(3),
        key: None,
        priority: 1,
        category: "c".into(),
        name: "n".into(),
        description: description.into(),
        steps,
        status: Status::Pending,
        proof: None,
        dependencies: Vec::new(),
        checks: vec![Check::new("true")],
        estimate_s: None,
        failed_attempts: 0,
        session: None,
        human_request: None,
        human_response: None,
    };
    Detail::of(feature, Vec::new())
}

#[test]
fn the_parts_of_a_long_text_join_to_the_whole() {
    let long: String = "ä\n\"x".chars().cycle().take(30_000).collect();
    let (mut read, mut offset) = (String::new(), Some(0));
    while let Some(from) = offset {
        let part = feature(&long, Vec::new()).only(Field::Description, from);
        assert!(serde_json::to_string(&part).unwrap().chars().count() < 9_000);
        assert!(part.steps.is_none() && part.checks.is_none());
        read.push_str(part.description.as_deref().unwrap());
        offset = part.part.unwrap().next_offset;
    }
    assert!(read == long);
}

#[test]
fn the_parts_of_a_long_list_join_to_the_whole() {
    let long: Vec<String> = (0..1_000).map(|n| format!("step {n}: {}", "y".repeat(50))).collect();
    let (mut read, mut offset) = (Vec::new(), Some(0));
    while let Some(from) = offset {
        let part = feature("", long.clone()).only(Field::Steps, from);
        assert_eq!(part.part.as_ref().unwrap().total, 1_000);
        read.extend(part.steps.unwrap());
        offset = part.part.unwrap().next_offset;
    }
    assert!(read == long);
}

#[test]
fn an_offset_behind_the_end_is_an_empty_last_part() {
    let part = feature("short", Vec::new()).only(Field::Description, 99);
    assert_eq!(part.description.as_deref(), Some(""));
    assert_eq!(part.part.unwrap().next_offset, None);
}
