//! One client: what an agent does with its server, over and over, until every feature passes.
//!
//! When its server is killed it starts another and goes on with what it had not been told to be done, as the
//! client of an agent does that was interrupted. What it owned is lost to it, and free once the lease is over.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cogwork_schemas::{FeatureId, SessionId};
use serde_json::{Value, json};

use super::Shared;
use super::books::{Answer, Call, Entry};
use super::server::{Gone, Server, Slot};

/// How long a client waits that has nothing to do, or waits for somebody else's feature.
const NOTHING_TO_DO: Duration = Duration::from_millis(25);

pub(super) struct Client<'a> {
    shared: &'a Shared<'a>,
    slot: &'a Slot,
    number: usize,
    server: Option<Server<'a>>,
    rng: fastrand::Rng,
    /// A feature of this client's own that is not made, or not wired, yet.
    unfinished: Option<New>,
}

/// A feature on its way into the project.
#[derive(Debug, Clone)]
struct New {
    key: String,
    made: Option<FeatureId>,
}

impl<'a> Client<'a> {
    pub(super) fn new(shared: &'a Shared<'a>, number: usize) -> Self {
        let seed = shared.storm.seed.wrapping_mul(1_000).wrapping_add(number as u64);
        let (slot, rng) = (&shared.slots[number], fastrand::Rng::with_seed(seed));
        Self { shared, slot, number, server: None, rng, unfinished: None }
    }

    pub(super) fn run(mut self) {
        while !self.over() {
            // A killed server interrupts the cycle wherever it is.
            if self.cycle().is_err()
                && let Some(server) = self.server.take()
            {
                self.slot.set_holding(false);
                let pid = server.pid;
                server.end();
                if !self.shared.books.was_killed(pid) {
                    self.note_broken(pid, "the server ended although nobody killed it");
                }
            }
        }
        if let Some(server) = self.server.take() {
            let pid = server.pid;
            if !server.end() && !self.shared.books.was_killed(pid) {
                self.note_broken(pid, "the server did not end well");
            }
        }
    }

    fn over(&self) -> bool {
        self.shared.over.load(Ordering::Relaxed)
    }

    /// Claims and passes one feature, and makes another that depends on an older one.
    fn cycle(&mut self) -> Result<(), Gone> {
        if let Some(new) = self.unfinished.take() {
            self.make(new)?;
        }
        match self.claim(None)? {
            Some(feature) => {
                self.finish(feature)?;
                let unmade = &self.shared.unmade;
                let number = unmade.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
                if let Ok(number) = number {
                    self.make(New { key: format!("made-{number}"), made: None })?;
                }
            }
            None => std::thread::sleep(NOTHING_TO_DO),
        }
        Ok(())
    }

    fn claim(&mut self, wanted: Option<FeatureId>) -> Result<Option<FeatureId>, Gone> {
        let arguments = wanted.map_or_else(|| json!({}), |id| json!({"feature_id": id.0}));
        let answer = self.ask(Call::Claim(wanted), "feature_claim_and_get", &arguments, |told| {
            let (feature, session) = (told["id"].as_i64()?, told["claimed_by"].as_i64()?);
            Some(Answer::Claimed { feature: FeatureId(feature), session: SessionId(session) })
        })?;
        Ok(match answer {
            Answer::Claimed { feature, .. } => {
                self.slot.set_holding(true);
                Some(feature)
            }
            _ => None,
        })
    }

    /// Passes an owned feature. What it turns out to wait for is done first, if nobody else does it; that has a
    /// smaller id, so there is an end to it.
    fn finish(&mut self, feature: FeatureId) -> Result<(), Gone> {
        while !self.over() {
            let arguments = json!({"feature_id": feature.0});
            let answer = self.ask(Call::Pass(feature), "feature_mark_passing", &arguments, |told| {
                (told["state"] == "passing").then_some(Answer::Passed)
            })?;
            let Answer::Conflict { text } = answer else {
                return Ok(());
            };
            self.slot.set_holding(true);
            for first in named(&text).into_iter().filter(|first| *first < feature) {
                if self.claim(Some(first))?.is_some() {
                    self.finish(first)?;
                    self.slot.set_holding(true);
                }
            }
            std::thread::sleep(NOTHING_TO_DO);
        }
        Ok(())
    }

    /// Makes a feature, says so twice, and makes it depend on an older one.
    fn make(&mut self, mut new: New) -> Result<(), Gone> {
        for _ in 0..2 {
            self.unfinished = Some(new.clone());
            if let Answer::Created { feature } = self.create(&new.key)? {
                new.made = Some(feature);
            }
        }
        let Some(feature) = new.made else {
            return Ok(());
        };
        self.unfinished = Some(new);
        let on = FeatureId(self.rng.i64(1..feature.0));
        for _ in 0..2 {
            self.depend(feature, on)?;
        }
        self.unfinished = None;
        Ok(())
    }

    fn create(&mut self, key: &str) -> Result<Answer, Gone> {
        let arguments = json!({
            "key": key, "name": format!("Feature {key}"), "category": "made",
            "description": "Made while others work.", "steps": ["Make it."],
        });
        self.ask(Call::Create { key: key.to_owned() }, "feature_create", &arguments, |told| {
            Some(Answer::Created { feature: FeatureId(told["feature"]["id"].as_i64()?) })
        })
    }

    fn depend(&mut self, feature: FeatureId, on: FeatureId) -> Result<Answer, Gone> {
        let arguments = json!({"feature_id": feature.0, "dependency_id": on.0});
        self.ask(Call::Depend { feature, on }, "feature_add_dependency", &arguments, |told| {
            told["dependencies"].as_array()?.contains(&json!(on.0)).then_some(Answer::Depends)
        })
    }

    /// Asks the server and enters what it said; `read` takes a success, or finds that it is none.
    fn ask(
        &mut self,
        call: Call,
        tool: &str,
        arguments: &Value,
        read: impl FnOnce(&Value) -> Option<Answer>,
    ) -> Result<Answer, Gone> {
        self.pause();
        let server = match &mut self.server {
            Some(server) => server,
            None => {
                let stateless = self.number.is_multiple_of(2);
                self.server.insert(Server::start(self.shared, self.slot, stateless)?)
            }
        };
        if matches!(call, Call::Pass(_)) {
            // From here on nobody can say whether it still owns the feature.
            self.slot.set_holding(false);
        }
        let (pid, asked) = (server.pid, Instant::now());
        let told = server.call(tool, arguments);
        let answered = Instant::now();
        let answer = told.as_ref().map_or(Answer::None, |told| understood(told, read));
        self.shared.books.enter(Entry { pid, call, asked, answered, answer: answer.clone() });
        told.map(|_| answer)
    }

    fn pause(&mut self) {
        let longest = u64::try_from(self.shared.storm.pause.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(self.rng.u64(0..=longest)));
    }

    fn note_broken(&self, pid: u32, what: &str) {
        let now = Instant::now();
        let answer = Answer::Unexplained { what: what.to_owned() };
        self.shared.books.enter(Entry { pid, call: Call::Claim(None), asked: now, answered: now, answer });
    }
}

/// Returns the features that a sentence names.
fn named(text: &str) -> Vec<FeatureId> {
    let after = text.split('#').skip(1);
    let digits = after.map(|part| part.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    digits.filter_map(|digits| digits.parse().ok().map(FeatureId)).collect()
}

/// Returns what an answer of the protocol says.
fn understood(told: &Value, read: impl FnOnce(&Value) -> Option<Answer>) -> Answer {
    let unexplained = || Answer::Unexplained { what: told.to_string() };
    let result = &told["result"];
    if result["isError"] == false {
        return read(&result["structuredContent"]).unwrap_or_else(unexplained);
    }
    let text = result["content"][0]["text"].as_str().unwrap_or_default();
    if text.starts_with("Error (busy)") {
        return Answer::Busy;
    }
    let explained =
        ["no feature can be claimed now", "cannot be claimed", "is claimed by", "cannot pass yet"];
    if text.starts_with("Error (conflict)") && explained.iter().any(|words| text.contains(words)) {
        return Answer::Conflict { text: text.to_owned() };
    }
    unexplained()
}
