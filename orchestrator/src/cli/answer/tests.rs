//! Asking field by field, with a script in the place of a person.

use super::*;

fn request() -> HumanRequest {
    serde_json::from_str(
        r#"{"prompt": "How?", "fields": [
            {"id": "colour", "label": "Colour", "type": "select",
             "options": [{"value": "r", "label": "Red"}, {"value": "b", "label": "Blue"}]},
            {"id": "sure", "label": "Sure?", "type": "boolean"},
            {"id": "notes", "label": "Notes", "type": "textarea", "required": false},
            {"id": "name", "label": "Name", "placeholder": "Ada"}]}"#,
    )
    .unwrap()
}

fn asked(input: &str) -> (Option<BTreeMap<String, Answer>>, String) {
    let mut output = Vec::new();
    let answers = ask(&request(), &mut input.as_bytes(), &mut output).unwrap();
    (answers, String::from_utf8(output).unwrap())
}

#[test]
fn each_field_is_asked_for_until_it_fits() {
    let (answers, output) = asked("green\nblue\nmaybe\nY\n\n\nAda\n");
    let answers = answers.unwrap();
    assert_eq!(serde_json::to_string(&answers).unwrap(), r#"{"colour":"b","name":"Ada","sure":true}"#);
    assert!(request().misfits(&answers).is_empty());
    assert_eq!(
        output,
        "Colour [one of r (Red), b (Blue)]:   the field `colour` takes one of r, b, not `green`\n\
         Colour [one of r (Red), b (Blue)]: Sure? [yes or no]:   the field `sure` takes true or false, not `maybe`\n\
         Sure? [yes or no]: Notes [several lines; may be left out]: Name [such as Ada]:   the answer to `name` is empty\n\
         Name [such as Ada]: "
    );
}

#[test]
fn several_lines_end_with_an_empty_one() {
    let (answers, _) = asked("r\nno\none\n  two\n\nAda\r\n");
    let answers = answers.unwrap();
    assert_eq!(answers["notes"], Answer::Text("one\n  two".to_owned()));
    assert_eq!((&answers["sure"], &answers["name"]), (&Answer::Flag(false), &Answer::Text("Ada".to_owned())));
}

#[test]
fn whoever_leaves_has_answered_nothing() {
    for input in ["", "r\n", "r\nyes\nnotes\n\n"] {
        assert_eq!(asked(input).0, None, "{input:?}");
    }
}

#[test]
fn words_mean_what_their_field_takes() {
    assert_eq!(meant(&request(), "sure", "No"), Answer::Flag(false));
    assert_eq!(meant(&request(), "sure", "perhaps"), Answer::Text("perhaps".to_owned()));
    assert_eq!(meant(&request(), "colour", "no"), Answer::Text("no".to_owned()));
    assert_eq!(name_and_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
    assert!(name_and_value("a").is_err());
}
