//! `logs`: a session's journal, read by a person, while it is written or long after; and its machine, played again.
//!
//! It reads the files of a session and asks the store which session is meant and what became of its attempts. It
//! changes nothing, and what an agent printed reaches a terminal without anything that the terminal would obey.

mod again;
mod page;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser};
use cogwork_schemas::{FeatureId, RunnerEvent, RunnerMessage, SessionId};
use cogwork_store::{Store, StoreError};

use crate::clock;
use crate::journal::{self, Found, KEPT_SESSIONS, Reader, session_dir};
use crate::{ExitStatus, chain};
use page::{Page, Tried};

/// How often a followed journal is looked at: often enough to seem immediate.
const LOOK: Duration = Duration::from_millis(200);

/// How often a session that has not yet said who it is is looked at before nobody waits for it any more: for ten
/// seconds, which is longer than any start takes.
const LOOKS_FOR_A_START: u32 = 50;

/// Which session, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct LogsFlags {
    /// The session, such as s12 or 12 [default: the newest]
    #[arg(value_name = "SESSION", value_parser = session)]
    session: Option<SessionId>,
    /// The newest session of this feature
    #[arg(long, value_name = "ID", conflicts_with = "session")]
    feature: Option<FeatureId>,
    /// Show what is added, too, until the session ends
    #[arg(short, long)]
    follow: bool,
    /// Print the messages of the session as they are, one JSON object per line
    #[arg(long)]
    json: bool,
    /// Play what the session's machine was told on a new one, and say whether it comes to the same outcome
    #[arg(long, conflicts_with_all = ["follow", "json"])]
    replay: bool,
}

/// Show what a session did and what became of it
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner logs", version)]
pub struct LogsCommand {
    /// The project's directory
    #[arg(long, value_name = "DIR", env = "PROJECT_DIR", default_value = ".")]
    pub project_dir: PathBuf,
    #[command(flatten)]
    pub flags: LogsFlags,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    #[error("there are no sessions in {}: `cogwork run` starts some", project.display())]
    NoSessions { project: PathBuf },
    #[error("there was no session of feature {feature} yet")]
    NoneOfFeature { feature: FeatureId },
    #[error(
        "there is no journal of session {session} in {}: there never was one, or it is older than the {KEPT_SESSIONS} that are kept", project.display()
    )]
    NoJournal { session: SessionId, project: PathBuf },
    #[error(
        "session {session} has no record that could be played again: it is from an older version of Cogwork, or it ended before it began"
    )]
    NoRecord { session: SessionId },
    #[error("the journal in {} cannot be read: {source}", dir.display())]
    Unreadable {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("stdout cannot be written: {0}")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn session(word: &str) -> Result<SessionId, String> {
    match word.parse() {
        Ok(SessionId(id)) if id > 0 => Ok(SessionId(id)),
        Ok(_) | Err(_) => {
            Err("sessions are called s1, s2 and so on: `cogwork show ID` names those of a feature".to_owned())
        }
    }
}

/// Shows a session of a project on stdout.
///
/// # Errors
/// When there is no such session, or its journal cannot be read. A reader that goes away is no error.
pub async fn logs(project: &Path, flags: &LogsFlags) -> Result<ExitStatus, LogsError> {
    let project = std::path::absolute(project)
        .map_err(|source| LogsError::Unreadable { dir: project.to_owned(), source })?;
    let session = which(&project, flags)?;
    let dir = session_dir(&project, session);
    if !dir.is_dir() {
        return Err(LogsError::NoJournal { session, project });
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = if flags.replay {
        let (status, sentence) = again::replayed(session, &dir)?;
        writeln!(out, "{sentence}").map(|()| status).map_err(LogsError::Stdout)
    } else {
        let view = View { project: &project, session, dir: &dir, flags };
        view.show(&mut out).await
    };
    match shown.and_then(|status| out.flush().map(|()| status).map_err(LogsError::Stdout)) {
        // `cogwork logs | head` has seen enough.
        Err(LogsError::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitStatus::Done),
        other => other,
    }
}

fn which(project: &Path, flags: &LogsFlags) -> Result<SessionId, LogsError> {
    if let Some(session) = flags.session {
        return Ok(session);
    }
    match flags.feature {
        Some(feature) => {
            let attempts = Store::open(project, clock::source())?.attempts_of(feature)?;
            attempts.last().map(|attempt| attempt.session).ok_or(LogsError::NoneOfFeature { feature })
        }
        None => journal::sessions(project)
            .pop()
            .ok_or_else(|| LogsError::NoSessions { project: project.to_owned() }),
    }
}

/// One session to be shown.
struct View<'a> {
    project: &'a Path,
    session: SessionId,
    dir: &'a Path,
    flags: &'a LogsFlags,
}

impl View<'_> {
    async fn show(&self, out: &mut impl Write) -> Result<ExitStatus, LogsError> {
        let mut reader = Reader::new(self.dir);
        let mut page = Page::new(self.session);
        let (mut looks, mut is_last_look) = (0, false);
        loop {
            match reader
                .next()
                .map_err(|source| LogsError::Unreadable { dir: self.dir.to_owned(), source })?
            {
                Found::Line(line) => match serde_json::from_str::<RunnerMessage>(&line) {
                    Ok(RunnerMessage { event: RunnerEvent::LeftOut { .. }, .. }) => {}
                    Ok(message) => self.line(out, page.take(&message), &line)?,
                    Err(_) => page.not_understood += 1,
                },
                Found::Gap(bytes) => {
                    let gap = page.gap(bytes);
                    let line = crate::json::line(&gap);
                    self.line(out, page.take(&gap), &line)?;
                }
                Found::Nothing => {
                    out.flush().map_err(LogsError::Stdout)?;
                    if !self.flags.follow || page.is_over() || is_last_look {
                        break;
                    }
                    looks += 1;
                    // What it said last may have come between our look at the file and our look at the process.
                    is_last_look = page.is_gone(looks > LOOKS_FOR_A_START);
                    if !is_last_look {
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
        }
        if !self.flags.json {
            let attempts = self.attempts().map_err(|error| chain(&error));
            out.write_all(page.summary(&attempts).as_bytes()).map_err(LogsError::Stdout)?;
        }
        Ok(ExitStatus::Done)
    }

    /// Returns what the session tried, with all the evidence: some of it comes from the agent's tools and from landing,
    /// of which its journal knows nothing.
    fn attempts(&self) -> Result<Vec<Tried>, StoreError> {
        let store = Store::open(self.project, clock::source())?;
        let mut attempts = Vec::new();
        for taken in store.attempts_of_session(self.session)? {
            let records = store.attempts_of(taken.attempt.feature)?;
            let record = records.into_iter().find(|record| record.id == taken.attempt.id);
            attempts
                .push(Tried { evidence: record.map(|record| record.evidence).unwrap_or_default(), taken });
        }
        Ok(attempts)
    }

    fn line(&self, out: &mut impl Write, shown: Option<String>, raw: &str) -> Result<(), LogsError> {
        let written = if self.flags.json {
            writeln!(out, "{}", tame(raw))
        } else {
            shown.map_or(Ok(()), |text| out.write_all(text.as_bytes()))
        };
        written.map_err(LogsError::Stdout)
    }
}

/// Returns JSON that says the same and holds no character that a terminal would obey. JSON itself writes only the
/// older half of them as numbers.
fn tame(json: &str) -> String {
    let mut tame = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            tame.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            tame.push(c);
        }
    }
    tame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_named_by_number_with_or_without_their_letter() {
        assert_eq!(session("s12"), Ok(SessionId(12)));
        assert_eq!(session("12"), Ok(SessionId(12)));
        for wrong in ["", "s", "#3", "0", "-1", "twelve"] {
            assert!(session(wrong).unwrap_err().contains("called s1"), "{wrong}");
        }
    }

    #[test]
    fn json_for_a_terminal_says_the_same() {
        let text = "{\"a\":\"\u{9b}31m\u{7f} ä\"}";
        let tamed = tame(text);
        assert!(!tamed.chars().any(char::is_control), "{tamed:?}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&tamed), value(text));
    }
}
