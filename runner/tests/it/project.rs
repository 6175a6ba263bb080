//! A project to work on, made in a temporary directory.

use std::path::{Path, PathBuf};

use cogwork_schemas::{Fact, FeatureId, FeatureList, Isolation, Role};
use cogwork_session::{AgentSettings, AgentSpec, SessionCommand, SessionLimits};
use cogwork_store::{Batch, Claim, ImportLimits, NewSession, Secret, Store, TimeSource, state_dir};
use jiff::{SignedDuration, Timestamp};

use crate::runner::shell;

pub(crate) struct Project {
    _dir: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
}

pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "leases of real processes need the real time")]
    Timestamp::now()
}

impl Project {
    /// A directory without git that holds these features: JSON as `cogwork import` reads it.
    pub(crate) fn plain(features: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        // As the kernel writes it, or no process would be found inside.
        let dir = temporary.path().canonicalize().unwrap();
        let store = Store::create(&dir, TimeSource::new(now)).unwrap();
        let list: FeatureList = serde_json::from_str(&format!("{{\"features\": {features}}}")).unwrap();
        store.import(&list, &ImportLimits::default()).unwrap();
        Self { _dir: temporary, dir, store }
    }

    /// The same as a git repository with one commit.
    pub(crate) fn git(features: &str) -> Self {
        let project = Self::plain(features);
        let made = shell(
            &project.dir,
            "git init -q -b main && echo old > README && git add README \
             && git -c user.name=A -c user.email=a@b.c commit -q -m first",
        );
        assert!(made.status.success(), "{made:?}");
        project
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.dir.join(path)).unwrap()
    }

    pub(crate) fn claim(&self, feature: i64) -> Claim {
        self.claim_batch(feature, 1)
    }

    /// Claims for a session that may have so many features.
    pub(crate) fn claim_batch(&self, feature: i64, size: u32) -> Claim {
        let batch = Some(Batch { size, slots: 1 });
        let new = NewSession { batch, ..NewSession::new(Role::Coding, "exec", Isolation::Workspace) };
        self.store
            .claim(FeatureId(feature), &new, &Secret::random().unwrap(), SignedDuration::from_secs(60))
            .unwrap()
    }

    /// The command of one session in a workspace, with limits that no good agent meets.
    pub(crate) fn command(&self, feature: i64, claim: &Claim, agent: &str) -> SessionCommand {
        SessionCommand {
            project: self.dir.clone(),
            session: claim.session,
            feature: FeatureId(feature),
            token: claim.token.clone(),
            role: Role::Coding,
            agent: AgentSpec::Exec { command: agent.to_owned() },
            script: None,
            isolation: Isolation::Workspace,
            base: None,
            batch: 1,
            yolo: false,
            attempts: 3,
            limits: SessionLimits::default(),
            settings: AgentSettings::default(),
            pass_env: vec![],
        }
    }

    pub(crate) fn session_file(&self, claim: &Claim, name: &str) -> PathBuf {
        state_dir(&self.dir).join("sessions").join(claim.session.to_string()).join(name)
    }

    pub(crate) fn workspace(&self, claim: &Claim) -> PathBuf {
        state_dir(&self.dir).join("workspaces").join(claim.session.to_string())
    }

    /// The journal of a feature as words, without what belongs to all of them.
    pub(crate) fn facts(&self, feature: i64) -> Vec<String> {
        let entries = self.store.journal_since(0, 1000).unwrap();
        let of_feature = entries.into_iter().filter(|entry| entry.feature == Some(FeatureId(feature)));
        of_feature.map(|entry| word(&entry.fact)).collect()
    }
}

fn word(fact: &Fact) -> String {
    if let Fact::Checked { phase, report, .. } = fact {
        return format!("checked {phase:?} {}", report.verdict);
    }
    if let Fact::SessionEnded { result, .. } = fact {
        return format!("session: {result}");
    }
    if let Fact::AttemptEnded { result, .. } = fact {
        return format!("attempt: {result}");
    }
    serde_json::to_value(fact).unwrap()["kind"].as_str().unwrap().to_owned()
}
