//! `cogwork export`: the features of a project as a list that `cogwork import` reads.

#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use cogwork_schemas::{DependencyRef, Feature, ListedFeature};
use cogwork_store::Store;
use serde_json::{Map, Value};

use super::{CliError, Exit, ProjectArg};
use crate::project::Project;

/// Write the features as a list that `cogwork import` reads.
///
/// Read into a project without features, the list makes the same features again, with the same numbers.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// One JSON document, or one feature in each line [default: by the ending of FILE, else json].
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Write into this file instead of printing.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Say also where each feature stands: status, proof, failed attempts, question to a person and answer. An import
    /// does not take that over.
    #[arg(long)]
    state: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Json,
    Jsonl,
}

impl Format {
    /// Returns what the ending of a file's name says.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

pub(crate) fn export(args: &ExportArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let format = args.format.or_else(|| Format::of(args.output.as_deref()?)).unwrap_or(Format::Json);
    match args.output.as_deref().filter(|path| *path != Path::new("-")) {
        Some(path) => into_file(&project.store, path, format, args.state)?,
        None => match write(&project.store, format, args.state, io::stdout().lock())? {
            // A reader that went away (`cogwork export | head`) is not an error.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error.into()),
            Ok(()) | Err(_) => {}
        },
    }
    Ok(Exit::Ok)
}

/// Writes beside the file first, so that one which was there stays until the new one is whole.
fn into_file(store: &Store, path: &Path, format: Format, state: bool) -> Result<(), CliError> {
    let cannot = |error: io::Error| CliError::new(format!("cannot write {}: {error}", path.display()));
    // A pipe or a terminal has no place to be moved to.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let file = File::options().write(true).open(path).map_err(cannot)?;
        return write(store, format, state, file)?.map_err(cannot);
    }
    let mut draft = path.to_owned().into_os_string();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let file = File::create(&draft).map_err(cannot)?;
    let written = match write(store, format, state, &file) {
        Ok(Ok(())) => file.sync_all().and_then(|()| fs::rename(&draft, path)).map_err(cannot),
        Ok(Err(error)) => Err(cannot(error)),
        Err(error) => Err(error),
    };
    if written.is_err() {
        // What cannot be removed is a draft whose name says so.
        drop(fs::remove_file(&draft));
    }
    written
}

/// Writes all features; the inner result is the writer's. The same features always give the same bytes.
pub(super) fn write(
    store: &Store,
    format: Format,
    state: bool,
    writer: impl Write,
) -> Result<io::Result<()>, CliError> {
    let mut writer = BufWriter::new(writer);
    let mut is_first = true;
    let visited = store.each_feature(|feature| {
        let item = item(feature, state)?;
        match format {
            Format::Jsonl => writeln!(writer, "{}", serde_json::to_string(&item)?),
            Format::Json => {
                writer.write_all(if is_first { b"{\n  \"features\": [" } else { b"," })?;
                is_first = false;
                for line in serde_json::to_string_pretty(&item)?.lines() {
                    write!(writer, "\n    {line}")?;
                }
                Ok(())
            }
        }
    })?;
    let end = match (format, is_first) {
        (Format::Jsonl, _) => "",
        (Format::Json, true) => "{\n  \"features\": []\n}\n",
        (Format::Json, false) => "\n  ]\n}\n",
    };
    Ok(visited.and_then(|()| writer.write_all(end.as_bytes())).and_then(|()| writer.flush()))
}

/// Fields of an exported feature that say where it stands; an import leaves them.
pub(super) const STATE: [&str; 5] = ["status", "proof", "failed_attempts", "human_request", "human_response"];

fn item(mut feature: Feature, state: bool) -> io::Result<Value> {
    let mut standing = Map::new();
    if state && let Value::Object(mut whole) = serde_json::to_value(&feature)? {
        standing.extend(STATE.iter().filter_map(|name| whole.shift_remove_entry(*name)));
    }
    let listed = ListedFeature {
        id: Some(feature.id.0),
        key: feature.key.take(),
        category: feature.category,
        name: feature.name,
        description: feature.description,
        steps: feature.steps,
        checks: feature.checks,
        dependencies: feature.dependencies.into_iter().map(|id| DependencyRef::Id(id.0)).collect(),
        priority: Some(feature.priority),
        estimate_s: feature.estimate_s,
    };
    let mut item = serde_json::to_value(&listed)?;
    if let Value::Object(item) = &mut item {
        item.append(&mut standing);
    }
    Ok(item)
}
