//! The books against the database and its journal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cogwork_schemas::{AttemptId, AttemptOutcome, Entry, Fact, Feature, FeatureId, SessionId, Status};
use cogwork_store::Store;
use jiff::{SignedDuration, Timestamp};

use super::Storm;
use super::books::{Answer, Books, Call};

/// Something that must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Two sessions owned one feature at one time.
    DoubleClaim(String),
    /// Something was acknowledged and is not there, or is there twice.
    LostUpdate(String),
    /// An answer that nothing explains.
    UnexplainedError(String),
    /// A claim of a killed server that did not become free, or became free too early.
    NotRecovered(String),
}

/// What became of a storm.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub processes: usize,
    pub features: usize,
    /// Calls that were answered.
    pub calls: usize,
    pub kills: usize,
    /// Claims that killed servers held, and how many of them were taken back.
    pub held: usize,
    pub recovered: usize,
    /// Answers that said that the database is busy; the protocol explains them.
    pub busy: usize,
    pub violations: Vec<Violation>,
    /// How long each call took, ascending.
    pub latencies: Vec<Duration>,
    pub elapsed: Duration,
}

impl Outcome {
    pub fn double_claims(&self) -> usize {
        self.violations.iter().filter(|v| matches!(v, Violation::DoubleClaim(_))).count()
    }

    pub fn lost_updates(&self) -> usize {
        self.violations.iter().filter(|v| matches!(v, Violation::LostUpdate(_))).count()
    }

    pub fn unexplained_errors(&self) -> usize {
        self.violations.iter().filter(|v| matches!(v, Violation::UnexplainedError(_))).count()
    }

    /// Returns the latency that this share of the calls, in percent, did not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last * percent).div_ceil(100)).copied().unwrap_or_default()
    }
}

pub(super) fn judge(storm: &Storm, store: &Store, books: &Books, elapsed: Duration) -> Outcome {
    let features: BTreeMap<FeatureId, Feature> =
        store.features().expect("the features").into_iter().map(|feature| (feature.id, feature)).collect();
    let journal = store.journal_since(0, usize::MAX).expect("the journal");
    let attempts = Attempts::of(&journal, books);
    let mut violations = errors(books);
    violations.extend(owned_twice_by_the_answers(books));
    violations.extend(attempts.violations.iter().cloned());
    violations.extend(lost(storm, books, &features, &attempts));
    let (held, recovered, not_recovered) = attempts.of_the_killed(storm);
    violations.extend(not_recovered);
    if let Err(error) = store.file().check_integrity() {
        violations.push(Violation::LostUpdate(error.to_string()));
    }
    let entries = books.entries();
    let answered = entries.iter().filter(|entry| !matches!(entry.answer, Answer::None));
    let mut latencies: Vec<Duration> = answered.map(|entry| entry.answered - entry.asked).collect();
    latencies.sort_unstable();
    Outcome {
        processes: storm.processes,
        features: features.len(),
        calls: latencies.len(),
        kills: books.kills().len(),
        held,
        recovered,
        busy: entries.iter().filter(|entry| matches!(entry.answer, Answer::Busy)).count(),
        violations,
        latencies,
        elapsed,
    }
}

fn errors(books: &Books) -> Vec<Violation> {
    let entries = books.entries();
    let told = entries.iter().filter_map(|entry| match &entry.answer {
        Answer::Unexplained { what } => Some(format!("{:?}: {what}", entry.call)),
        Answer::None if !books.was_killed(entry.pid) => Some(format!("{:?}: no answer", entry.call)),
        _ => None,
    });
    told.map(Violation::UnexplainedError).collect()
}

/// A session owned a feature at least from the answer to its claim until it asked to pass it and was told that it
/// does, or until its server was killed.
fn owned_twice_by_the_answers(books: &Books) -> Vec<Violation> {
    let (entries, kills) = (books.entries(), books.kills());
    let mut owned: BTreeMap<FeatureId, Vec<(Instant, Option<Instant>, SessionId)>> = BTreeMap::new();
    for entry in entries.iter() {
        let Answer::Claimed { feature, session } = entry.answer else {
            continue;
        };
        let passed = entries.iter().find(|later| {
            later.pid == entry.pid
                && later.asked >= entry.answered
                && matches!(later.call, Call::Pass(passed) if passed == feature)
                && matches!(later.answer, Answer::Passed)
        });
        let until = passed.map(|passed| passed.asked).or_else(|| kills.get(&entry.pid).copied());
        owned.entry(feature).or_default().push((entry.answered, until, session));
    }
    let mut violations = Vec::new();
    for (feature, mut spans) in owned {
        spans.sort_unstable();
        for pair in spans.windows(2) {
            let [(_, until, first), (from, _, second)] = pair else { continue };
            if first != second && until.is_none_or(|until| until > *from) {
                let what = format!("{feature}: {first} was told that it owns it, and so was {second}");
                violations.push(Violation::DoubleClaim(what));
            }
        }
    }
    violations
}

/// What the journal tells of the attempts.
struct Attempts {
    by_id: BTreeMap<AttemptId, Attempt>,
    /// The process that reported itself for a session, if one did.
    pids: BTreeMap<SessionId, u32>,
    killed: BTreeSet<u32>,
    violations: Vec<Violation>,
}

struct Attempt {
    feature: FeatureId,
    session: SessionId,
    claimed: Timestamp,
    end: Option<(Timestamp, AttemptOutcome)>,
}

impl Attempts {
    fn of(journal: &[Entry], books: &Books) -> Self {
        let mut found = Self {
            by_id: BTreeMap::new(),
            pids: BTreeMap::new(),
            killed: books.kills().into_keys().collect(),
            violations: Vec::new(),
        };
        let mut owners: BTreeMap<FeatureId, AttemptId> = BTreeMap::new();
        for entry in journal {
            let ended = match &entry.fact {
                Fact::Integrated { .. } => AttemptOutcome::Landed,
                Fact::AttemptEnded { result, .. } => result.clone(),
                Fact::SessionUp { process } => {
                    found.pids.extend(entry.session.zip(u32::try_from(process.pid).ok()));
                    continue;
                }
                Fact::Claimed { .. } => {
                    let (Some(feature), Some(session), Some(attempt)) =
                        (entry.feature, entry.session, entry.attempt)
                    else {
                        continue;
                    };
                    if let Some(owner) = owners.insert(feature, attempt) {
                        let what = format!("{feature} was claimed as attempt {attempt} while {owner} had it");
                        found.violations.push(Violation::DoubleClaim(what));
                    }
                    let made = Attempt { feature, session, claimed: entry.at, end: None };
                    found.by_id.insert(attempt, made);
                    continue;
                }
                _ => continue,
            };
            let (Some(feature), Some(attempt)) = (entry.feature, entry.attempt) else { continue };
            if owners.remove(&feature) != Some(attempt) {
                let what = format!("{feature}: attempt {attempt} ended ({ended}) without owning it");
                found.violations.push(Violation::DoubleClaim(what));
            }
            if let Some(of) = found.by_id.get_mut(&attempt) {
                of.end = Some((entry.at, ended));
            }
        }
        found
    }

    /// Returns how many claims killed servers held, how many were taken back, and what went wrong with the others.
    fn of_the_killed(&self, storm: &Storm) -> (usize, usize, Vec<Violation>) {
        let lease = SignedDuration::try_from(storm.lease).expect("a short lease");
        let (mut held, mut recovered, mut violations) = (0, 0, Vec::new());
        for Attempt { feature, session, claimed, end } in self.by_id.values() {
            // A server that was killed right after its claim did not come to report itself.
            let killed = self.pids.get(session).is_none_or(|pid| self.killed.contains(pid));
            match end {
                Some((_, AttemptOutcome::Landed)) => continue,
                Some((at, AttemptOutcome::Expired)) if killed => {
                    if at.duration_since(*claimed) < lease {
                        let what = format!("{feature}: the claim of {session} was taken back too early");
                        violations.push(Violation::NotRecovered(what));
                    }
                    recovered += 1;
                }
                Some((_, outcome)) => {
                    let what =
                        format!("{feature}: the claim of {session}, killed: {killed}, ended: {outcome}");
                    violations.push(Violation::NotRecovered(what));
                }
                None => {
                    let what = format!("{feature}: the claim of {session}, killed: {killed}, never ended");
                    violations.push(Violation::NotRecovered(what));
                }
            }
            held += 1;
        }
        (held, recovered, violations)
    }

    fn any(&self, feature: FeatureId, is: impl Fn(&Attempt) -> bool) -> bool {
        self.by_id.values().any(|attempt| attempt.feature == feature && is(attempt))
    }
}

/// Everything that was acknowledged has to be there, once.
fn lost(
    storm: &Storm,
    books: &Books,
    features: &BTreeMap<FeatureId, Feature>,
    attempts: &Attempts,
) -> Vec<Violation> {
    let mut missing = Vec::new();
    for entry in books.entries().iter() {
        let there = match (&entry.call, &entry.answer) {
            (Call::Claim(wanted), Answer::Claimed { feature, session }) => {
                wanted.is_none_or(|wanted| wanted == *feature)
                    && attempts.any(*feature, |attempt| attempt.session == *session)
            }
            (Call::Pass(feature), Answer::Passed) => {
                let status = features.get(feature).map(|feature| feature.status);
                let landed = |attempt: &Attempt| matches!(attempt.end, Some((_, AttemptOutcome::Landed)));
                status == Some(Status::Passing) && attempts.any(*feature, landed)
            }
            (Call::Create { key }, Answer::Created { feature }) => {
                features.get(feature).is_some_and(|feature| feature.key.as_ref() == Some(key))
            }
            (Call::Depend { feature, on }, Answer::Depends) => {
                features.get(feature).is_some_and(|feature| feature.dependencies.contains(on))
            }
            _ => true,
        };
        if !there {
            let what = format!("{:?} was answered {:?}, and it is not so", entry.call, entry.answer);
            missing.push(Violation::LostUpdate(what));
        }
    }
    if features.len() != storm.features {
        let what = format!("{} features are there instead of {}", features.len(), storm.features);
        missing.push(Violation::LostUpdate(what));
    }
    for feature in features.values() {
        let landed = |attempt: &&Attempt| {
            attempt.feature == feature.id && matches!(attempt.end, Some((_, AttemptOutcome::Landed)))
        };
        let times = attempts.by_id.values().filter(landed).count();
        if times != 1 || feature.status != Status::Passing {
            let what = format!("{} passed {times} times and is {:?}", feature.id, feature.status);
            missing.push(Violation::LostUpdate(what));
        }
    }
    missing
}
