use cogwork_schemas::Check;

use super::*;

/// A feature that nothing is wrong with.
fn feature(id: i64) -> Feature {
    Feature {
        id: FeatureId(id),
        key: Some(format!("key-{id}")),
        priority: id,
        category: "c".into(),
        name: format!("Feature number {id}"),
        description: String::new(),
        steps: vec![],
        status: Status::Pending,
        proof: None,
        dependencies: vec![],
        checks: vec![Check::new(format!("sh t/{id}.sh"))],
        estimate_s: None,
        failed_attempts: 0,
        session: None,
        human_request: None,
        human_response: None,
    }
}

fn features(count: i64) -> Vec<Feature> {
    (1..=count).map(feature).collect()
}

fn found(features: &[Feature]) -> Vec<String> {
    let new = features.iter().map(|feature| feature.id).collect();
    lint(features, &new).iter().map(ToString::to_string).collect()
}

fn depends(feature: &mut Feature, on: &[i64]) {
    feature.dependencies = on.iter().copied().map(FeatureId).collect();
}

#[test]
fn a_good_plan_has_no_findings() {
    let mut plan = features(20);
    for feature in &mut plan[1..] {
        depends(feature, &[1]);
    }
    assert_eq!(found(&plan), Vec::<String>::new());
    assert_eq!(found(&[]), Vec::<String>::new());
}

#[test]
fn a_circle_is_told_as_its_path() {
    let mut plan = features(3);
    depends(&mut plan[0], &[3]);
    depends(&mut plan[1], &[1]);
    depends(&mut plan[2], &[2]);
    let told = found(&plan);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("→") && told[0].ends_with("can never start: remove one dependency"), "{told:?}");
}

#[test]
fn a_chain_of_more_than_half_of_many_is_narrow() {
    let mut plan = features(10);
    for (index, feature) in plan.iter_mut().enumerate().take(5).skip(1) {
        depends(feature, &[index as i64]);
    }
    assert_eq!(found(&plan), Vec::<String>::new(), "five of ten");
    depends(&mut plan[5], &[5, 1]);
    let told = found(&plan);
    assert!(
        told[0].starts_with("6 of 10 features form one chain, #1 → #2 → #3 → #4 → #5 → #6: "),
        "{told:?}"
    );
    // What passes is not waited for any more.
    plan[0].status = Status::Passing;
    plan[1].status = Status::Passing;
    assert_eq!(found(&plan), Vec::<String>::new());
    let mut few = features(4);
    for (index, feature) in few.iter_mut().enumerate().skip(1) {
        depends(feature, &[index as i64]);
    }
    assert_eq!(found(&few), Vec::<String>::new(), "a small plan may be a chain");
}

#[test]
fn a_chain_of_any_length_is_measured() {
    let mut plan = features(20_000);
    for (index, feature) in plan.iter_mut().enumerate().skip(1) {
        depends(feature, &[index as i64]);
    }
    plan.reverse();
    assert!(found(&plan)[0].starts_with("20000 of 20000 features form one chain, #1 → #2"));
}

#[test]
fn without_a_check_there_has_to_be_a_reason() {
    let mut plan = features(3);
    for feature in &mut plan {
        feature.checks.clear();
    }
    plan[0].description = "It looks good.\nNo check: taste decides.".into();
    plan[1].description = "It looks good. No check:".into();
    plan[2].description = "NO CHECK:  ".into();
    let told = found(&plan);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("#2 Feature number 2: it has no check; give it one"), "{told:?}");
}

#[test]
fn a_check_that_cannot_be_red_is_none() {
    for idle in ["true", " exit 0 ", ":", "echo it works", "npm test || true"] {
        let mut plan = features(1);
        plan[0].checks.push(Check::new(idle));
        assert_eq!(found(&plan).len(), 1, "{idle}");
    }
    for good in ["echo $(cat f) | grep x", "test -f a", "echo x > f; ./run f", "make true"] {
        let mut plan = features(1);
        plan[0].checks = vec![Check::new(good)];
        assert_eq!(found(&plan), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn one_command_for_three_features_decides_about_none() {
    let mut plan = features(4);
    for feature in &mut plan[..2] {
        feature.checks = vec![Check::new("npm test")];
    }
    assert_eq!(found(&plan), Vec::<String>::new());
    plan[2].checks = vec![Check::new(" npm test ")];
    let told = found(&plan);
    assert!(told[0].starts_with("#1, #2, #3 have the same checks (`npm test`)"), "{told:?}");
}

#[test]
fn the_same_by_name_or_key_is_told_once_and_to_a_person() {
    let mut plan = features(4);
    plan[1].name = "log in!".into();
    plan[2].name = "Log  In".into();
    plan[1].key = Some("log-in".into());
    plan[2].key = Some("log_in".into());
    let told = found(&plan);
    assert_eq!(told, ["#2, #3 are the same by name or key (log in!): delete all but one"]);
    assert!(!lint(&plan, &BTreeSet::from([FeatureId(2)]))[0].is_for_agent());
    assert_eq!(lint(&plan, &BTreeSet::from([FeatureId(4)])), [], "what was there before is not this plan's");
}
