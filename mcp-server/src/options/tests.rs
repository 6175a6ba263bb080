use std::path::Path;

use super::*;

fn resolved(args: &[&str], environment: &[(&str, &str)]) -> Result<Options, OptionsError> {
    let flags = Flags::try_parse_from([&["cogwork-mcp"], args].concat()).unwrap();
    let pairs = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    Options::resolve(flags, &Environment(pairs.collect()))
}

#[test]
fn the_project_is_the_flag_then_the_environment_then_here() {
    let both = [("PROJECT_DIR", "/env"), ("CLAUDE_PROJECT_DIR", "/claude")];
    assert_eq!(resolved(&["--project-dir", "/flag"], &both).unwrap().project, Path::new("/flag"));
    assert_eq!(resolved(&[], &both).unwrap().project, Path::new("/env"));
    assert_eq!(resolved(&[], &[("PROJECT_DIR", ""), both[1]]).unwrap().project, Path::new("/claude"));
    assert_eq!(resolved(&[], &[]).unwrap().project, std::env::current_dir().unwrap());
}

#[test]
fn checks_run_in_the_workspace_or_else_in_the_project() {
    let with = resolved(&["--project-dir", "/p"], &[("COGWORK_WORKSPACE", "/w")]).unwrap();
    assert_eq!(with.workspace, Path::new("/w"));
    assert_eq!(resolved(&["--project-dir", "/p"], &[]).unwrap().workspace, Path::new("/p"));
}

#[test]
fn tokens_belong_to_features_in_order() {
    let given = resolved(&["--features", "3,#4"], &[("COGWORK_TOKEN", "7-aa,8-bb")]).unwrap();
    assert_eq!(
        given.assignment,
        Assignment::Given(vec![(FeatureId(3), Token::new("7-aa")), (FeatureId(4), Token::new("8-bb"))])
    );
    let by_environment = resolved(&[], &[("COGWORK_TOKEN", "7-aa"), ("COGWORK_FEATURES", "3")]).unwrap();
    assert_eq!(by_environment.assignment, Assignment::Given(vec![(FeatureId(3), Token::new("7-aa"))]));
}

#[test]
fn limits_may_be_given() {
    let options = resolved(&["--max-dependencies", "5", "--max-attempts", "0"], &[]).unwrap();
    assert_eq!((options.limits.dependencies, options.attempts.attempts), (5, 1));
    assert_eq!(resolved(&[], &[]).unwrap().limits, ImportLimits::default());
}

#[test]
fn without_a_token_the_server_claims_for_itself() {
    assert_eq!(resolved(&[], &[]).unwrap().assignment, Assignment::Own { only: Vec::new() });
    assert_eq!(
        resolved(&["--features", "3"], &[("COGWORK_TOKEN", "")]).unwrap().assignment,
        Assignment::Own { only: vec![FeatureId(3)] }
    );
}

#[test]
fn a_batch_of_one_takes_no_further_features() {
    let token = ("COGWORK_TOKEN", "7-aa");
    let further = |size| {
        let session = [token, ("COGWORK_BATCH", size), ("COGWORK_BRANCH", "main")];
        resolved(&["--features", "3"], &session).unwrap().further
    };
    assert_eq!(further("1"), None);
    assert_eq!(further("3"), Some(Further { branch: Some("main".to_owned()) }));
    assert_eq!(resolved(&["--features", "3"], &[token]).unwrap().further, None);
}

#[test]
fn inside_a_session_a_missing_token_gives_no_right() {
    let session = [("COGWORK_SESSION", "4")];
    assert_eq!(resolved(&[], &session).unwrap().assignment, Assignment::Given(Vec::new()));
    assert_eq!(
        resolved(&["--features", "3"], &session).unwrap_err(),
        OptionsError::TokenCount { tokens: 0, features: 1 }
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    assert_eq!(
        resolved(&["--features", "3,4"], &[("COGWORK_TOKEN", "7-aa")]).unwrap_err(),
        OptionsError::TokenCount { tokens: 1, features: 2 }
    );
    assert_eq!(
        resolved(&[], &[("COGWORK_TOKEN", "7-aa")]).unwrap_err(),
        OptionsError::TokenCount { tokens: 1, features: 0 }
    );
    assert_eq!(
        resolved(&[], &[("COGWORK_FEATURES", "three")]).unwrap_err(),
        OptionsError::BadFeatures { text: "three".into() }
    );
    assert!(Flags::try_parse_from(["cogwork-mcp", "--role", "boss"]).is_err());
}

#[test]
fn the_lease_is_what_the_environment_says_within_bounds() {
    let lease = |text| resolved(&[], &[("COGWORK_LEASE_S", text)]).map(|options| options.lease.as_secs());
    assert_eq!(lease(""), Ok(600));
    assert_eq!((lease("3"), lease("0"), lease("-9"), lease("999999")), (Ok(3), Ok(1), Ok(1), Ok(86_400)));
    for text in ["soon", "1.5", "99999999999999999999"] {
        assert_eq!(lease(text).unwrap_err(), OptionsError::BadLease { text: text.into() });
    }
}

#[test]
fn a_token_is_not_printed_with_the_options() {
    let options = resolved(&["--features", "3"], &[("COGWORK_TOKEN", "7-secret")]).unwrap();
    assert!(!format!("{options:?}").contains("secret"));
}

#[test]
fn checks_are_granted_variables_by_name_and_never_the_token() {
    let environment =
        [("COGWORK_TOKEN", "7-secret"), ("COGWORK_MARKER", "m"), ("DATABASE_URL", "u"), ("OTHER", "o")];
    let args = ["--features", "3", "--pass-env", "DATABASE_URL,UNSET,COGWORK_TOKEN"];
    let granted = resolved(&args, &environment).unwrap().check_variables;
    let names: Vec<&OsStr> = granted.iter().map(|(name, _)| name.as_os_str()).collect();
    assert_eq!(names, ["COGWORK_MARKER", "DATABASE_URL"]);
}
