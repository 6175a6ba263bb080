//! The scripted agent as a process, against an MCP server that says what it is told to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cogwork_schemas::Status;

use crate::project::Project;
use crate::runner::{binary, logs, lone, said, shell};

const ONE: &str = r#"[{"name": "greet", "key": "greet", "checks": ["grep -q hello out/greeting"]}]"#;

/// A server in a few lines: it notes what it hears and who it is, and answers as its script says.
fn server(mark_passing: &str) -> String {
    format!(
        r##"#!/bin/sh
echo "$@ token=$COGWORK_TOKEN cwd=$PWD" > "$COGWORK_PROJECT/server"
while IFS= read -r line; do
  echo "$line" >> "$COGWORK_PROJECT/heard"
  id=$(echo "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case $line in
    *'"method":"initialize"'*) result='{{"serverInfo":{{}}}}' ;;
    *feature_get_by_id*) result='{{"content":[{{"type":"text","text":"{{\"id\":1,\"key\":\"greet\"}}"}}]}}' ;;
    *feature_mark_passing*) result='{mark_passing}' ;;
    *) continue ;;
  esac
  echo '{{"jsonrpc":"2.0","id":'$id',"result":'$result'}}'
done
"##
    )
}

/// A directory with the runner and, beside it, a `cogwork-mcp` that is our server.
fn beside(server: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runner = dir.path().join("cogwork-runner");
    std::fs::hard_link(binary(), &runner).unwrap();
    let mcp = dir.path().join("cogwork-mcp");
    std::fs::write(&mcp, server).unwrap();
    std::fs::set_permissions(&mcp, std::fs::Permissions::from_mode(0o755)).unwrap();
    (dir, runner)
}

fn play(project: &Project, runner: &Path, script: &str) -> crate::runner::Said {
    let script = project.write("script.toml", script);
    let args = ["--agent", "scripted", "--script", script.to_str().unwrap(), "--max-iterations", "1"];
    said(lone(runner, &project.dir, &args).output().unwrap())
}

#[test]
fn a_script_is_played_by_a_real_client_of_a_real_process() {
    let project = Project::git(ONE);
    let (_dir, runner) = beside(&server(r#"{"content":[{"type":"text","text":"passing"}]}"#));
    let said = play(
        &project,
        &runner,
        r#"
        greet = [
          { move = "say", text = "I greet." },
          { move = "write", path = "out/greeting", content = "hel" },
          { move = "append", path = "out/greeting", content = "lo\n" },
          { move = "write", path = "out/run", content = "exit 0\n", executable = true },
          { move = "run", command = "cat out/greeting && test -x out/run" },
          { move = "sleep", ms = 1 },
          { move = "commit", message = "greet" },
          { move = "mark_passing" },
        ]
        "#,
    );
    assert_eq!(said.code, 0, "{}{}", said.stdout, said.stderr);
    let of_agent = said.stdout.lines().filter_map(|line| line.strip_prefix("           "));
    let shown: Vec<&str> = of_agent.filter(|line| !line.contains("commit ")).collect();
    assert_eq!(
        shown,
        [
            r#"> feature_get_by_id {"feature_id":1}"#,
            r#"< feature_get_by_id: {"id":1,"key":"greet"}"#,
            "| I greet.",
            "> write out/greeting",
            "> append out/greeting",
            "> write out/run",
            "> run cat out/greeting && test -x out/run",
            "< run: hello",
            r#"> feature_mark_passing {"feature_id":1}"#,
            "< feature_mark_passing: passing",
        ]
    );
    // The stub stored nothing, so Cogwork looks for itself.
    assert!(said.stdout.contains("#1 greet  the check is green\n"), "{}", said.stdout);
    let server = project.read("server");
    let expected = format!(
        "--project-dir {0} --role coding --max-attempts 3 --features 1 token=1-",
        project.dir.display()
    );
    assert!(server.starts_with(&expected), "{server}");
    assert!(server.trim_end().ends_with(&format!("cwd={}", project.dir.display())), "{server}");
    let heard = project.read("heard");
    let methods = ["initialize", "notifications/initialized", "tools/call", "tools/call"];
    for (line, method) in heard.lines().zip(methods) {
        assert!(line.contains(&format!("\"method\":\"{method}\"")), "{line}");
    }
    assert_eq!(heard.lines().count(), 4);
    // The stub left its notes in the tree.
    let subjects = b"#1 greet: what the agent left uncommitted\ngreet\n";
    assert_eq!(shell(&project.dir, "git log -2 --format=%s").stdout, subjects);
    let replay = crate::runner::said(logs(&runner, &project.dir, &["--replay"]).output().unwrap());
    assert!(replay.stdout.ends_with(" steps: the agent ended\n") && replay.code == 0, "{}", replay.stdout);
}

#[test]
fn a_refused_mark_fails_the_agent_and_the_checks_still_decide() {
    let project = Project::plain(ONE);
    let (_dir, runner) =
        beside(&server(r#"{"isError":true,"content":[{"type":"text","text":"still red"}]}"#));
    let said = play(&project, &runner, "greet = [{ move = 'mark_passing' }]");
    assert!(said.stdout.contains("           < feature_mark_passing failed: still red\n"), "{}", said.stdout);
    assert!(said.stdout.contains("the agent ended with exit code 1"), "{}", said.stdout);
    assert_eq!(project.store.features().unwrap()[0].status, Status::Pending);
}

#[test]
fn a_script_may_fail_on_purpose_or_by_accident() {
    for (moves, reason) in [
        ("[{ move = 'exit', code = 7 }]", "exit code 7"),
        (
            "[{ move = 'run', command = 'exit 5' }, { move = 'exit', code = 0 }]",
            "`exit 5` ended with exit code 5",
        ),
    ] {
        let project = Project::plain(ONE);
        let (_dir, runner) = beside(&server("{}"));
        let said = play(&project, &runner, &format!("greet = {moves}"));
        assert!(said.stdout.contains(reason), "{}", said.stdout);
    }
    let project = Project::plain(ONE);
    let (_dir, runner) = beside(&server("{}"));
    let said = play(&project, &runner, "other = []");
    assert!(said.stdout.contains("the script has no moves for the feature `greet`"), "{}", said.stdout);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let project = Project::plain(ONE);
    let (_dir, runner) = beside("#!/no/such/shell\n");
    let said = play(&project, &runner, "greet = []");
    assert!(said.stdout.contains("the MCP server could not be started"), "{}", said.stdout);
}
