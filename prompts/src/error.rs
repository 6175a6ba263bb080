//! What can be wrong with a template. The built-in ones are tested, so in practice: with a project's own.

use std::path::PathBuf;

/// Why no prompt could be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The project's own template is there and cannot be read.
    #[error("cannot read the prompt `{}`; make it readable UTF-8 or remove it to use the built-in one", .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The template does not parse, or names something that the context does not have.
    #[error("the prompt `{file}` is wrong{}: {problem}", at(*.line))]
    BadTemplate {
        /// The path of the project's own template, or the name of a built-in one.
        file: String,
        /// The line in that file, from 1, where known.
        line: Option<usize>,
        /// What is wrong, in the template engine's words.
        problem: String,
    },
}

fn at(line: Option<usize>) -> String {
    line.map(|line| format!(" in line {line}")).unwrap_or_default()
}
