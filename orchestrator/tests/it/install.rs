//! `cogwork mcp install` and what takes it back, on real files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::place::{CLIENTS, Place, command_line, entry, tools};

#[test]
fn every_client_gets_an_entry_that_starts_this_server() {
    for (client, in_project, in_home) in CLIENTS {
        for scope in ["project", "user"] {
            let place = Place::new();
            let file = match scope {
                "project" => place.project.join(in_project),
                _ => place.home.join(in_home),
            };
            let before = place.everything();
            let args = ["install", "--client", client, "--scope", scope, "--yes"];
            let said = place.mcp(&args);
            assert!(said.contains("--- /dev/null") && said.contains("  next: "), "{said}");
            let line = command_line(&entry(client, &file, "cogwork"));
            assert_eq!(line.iter().any(|word| word == "--project-dir"), scope == "project", "{line:?}");
            assert!(tools(&line, &place.project).contains(&"feature_mark_passing".to_owned()));

            let after = place.everything();
            assert!(place.mcp(&args).contains("nothing to change"));
            assert_eq!(place.everything(), after, "the second time changes nothing");

            let said = place.mcp(&["uninstall", "--client", client, "--scope", scope, "--yes"]);
            assert!(said.contains("there was none before"), "{said}");
            assert_eq!(place.everything(), before, "{client}, {scope}");
        }
    }
}

#[test]
fn a_call_may_take_as_long_as_checks_do() {
    let place = Place::new();
    place.mcp(&["install", "--client", "claude,codex,gemini,opencode", "--yes", "--tool-timeout", "90"]);
    let value =
        |client, file: &str, key: &str| entry(client, &place.project.join(file), "cogwork")[key].clone();
    assert_eq!(value("claude", ".mcp.json", "timeout"), 90_000);
    assert_eq!(value("claude", ".mcp.json", "alwaysLoad"), true);
    assert_eq!(value("codex", ".codex/config.toml", "tool_timeout_sec"), 90);
    assert_eq!(value("gemini", ".gemini/settings.json", "timeout"), 90_000);
    assert_eq!(value("opencode", "opencode.json", "timeout"), 90_000);
}

#[test]
fn a_role_is_part_of_the_entry_and_can_be_changed() {
    let place = Place::new();
    let file = place.project.join(".codex/config.toml");
    place.mcp(&["install", "--client", "codex", "--yes"]);
    fs::write(&file, fs::read_to_string(&file).unwrap() + "enabled = true # mine\n").unwrap();
    let said = place.mcp(&["install", "--client", "codex", "--role", "testing", "--yes"]);
    assert!(said.contains("updated"), "{said}");
    let line = command_line(&entry("codex", &file, "cogwork"));
    assert_eq!(line[line.len() - 2..], ["--role", "testing"]);
    assert!(!tools(&line, &place.project).contains(&"feature_claim_and_get".to_owned()));
    assert!(fs::read_to_string(&file).unwrap().ends_with("\nenabled = true # mine\n"));
}

#[test]
fn a_file_nobody_changed_since_is_put_back_byte_for_byte() {
    let text = "{\n   \"mcpServers\" : {\n      \"z\":{\"command\":\"q\"}\n   },\"hooks\":[]\n}";
    for (client, file, _) in
        CLIENTS.into_iter().filter(|(client, ..)| !["codex", "opencode"].contains(client))
    {
        let place = Place::new();
        let path = place.write(file, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let before = place.everything();
        place.mcp(&["install", "--client", client, "--yes"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        place.mcp(&["install", "--client", client, "--role", "coding", "--yes"]);
        place.mcp(&["install", "--client", client, "--undo", "--yes"]);
        assert_eq!(place.everything(), before, "{client}");
    }
}

#[test]
fn from_a_file_that_was_changed_since_only_our_entry_is_taken() {
    let place = Place::new();
    let path = place.write("opencode.jsonc", "{\n  // mine\n  \"theme\": \"x\",\n}\n");
    place.mcp(&["install", "--client", "opencode", "--yes"]);
    let text = fs::read_to_string(&path).unwrap().replace("\"x\"", "\"y\"");
    fs::write(&path, text).unwrap();
    let said = place.mcp(&["uninstall", "--client", "opencode", "--yes"]);
    assert!(said.contains("all else stays as it is"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\n  // mine\n  \"theme\": \"y\",\n  \"mcp\": {},\n}\n");
    assert!(
        place.mcp(&["uninstall", "--client", "opencode", "--yes"]).contains("there is no server `cogwork`")
    );
    assert!(!place.project.join(".cogwork").exists());
}

#[test]
fn two_servers_in_one_file_go_in_any_order() {
    let text = "model = \"x\" # why\n";
    for order in [["a", "b"], ["b", "a"]] {
        let place = Place::new();
        let path = place.write(".codex/config.toml", text);
        for name in ["a", "b"] {
            place.mcp(&["install", "--client", "codex", "--name", name, "--yes"]);
        }
        for name in order {
            place.mcp(&["uninstall", "--client", "codex", "--name", name, "--yes"]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), text.trim_end());
    }
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let place = Place::new();
    place.write(".mcp.json", "{\n  \"mcpServers\": {}\n}\n");
    let before = place.everything();
    let said = place.mcp(&["install", "--client", "claude", "--dry-run"]);
    assert!(said.contains("-  \"mcpServers\": {}\n+  \"mcpServers\": {\n+    \"cogwork\": {\n"), "{said}");
    assert!(said.contains("would be added"), "{said}");
    assert_eq!(place.everything(), before);
}

#[test]
fn scripts_get_json_and_have_to_say_what_they_want() {
    let place = Place::new();
    let said = place.refused(&["install", "--client", "claude", "--json"]);
    assert!(said.contains("--yes") && said.contains("--dry-run"), "{said}");
    let said: Value =
        serde_json::from_str(&place.mcp(&["install", "--client", "claude", "--json", "--dry-run"])).unwrap();
    assert_eq!((&said[0]["deed"], &said[0]["written"]), (&"create".into(), &false.into()));
    let said: Value =
        serde_json::from_str(&place.mcp(&["install", "--client", "claude", "--json", "-y"])).unwrap();
    assert_eq!((&said[0]["client"], &said[0]["written"]), (&"claude".into(), &true.into()));
    assert_eq!(said[0]["file"], place.project.join(".mcp.json").to_str().unwrap());
    assert!(said[0]["diff"].as_str().unwrap().starts_with("--- /dev/null\n+++ "));
}

#[test]
fn a_file_that_cannot_be_read_stops_everything() {
    let place = Place::new();
    place.write(".gemini/settings.json", "{\n  // fine\n  \"a\": 1,\n}\n");
    let said = place.refused(&["install", "--client", "claude,gemini", "--yes"]);
    assert!(said.contains("settings.json: line 3, column 9: "), "{said}");
    assert!(said.contains("nothing was changed") && said.contains("Gemini CLI"), "{said}");

    place.write(".mcp.json", "\u{feff}// no\n{}");
    assert!(place.refused(&["install", "--client", "claude", "--yes"]).contains("line 1, column "));
    fs::write(place.project.join(".mcp.json"), [0xff, 0xfe]).unwrap();
    assert!(place.refused(&["install", "--client", "claude", "--yes"]).contains("not text in UTF-8"));
    fs::remove_file(place.project.join(".mcp.json")).unwrap();
    fs::create_dir(place.project.join(".mcp.json")).unwrap();
    assert!(place.refused(&["install", "--client", "claude", "--yes"]).contains("cannot read"));
}

#[test]
fn a_mark_before_the_text_stays() {
    let place = Place::new();
    let path = place.write(".cursor/mcp.json", "\u{feff}{\"mcpServers\":{}}");
    place.mcp(&["install", "--client", "cursor", "--yes"]);
    assert!(fs::read_to_string(&path).unwrap().starts_with("\u{feff}{\"mcpServers\":{"));
    place.mcp(&["uninstall", "--client", "cursor", "--yes"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "\u{feff}{\"mcpServers\":{}}");
}

#[test]
fn another_server_of_that_name_is_not_touched_unasked() {
    let place = Place::new();
    let text = "{\"mcpServers\":{\"cogwork\":{\"command\":\"npx\",\"args\":[\"-y\",\"cogs\"],\"env\":{\"K\":\"v\"}}}}";
    let path = place.write(".mcp.json", text);
    for word in ["install", "uninstall"] {
        let said = place.refused(&[word, "--client", "claude", "--yes"]);
        assert!(said.contains("another server called `cogwork`") && said.contains("--force"), "{said}");
    }
    place.mcp(&["install", "--client", "claude", "--yes", "--force"]);
    assert_eq!(entry("claude", &path, "cogwork")["env"], Value::Null);
    place.mcp(&["uninstall", "--client", "claude", "--yes"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn an_entry_made_by_hand_is_ours_when_it_starts_this_server() {
    for command in ["\"command\":\"/old/bin/cogwork\",\"args\":[\"mcp\"]", "\"command\":\"cogwork-mcp\""] {
        let place = Place::new();
        let path = place.write(".mcp.json", &format!("{{\"mcpServers\":{{\"cogwork\":{{{command}}}}}}}"));
        place.mcp(&["install", "--client", "claude", "--yes"]);
        place.mcp(&["uninstall", "--client", "claude", "--yes"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"mcpServers\":{}}");
    }
}

#[test]
fn a_linked_dotfile_stays_a_link() {
    let place = Place::new();
    let real = place.write("dotfiles/codex.toml", "# mine\n");
    fs::create_dir(place.home.join(".codex")).unwrap();
    let link = place.home.join(".codex/config.toml");
    symlink("../../project/dotfiles/codex.toml", &link).unwrap();
    place.mcp(&["install", "--client", "codex", "--scope", "user", "--yes"]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with("# mine\n\n[mcp_servers.cogwork]\n"));
    place.mcp(&["uninstall", "--client", "codex", "--scope", "user", "--yes"]);
    assert_eq!(fs::read_to_string(&real).unwrap(), "# mine\n");

    fs::remove_file(&real).unwrap();
    let said = place.refused(&["install", "--client", "codex", "--scope", "user", "--yes"]);
    assert!(said.contains("is a link to nothing"), "{said}");
}

#[test]
fn settings_are_where_their_variables_say() {
    let place = Place::new();
    for (client, variable, file) in [
        ("codex", "CODEX_HOME", "x/config.toml"),
        ("claude", "CLAUDE_CONFIG_DIR", "x/.claude.json"),
        ("gemini", "GEMINI_CLI_HOME", "x/.gemini/settings.json"),
        ("opencode", "XDG_CONFIG_HOME", "x/opencode/opencode.json"),
    ] {
        let mut command = place.command(&["mcp", "install", "--client", client, "--scope", "user", "--yes"]);
        let output = command.env(variable, place.project.join("x")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(place.project.join(file).is_file(), "{client}");
    }
}

#[test]
fn all_are_those_that_leave_a_trace() {
    let place = Place::new();
    let install = |path: &std::path::Path| {
        let mut command = place.command(&["mcp", "install", "--client", "all", "--dry-run", "--json"]);
        command.env("PATH", path).output().unwrap()
    };
    let bin = place.home.join("bin");
    fs::create_dir(&bin).unwrap();
    assert!(String::from_utf8_lossy(&install(&bin).stderr).contains("none of claude, codex"));
    fs::write(bin.join("claude"), "").unwrap();
    fs::create_dir(place.home.join(".gemini")).unwrap();
    let found: Value = serde_json::from_slice(&install(&bin).stdout).unwrap();
    let found: Vec<_> = found.as_array().unwrap().iter().map(|answer| &answer["client"]).collect();
    assert_eq!(found, ["claude", "gemini"]);
}

#[test]
fn a_link_on_the_path_is_what_is_registered() {
    let place = Place::new();
    let bin = place.home.join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_cogwork"), bin.join("cogwork")).unwrap();
    let mut command = place.command(&["mcp", "install", "--client", "claude", "--yes"]);
    assert!(command.env("PATH", &bin).output().unwrap().status.success());
    let line = command_line(&entry("claude", &place.project.join(".mcp.json"), "cogwork"));
    assert_eq!(line[0], bin.join("cogwork").to_str().unwrap());
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let place = Place::new();
    for (args, word) in [
        (vec!["install"], "--client"),
        (vec!["install", "--client", "emacs"], "emacs"),
        (vec!["install", "--client", "claude", "--name", "a b"], "letters, digits"),
        (vec!["install", "--client", "claude", "--name", "workspace"], "keeps this name"),
        (vec!["install", "--client", "claude", "--role", "boss"], "initializer"),
        (vec!["install", "--client", "claude", "--tool-timeout", "0"], "--tool-timeout"),
        (vec!["install", "--client", "claude", "--project-dir", "nowhere"], "no directory nowhere"),
    ] {
        let said = place.refused(&args);
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

#[test]
fn without_these_words_it_is_still_the_server() {
    let place = Place::new();
    let dir = place.project.to_str().unwrap();
    let line =
        [env!("CARGO_BIN_EXE_cogwork"), "mcp", "--project-dir", dir, "--read-only"].map(ToOwned::to_owned);
    assert!(!tools(&line, &place.home).contains(&"feature_mark_passing".to_owned()));
    let help = place.mcp(&["--help"]);
    assert!(help.contains("--read-only") && help.contains("cogwork mcp install --client"), "{help}");
}
