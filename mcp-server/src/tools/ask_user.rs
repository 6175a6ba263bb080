//! `ask_user`: put one to four questions to the person behind the client.

use cogwork_schemas::{Answer, HumanField, HumanFieldKind, HumanOption, HumanRequest};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::arguments::Args;
use crate::ask::{Asked, OrAsk, Round};
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

const NAME: &str = "ask_user";

#[derive(Debug, Deserialize, JsonSchema)]
struct AskUserArgs {
    /// One to four.
    questions: Vec<Question>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Question {
    /// The whole question, with what a person has to know to answer it.
    question: String,
    /// A word or two above it, such as `Database`; the answer comes under this name.
    header: String,
    /// Two to four answers to choose from, the one you recommend first.
    options: Vec<Choice>,
    /// Whether several may be chosen. Default false.
    multi_select: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Choice {
    /// The answer in a few words.
    label: String,
    /// What choosing it means.
    description: Option<String>,
}

/// What came of the questions.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Answered {
    answered: bool,
    /// By header: the label that was chosen, or a list of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Map<String, Value>>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

const CANNOT_ASK: Answered = Answered {
    answered: false,
    answers: None,
    why: Some("nobody can be asked through this client"),
    next: Some(
        "Write the questions into your reply and end your turn, so that they can be answered in the next message.",
    ),
};

const DECLINED: Answered = Answered {
    answered: false,
    answers: None,
    why: Some("the person was asked and does not want to answer"),
    next: Some("Do not ask this again. Take the option you recommend, say that you did, and go on."),
};

const DISMISSED: Answered = Answered {
    answered: false,
    answers: None,
    why: Some("nobody answered: the form was closed, or nobody is there"),
    next: Some(
        "Write the questions into your reply and end your turn, or take what you recommend and say that you did.",
    ),
};

impl AskUserArgs {
    /// Returns everything that is wrong with the questions, with its path.
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(1..=4).contains(&self.questions.len()) {
            problems.push(format!("`questions` takes one to four, not {}", self.questions.len()));
        }
        for (index, question) in self.questions.iter().enumerate() {
            let path = format!("questions[{index}]");
            if question.question.trim().is_empty() {
                problems.push(format!("`{path}.question` is empty"));
            }
            let header = question.header.trim();
            if header.is_empty() {
                problems.push(format!("`{path}.header` is empty"));
            } else if self.questions[..index].iter().any(|earlier| earlier.header.trim() == header) {
                problems.push(format!("`{path}.header` is there twice: {}", schema::one_line(header)));
            }
            if !(2..=4).contains(&question.options.len()) {
                problems.push(format!("`{path}.options` takes two to four, not {}", question.options.len()));
            }
            for (number, option) in question.options.iter().enumerate() {
                let label = option.label.trim();
                if label.is_empty() {
                    problems.push(format!("`{path}.options[{number}].label` is empty"));
                } else if question.options[..number].iter().any(|earlier| earlier.label.trim() == label) {
                    problems.push(format!(
                        "`{path}.options[{number}].label` is there twice: {}",
                        schema::one_line(label)
                    ));
                }
            }
        }
        problems
    }

    /// Returns the questions as one form. A choice of several is a box to tick for each, which every client can show.
    fn request(&self) -> HumanRequest {
        let mut fields = Vec::new();
        for (index, question) in self.questions.iter().enumerate() {
            let header = question.header.trim();
            let id = |number: usize| option_id(index, number);
            if question.multi_select == Some(true) {
                fields.extend(question.options.iter().enumerate().map(|(number, option)| HumanField {
                    label: format!("{header}: {}", option.label.trim()),
                    kind: HumanFieldKind::Boolean,
                    required: false,
                    placeholder: option.description.clone(),
                    ..field(id(number))
                }));
            } else {
                let option = |option: &Choice| {
                    let label = option.label.trim().to_owned();
                    HumanOption { value: label.clone(), label }
                };
                fields.push(HumanField {
                    label: header.to_owned(),
                    kind: HumanFieldKind::Select,
                    placeholder: Some(question.in_words()),
                    options: question.options.iter().map(option).collect(),
                    ..field(question_id(index))
                });
            }
        }
        let several = self.questions.len() > 1;
        let line = |(index, question): (usize, &Question)| {
            let number = if several { format!("{}. ", index + 1) } else { String::new() };
            format!("{number}{}", question.question.trim())
        };
        HumanRequest {
            prompt: self.questions.iter().enumerate().map(line).collect::<Vec<_>>().join("\n"),
            fields,
        }
    }

    /// Returns the answers by header.
    fn by_header(&self, answers: &std::collections::BTreeMap<String, Answer>) -> Map<String, Value> {
        let one = |(index, question): (usize, &Question)| {
            let answer = if question.multi_select == Some(true) {
                let ticked =
                    |number: &usize| answers.get(&option_id(index, *number)) == Some(&Answer::Flag(true));
                let numbers = (0..question.options.len()).filter(ticked);
                numbers.map(|number| Value::from(question.options[number].label.trim())).collect()
            } else {
                answers.get(&question_id(index)).map_or(Value::Null, |answer| answer.to_string().into())
            };
            (question.header.trim().to_owned(), answer)
        };
        self.questions.iter().enumerate().map(one).collect()
    }
}

impl Question {
    /// Returns the question with what each option means, for clients that show no more than this beside the field.
    fn in_words(&self) -> String {
        let meaning = |option: &Choice| {
            let description = option.description.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
            Some(format!("{}: {description}", option.label.trim()))
        };
        let meanings: Vec<String> = self.options.iter().filter_map(meaning).collect();
        [&[self.question.trim().to_owned()][..], &meanings].concat().join("\n")
    }
}

fn field(id: String) -> HumanField {
    HumanField {
        id,
        label: String::new(),
        kind: HumanFieldKind::Text,
        required: true,
        placeholder: None,
        options: Vec::new(),
    }
}

fn question_id(index: usize) -> String {
    format!("question_{}", index + 1)
}

fn option_id(index: usize, number: usize) -> String {
    format!("question_{}_option_{}", index + 1, number + 1)
}

#[tool_router(router = ask_user_router, vis = "pub(super)")]
impl Server {
    /// Ask the person you work for one to four questions, each with answers to choose from, and wait for the answers.
    /// Call it when a decision is theirs to make. When nobody can be asked here, it says so and what to do instead.
    #[tool(
        title = "Ask the user",
        input_schema = schema::input::<AskUserArgs>(),
        output_schema = schema::output::<Answered>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn ask_user(
        &self,
        Args(args): Args<AskUserArgs>,
        round: Round,
        context: RequestContext<RoleServer>,
    ) -> Result<OrAsk<Answered>, ToolError> {
        let problems = args.problems();
        if !problems.is_empty() {
            return Err(ToolError::bad_arguments(&problems));
        }
        Ok(OrAsk::Answer(match self.ask(NAME, &args.request(), &round, &context).await? {
            Asked::Answered(answers) => {
                Answered { answered: true, answers: Some(args.by_header(&answers)), ..Answered::default() }
            }
            Asked::AskAndCallAgain(question) => return Ok(OrAsk::Ask(question)),
            Asked::Declined => DECLINED,
            Asked::Dismissed => DISMISSED,
            Asked::CannotAsk => CANNOT_ASK,
        }))
    }
}
