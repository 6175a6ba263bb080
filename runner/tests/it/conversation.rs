//! An agent that is talked to: a shell script that speaks the Agent Client Protocol.

use cogwork_schemas::{AgentEvent, RunnerEvent, SessionOutcome};
use cogwork_session::AgentSpec;

use crate::project::Project;
use crate::runner::{Session, until};

const ONE: &str = r#"[{"name": "greet", "checks": ["grep -q hello greeting"]}]"#;

/// Takes the three questions, and keeps them.
const OPENING: &str = r#"
read -r hello
echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1,"agentInfo":{"name":"fake","version":"7"}}}'
read -r new
echo '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s1"}}'
read -r prompt
printf '%s\n' "$hello" "$new" "$prompt" > ../heard
"#;

fn command(project: &Project, rest: &str) -> (cogwork_session::SessionCommand, std::path::PathBuf) {
    let claim = project.claim(1);
    project.write("agent.sh", &format!("{OPENING}{rest}"));
    let mut command = project.command(1, &claim, "");
    command.agent = AgentSpec::Acp { command: format!("sh {}", project.dir.join("agent.sh").display()) };
    let heard = project.workspace(&claim).parent().unwrap().join("heard");
    (command, heard)
}

#[test]
fn a_conversation_ends_with_its_turn_and_the_agent_with_it() {
    let project = Project::git(ONE);
    let ask = r#"{"jsonrpc":"2.0","id":"q","method":"session/request_permission","params":{"toolCall":
        {"toolCallId":"t","title":"touch","kind":"edit"},"options":[{"kind":"allow_once","optionId":"yes"}]}}"#;
    let rest = format!(
        "echo '{}'\nread -r answer\necho \"$answer\" >> ../heard\necho hello > greeting\n\
         echo '{}'\nwhile :; do sleep 1; done\n",
        ask.replace('\n', ""),
        r#"{"jsonrpc":"2.0","id":4,"result":{"stopReason":"end_turn"}}"#
    );
    let (command, heard) = command(&project, &rest);
    let over = Session::start(&command).end();
    assert_eq!(over.outcome(), &SessionOutcome::Completed);
    let heard = std::fs::read_to_string(heard).unwrap();
    let lines: Vec<serde_json::Value> =
        heard.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let methods: Vec<&str> = lines.iter().filter_map(|line| line["method"].as_str()).collect();
    assert_eq!(methods, ["initialize", "session/new", "session/prompt"]);
    assert_eq!(lines[1]["params"]["mcpServers"][0]["name"], "features");
    assert!(lines[2]["params"]["prompt"][0]["text"].as_str().unwrap().contains("greet"));
    assert_eq!(lines[3]["result"]["outcome"]["optionId"], "yes");
    assert!(over.events.iter().any(|event| matches!(
        event,
        RunnerEvent::Agent { event: AgentEvent::Started { version: Some(version), .. } } if version == "fake 7"
    )));
}

#[test]
fn a_stop_is_said_before_it_is_forced() {
    let project = Project::git(ONE);
    let rest = "trap '' TERM\necho up\nread -r line\necho \"$line\" >> ../heard\n\
                echo '{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"stopReason\":\"cancelled\"}}'\n\
                read -r line || echo the end >> ../heard\nexit 0\n";
    let (command, heard) = command(&project, rest);
    let mut session = Session::start(&command);
    session.until(
        |event| matches!(event, RunnerEvent::Agent { event: AgentEvent::Other { line } } if line == "up"),
    );
    session.say(r#"{"control":"stop"}"#);
    let over = session.end();
    assert_eq!(over.outcome(), &SessionOutcome::Stopped);
    until("it heard the end of its input", || {
        std::fs::read_to_string(&heard).unwrap().ends_with("the end\n")
    });
    let heard = std::fs::read_to_string(heard).unwrap();
    let cancel = r#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s1"}}"#;
    assert!(heard.lines().any(|line| line == cancel), "{heard}");
}
