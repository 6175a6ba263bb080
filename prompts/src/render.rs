//! Finding the right template and filling it in.

mod wrong;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cogwork_schemas::Role;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};

use crate::{Coding, Initializer, PromptError, Repair, Review, Testing};

/// What several templates say with the same words. Each of them can be a project's own, as a whole template can.
const PARTS: [(&str, &str); 8] = [
    ("parts/checks", include_str!("templates/parts/checks.md")),
    ("parts/feature", include_str!("templates/parts/feature.md")),
    ("parts/pass", include_str!("templates/parts/pass.md")),
    ("parts/past", include_str!("templates/parts/past.md")),
    ("parts/red", include_str!("templates/parts/red.md")),
    ("parts/stack", include_str!("templates/parts/stack.md")),
    ("parts/stuck", include_str!("templates/parts/stuck.md")),
    ("parts/work", include_str!("templates/parts/work.md")),
];

/// What is to be said to an agent: the template by its kind, filled from its context.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Turn a specification into features.
    Initializer(Box<Initializer>),
    /// Build one feature.
    Coding(Box<Coding>),
    /// Repair one feature that passed.
    Repair(Box<Repair>),
    /// Find out whether a passing feature works.
    Testing(Box<Testing>),
    /// Read the work on one feature.
    Review(Box<Review>),
}

impl Prompt {
    /// Returns the role of the session that gets this prompt; none for one that no session of ours gets.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Initializer(_) => Some(Role::Initializer),
            Self::Coding(_) | Self::Repair(_) => Some(Role::Coding),
            Self::Testing(_) => Some(Role::Testing),
            Self::Review(_) => None,
        }
    }

    /// Returns the template's name: the file name without `.md`, built in or in the project.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Initializer(_) => "initializer",
            Self::Coding(_) => "coding",
            Self::Repair(_) => "repair",
            Self::Testing(_) => "testing",
            Self::Review(_) => "review",
        }
    }

    fn built_in(&self) -> &'static str {
        match self {
            Self::Initializer(_) => include_str!("templates/initializer.md"),
            Self::Coding(_) => include_str!("templates/coding.md"),
            Self::Repair(_) => include_str!("templates/repair.md"),
            Self::Testing(_) => include_str!("templates/testing.md"),
            Self::Review(_) => include_str!("templates/review.md"),
        }
    }

    fn context(&self) -> Value {
        match self {
            Self::Initializer(initializer) => Value::from(Serde(initializer)),
            Self::Coding(coding) => Value::from(Serde(coding)),
            Self::Repair(repair) => Value::from(Serde(repair)),
            Self::Testing(testing) => Value::from(Serde(testing)),
            Self::Review(review) => Value::from(Serde(review)),
        }
    }
}

/// Returns where a project puts its own version of the template or part `name`.
pub fn override_path(project: &Path, name: &str) -> PathBuf {
    project.join(".cogwork").join("prompts").join(format!("{name}.md"))
}

/// Returns the text for the agent, from the project's own template if it has one, else from the built-in one.
///
/// # Errors
/// When the project's template cannot be read, does not parse, or names an unknown value. It never falls back to the
/// built-in one in silence: whoever wrote an override wants it used.
pub fn render(project: &Path, prompt: &Prompt) -> Result<String, PromptError> {
    let main = Source::of(project, prompt.name(), prompt.built_in())?;
    let parts = PARTS
        .iter()
        .map(|(name, built_in)| Source::of(project, name, built_in))
        .collect::<Result<Vec<_>, _>>()?;
    fill(&main, &parts, &prompt.context())
}

/// A template's text and where it is from.
struct Source {
    name: String,
    /// The path of the project's own file, or the name of a built-in one.
    file: String,
    text: String,
}

impl Source {
    fn of(project: &Path, name: &str, built_in: &str) -> Result<Self, PromptError> {
        let path = override_path(project, name);
        let (file, text) = match std::fs::read_to_string(&path) {
            Ok(text) => (path.display().to_string(), text),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                (format!("{name}.md (built in)"), built_in.to_owned())
            }
            Err(source) => return Err(PromptError::Unreadable { path, source }),
        };
        Ok(Self { name: name.to_owned(), file, text })
    }
}

fn fill(main: &Source, parts: &[Source], context: &Value) -> Result<String, PromptError> {
    // Nothing is escaped: a model reads it, not a browser (the name of a template decides, and ours has none).
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line that holds only a block tag leaves no empty line behind; a part ends its last line by itself.
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    let mut made = syntax.map(|syntax| environment.set_syntax(syntax));
    for source in parts.iter().chain([main]) {
        made = made.and_then(|()| environment.add_template(&source.name, &source.text));
    }
    let text = made
        .and_then(|()| environment.get_template(&main.name))
        .and_then(|template| template.render(context));
    match text {
        Ok(text) => Ok(text.trim_end().to_owned() + "\n"),
        Err(error) => {
            let error = innermost(&error);
            let found = error.name().and_then(|name| parts.iter().find(|part| part.name == name));
            Err(PromptError::BadTemplate {
                file: found.unwrap_or(main).file.clone(),
                line: error.line(),
                problem: wrong::problem(&environment, error, context),
            })
        }
    }
}

/// Returns the error in the part at fault: what includes it only says that it is there.
fn innermost(error: &minijinja::Error) -> &minijinja::Error {
    let inner = std::error::Error::source(error).and_then(|source| source.downcast_ref());
    inner.map_or(error, innermost)
}

#[cfg(test)]
mod tests;
