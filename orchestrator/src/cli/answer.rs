//! `cogwork answer`: a person's answer to the question of an agent.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use cogwork_schemas::{Answer, Feature, FeatureId, HumanField, HumanFieldKind, HumanRequest, Status};
use cogwork_store::StoreError;

use super::{CliError, Exit, ProjectArg, print, question};
use crate::project::Project;

/// Answer the question that a feature waits with.
///
/// On a terminal each field of the question is asked for. Elsewhere, and without a field, the question is printed with
/// the command that answers it.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The feature, by its number.
    id: FeatureId,
    #[command(flatten)]
    project: ProjectArg,
    /// The answer to one field; may be given several times.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = name_and_value)]
    fields: Vec<(String, String)>,
    /// The answers as a JSON object by the names of the fields; - reads it from the standard input.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "it must be NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Words for the answer to a yes-or-no field.
const YES: [&str; 4] = ["y", "yes", "true", "1"];
const NO: [&str; 4] = ["n", "no", "false", "0"];

pub(crate) fn answer(args: &AnswerArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let feature = project.store.feature(args.id)?;
    let Feature { id, status, .. } = feature;
    let Some(request) = feature.human_request.filter(|_| status == Status::NeedsHuman) else {
        return Err(StoreError::WrongStatus { id, action: "answered", status }.into());
    };
    let mut answers = match &args.json {
        Some(file) => from_json(file)?,
        None => BTreeMap::new(),
    };
    for (name, value) in &args.fields {
        answers.insert(name.clone(), meant(&request, name, value));
    }
    if args.json.is_none() && args.fields.is_empty() {
        let text = format!("{id} {}\n{}", crate::terminal::clean(&feature.name), question::asked(&request));
        print(&text)?;
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            print(&format!("answer: {}\n", question::command(id, &request, &project.dir)))?;
            return Ok(Exit::Usage);
        }
        print("\n")?;
        let Some(asked) = ask(&request, &mut io::stdin().lock(), &mut io::stdout())? else {
            return Err(CliError::new("nothing was answered, nothing was changed"));
        };
        answers = asked;
    }
    project.store.answer_human(id, &answers)?;
    print(&format!("{id} goes on with this answer in the next run, or in the one that is under way\n"))?;
    Ok(Exit::Ok)
}

fn from_json(file: &Path) -> Result<BTreeMap<String, Answer>, CliError> {
    let name =
        if file == Path::new("-") { "the standard input".to_owned() } else { file.display().to_string() };
    let text = match file == Path::new("-") {
        true => io::read_to_string(io::stdin().lock()),
        false => fs::read_to_string(file),
    };
    let text = text.map_err(|error| CliError::new(format!("cannot read {name}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::new(format!("{name} is not an answer: {error}"))
            .hint(r#"an answer looks like {"colour": "red", "sure": true}"#)
    })
}

/// Returns what a word means for the field of this name; what does not fit is for the store to say.
fn meant(request: &HumanRequest, name: &str, value: &str) -> Answer {
    let field = request.fields.iter().find(|field| field.id == name);
    match field.map(|field| field.kind) {
        Some(HumanFieldKind::Boolean) => flag(value).unwrap_or_else(|| Answer::Text(value.to_owned())),
        Some(HumanFieldKind::Text | HumanFieldKind::Textarea | HumanFieldKind::Select) | None => {
            Answer::Text(value.to_owned())
        }
    }
}

fn flag(word: &str) -> Option<Answer> {
    let word = word.trim().to_lowercase();
    let is_one_of = |words: [&str; 4]| words.contains(&word.as_str());
    match (is_one_of(YES), is_one_of(NO)) {
        (true, _) => Some(Answer::Flag(true)),
        (false, true) => Some(Answer::Flag(false)),
        (false, false) => None,
    }
}

/// Asks for each field until its answer fits; nothing when the input ends before that.
fn ask(
    request: &HumanRequest,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> io::Result<Option<BTreeMap<String, Answer>>> {
    let mut answers = BTreeMap::new();
    for field in &request.fields {
        loop {
            write!(output, "{}: ", question::label(field))?;
            output.flush()?;
            let Some(text) = entered(field, input)? else { return Ok(None) };
            if text.trim().is_empty() && !field.required {
                break;
            }
            let answer = chosen(field, &text);
            let alone = HumanRequest { prompt: request.prompt.clone(), fields: vec![field.clone()] };
            let misfits = alone.misfits(&[(field.id.clone(), answer.clone())].into());
            if misfits.is_empty() {
                answers.insert(field.id.clone(), answer);
                break;
            }
            writeln!(output, "  {}", crate::terminal::clean(&misfits.join("; ")))?;
        }
    }
    Ok(Some(answers))
}

/// Reads a line, or for a field of several lines all up to an empty one.
fn entered(field: &HumanField, input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 && lines.is_empty() {
            return Ok(None);
        }
        let line = line.trim_end_matches(['\r', '\n']).to_owned();
        let is_last = field.kind != HumanFieldKind::Textarea || line.is_empty();
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        if is_last {
            return Ok(Some(lines.join("\n")));
        }
    }
}

fn chosen(field: &HumanField, text: &str) -> Answer {
    match field.kind {
        HumanFieldKind::Text | HumanFieldKind::Textarea => Answer::Text(text.to_owned()),
        HumanFieldKind::Boolean => flag(text).unwrap_or_else(|| Answer::Text(text.to_owned())),
        // As it is written, or by its label.
        HumanFieldKind::Select => {
            let text = text.trim();
            let by_label = field.options.iter().find(|option| option.label.eq_ignore_ascii_case(text));
            let is_value = field.options.iter().any(|option| option.value == text);
            let value = by_label.filter(|_| !is_value).map_or(text, |option| &option.value);
            Answer::Text(value.to_owned())
        }
    }
}
