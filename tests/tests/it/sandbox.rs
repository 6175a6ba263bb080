//! A whole run behind a wall: the agent's MCP server writes the database in there, and checks land the work.

use cogwork_process::contain::{SandboxChoice, Wall};
use cogwork_schemas::{Proof, Status};
use serde_json::json;

use crate::place::{Place, assert_sound_journal};

/// Every wall that stands here, by its name; says which does not.
async fn walls() -> Vec<&'static str> {
    let mut walls = Vec::new();
    for choice in [SandboxChoice::Bubblewrap, SandboxChoice::Landlock] {
        match Wall::find(choice, &cogwork_process::base_env()).await {
            Ok(_) => walls.push(choice.word()),
            Err(error) => println!("skipped: {error}"),
        }
    }
    walls
}

#[tokio::test]
async fn features_land_from_behind_it() {
    for wall in walls().await {
        let place = Place::with_features(&json!({"features": [
            {"key": "a", "name": "a", "checks": ["test -e a.txt", "touch \"$TMPDIR/x\""]},
            {"key": "b", "name": "b", "checks": ["test -e b.txt"], "dependencies": ["a"]},
        ]}));
        let script = r#"
            a = [{ move = "run", command = "echo x > $COGWORK_PROJECT/README || true" },
                 { move = "write", path = "a.txt", content = "a" }, { move = "mark_passing" }]
            b = [{ move = "write", path = "b.txt", content = "b" }, { move = "mark_passing" }]
        "#;
        let file = place.dir.with_file_name("script.toml");
        std::fs::write(&file, script).unwrap();
        // From the settings file, as a project has it.
        std::fs::write(place.dir.join(".cogwork/config.toml"), format!("sandbox = \"{wall}\"\n")).unwrap();
        let script = file.to_str().unwrap();
        let args = ["run", "--agent", "scripted", "--script", script, "--batch-size", "2", "-c", "1"];
        let output = place.cogwork(&args);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{wall}: {said}{}", String::from_utf8_lossy(&output.stderr));
        for feature in place.store().features().unwrap() {
            assert_eq!((feature.status, feature.proof), (Status::Passing, Some(Proof::RedGreen)), "{wall}");
        }
        assert_eq!(
            place.store().attempts_of_session(cogwork_schemas::SessionId(1)).unwrap().len(),
            2,
            "{wall}"
        );
        assert_eq!(place.git(&["show", "HEAD:README"]), "a project", "{wall}");
        assert_eq!(std::fs::read_to_string(place.dir.join("README")).unwrap(), "a project\n", "{wall}");
        assert_sound_journal(&place.journal());
    }
}
