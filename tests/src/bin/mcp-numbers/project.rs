//! The projects that are measured, and the other process that changes them meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cogwork_schemas::{
    AttemptOutcome, DependencyRef, FeatureId, Isolation, ListedFeature, Role, SessionOutcome,
};
use cogwork_store::{AttemptLimits, ImportLimits, NewFeature, NewSession, Secret, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Layers of a layered project: each feature depends on two of the layer below.
const LAYERS: usize = 10;

/// A project in a directory of its own, removed at the end.
pub(crate) struct Project {
    dir: PathBuf,
    store: Store,
    size: usize,
}

impl Project {
    /// Makes a project without features.
    pub(crate) fn empty() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("cogwork-mcp-numbers-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory can be made");
        let store = Store::create(&dir, TimeSource::new(Timestamp::now)).expect("a project can be made");
        Self { dir, store, size: 0 }
    }

    /// Makes a project in ten layers, the lowest ready, with as much text as plans have.
    pub(crate) fn layered(size: usize) -> Self {
        let width = size / LAYERS;
        Self::empty().filled(size, |place| {
            let (layer, column) = (place / width, place % width);
            if layer == 0 {
                return Vec::new();
            }
            let below = (layer - 1) * width;
            vec![below + column, below + (column * 7 + layer) % width]
        })
    }

    /// Makes a chain, and a hundred features that stand alone.
    pub(crate) fn chain(length: i64) -> Self {
        let length = usize::try_from(length).expect("a length");
        Self::empty().filled(length + 100, |place| match place {
            1.. if place < length => vec![place - 1],
            _ => Vec::new(),
        })
    }

    fn filled(mut self, size: usize, below: impl Fn(usize) -> Vec<usize>) -> Self {
        let items: Vec<NewFeature> = (0..size)
            .map(|place| NewFeature { depends_on_items: below(place), listed: listed(place) })
            .collect();
        self.store.create_features(&items, &ImportLimits::default(), None).expect("a plan without faults");
        self.size = size;
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Returns an id somewhere in the project, another one in each turn.
    pub(crate) fn spread(&self, turn: usize) -> usize {
        1 + turn * 7_919 % self.size
    }

    /// Returns the id of a ready feature, another one in each turn.
    pub(crate) fn ready(&self, turn: usize) -> usize {
        1 + turn % (self.size / LAYERS)
    }

    /// Claims a ready feature and gives it back, as other sessions do.
    pub(crate) fn change(&self, turn: usize) {
        let new = NewSession::new(Role::Coding, "other", Isolation::Shared);
        let id = i64::try_from(self.ready(turn)).expect("an id");
        let claim = self
            .store
            .claim(
                FeatureId(id),
                &new,
                &Secret::random().expect("random bits"),
                SignedDuration::from_mins(10),
            )
            .expect("it is ready");
        self.store
            .end_attempt(&claim.token, &AttemptOutcome::Stopped, &AttemptLimits::default())
            .expect("it is claimed");
        self.store.end_session(claim.session, &SessionOutcome::Stopped, 1).expect("it runs");
    }

    /// Makes one more feature.
    pub(crate) fn add(&self, turn: usize) {
        let mut listed = listed(self.size + turn);
        listed.dependencies = vec![DependencyRef::Id(1)];
        self.store
            .create_features(&[listed.into()], &ImportLimits::default(), None)
            .expect("a feature without faults");
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.dir).expect("a project can be removed");
    }
}

fn listed(place: usize) -> ListedFeature {
    let rare = if place.is_multiple_of(1_000) && place < 10_000 { " Here is the needle." } else { "" };
    serde_json::from_value(json!({
        "category": format!("area {}", place % 12),
        "name": format!("A person can do thing number {place}"),
        "description": format!(
            "This feature lets a person do thing number {place} from the main screen, sees to it that what was \
             typed is kept when the window is closed, and says in one sentence what is wrong with it.{rare}"
        ),
        "steps": ["Open the main screen.", "Do the thing twice.", "Look at what is shown."],
    }))
    .expect("a feature of a list")
}
