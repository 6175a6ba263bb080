use super::*;

fn knowing(variables: &[(&str, &str)]) -> Redactor {
    let owned: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Redactor::of_variables(&owned)
}

fn redacted(redactor: &Redactor, text: &str) -> String {
    redactor.redact(text.to_owned())
}

#[test]
fn a_secret_is_known_by_the_name_of_its_variable() {
    let redactor = knowing(&[
        ("OPENAI_API_KEY", "plain-looking"),
        ("my_password", "hunter22"),
        ("DATABASE_URL", "postgres://me:s3cr3t-pw@db/x"),
        ("NPMTOKEN", "abcdef-token"),
        ("SHORT_KEY", "abc"),
        ("WORD_KEY", "assistant"),
        ("SSH_AUTH_SOCK", "/tmp/agent.sock"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/u/key.json"),
        ("PWD", "/home/u/project"),
        ("KEYBOARD", "german-layout"),
        ("MONKEYS", "gibbon-and-co"),
    ]);
    let text = "plain-looking hunter22 s3cr3t-pw abcdef-token abc assistant /tmp/agent.sock /home/u/key.json german-layout gibbon-and-co";
    let expected = "[redacted] [redacted] [redacted] [redacted] abc assistant /tmp/agent.sock /home/u/key.json german-layout gibbon-and-co";
    assert_eq!(redacted(&redactor, text), expected);
}

#[test]
fn a_secret_is_known_by_its_shape() {
    let dashes = "-----";
    for secret in [
        "sk-ant-oat01-AbCdEfGhIjKlMnOp_qrst",
        "sk-proj-0123456789abcdefghij",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "github_pat_11ABCDEFG0123456789_abcdefghij",
        "xoxb-1234567890-abcdefghij",
        "7-0123456789abcdef0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
        &format!(
            "{dashes}BEGIN RSA PRIVATE KEY{dashes}\nMIIE+abc/def=\nx9\n{dashes}END RSA PRIVATE KEY{dashes}"
        ),
        &format!(
            "{dashes}BEGIN OPENSSH PRIVATE KEY{dashes}\\nb3BlbnNzaC1rZXk\\n{dashes}END OPENSSH PRIVATE KEY{dashes}"
        ),
        &format!("{dashes}BEGIN PRIVATE KEY{dashes}\nMIIE+abc"),
    ] {
        for (before, after) in
            [("", ""), ("key=", " end"), ("\"", "\","), ("x\\n", "\\n"), ("ü:", "ü"), ("\n", "\n.")]
        {
            let text = format!("{before}{secret}{after}");
            let clean = redacted(&Redactor::default(), &text);
            assert!(!clean.contains(&secret[12..20]), "{text} → {clean}");
            assert!(clean.starts_with(before) && clean.contains(REDACTED), "{text} → {clean}");
        }
    }
    assert_eq!(
        redacted(&Redactor::default(), "Authorization: Bearer abcdefghijklmnopqrst.u-v"),
        "Authorization: Bearer [redacted]"
    );
}

#[test]
fn ordinary_words_stay() {
    for text in [
        "",
        "sk-",
        "task-force and risk-averse people are kept here",
        "sk-short",
        "the bearer of bad news is here",
        "ask-me-anything-about-everything",
        "commit 0123456789abcdef0123456789abcdef01234567",
        "2026-11-20T18:00:00Z",
        "10-4",
        "session 0198c0de-1234-7abc-8def-0123456789ab",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN ",
        "AKIA",
        "ghp_",
        "größer-als-😀",
    ] {
        assert_eq!(redacted(&Redactor::default(), text), text);
    }
}

#[test]
fn json_stays_json_and_hides_what_is_escaped_in_it() {
    let secret = "pass\"word\\with\nlines-of-some-length";
    let redactor = knowing(&[("A_SECRET", secret)]);
    let once = format!("{{\"a\":\"{}\",\"b\":1}}", escaped(secret));
    assert_eq!(redacted(&redactor, &once), "{\"a\":\"[redacted]\",\"b\":1}");
    let twice = format!("{{\"a\":\"{}\"}}", escaped(&format!("\"{}\"", escaped(secret))));
    assert_eq!(redacted(&redactor, &twice), "{\"a\":\"\\\"[redacted]\\\"\"}");
    assert!(!redacted(&redactor, "a line: lines-of-some-length").contains("some-length"));
}

#[test]
fn a_secret_that_was_cut_in_two_is_one_still() {
    let redactor = knowing(&[("A_TOKEN", "abcdefghijklmnopqrstuvwxyz")]);
    assert_eq!(redactor.redact_tail("…mnopqrstuvwxyz and on".into()), "…[redacted] and on");
    assert_eq!(redactor.redact_tail("…xyz and on".into()), "…xyz and on");
    assert_eq!(redactor.redact_tail("abcdefghijklmnopqrstuvwxyz".into()), "[redacted]");
}

#[test]
fn a_secret_that_comes_in_pieces_is_one_still() {
    let dashes = "-----";
    let pem = format!("{dashes}BEGIN PRIVATE KEY{dashes}\nMIIEabc+/=\nx9==\n{dashes}END PRIVATE KEY{dashes}");
    let redactor = knowing(&[("A_TOKEN", "hunter22-sword\"fish"), ("OTHER_TOKEN", "22-hunter22-hunter")]);
    for (text, clean) in [
        ("so it is hunter22-sword\"fish, and", "so it is [redacted], and"),
        ("hunter22-sword\"fish", "[redacted]"),
        ("22-hunter22-sword\"fish 22-hunter22-hunter", "22-[redacted] [redacted]"),
        ("a key: sk-ant-oat01-AbCdEfGhIjKlMnOp_qrst.", "a key: [redacted]."),
        ("ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"),
        (&format!("the key {pem}\nis it"), "the key [redacted]\nis it"),
        ("Authorization: Bearer abcdefghijklmnopqrst.u-v\n", "Authorization: Bearer [redacted]\n"),
        (
            "no secrets: task sk-learn, hunter, größer ghp_, -----BEGIN",
            "no secrets: task sk-learn, hunter, größer ghp_, -----BEGIN",
        ),
    ] {
        for size in 1..text.len() {
            let mut pieces = PieceRedactor::default();
            let mut said = String::new();
            let chars: Vec<char> = text.chars().collect();
            for piece in chars.chunks(size) {
                said += &pieces.push(&redactor, &piece.iter().collect::<String>());
            }
            said += &pieces.finish(&redactor);
            assert_eq!(said, clean, "{text:?} in pieces of {size}");
        }
    }
}

#[test]
fn what_is_no_secret_is_not_held_back_for_long() {
    let redactor = knowing(&[("A_TOKEN", "hunter22-swordfish")]);
    let mut pieces = PieceRedactor::default();
    assert_eq!(pieces.push(&redactor, "all is well, hunt"), "all is well, ");
    assert_eq!(pieces.push(&redactor, "ing goes on"), "hunting goes on");
    let long = "x".repeat(20 << 10);
    let said = pieces.push(&redactor, &format!("sk-{long}")) + &pieces.push(&redactor, " end");
    assert_eq!(said, "[redacted] end");
}

#[test]
fn a_beginning_of_a_secret_at_a_cut_is_none() {
    let redactor = knowing(&[("A_TOKEN", "hunter22-swordfish")]);
    assert_eq!(redactor.redact_head("it is hunter22-swo".into()), "it is [redacted]");
    assert_eq!(redactor.redact_head("it is hunter".into()), "it is hunter");
    assert_eq!(redactor.redact_head("it is hunter22-swordfish".into()), "it is [redacted]");
}

#[test]
fn a_key_that_is_printed_line_by_line_goes_to_its_end() {
    let dashes = "-----";
    let (begin, end) =
        (format!("{dashes}BEGIN PRIVATE KEY{dashes}"), format!("{dashes}END PRIVATE KEY{dashes}"));
    let mut lines = LineRedactor::default();
    let mut said = |line: &str| lines.redact(&Redactor::default(), line.to_owned());
    assert_eq!(said("cat key"), "cat key");
    assert_eq!(said(&begin), REDACTED);
    assert_eq!(
        (said("MIIEabc+/="), said("x9=="), said(&end)),
        (REDACTED.into(), REDACTED.into(), REDACTED.into())
    );
    assert_eq!(said("MIIEabc"), "MIIEabc");
    assert_eq!(said(&format!("{begin}\\nMIIE\\n{end}")), REDACTED);
    assert_eq!(said("words"), "words");
    assert_eq!(said(&begin), REDACTED);
    assert_eq!(said("and then: this!"), "and then: this!");
    assert_eq!(said("words"), "words");
}
