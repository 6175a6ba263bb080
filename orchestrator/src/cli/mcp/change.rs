//! One change to one settings file: decided from what is there, and carried out later as it was decided.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::client::{Client, Launch, Scope, Surroundings, is_ours};
use super::diff::unified;
use super::edit::{EditError, Others, Spot};
use super::file::{SettingsFile, remove_if_empty};
use super::record::{Record, RecordFile};
use crate::cli::CliError;

/// What is asked for, the same for every client.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) scope: Scope,
    pub(super) project: PathBuf,
    pub(super) user: Surroundings,
    pub(super) name: String,
    pub(super) launch: Launch,
    pub(super) force: bool,
}

/// What happens to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Deed {
    Create,
    Add,
    Update,
    /// Our entry stands there as it should.
    Unchanged,
    /// It becomes what it was before.
    Restore,
    /// Our entry goes, all else stays.
    Remove,
    /// There is no entry to take back.
    Absent,
}

impl Deed {
    pub(super) fn writes(self) -> bool {
        match self {
            Self::Create | Self::Add | Self::Update | Self::Restore | Self::Remove => true,
            Self::Unchanged | Self::Absent => false,
        }
    }

    pub(super) fn installs(self) -> bool {
        match self {
            Self::Create | Self::Add | Self::Update | Self::Unchanged => true,
            Self::Restore | Self::Remove | Self::Absent => false,
        }
    }
}

/// A decided change.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) client: Client,
    pub(super) scope: Scope,
    pub(super) name: String,
    pub(super) file: SettingsFile,
    pub(super) deed: Deed,
    /// The text afterwards; nothing for no file.
    new: Option<String>,
    record_file: RecordFile,
    memory: Memory,
}

/// What is remembered afterwards.
#[derive(Debug)]
enum Memory {
    /// How the file was, for an undo.
    Keep(Record),
    /// Nothing; directories made for the installation go with it.
    Forget(Vec<PathBuf>),
}

impl Job {
    /// Decides how the entry comes into the client's file.
    ///
    /// # Errors
    /// The file cannot be read or edited, or another server has the name.
    pub(super) fn install(&self, client: Client) -> Result<Change, CliError> {
        let (file, record_file) = self.files(client)?;
        let spot = self.spot(client);
        let syntax = client.syntax();
        let old = file.text.as_deref().unwrap_or(client.blank());
        let refused = |error| unreadable(&file.path, client, &error);
        let known = syntax.entry(old, spot).map_err(refused)?;
        let ours = known.as_ref().is_some_and(|known| is_ours(known, &self.launch.program));
        if known.is_some() && !ours && !self.force {
            return Err(self.foreign(&file.path, "--force replaces it, --name gives this one another name"));
        }
        let others = if ours { Others::Keep } else { Others::Drop };
        let new = syntax.put(old, spot, &client.entry(&self.launch), others).map_err(refused)?;
        let deed = match (&file.text, &known) {
            (None, _) => Deed::Create,
            (Some(text), _) if *text == new => Deed::Unchanged,
            (Some(_), None) => Deed::Add,
            (Some(_), Some(_)) => Deed::Update,
        };
        let (before, made) = match record_file.read(&file.path, file.text.as_deref()) {
            Some(record) => (record.before, record.made),
            // Ours, but from before the user's own changes: an undo leaves these and takes the entry.
            None if ours => (Some(syntax.remove(old, spot).map_err(refused)?), Vec::new()),
            None => (file.text.clone(), Vec::new()),
        };
        let memory = Memory::Keep(Record { file: file.path.clone(), before, after: new.clone(), made });
        Ok(self.change(client, file, record_file, deed, Some(new), memory))
    }

    /// Decides how the entry leaves the client's file.
    ///
    /// # Errors
    /// As [`Job::install`].
    pub(super) fn uninstall(&self, client: Client) -> Result<Change, CliError> {
        let (file, record_file) = self.files(client)?;
        let spot = self.spot(client);
        if let Some(record) = record_file.read(&file.path, file.text.as_deref()) {
            let memory = Memory::Forget(record.made);
            return Ok(self.change(client, file, record_file, Deed::Restore, record.before, memory));
        }
        let memory = Memory::Forget(Vec::new());
        let refused = |error| unreadable(&file.path, client, &error);
        let old = file.text.as_deref().unwrap_or(client.blank());
        match client.syntax().entry(old, spot).map_err(refused)? {
            None => {
                let text = file.text.clone();
                Ok(self.change(client, file, record_file, Deed::Absent, text, memory))
            }
            Some(known) if !self.force && !is_ours(&known, &self.launch.program) => {
                Err(self.foreign(&file.path, "--force removes it"))
            }
            Some(_) => {
                let new = client.syntax().remove(old, spot).map_err(refused)?;
                Ok(self.change(client, file, record_file, Deed::Remove, Some(new), memory))
            }
        }
    }

    fn files(&self, client: Client) -> Result<(SettingsFile, RecordFile), CliError> {
        let (base, scope) = match self.scope {
            Scope::Project => (&self.project, "project"),
            Scope::User => (&self.user.home, "user"),
        };
        let file = SettingsFile::read(client.file(self.scope, &self.project, &self.user))?;
        Ok((file, RecordFile::of(base, [client.word(), scope, &self.name])))
    }

    fn spot(&self, client: Client) -> Spot<'_> {
        Spot { section: client.section(), name: &self.name }
    }

    fn foreign(&self, file: &Path, hint: &str) -> CliError {
        CliError::new(format!(
            "{} has another server called `{}`: nothing was changed",
            file.display(),
            self.name
        ))
        .hint(hint)
    }

    fn change(
        &self,
        client: Client,
        file: SettingsFile,
        record_file: RecordFile,
        deed: Deed,
        new: Option<String>,
        memory: Memory,
    ) -> Change {
        Change { client, scope: self.scope, name: self.name.clone(), file, deed, new, record_file, memory }
    }
}

impl Change {
    /// Returns what would change, or nothing.
    pub(super) fn diff(&self) -> String {
        unified(&self.file.path, self.file.text.as_deref(), self.new.as_deref())
    }

    /// Returns whether no file is left afterwards.
    pub(super) fn removes_file(&self) -> bool {
        self.new.is_none()
    }

    /// Carries it out.
    ///
    /// # Errors
    /// The file was changed meanwhile or cannot be written.
    pub(super) fn apply(&self) -> Result<(), CliError> {
        // A user's settings hold keys sooner or later; a project's are for everybody who has the project.
        let mode = match self.scope {
            Scope::Project => 0o644,
            Scope::User => 0o600,
        };
        let made = self.file.replace(self.new.as_deref(), mode)?;
        match &self.memory {
            Memory::Keep(record) => {
                let mut record = record.clone();
                record.made.extend(made);
                self.record_file.write(&record)
            }
            Memory::Forget(made) => {
                remove_if_empty(made);
                self.record_file.forget();
                Ok(())
            }
        }
    }
}

fn unreadable(file: &Path, client: Client, error: &EditError) -> CliError {
    let hint = match error {
        EditError::Syntax { .. } => format!("repair it first; {} cannot read it either", client.title()),
        EditError::Shape { .. } => "edit it by hand; docs/clients.md has the entry".to_owned(),
    };
    CliError::new(format!("{}: {error}: nothing was changed", file.display())).hint(hint)
}
