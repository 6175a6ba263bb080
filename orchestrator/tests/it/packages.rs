//! What users are given besides the program: the plugin, the bundle, the registry entry and the documentation. They
//! must say what is true of the program beside them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::place::{CLIENTS, Place, entry, tools};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where the documentation pretends to be.
const HOME: &str = "/home/you";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn json(name: &str) -> Value {
    serde_json::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the block of code that follows a line.
fn block_after<'a>(text: &'a str, line: &str) -> &'a str {
    let rest = text.split_once(line).unwrap_or_else(|| panic!("`{line}` is missing")).1;
    let (_, rest) = rest.trim_start().split_once('\n').unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn all_versions_are_one() {
    for name in ["plugin/.claude-plugin/plugin.json", "packaging/mcpb/manifest.json", "packaging/server.json"]
    {
        assert_eq!(json(name)["version"], VERSION, "{name}");
    }
}

#[test]
fn the_documentation_shows_what_is_written() {
    let text = read("docs/clients.md");
    let place = Place::new();
    for (client, file, _) in CLIENTS {
        place.mcp(&["install", "--client", client, "--yes"]);
        let written = fs::read_to_string(place.project.join(file)).unwrap();
        let written = written
            .replace(env!("CARGO_BIN_EXE_cogwork"), &format!("{HOME}/.cargo/bin/cogwork"))
            .replace(place.project.to_str().unwrap(), &format!("{HOME}/project"));
        assert_eq!(block_after(&text, &format!("<!-- install: {client} -->")), written, "{client}");
    }
}

#[test]
fn the_plugin_registers_what_an_installation_does() {
    let place = Place::new();
    place.mcp(&["install", "--client", "claude", "--yes"]);
    let installed = entry("claude", &place.project.join(".mcp.json"), "cogwork");
    let plugin = &json("plugin/.mcp.json")["mcpServers"]["cogwork"];
    for key in ["type", "timeout", "alwaysLoad"] {
        assert_eq!(plugin[key], installed[key], "{key}");
    }
    let command = plugin["command"].as_str().unwrap().strip_prefix("${CLAUDE_PLUGIN_ROOT}/").unwrap();
    assert!(root().join("plugin").join(command).is_file(), "{command}");
    let listed = &json(".claude-plugin/marketplace.json")["plugins"][0];
    assert_eq!(listed["name"], json("plugin/.claude-plugin/plugin.json")["name"]);
    assert!(root().join(listed["source"].as_str().unwrap()).join(".claude-plugin/plugin.json").is_file());
}

#[test]
fn every_tool_that_is_named_is_served() {
    let place = Place::new();
    let line = [env!("CARGO_BIN_EXE_cogwork"), "mcp"].map(ToOwned::to_owned);
    let served: BTreeSet<String> = tools(&line, &place.project).into_iter().collect();
    for file in
        ["plugin/skills/features/SKILL.md", "plugin/commands/plan.md", "plugin/README.md", "docs/clients.md"]
    {
        let text = read(file);
        let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        let names = words.filter_map(|word| word.rsplit("__").next());
        let names: BTreeSet<&str> =
            names.filter_map(|name| name.find("feature_").map(|at| &name[at..])).collect();
        for name in names {
            assert!(served.contains(name), "{file} names {name}, which nobody serves");
        }
    }
}

/// Runs the plugin's launcher with nothing but these directories to look in.
fn launched(place: &Place, path: &Path) -> Output {
    let mut command = Command::new(root().join("plugin/bin/cogwork-serve"));
    command.env_clear().env("HOME", &place.home).env("PATH", path).current_dir(&place.project);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_launcher_of_the_plugin_becomes_the_installed_server() {
    let place = Place::new();
    let bin = place.home.join(".cargo/bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_cogwork"), bin.join("cogwork")).unwrap();
    let output = launched(&place, Path::new("/usr/bin:/bin"));
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");

    // A server by its other name is as good.
    fs::remove_file(bin.join("cogwork")).unwrap();
    fs::write(bin.join("cogwork-mcp"), "#!/bin/sh\necho \"$# serving\"\n").unwrap();
    assert!(Command::new("chmod").arg("+x").arg(bin.join("cogwork-mcp")).status().unwrap().success());
    assert_eq!(launched(&place, Path::new("/usr/bin:/bin")).stdout, b"0 serving\n");
}

#[test]
fn without_a_server_the_launcher_says_how_to_get_one() {
    let place = Place::new();
    let output = launched(&place, Path::new("/usr/bin:/bin"));
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.success() {
        println!("skipped: cogwork is installed on this machine");
        return;
    }
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "stdout belongs to the protocol");
    assert!(said.contains("cargo install") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_release_packs_the_server_and_its_hash() {
    let place = Place::new();
    let pack = |args: &[&str]| {
        let mut command = Command::new("python3");
        command.arg(root().join("packaging/pack.py")).args(args).current_dir(&place.project).output()
    };
    if pack(&["--help"]).is_err() {
        println!("skipped: there is no python3 here");
        return;
    }
    let target = "x86_64-unknown-linux-gnu";
    place.write("cogwork-mcp", "a program");
    let bundle = ["bundle", "--binary", "cogwork-mcp", "--target", target, "--out"];
    for dir in ["one", "two"] {
        let output = pack(&[&bundle[..], &[dir]].concat()).unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let name = format!("cogwork-mcp-{VERSION}-{target}.mcpb");
    let packed = fs::read(place.project.join("one").join(&name)).unwrap();
    assert_eq!(packed, fs::read(place.project.join("two").join(&name)).unwrap(), "the same bytes again");

    let path = format!("one/{name}");
    let output = pack(&["registry", "--out", "server.json", &path]).unwrap();
    assert!(output.status.success(), "{output:?}");
    let listed: Value =
        serde_json::from_slice(&fs::read(place.project.join("server.json")).unwrap()).unwrap();
    let package = &listed["packages"][0];
    assert!(package["identifier"].as_str().unwrap().ends_with(&format!("/v{VERSION}/{name}")));
    let said = String::from_utf8(pack(&[&bundle[..], &["one"]].concat()).unwrap().stdout).unwrap();
    assert_eq!(said.split_whitespace().next(), package["fileSha256"].as_str());

    for args in [
        ["registry", "--out", "s.json", "cogwork-mcp-9.9.9-x.mcpb"].as_slice(),
        &["bundle", "--binary", "missing", "--target", target, "--out", "one"],
        &["bundle", "--binary", "cogwork-mcp", "--target", "mips-plan9", "--out", "one"],
    ] {
        let output = pack(args).unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.iter().filter(|c| **c == b'\n').count()),
            (Some(1), 1)
        );
    }
}
