//! `cogwork demo`: a whole run on a real project, without any agent or key.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use cogwork_process::git::Git;
use cogwork_schemas::FeatureList;
use cogwork_store::{ImportLimits, state_dir};

use super::run::{How, block_on, run_project};
use super::{CliError, Exit, print};
use crate::demo::{FEATURES, SCRIPT, SEED};
use crate::project::{Config, Project, write_config};
use cogwork_session::chain;

/// See a whole run: a small program is built feature by feature, without any agent or key.
///
/// Makes a new directory with a git repository, the features of `examples/todo` and their checks, and lets the
/// built-in scripted agent do the work in parallel sessions. Everything else is real: processes, MCP, checks, merges.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to make the project; it must not exist yet [default: the first free of cogwork-demo, cogwork-demo-2, …].
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

pub(crate) fn demo(args: DemoArgs) -> Result<Exit, CliError> {
    let dir = match args.dir {
        Some(dir) if !is_free(&dir) => {
            return Err(CliError::new(format!("{} exists already", dir.display()))
                .hint(format!("go on with it: cogwork run --project-dir {}", dir.display()))
                .hint("or give another --dir"));
        }
        Some(dir) => dir,
        None => first_free(),
    };
    // Git is told to work there from wherever it is started.
    block_on(make(&std::path::absolute(&dir)?))??;
    if !args.how.json {
        print(&format!(
            "made the project {}: a todo program in POSIX sh, to be built feature by feature\n\n",
            dir.display()
        ))?;
    }
    let project = Project::open(&dir)?;
    run_project(&project, &args.how)
}

fn is_free(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn first_free() -> PathBuf {
    let mut number = 1;
    loop {
        let name = if number == 1 { "cogwork-demo".to_owned() } else { format!("cogwork-demo-{number}") };
        let dir = PathBuf::from(name);
        if is_free(&dir) {
            return dir;
        }
        number += 1;
    }
}

/// Makes the project beside its place and moves it there when it is whole, so that a killed demo leaves either no
/// project or one that `cogwork run` can work on.
async fn make(dir: &Path) -> Result<(), CliError> {
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("cogwork-demo");
    let pid = cogwork_process::contain::own_identity().pid;
    let draft = dir.with_file_name(format!(".{name}.{pid}.tmp"));
    let cannot = |error: std::io::Error| CliError::new(format!("cannot make {}: {error}", dir.display()));
    fs::create_dir_all(&draft).map_err(cannot)?;
    let made = fill(&draft).await;
    if made.is_err() {
        // What cannot be removed is a draft whose name says so.
        drop(fs::remove_dir_all(&draft));
        return made;
    }
    fs::rename(&draft, dir).map_err(cannot)
}

async fn fill(dir: &Path) -> Result<(), CliError> {
    for (path, content) in SEED {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    let git =
        Git::init(dir).await.map_err(|error| CliError::new(chain(&error)).hint("the demo needs git"))?;
    git.commit_all("Start with the specification and the checks", &[])
        .await
        .map_err(|error| CliError::new(chain(&error)))?;
    let list: FeatureList = serde_json::from_str(FEATURES)
        .map_err(|error| CliError::new(format!("the demo's features: {error}")))?;
    let project = Project::create(dir)?;
    project.store.import(&list, &ImportLimits::default())?;
    fs::write(state_dir(dir).join("script.toml"), SCRIPT)?;
    let config = Config {
        agent: Some("scripted".to_owned()),
        script: Some("script.toml".into()),
        ..Config::default()
    };
    write_config(dir, &config)
}
