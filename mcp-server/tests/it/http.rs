//! The same server over HTTP: who gets in, what it bears, and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;

use cogwork_schemas::{FeatureId, Status};
use serde_json::json;

use crate::client::{ERAS, Era, failed};
use crate::http_client::{HttpServer, Response};
use crate::project::{NO_CHECK, ONE_CHECK, Project, SLOW, TWO_CHECKS, wait_for};

#[test]
fn both_eras_say_over_http_what_they_say_over_pipes() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&["--role", "coding"]));
    for era in ERAS {
        let over_http = server.open(era).ask("tools/list", json!({}));
        let over_pipes = project.open(era, &["--role", "coding"]).ask("tools/list", json!({}));
        assert_eq!(over_http["result"], over_pipes["result"]);
        let mut client = server.open(era);
        assert_eq!(client.get("feature_get_stats", json!({}))["total"], 6);
        let wrong =
            client.ask("tools/call", json!({"name": "feature_get_by_id", "arguments": {"feature_id": 99}}));
        assert!(failed(&wrong).starts_with("Error (not_found)"), "{wrong}");
        assert_eq!(client.ask("tools/call", json!({"name": "feature_eat"}))["error"]["code"], -32602);
    }
}

#[test]
fn nobody_gets_in_without_the_token() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let half = format!("Bearer {}", &server.token[..server.token.len() - 1]);
    let basic = format!("Basic {}", server.token);
    for method in ["POST", "GET", "DELETE", "OPTIONS"] {
        for shown in ["", "Bearer", "Bearer x", &half, &basic, &server.token] {
            let refused = server.request(method, &[("Authorization", shown)], &ping);
            assert_eq!(refused.status, 401, "{method} {shown}: {refused:?}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"cogwork\""));
            assert!(refused.body.contains("Authorization: Bearer TOKEN"), "{refused:?}");
        }
    }
    // Refused before the body was read: it never comes.
    let endless = server.text("POST", &[("Authorization", ""), ("Content-Length", "99999999")], "");
    assert_eq!(server.raw(endless.replacen("Content-Length: 0\r\n", "", 1).as_bytes()).status, 401);
    // There is nothing else to find.
    let elsewhere = server.text("GET", &[], "").replace("/mcp", "/.well-known/oauth-protected-resource");
    assert_eq!(server.raw(elsewhere.as_bytes()).status, 404);
}

#[test]
fn a_page_in_a_browser_gets_nothing() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let port = server.address.port();
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let open = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
    let status = |name: &str, value: &str| server.request("POST", &[(name, value)], &open).status;
    for host in
        ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0"]
    {
        assert_eq!(status("Host", host), 403, "{host}");
        assert_eq!(status("Host", &format!("{host}:{port}")) / 100, 4, "{host}");
    }
    assert_eq!(server.request("POST", &[("Host", "")], &open).status, 400);
    for origin in
        ["http://evil.example", "null", "https://localhost.evil.example", "file://", "http://0.0.0.0:80"]
    {
        assert_eq!(status("Origin", origin), 403, "{origin}");
    }
    for (name, value) in [
        ("Host", "localhost"),
        ("Host", &format!("localhost:{port}")),
        ("Host", "[::1]:80"),
        ("Origin", "http://localhost:5173"),
        ("Origin", "http://127.0.0.1"),
        ("Origin", "http://[::1]:1"),
    ] {
        assert_eq!(status(name, value), 200, "{name}: {value}");
    }
}

#[test]
fn a_message_has_a_largest_size() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let announced = server.text("POST", &[], "").replacen("Content-Length: 0", "Content-Length: 16777217", 1);
    let refused = server.raw(announced.as_bytes());
    assert_eq!((refused.status, refused.body.as_str()), (413, "a message may have at most 16 MiB\n"));
    // One that does not say how long it is.
    let head = server.text("POST", &[], "").replacen("Content-Length: 0", "Transfer-Encoding: chunked", 1);
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    assert_eq!(server.raw(format!("{head}{}", chunk.repeat(17)).as_bytes()).status, 413);
    // The largest one is read, and found to be no message.
    let largest = server.request("POST", &[], &"x".repeat(16 * 1024 * 1024));
    assert_eq!(largest.status, 415, "{largest:?}");
    let mut client = server.open(Era::Stateless);
    let long = "x".repeat(8 * 1024 * 1024);
    assert_eq!(client.get("feature_search", json!({"query": long}))["total"], 0);
    let headers = server.request("POST", &[("X-Long", &"x".repeat(100_000))], "");
    assert_eq!(headers.status, 431, "{headers:?}");
}

#[test]
fn several_clients_are_one_worker() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let (mut old, mut new) = (server.open(Era::Initialize), server.open(Era::Stateless));
    let mine = old.get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}));
    assert_eq!(mine["already_claimed"], false);
    assert_eq!(new.get("feature_claim_and_get", json!({"feature_id": ONE_CHECK}))["already_claimed"], true);
    project.write("a.txt");
    assert_eq!(new.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}))["state"], "passing");
    assert_eq!(old.get("feature_mark_passing", json!({"feature_id": ONE_CHECK}))["changed"], false);
    // Claims outlive the client, and end with the server.
    new.get("feature_claim_and_get", json!({"feature_id": NO_CHECK}));
    let status = || project.store.feature(FeatureId(NO_CHECK)).unwrap().status;
    assert_eq!(status(), Status::Claimed);
    server.signal("TERM");
    let (ended, stderr) = server.ended();
    assert!(ended.success() && stderr.is_empty(), "{stderr:?}");
    assert_eq!(status(), Status::Pending);
}

#[test]
fn sessions_have_a_limit_and_can_be_closed() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let open = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
    let opened: Vec<Response> = (0..256).map(|_| server.request("POST", &[], &open)).collect();
    assert!(opened.iter().all(|response| response.status == 200));
    let refused = server.request("POST", &[], &open);
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("256 sessions are open"), "{refused:?}");
    // The newer protocol has none.
    assert_eq!(server.open(Era::Stateless).get("feature_get_stats", json!({}))["total"], 6);
    let session = opened[7].header("mcp-session-id").unwrap();
    assert_eq!(server.request("DELETE", &[("Mcp-Session-Id", session)], "").status / 100, 2);
    wait_for(|| (server.request("POST", &[], &open).status == 200).then_some(()));
}

#[test]
fn many_at_once_are_all_answered() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    std::thread::scope(|scope| {
        for n in 0..24 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.open(ERAS[n % 2]);
                for _ in 0..4 {
                    assert_eq!(client.get("feature_get_ready", json!({}))["total_ready"], 5);
                }
            });
        }
    });
}

#[test]
fn signals_end_it_with_success_whatever_is_open() {
    for signal in ["INT", "TERM", "HUP"] {
        let project = Project::new();
        let mut server = HttpServer::start(&mut project.server(&[]));
        let mut client = server.open(Era::Initialize);
        client.get("feature_get_stats", json!({}));
        let (mut listening, silent) = (client.listen(), server.connect());
        let mut half = server.connect();
        half.write_all(b"POST /mcp HTTP/1.1\r\nHost: lo").unwrap();
        // Its input was at its end from the start, which is no reason to end.
        assert!(server.is_running());
        server.signal(signal);
        let (ended, stderr) = server.ended();
        assert!(ended.success() && stderr.is_empty(), "{signal}: {stderr:?}");
        let mut rest = Vec::new();
        listening.read_to_end(&mut rest).unwrap();
        assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "the stream is ended, not cut");
        drop(silent);
    }
}

#[test]
fn a_signal_during_a_check_run_over_http_clears_it_away() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(SLOW);
        let server = HttpServer::start(&mut project.session_command(&[(SLOW, &claim.token)]));
        let mut client = server.open(era);
        let call = json!({"name": "feature_mark_passing", "arguments": {"feature_id": SLOW}});
        let (_id, stream) = client.send("tools/call", call);
        let (shell, child) = (project.process("pid"), project.process("child"));
        server.signal("TERM");
        let (ended, _) = server.ended();
        assert!(ended.success());
        assert!(!shell.exists() && !child.exists(), "{era:?}");
        drop(stream);
    }
}

#[test]
fn a_call_over_http_ends_when_its_client_does_not_want_it_any_more() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(SLOW);
        let server = HttpServer::start(&mut project.session_command(&[(SLOW, &claim.token)]));
        let mut client = server.open(era);
        let call = json!({"name": "feature_mark_passing", "arguments": {"feature_id": SLOW}});
        let (id, stream) = client.send("tools/call", call);
        let (shell, child) = (project.process("pid"), project.process("child"));
        // Other calls go on meanwhile.
        assert_eq!(client.get("feature_get_stats", json!({}))["in_progress"], 1);
        match era {
            // A lost connection means nothing here: the client may come back for its answer.
            Era::Initialize => client.notify("notifications/cancelled", json!({"requestId": id})),
            Era::Stateless => drop(stream),
        }
        wait_for(|| (!shell.exists() && !child.exists()).then_some(()));
        assert!(project.store.attempt(&claim.token).unwrap().submitted.is_none());
    }
}

#[test]
fn a_client_over_http_that_asks_is_told_how_far_it_is() {
    for era in ERAS {
        let project = Project::new();
        let claim = project.claim(TWO_CHECKS);
        let server = HttpServer::start(&mut project.session_command(&[(TWO_CHECKS, &claim.token)]));
        let params = json!({"name": "feature_mark_passing", "arguments": {"feature_id": TWO_CHECKS},
                            "_meta": {"progressToken": "p1"}});
        let mut client = server.open(era);
        let (id, stream) = client.send("tools/call", params);
        let response = Response::read(stream, &server.token);
        assert!(failed(&response.answer(id)).starts_with("Error (checks_failed)"));
        let progress: Vec<f64> = response
            .messages()
            .iter()
            .filter(|message| message["method"] == "notifications/progress")
            .map(|message| message["params"]["progress"].as_f64().unwrap())
            .collect();
        assert_eq!(progress, [0.0, 1.0], "{response:?}");
        assert!(!response.body.contains(claim.token.reveal()));
    }
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    // As many as the server takes, and some that wait behind them; one in two has begun a request.
    let hanging: Vec<TcpStream> = (0..140)
        .map(|n| {
            let mut stream = server.connect();
            if n % 2 == 0 {
                stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n").unwrap();
            }
            stream
        })
        .collect();
    // Comes to its turn when the first of them have had their time.
    assert_eq!(server.open(Era::Stateless).get("feature_get_stats", json!({}))["total"], 6);
    let mut first = &hanging[1];
    assert_eq!(first.read(&mut [0; 100]).unwrap(), 0, "the server has closed it");
}

#[test]
fn the_token_of_the_project_is_made_once_and_never_said() {
    let project = Project::new();
    let path = project.path().join(".cogwork/mcp-http.token");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let server = HttpServer::start_with_file(project.server(&[]).env("COGWORK_LOG", "trace"));
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim_end(), server.token);
        for era in ERAS {
            server.open(era).get("feature_get_stats", json!({}));
        }
        tokens.push(server.token.clone());
        server.signal("TERM");
        let (ended, stderr) = server.ended();
        assert!(ended.success());
        assert!(
            stderr.iter().any(|line| line.contains("feature_get_stats")),
            "everything is logged: {stderr:?}"
        );
        assert!(!stderr.iter().any(|line| line.contains(&tokens[0])), "the token is in the log");
    }
    assert_eq!(tokens[0], tokens[1]);
}

#[test]
fn checks_over_http_see_no_token() {
    let project = Project::with(json!([{"name": "Env", "checks": ["env > seen"]}]));
    let claim = project.claim(1);
    let mut command = project.session_command(&[(1, &claim.token)]);
    let server = HttpServer::start(
        command.args(["--pass-env", "COGWORK_HTTP_TOKEN,COGWORK_TOKEN,KEY"]).env("KEY", "k"),
    );
    server.open(Era::Stateless).get("feature_mark_passing", json!({"feature_id": 1}));
    let seen = std::fs::read_to_string(project.path().join("seen")).unwrap();
    assert!(seen.contains("KEY=k"), "{seen}");
    assert!(!seen.contains(&server.token) && !seen.contains(claim.token.reveal()), "{seen}");
}

#[test]
fn a_server_that_others_could_reach_does_not_start() {
    let project = Project::new();
    let busy = HttpServer::start(&mut project.server(&[]));
    let taken = busy.address.to_string();
    let nowhere = tempfile::tempdir().unwrap();
    let elsewhere = nowhere.path().to_str().unwrap();
    for (args, token, code, said) in [
        (&["--http", "0.0.0.0:0"][..], None, 2, "only loopback addresses are served"),
        (&["--http", "[::]:0"], None, 2, "only loopback addresses are served"),
        (&["--http", "4711"], None, 2, "such as 127.0.0.1:4711"),
        (&["--http", "127.0.0.1:0"], Some("short"), 2, "COGWORK_HTTP_TOKEN cannot be used"),
        (&["--http", &taken], None, 1, "cannot listen on 127.0.0.1"),
        (&["--http", "127.0.0.1:0", "--project-dir", elsewhere], None, 1, "no Cogwork project in"),
    ] {
        let mut command = crate::client::server();
        command.args(["--project-dir", project.path().to_str().unwrap()].iter().take(if args.len() > 2 {
            0
        } else {
            2
        }));
        command.args(args).envs(token.map(|token| ("COGWORK_HTTP_TOKEN", token)));
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(said) && !stderr.contains("short"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
}
