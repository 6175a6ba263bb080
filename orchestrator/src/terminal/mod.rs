//! What a person sees of a run: live on a terminal, a plain line per event in a pipe, NDJSON for programs.
//!
//! All three are fed the same journal entries. Nothing here decides or changes anything, and a reader that goes
//! away does not stop a run.

mod frame;
mod json;
mod line;
mod live;
mod outbox;
mod plain;
mod summary;
mod table;
mod tally;
mod watch;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};

use cogwork_schemas::{AgentEvent, Entry, Fact, Feature, FeatureId, SessionId};
use cogwork_session::clock;
use cogwork_views::When;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use cogwork_conductor::Progress;
pub(crate) use cogwork_session::text::{clean, cut};
pub(crate) use line::{ended, short};
pub(crate) use outbox::Outbox;
pub(crate) use summary::summary;
pub(crate) use table::{duration, standing_word, table};
pub(crate) use watch::watch;

/// Shows a run to somebody. An error means that nobody is there any more.
pub(crate) trait Reporter {
    /// Something happened for good.
    fn entry(&mut self, entry: &Entry) -> io::Result<()>;
    /// An agent said or did something.
    fn agent(&mut self, session: SessionId, event: &AgentEvent) -> io::Result<()>;
    /// Something a person should know that is no change of state.
    fn note(&mut self, at: Timestamp, text: &str) -> io::Result<()>;
    /// So many entries were not shown.
    fn lost(&mut self, at: Timestamp, entries: u64) -> io::Result<()>;
    /// The run is over, and this is what to know of it.
    fn last_words(&mut self, text: &str) -> io::Result<()>;
    /// Whether [`Reporter::agent`] shows anything.
    fn wants_agents(&self) -> bool {
        false
    }
    /// Whether [`Reporter::tick`] shows how far the run is, which costs a look at the whole graph.
    fn wants_progress(&self) -> bool {
        false
    }
    /// Time went by.
    fn tick(&mut self, now: Timestamp, progress: &Progress);
    /// The run is over; leave the terminal as it was found.
    fn close(&mut self);
}

/// Returns the time and the zone of whoever looks at this terminal.
pub(crate) fn here() -> When {
    When { now: clock::now(), zone: TimeZone::system() }
}

/// Returns the way of showing that fits where the output goes; `is_lone`: of a single agent, whom one can follow.
///
/// # Errors
///
/// When there can be no thread for it.
pub(crate) fn readers(
    json: bool,
    is_lone: bool,
    features: &[Feature],
    start: Timestamp,
) -> io::Result<Outbox> {
    Outbox::start(if json {
        Box::new(json::Json::default())
    } else if std::io::stdout().is_terminal() && live::is_possible() {
        Box::new(live::Live::new(features, start))
    } else {
        Box::new(plain::Plain::new(Names::new(features), start, is_lone))
    })
}

/// The names of the features, short and aligned.
struct Names {
    names: BTreeMap<FeatureId, String>,
    width: usize,
}

/// Longer names are cut in lines that come by; `cogwork show` has them whole.
const NAME_WIDTH: usize = 32;

impl Names {
    fn new(features: &[Feature]) -> Self {
        let mut names = Self { names: BTreeMap::new(), width: 0 };
        for feature in features {
            names.learn(feature.id, feature.key.as_deref().unwrap_or(&feature.name));
        }
        names
    }

    fn learn(&mut self, id: FeatureId, name: &str) {
        let label = format!("{id} {}", cut(name, NAME_WIDTH));
        self.width = self.width.max(label.chars().count());
        self.names.insert(id, label);
    }

    /// Learns the name of a feature that came into being after the run began.
    fn notice(&mut self, entry: &Entry) {
        if let (Some(id), Fact::Created { name }) = (entry.feature, &entry.fact) {
            self.learn(id, name);
        }
    }

    /// Returns a feature's label.
    fn name(&self, id: FeatureId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// Returns a feature's label, padded so that what follows is aligned.
    fn label(&self, id: Option<FeatureId>) -> String {
        let label = match id {
            Some(id) => self.name(id),
            None => "run".to_owned(),
        };
        format!("{label:<width$}", width = self.width)
    }
}

/// Returns the time since the start, as the first column of a line.
fn since(start: Timestamp, at: Timestamp) -> String {
    let ms = at.duration_since(start).as_millis().max(0);
    let tenths = ms / 100;
    format!("{:>6}.{}s", tenths / 10, tenths % 10)
}
