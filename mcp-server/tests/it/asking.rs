//! `ask_user`, with a client that has a person in front of it and with one that has not, in both eras.

use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, failed, succeeded};
use crate::http_client::{HttpServer, Response};
use crate::project::Project;

fn questions() -> Value {
    let options = json!([{"label": "SQLite", "description": "A file."}, {"label": "Postgres", "description": "A server."}]);
    json!({"questions": [
        {"question": "Where is it kept?", "header": "Database", "options": options},
        {"question": "Which logins?", "header": "Login", "multi_select": true,
         "options": [{"label": "Mail"}, {"label": "Key"}, {"label": "Token"}]},
    ]})
}

/// Opens a connection as a client that can show forms.
fn open(project: &Project, era: Era, role: &str) -> Client {
    open_with(project, era, &["--role", role])
}

/// The same for any flags.
pub(crate) fn open_with(project: &Project, era: Era, args: &[&str]) -> Client {
    let mut client = Client::spawn(&mut project.server(args), era);
    client.capabilities = json!({"elicitation": {}});
    if era == Era::Initialize {
        client.initialize(json!({"elicitation": {}}));
    }
    client
}

/// Calls the tool, lets the person do `result`, and returns the call's answer and the form.
fn asked(client: &mut Client, era: Era, arguments: &Value, result: &Value) -> (Value, Value) {
    asked_by("ask_user", client, era, arguments, result)
}

/// The same for any tool that asks.
pub(crate) fn asked_by(
    tool: &str,
    client: &mut Client,
    era: Era,
    arguments: &Value,
    result: &Value,
) -> (Value, Value) {
    let call = json!({"name": tool, "arguments": arguments});
    match era {
        Era::Initialize => {
            let id = client.send("tools/call", call);
            let question = client.message().unwrap();
            assert_eq!(question["method"], "elicitation/create", "{question}");
            client.reply(&question["id"], result);
            (client.answer(id), question["params"].clone())
        }
        Era::Stateless => {
            let first = client.ask("tools/call", call.clone());
            assert_eq!(first["result"]["resultType"], "input_required", "{first}");
            let question = first["result"]["inputRequests"]["question"].clone();
            assert_eq!(question["method"], "elicitation/create");
            let mut again = call;
            again["requestState"] = first["result"]["requestState"].clone();
            again["inputResponses"] = json!({"question": result});
            (client.ask("tools/call", again), question["params"].clone())
        }
    }
}

#[test]
fn a_person_is_asked_and_answers() {
    let project = Project::new();
    for era in ERAS {
        for role in ["chat", "all"] {
            let mut client = open(&project, era, role);
            let filled = json!({"question_1": "Postgres", "question_2_option_1": true, "question_2_option_2": false,
                                "question_2_option_3": true});
            let accepted = json!({"action": "accept", "content": filled});
            let (answer, form) = asked(&mut client, era, &questions(), &accepted);
            assert_eq!(
                succeeded(&answer),
                json!({"answered": true, "answers": {"Database": "Postgres", "Login": ["Mail", "Token"]}})
            );
            assert_eq!(form["message"], "1. Where is it kept?\n2. Which logins?");
            assert_eq!(form["mode"], "form");
            let schema = &form["requestedSchema"];
            assert_eq!(schema["required"], json!(["question_1"]));
            assert_eq!(
                schema["properties"]["question_1"],
                json!({"type": "string", "title": "Database", "enum": ["SQLite", "Postgres"],
                       "description": "Where is it kept?\nSQLite: A file.\nPostgres: A server."})
            );
            assert_eq!(
                schema["properties"]["question_2_option_2"],
                json!({"type": "boolean", "title": "Login: Key"})
            );
        }
    }
}

#[test]
fn no_answer_is_an_ordinary_answer_that_says_what_to_do() {
    let project = Project::new();
    for era in ERAS {
        let mut client = open(&project, era, "all");
        for (action, why, next) in [
            ("decline", "does not want to answer", "Take the option you recommend"),
            ("cancel", "nobody answered", "Write the questions into your reply"),
        ] {
            let (answer, _) = asked(&mut client, era, &questions(), &json!({"action": action}));
            let answer = succeeded(&answer);
            assert_eq!(answer["answered"], false);
            assert!(answer["why"].as_str().unwrap().contains(why), "{answer}");
            assert!(answer["next"].as_str().unwrap().contains(next), "{answer}");
        }
        let (answer, _) = asked(
            &mut client,
            era,
            &questions(),
            &json!({"action": "accept", "content": {"question_1": "Oracle"}}),
        );
        let text = failed(&answer);
        assert!(text.contains("takes one of SQLite, Postgres, not `Oracle`"), "{text}");
        // A client that did not say that it can ask is not asked.
        let answer = project.open(era, &[]).get("ask_user", questions());
        assert_eq!(answer["answered"], false);
        assert!(answer["why"].as_str().unwrap().contains("through this client"), "{answer}");
        assert!(answer["next"].as_str().unwrap().contains("end your turn"), "{answer}");
    }
    // One that can only open pages cannot show a form either.
    let mut client = Client::spawn(&mut project.server(&[]), Era::Initialize);
    client.initialize(json!({"elicitation": {"url": {}}}));
    assert_eq!(client.get("ask_user", questions())["answered"], false);
}

#[test]
fn a_client_that_promised_forms_and_refuses_one_is_no_error_of_the_model() {
    let project = Project::new();
    let mut client = open(&project, Era::Initialize, "all");
    let id = client.send("tools/call", json!({"name": "ask_user", "arguments": questions()}));
    let question = client.message().unwrap();
    let error = json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32601, "message": "no"}});
    client.send_line(error.to_string().as_bytes());
    assert_eq!(succeeded(&client.answer(id))["answered"], false);
}

#[test]
fn a_question_can_be_taken_back_and_holds_up_nothing() {
    let project = Project::new();
    let mut client = open(&project, Era::Initialize, "all");
    let id = client.send("tools/call", json!({"name": "ask_user", "arguments": questions()}));
    assert_eq!(client.message().unwrap()["method"], "elicitation/create");
    client.get("feature_get_stats", json!({}));
    client.notify("notifications/cancelled", json!({"requestId": id}));
    client.get("feature_get_stats", json!({}));
    // One that is still open when the client goes is no reason to stay.
    client.send("tools/call", json!({"name": "ask_user", "arguments": questions()}));
    assert!(client.close().success());
}

#[test]
fn an_answer_counts_for_its_own_question_only() {
    let project = Project::new();
    let mut client = open(&project, Era::Stateless, "all");
    let mut call = json!({"name": "ask_user", "arguments": questions()});
    let first = client.ask("tools/call", call.clone());
    let state = first["result"]["requestState"].as_str().unwrap().to_owned();
    let accepted = json!({"question": {"action": "accept", "content": {"question_1": "SQLite"}}});
    call["inputResponses"] = accepted.clone();
    // Without the state it is asked again, whatever else the call brings.
    assert_eq!(client.ask("tools/call", call.clone())["result"]["resultType"], "input_required");
    let refused = |client: &mut Client, call: Value| {
        let text = failed(&client.ask("tools/call", call));
        assert!(
            text.starts_with("Error (invalid_argument): the `requestState` of this call is not one"),
            "{text}"
        );
    };
    for forged in ["", "x", "rs1.AAAA.AAAA", &state[..state.len() - 2], &format!("{state}A")] {
        call["requestState"] = forged.into();
        refused(&mut client, call.clone());
    }
    call["requestState"] = state.clone().into();
    let mut other = call.clone();
    other["arguments"]["questions"][0]["options"][0]["label"] = "Oracle".into();
    refused(&mut client, other);
    refused(&mut open(&project, Era::Stateless, "all"), call.clone());
    // With the state and without an answer it is asked again.
    let mut silent = call.clone();
    silent.as_object_mut().unwrap().shift_remove("inputResponses");
    assert_eq!(client.ask("tools/call", silent)["result"]["resultType"], "input_required");
    assert_eq!(succeeded(&client.ask("tools/call", call.clone()))["answers"]["Database"], "SQLite");
    // A client that sends the arguments as a text is understood in the second round too.
    call["arguments"] = call["arguments"].to_string().into();
    assert_eq!(succeeded(&client.ask("tools/call", call))["answers"]["Database"], "SQLite");
}

#[test]
fn questions_that_nobody_could_answer_are_refused_all_at_once() {
    let project = Project::new();
    let mut client = open(&project, Era::Initialize, "all");
    let one = json!({"question": " ", "header": "A", "options": [{"label": "x"}, {"label": "x"}]});
    let two = json!({"question": "?", "header": "A", "options": [{"label": "x"}]});
    let text = client.fail("ask_user", json!({"questions": [one, two]}));
    for said in [
        "`questions[0].question` is empty",
        "`questions[0].options[1].label` is there twice: x",
        "`questions[1].header` is there twice: A",
        "`questions[1].options` takes two to four, not 1",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert!(client.fail("ask_user", json!({"questions": []})).contains("takes one to four, not 0"));
    assert!(client.fail("ask_user", json!({})).contains("`questions` is missing"));
}

#[test]
fn agents_that_work_alone_have_nobody_to_ask() {
    let project = Project::new();
    for role in ["coding", "testing", "initializer"] {
        let mut client = open(&project, Era::Initialize, role);
        let error = client.call("ask_user", questions())["error"].clone();
        assert!(
            error["message"].as_str().unwrap().contains(&format!("not available to role {role}")),
            "{error}"
        );
    }
}

#[test]
fn a_person_is_asked_over_http_too() {
    let project = Project::new();
    let server = HttpServer::start(&mut project.server(&[]));
    let accepted = json!({"action": "accept", "content": {"question_1": "SQLite"}});
    let call = json!({"name": "ask_user", "arguments": questions()});
    let answered =
        |answer: &Value| assert_eq!(succeeded(answer)["answers"], json!({"Database": "SQLite", "Login": []}));

    let mut old = server.open_with(Era::Initialize, json!({"elicitation": {}}));
    let (id, stream) = old.send("tools/call", call.clone());
    let (question, mut rest) = Response::next_message(stream);
    assert_eq!(question["method"], "elicitation/create", "{question}");
    old.reply(&question["id"], &accepted);
    let last = rest.find(|message| message["id"] == id).unwrap();
    answered(&last);

    let mut new = server.open_with(Era::Stateless, json!({"elicitation": {"form": {}}}));
    let first = new.ask("tools/call", call.clone());
    let mut again = call;
    again["requestState"] = first["result"]["requestState"].clone();
    again["inputResponses"] = json!({"question": accepted});
    answered(&new.ask("tools/call", again));
}
