//! `cogwork import`: features from a file into a project.

mod read;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use cogwork_store::ImportLimits;

use super::export::Format;
use super::{CliError, Exit, ProjectArg, print};
use crate::project::{Project, adopted};
use read::List;
#[cfg(test)]
pub(super) use read::parse;

/// Add features with their checks and dependencies from a JSON file.
///
/// All or nothing: when anything in the file is wrong, every mistake is listed and nothing changes. A feature whose
/// `key` is known already is left as it is: give every feature a key, and the same file can be imported twice. In a
/// project without features, a list in which all have an `id` keeps these numbers.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct ImportArgs {
    /// The feature list: JSON, or JSON Lines with one feature in each; - reads it from the standard input.
    file: PathBuf,
    #[command(flatten)]
    project: ProjectArg,
}

const EXAMPLE: &str = r#"A feature list:
  {"features": [
    {"key": "store", "name": "Items are stored in a file", "checks": ["sh checks/store.sh"]},
    {"key": "add", "name": "Add an item", "dependencies": ["store"], "estimate_s": 300,
     "checks": [{"command": "sh checks/add.sh", "timeout_s": 60}]}
  ]}
The same as JSON Lines:
  {"key": "store", "name": "Items are stored in a file", "checks": ["sh checks/store.sh"]}
  {"key": "add", "name": "Add an item", "dependencies": ["store"], "estimate_s": 300}"#;

pub(crate) fn import(args: &ImportArgs) -> Result<Exit, CliError> {
    if let Some(line) = taken_over(&args.project.dir, &args.file) {
        print(&format!("{line}\n"))?;
        return Ok(Exit::Ok);
    }
    let (name, text) = read(&args.file)?;
    let List { list, ignored, with_state } =
        read::parse(&text, Format::of(&args.file)).map_err(|reason| {
            CliError::new(format!("{name} is not a feature list: {reason}"))
                .hint("`cogwork import --help` shows one")
        })?;
    let project = Project::create(&args.project.dir)?;
    let imported = project.store.import(&list, &ImportLimits::default())?;
    let mut text = format!("{} features imported", imported.created.len());
    if !imported.known.is_empty() {
        text.push_str(&format!(", {} were known already", imported.known.len()));
    }
    text.push('\n');
    if with_state > 0 {
        text.push_str(&format!(
            "note: where {with_state} of them stood was not taken over: what passes here has to be seen here\n"
        ));
    }
    for (field, times) in ignored {
        text.push_str(&format!(
            "note: the field `{field}` means nothing here and was ignored ({times} times)\n"
        ));
    }
    print(&text)?;
    Ok(Exit::Ok)
}

/// Says so when the file is the one that was just taken over, because the project was opened for the first time: its
/// features would come in twice.
fn taken_over(dir: &Path, file: &Path) -> Option<String> {
    // What is wrong with the project is said by the import itself.
    let adoption = Project::open(dir).ok()?.adoption?;
    let same = std::fs::canonicalize(dir.join(&adoption.source)).ok()? == std::fs::canonicalize(file).ok()?;
    same.then(|| adopted(&adoption))
}

/// Returns what errors call the file, and its text.
fn read(file: &Path) -> Result<(String, String), CliError> {
    if file == Path::new("-") {
        let mut text = String::new();
        return match std::io::stdin().lock().read_to_string(&mut text) {
            Ok(_) => Ok(("the standard input".to_owned(), text)),
            Err(error) => Err(CliError::new(format!("cannot read the standard input: {error}"))),
        };
    }
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(CliError::new(format!("cannot read {name}: {error}"))),
    }
}
