//! Doing one move of a script, in the workspace.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::contain::{Exit, Output, Spawn, StartError, Stderr};
use cogwork_process::git::{Git, GitError};
use cogwork_schemas::{AgentEvent, FeatureId};
use serde_json::{Value, json};

use super::client::Client;
use super::script::Move;
use super::server::Server;
use super::{Next, PlayError, call, print};
use crate::Environment;
use crate::text::Tail;

/// How much of a command's output is told, in bytes.
const OUTPUT_TAIL: usize = 4096;

/// Why a move did not work.
#[derive(Debug, thiserror::Error)]
pub(super) enum MoveError {
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` leads out of the workspace", path.display())]
    Outside { path: PathBuf },
    #[error("`{command}` ended with {exit}")]
    CommandFailed { command: String, exit: Exit },
    #[error(transparent)]
    NotStarted(#[from] StartError),
    #[error("cannot commit: {0}")]
    Commit(#[from] GitError),
}

/// Does one move.
pub(super) async fn perform(
    one: &Move,
    workspace: &Path,
    own: &Environment,
    feature: Option<FeatureId>,
    client: &mut Client<Server>,
) -> Result<Next, PlayError> {
    match one {
        Move::Say { text } => print(&AgentEvent::Text { text: text.clone() })?,
        Move::Sleep { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
        Move::Write { path, content, executable } => {
            write(workspace, path, content, Mode::Replace { executable: *executable })?;
            told("write", &path.display().to_string())?;
        }
        Move::Append { path, content } => {
            write(workspace, path, content, Mode::Append)?;
            told("append", &path.display().to_string())?;
        }
        Move::Run { command } => run(command, workspace, own).await?,
        Move::Commit { message } => {
            let commit = Git::untrusted(workspace).commit_all(message, &[]).await.map_err(MoveError::from)?;
            told("commit", &commit.unwrap_or_else(|| "nothing to commit".to_owned()))?;
        }
        Move::MarkPassing {} => {
            let feature = feature.ok_or(PlayError::NoFeature)?;
            call(client, "feature_mark_passing", json!({ "feature_id": feature.0 })).await?;
        }
        Move::Call { tool, arguments } => {
            call(client, tool, Value::Object(arguments.clone())).await?;
        }
        Move::Exit { code } => return Ok(Next::Exit(*code)),
        Move::Hang {} => std::future::pending::<()>().await,
    }
    Ok(Next::Move)
}

fn told(tool: &str, input: &str) -> io::Result<()> {
    print(&AgentEvent::ToolCall { tool: tool.to_owned(), input: input.to_owned() })
}

#[derive(Clone, Copy)]
enum Mode {
    Replace { executable: bool },
    Append,
}

fn write(workspace: &Path, path: &Path, content: &str, mode: Mode) -> Result<(), MoveError> {
    let target = workspace.join(path);
    let failed = |source| MoveError::Write { path: path.to_owned(), source };
    if let Some(dir) = target.parent() {
        // Above the first directory that is there, nothing can lead out: the script was checked for `..`.
        let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(workspace);
        if !super::is_inside(workspace, there) {
            return Err(MoveError::Outside { path: path.to_owned() });
        }
        fs::create_dir_all(dir).map_err(failed)?;
    }
    if target.is_symlink() && !super::is_inside(workspace, &target) {
        return Err(MoveError::Outside { path: path.to_owned() });
    }
    let mut options = OpenOptions::new();
    options.create(true);
    let executable = match mode {
        Mode::Replace { executable } => {
            options.write(true).truncate(true);
            executable
        }
        Mode::Append => {
            options.append(true);
            false
        }
    };
    let mut file = options.open(&target).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    if executable {
        let mut permissions = file.metadata().map_err(failed)?.permissions();
        permissions.set_mode(permissions.mode() | 0o111);
        file.set_permissions(permissions).map_err(failed)?;
    }
    Ok(())
}

async fn run(command: &str, workspace: &Path, own: &Environment) -> Result<(), PlayError> {
    told("run", command)?;
    let mut spawn = Spawn::new("sh", workspace);
    spawn.args = vec!["-c".into(), command.into()];
    spawn.env = own.all().cloned().collect();
    spawn.stderr = Stderr::WithStdout;
    let mut process = spawn.start().map_err(MoveError::from)?;
    let mut output = Tail::of(OUTPUT_TAIL);
    let exit = loop {
        match process.next().await {
            Output::Stdout(line) | Output::Stderr(line) => output.push_line(&line.text),
            Output::Ended(exit) => break exit,
        }
    };
    let is_error = !exit.is_success();
    print(&AgentEvent::ToolResult { tool: "run".to_owned(), is_error, output: output.into_text() })?;
    if is_error {
        return Err(MoveError::CommandFailed { command: command.to_owned(), exit }.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_with_their_directories_and_added_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = Path::new("a/b/run.sh");
        write(dir.path(), path, "echo 1\n", Mode::Replace { executable: true }).unwrap();
        write(dir.path(), path, "echo 2\n", Mode::Append).unwrap();
        let written = dir.path().join(path);
        assert_eq!(fs::read_to_string(&written).unwrap(), "echo 1\necho 2\n");
        assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o111, 0o111);
    }

    #[test]
    fn a_link_is_no_way_out_of_the_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, outside) = (dir.path().join("w"), dir.path().join("o"));
        fs::create_dir_all(&workspace).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("file"), "old").unwrap();
        std::os::unix::fs::symlink(&outside, workspace.join("dir")).unwrap();
        std::os::unix::fs::symlink(outside.join("file"), workspace.join("link")).unwrap();
        std::os::unix::fs::symlink(outside.join("new"), workspace.join("dangling")).unwrap();
        for path in ["dir/x", "dir/sub/x", "link", "dangling"] {
            let result = write(&workspace, Path::new(path), "new", Mode::Append);
            assert!(matches!(result, Err(MoveError::Outside { .. })), "{path}: {result:?}");
        }
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "old");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}
