//! Secrets, printed in every way by agents and checks, and kept nowhere.

use cogwork_schemas::{RunnerEvent, SessionOutcome};
use cogwork_session::AgentSpec;
use cogwork_store::Claim;

use crate::project::Project;
use crate::runner::{Over, Session};

const KEY: &str = "swordfish-hunter22";

/// Returns what is left of a session: its journal, what it said, and the database.
fn kept(project: &Project, claim: &Claim, over: &Over) -> Vec<String> {
    let text = |path: &std::path::Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let mut kept = vec![text(&project.session_file(claim, "journal.ndjson")), format!("{:?}", over.events)];
    let state = cogwork_store::state_dir(&project.dir);
    let database = ["features.db", "features.db-wal"].map(|name| state.join(name));
    kept.extend(database.iter().filter(|file| file.exists()).map(|file| text(file)));
    kept
}

fn assert_nowhere(secret: &str, kept: &[String]) {
    for (n, kept) in kept.iter().enumerate() {
        assert!(!kept.contains(secret), "{secret} is in {n}");
    }
}

/// Every secret that an agent and a check can lay hands on is printed in every way, and kept nowhere.
#[test]
fn an_agent_that_prints_its_environment_gives_nothing_away() {
    let checks = r#"[{"name": "greet", "checks": ["env; cat key; echo $MY_API_KEY >&2; test -e done"]}]"#;
    let project = Project::git(checks);
    let claim = project.claim(1);
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEA\n-----END PRIVATE KEY-----\n";
    project.write("key", pem);
    let agent = "cat > /dev/null; env; env >&2; cat $COGWORK_MCP_CONFIG; printf '%s' \"$MY_API_KEY\"; echo; cat key; \
                 echo sk-ant-oat01-0123456789abcdefABCDEF; echo 'Authorization: Bearer 0123456789abcdefghij'; \
                 cp \"$COGWORK_PROJECT/key\" key; cat key; touch done; exit 3";
    let mut command = project.command(1, &claim, agent);
    command.pass_env = vec!["MY_API_KEY".into(), "DB_URL".into()];
    let over =
        Session::start_with(&command, &[("MY_API_KEY", "pass\"w0rd-42"), ("DB_URL", "pg://u:db-s3cret@h/x")])
            .end();
    assert!(over.said().iter().any(|line| line.contains("MY_API_KEY=[redacted]")), "{:?}", over.said());

    let kept = kept(&project, &claim, &over);
    let attempt = claim.token.reveal().split_once('-').unwrap().1.to_owned();
    for secret in ["w0rd-42", "db-s3cret", "0123456789abcdefABCDEF", "0123456789abcdefghij", "BKcwggSjAgEA"] {
        assert_nowhere(secret, &kept);
    }
    // The database itself is where the token comes from.
    assert!(!kept[0].contains(&attempt) && !kept[1].contains(&attempt), "the token is told");
}

/// What one write does not contain, the next completes.
#[test]
fn a_key_that_is_printed_in_pieces_is_one() {
    let project = Project::git(r#"[{"name": "greet", "checks": ["cat left; false"]}]"#);
    let claim = project.claim(1);
    let agent = "cat > /dev/null; printf 'it is swordf'; printf 'an error: swordfish-' >&2; sleep 0.1; \
                 printf 'ish-hun'; printf 'hunter' >&2; sleep 0.1; printf 'ter22, so\\n'; printf '22!\\n' >&2; \
                 echo \"$MY_API_KEY\" > left; printf 'swordfish-hunt' >&2; exit 3";
    let mut command = project.command(1, &claim, agent);
    command.pass_env = vec!["MY_API_KEY".into()];
    let over = Session::start_with(&command, &[("MY_API_KEY", KEY)]).end();
    assert!(over.said().contains(&"it is [redacted], so".to_owned()), "{:?}", over.said());
    assert!(format!("{:?}", over.events).contains("an error: [redacted]!"), "{:?}", over.events);
    assert_nowhere(KEY, &kept(&project, &claim, &over));
}

/// A model writes a word in several messages, each a line of its own; what was put together of them is looked at again.
#[test]
fn a_key_that_is_spread_over_messages_is_one() {
    let project = Project::git(r#"[{"name": "greet", "checks": ["false"]}]"#);
    let claim = project.claim(1);
    let update = |update: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s1","update":{update}}}}}"#
        )
    };
    let chunk = |text: &str| {
        update(&format!(
            r#"{{"sessionUpdate":"agent_message_chunk","content":{{"type":"text","text":"{text}"}}}}"#
        ))
    };
    let broken = r#"{"sessionUpdate":"session_info_update","_meta":{"codex":{"threadStatus":{"type":"systemError"}}}}"#;
    let mut lines = vec![
        r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s1"}}"#.to_owned(),
        update(broken),
    ];
    lines.extend(["my key is swor", "dfish", "-hunter2", "2, and"].map(chunk));
    lines.push(r#"{"jsonrpc":"2.0","id":4,"result":{"stopReason":"end_turn"}}"#.to_owned());
    project.write("agent.sh", &format!("cat <<'END'\n{}\nEND\n", lines.join("\n")));
    let mut command = project.command(1, &claim, "");
    command.agent = AgentSpec::Acp { command: format!("sh {}", project.dir.join("agent.sh").display()) };
    command.pass_env = vec!["MY_API_KEY".into()];
    let over = Session::start_with(&command, &[("MY_API_KEY", KEY)]).end();
    let said: String = over.said().concat();
    assert!(said.contains("my key is [redacted], and"), "{said}");
    let SessionOutcome::ReportedError { reason } = over.outcome() else { panic!("{:?}", over.outcome()) };
    assert_eq!(reason, "my key is [redacted], and");
    assert!(over.events.iter().any(|event| matches!(event, RunnerEvent::Ended { .. })));
    assert_nowhere(KEY, &kept(&project, &claim, &over));
}
