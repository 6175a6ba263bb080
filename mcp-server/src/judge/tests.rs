use super::*;

fn report(command: &str, verdict: CheckVerdict, output: &str) -> CheckReport {
    CheckReport {
        command: command.into(),
        verdict,
        duration_ms: 1_250,
        output_tail: output.into(),
        output_digest: String::new(),
    }
}

#[test]
fn green_is_no_error() {
    assert_eq!(red(FeatureId(3), &[report("true", CheckVerdict::Green, "")]), None);
    assert_eq!(red(FeatureId(3), &[]), None);
}

#[test]
fn a_red_check_is_named_with_its_exit_code_and_output() {
    let reports = [
        report("sh a.sh", CheckVerdict::Green, "fine"),
        report("sh b.sh\n", CheckVerdict::Red { exit_code: 2 }, "expected 1\ngot 2\n"),
    ];
    let error = red(FeatureId(3), &reports).unwrap();
    assert_eq!(error.code(), Code::ChecksFailed);
    assert_eq!(
        error.to_string(),
        "Error (checks_failed): feature #3 does not pass yet: 1 of its 2 checks is red; the feature stays yours. Fix \
         the work (not the check) and call feature_mark_passing again.\n\n\
         check 2 of 2, exit code 2 after 1.2 s: sh b.sh\nexpected 1\ngot 2"
    );
}

#[test]
fn the_output_of_many_red_checks_is_bounded() {
    let long = "0123456789\n".repeat(2_000);
    let reports = vec![report(&"x".repeat(5_000), CheckVerdict::TimedOut, &long); 20];
    let text = red(FeatureId(3), &reports).unwrap().to_string();
    assert!(text.chars().count() < crate::answer::MAX_CHARS, "{}", text.chars().count());
    assert!(text.contains("20 of its 20 checks are red"));
}

#[test]
fn a_cut_tail_begins_with_a_whole_line() {
    assert_eq!(tail("one\ntwo\nthree", 100), "one\ntwo\nthree");
    assert_eq!(tail("one\ntwo\nthree", 7), "…\nthree");
    assert_eq!(tail("onetwothree", 5), "…\nthree");
}
