//! Finding the right template and filling it in.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cogwork_schemas::Role;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, ErrorKind as TemplateErrorKind, UndefinedBehavior};

use crate::{Coding, PromptError};

const CODING: &str = include_str!("templates/coding.md");

/// What is to be said to an agent: the template by its kind, filled from its context.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Build one feature.
    Coding(Box<Coding>),
}

impl Prompt {
    /// Returns the role of the session that gets this prompt.
    pub fn role(&self) -> Role {
        match self {
            Self::Coding(_) => Role::Coding,
        }
    }

    /// Returns the template's name: the file name without `.md`, built in or in the project.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Coding(_) => "coding",
        }
    }

    fn built_in(&self) -> &'static str {
        match self {
            Self::Coding(_) => CODING,
        }
    }

    fn context(&self) -> Value {
        match self {
            Self::Coding(coding) => Value::from(Serde(coding)),
        }
    }
}

/// Returns where a project puts its own version of the template `name`.
pub fn override_path(project: &Path, name: &str) -> PathBuf {
    project.join(".cogwork").join("prompts").join(format!("{name}.md"))
}

/// Returns the text for the agent, from the project's own template if it has one, else from the built-in one.
///
/// # Errors
/// When the project's template cannot be read, does not parse, or names an unknown value. It never falls back to the
/// built-in one in silence: whoever wrote an override wants it used.
pub fn render(project: &Path, prompt: &Prompt) -> Result<String, PromptError> {
    let path = override_path(project, prompt.name());
    match std::fs::read_to_string(&path) {
        Ok(text) => fill(&path.display().to_string(), &text, prompt),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            fill(&format!("{}.md (built in)", prompt.name()), prompt.built_in(), prompt)
        }
        Err(source) => Err(PromptError::Unreadable { path, source }),
    }
}

fn fill(file: &str, template: &str, prompt: &Prompt) -> Result<String, PromptError> {
    // Nothing is escaped: a model reads it, not a browser (the name of a template decides, and ours has none).
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let bad = |error: minijinja::Error| PromptError::BadTemplate {
        file: file.to_owned(),
        line: error.line(),
        problem: problem(&error),
    };
    // A line that holds only a block tag leaves no empty line behind.
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(bad)?;
    environment.set_syntax(syntax);
    let text = environment
        .template_from_str(template)
        .and_then(|template| template.render(prompt.context()))
        .map_err(bad)?;
    Ok(text.trim_end().to_owned() + "\n")
}

fn problem(error: &minijinja::Error) -> String {
    let kind = if error.kind() == TemplateErrorKind::UndefinedError {
        "it uses a value that does not exist".to_owned()
    } else {
        error.kind().to_string()
    };
    match error.detail() {
        Some(detail) => format!("{kind} ({detail})"),
        None => kind,
    }
}

#[cfg(test)]
mod tests;
