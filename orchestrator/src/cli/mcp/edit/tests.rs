use serde_json::json;

use super::*;

const SERVERS: Spot<'_> = Spot { section: "mcpServers", name: "cogwork" };
const CODEX: Spot<'_> = Spot { section: "mcp_servers", name: "cogwork" };

fn entry() -> Map<String, Value> {
    let entry = json!({"command": "/bin/cogwork", "args": ["mcp", "--role", "coding"], "timeout": 5});
    serde_json::from_value(entry).unwrap()
}

fn put(syntax: Syntax, spot: Spot<'_>, text: &str) -> String {
    syntax.put(text, spot, &entry(), Others::Keep).unwrap()
}

/// Asserts that an entry comes in and goes out again and leaves every byte that was there before: between the two
/// halves of the old text, something was put in, and nothing else happened.
fn comes_and_goes(syntax: Syntax, spot: Spot<'_>, text: &str) -> String {
    let new = put(syntax, spot, text);
    assert_eq!(syntax.entry(&new, spot), Ok(Some(Value::Object(entry()))), "{new}");
    let head = text.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let tail = text.bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
    // A comma behind what was the last property is the one byte that has to come in elsewhere.
    let rest = text.get(head..text.len() - tail.min(text.len() - head)).unwrap();
    assert!(rest.lines().all(|line| new.contains(line)), "{rest:?} is not in {new}");
    assert_eq!(syntax.put(&new, spot, &entry(), Others::Keep).as_ref(), Ok(&new), "twice is once");
    assert_eq!(text.contains("\r\n"), new.contains("\r\n"));
    if new.contains("\r\n") {
        assert_eq!(new.matches('\n').count(), new.matches("\r\n").count(), "{new:?}");
    }
    let gone = syntax.remove(&new, spot).unwrap();
    assert_eq!(syntax.entry(&gone, spot), Ok(None));
    gone
}

/// As [`comes_and_goes`], for a file that has servers already: what goes out leaves the file as it was.
fn leaves_no_trace(syntax: Syntax, spot: Spot<'_>, text: &str) {
    assert_eq!(comes_and_goes(syntax, spot, text), text);
}

#[test]
fn plain_json_keeps_its_style() {
    for text in [
        "{\n  \"mcpServers\": {\n    \"z\": { \"command\":   \"q\" },\n    \"a\": {}\n  },\n  \"b\": [1,\n2]\n}",
        "{\n\t\"a\": 1,\n\t\"mcpServers\": {\n\t\t\"z\": {}\n\t}\n}\n\n\n",
        "{\r\n  \"mcpServers\": {\r\n    \"z\": {}\r\n  }\r\n}\r\n",
        "{\"mcpServers\":{\"z\":{\"command\":\"q\"}},\"n\":1e400000000000000000000}",
        "{ \"mcpServers\": { \"z\": {} } }\n",
        "{\"mcpServers\": {}, \"n\": 1.50}\n",
    ] {
        let before = text.replace("1e400000000000000000000", "10000000000000000000000000000000");
        leaves_no_trace(Syntax::Json, SERVERS, &before);
        leaves_no_trace(Syntax::Relaxed, SERVERS, &before);
    }
}

#[test]
fn a_line_stays_a_line() {
    let new = put(Syntax::Json, SERVERS, "{\"a\":1,\"b\":{\"c\":2}}");
    let added = r#","mcpServers":{"cogwork":{"command":"/bin/cogwork","args":["mcp","--role","coding"],"timeout":5}}"#;
    assert_eq!(new, format!("{{\"a\":1,\"b\":{{\"c\":2}}{added}}}"));
    let new = put(Syntax::Relaxed, SERVERS, "{ \"mcpServers\": { \"z\": {}, } }");
    assert!(new.starts_with("{ \"mcpServers\": { \"z\": {}, \"cogwork\": {"), "{new}");
    assert!(new.ends_with("}, } }"), "{new}");
}

#[test]
fn a_section_that_was_not_there_stays_behind_empty() {
    for text in ["{}\n", "", "{\n    \"a\": 1\n}\n", "{\"a\":1}"] {
        let gone = comes_and_goes(Syntax::Json, SERVERS, text);
        assert!(gone.contains("\"mcpServers\""), "{gone}");
    }
}

#[test]
fn comments_stay_where_they_are() {
    for text in [
        "{\n  // about z\n  \"mcpServers\": {\n    \"z\": {}, // why\n    // last\n  },\n}\n",
        "// first\n{\n  \"mcpServers\": {\n    /* none */\n  }, /* after */\n  // end\n}\n// behind\n",
        "{\n  \"mcpServers\": {\n    \"z\": {\n      \"args\": [\n        \"a\", // A\n      ],\n    },\n  },\n}\n",
        "{ /* one line */ \"mcpServers\": { \"z\": {} /* z, z */ } }\n",
    ] {
        leaves_no_trace(Syntax::Relaxed, SERVERS, text);
    }
    let new = put(Syntax::Commented, SERVERS, "{\n    \"a\": 1 // note\n}\n");
    assert!(
        new.starts_with("{\n    \"a\": 1, // note\n    \"mcpServers\": {\n        \"cogwork\": {"),
        "{new}"
    );
}

#[test]
fn what_somebody_added_to_our_entry_stays() {
    let text = "{\n  \"mcpServers\": {\n    \"cogwork\": {\n      \"env\": {\"A\": \"b\"}, // mine\n      \"command\": \"/old/cogwork\"\n    }\n  }\n}\n";
    let new = put(Syntax::Relaxed, SERVERS, text);
    assert!(new.contains("\"env\": {\"A\": \"b\"}, // mine\n"), "{new}");
    assert!(new.contains("\"command\": \"/bin/cogwork\""), "{new}");
    let new = Syntax::Relaxed.put(text, SERVERS, &entry(), Others::Drop).unwrap();
    assert!(!new.contains("env"), "{new}");

    let text = "[mcp_servers.cogwork]\n# mine\nenabled_tools = [ \"a\" ]\ncommand = \"/old\" # old\n\n[mcp_servers.cogwork.env]\nA = \"b\"\n";
    let new = put(Syntax::Toml, CODEX, text);
    assert!(
        new.starts_with(
            "[mcp_servers.cogwork]\n# mine\nenabled_tools = [ \"a\" ]\ncommand = \"/bin/cogwork\" # old\n"
        ),
        "{new}"
    );
    assert!(new.ends_with("\n[mcp_servers.cogwork.env]\nA = \"b\"\n"), "{new}");
    let new = Syntax::Toml.put(text, CODEX, &entry(), Others::Drop).unwrap();
    assert!(!new.contains("enabled_tools") && !new.contains("env"), "{new}");
}

#[test]
fn toml_keeps_its_style() {
    for text in [
        "",
        "model = \"x\"\n",
        "model = \"x\"   # why\n\n\n# the end\n",
        "[ mcp_servers . z ]\ncommand='q'\n[tui]\na = { b = 1,c=2 }\n",
        "[tui]\r\na = 1\r\n\r\n[mcp_servers.z]\r\ncommand = \"q\"\r\n",
        "mcp_servers.z.command = \"q\"\n\n[tui]\na = 1\n",
        "mcp_servers = { z = { command = \"q\" } } # inline\n[tui]\na = 1\n",
        "[mcp_servers]\nz = { command = \"q\" }\n\n# about the tui\n[tui]\na = 1\n",
        "mcp_servers = {}\n",
    ] {
        let gone = comes_and_goes(Syntax::Toml, CODEX, text);
        assert_eq!(gone.trim_end(), text.trim_end());
    }
}

#[test]
fn lines_end_as_they_did() {
    let text = "[mcp_servers.cogwork]\r\ncommand = \"q\"\r\n\r\n[tui]\r\na = 1\r\n";
    let new = put(Syntax::Toml, CODEX, text);
    let args = "args = [\"mcp\", \"--role\", \"coding\"]\r\ntimeout = 5\r\n";
    assert_eq!(
        new,
        format!("[mcp_servers.cogwork]\r\ncommand = \"/bin/cogwork\"\r\n{args}\r\n[tui]\r\na = 1\r\n")
    );
}

#[test]
fn a_comment_above_goes_with_nobody() {
    let text =
        "a = 1\n# the end\n\n[mcp_servers.cogwork]\n# inside\ncommand = \"q\"\n\n# about b\n[b]\nc = 1\n";
    let gone = Syntax::Toml.remove(text, CODEX).unwrap();
    assert_eq!(gone, "a = 1\n# the end\n\n# about b\n[b]\nc = 1\n");
    let text = "{\n  \"mcpServers\": {\n    // about it\n    \"cogwork\": {},\n    // about z\n    \"z\": {}\n  }\n}\n";
    let gone = Syntax::Relaxed.remove(text, SERVERS).unwrap();
    assert_eq!(gone, "{\n  \"mcpServers\": {\n    // about it\n    // about z\n    \"z\": {}\n  }\n}\n");
}

#[test]
fn toml_is_appended_as_it_is_written_by_hand() {
    let new = put(Syntax::Toml, CODEX, "model = \"x\"");
    assert_eq!(
        new,
        "model = \"x\"\n\n[mcp_servers.cogwork]\ncommand = \"/bin/cogwork\"\nargs = [\"mcp\", \"--role\", \"coding\"]\n\
         timeout = 5\n"
    );
}

#[test]
fn what_the_client_cannot_read_is_refused_where_it_is_wrong() {
    let refused = |syntax: Syntax, text: &str| match syntax.put(text, SERVERS, &entry(), Others::Drop) {
        Err(EditError::Syntax { line, column, .. }) => (line, column),
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(refused(Syntax::Json, "{\n  \"a\": 1,\n}\n"), (2, 9));
    assert_eq!(refused(Syntax::Json, "// no\n{}\n"), (1, 1));
    assert_eq!(refused(Syntax::Commented, "{\n  // yes\n  \"ä\": 1, }\n"), (3, 9));
    assert_eq!(refused(Syntax::Relaxed, "{\n  a: 1\n}\n"), (2, 3));
    assert_eq!(refused(Syntax::Relaxed, "{\"a\": 1"), (1, 1));
    assert_eq!(refused(Syntax::Toml, "a = 1\nb = = 2\n"), (2, 5));
    assert_eq!(refused(Syntax::Toml, "a = 1\na = 2\n"), (2, 1));
}

#[test]
fn what_has_no_place_for_the_entry_is_refused() {
    for (syntax, spot, text) in [
        (Syntax::Json, SERVERS, "[]"),
        (Syntax::Json, SERVERS, "3"),
        (Syntax::Json, SERVERS, "null"),
        (Syntax::Json, SERVERS, "{\"mcpServers\": []}"),
        (Syntax::Json, SERVERS, "{\"mcpServers\": null}"),
        (Syntax::Json, SERVERS, "{\"mcpServers\": {}, \"mcpServers\": {}}"),
        (Syntax::Json, SERVERS, "{\"mcpServers\": {\"cogwork\": {}, \"cogwork\": {}}}"),
        (Syntax::Toml, CODEX, "mcp_servers = 3\n"),
        (Syntax::Toml, CODEX, "[[mcp_servers]]\na = 1\n"),
    ] {
        let done = syntax.put(text, spot, &entry(), Others::Drop);
        assert!(matches!(done, Err(EditError::Shape { .. })), "{text}: {done:?}");
    }
}
