//! What a session is to do, where, and with what.

use std::path::PathBuf;

use cogwork_prompts::Prompt;
use cogwork_schemas::{AttemptId, Feature, Isolation, Role, SessionId, Token};

use super::PatientStore;
use crate::clock::Clock;
use crate::report::Report;
use crate::{AgentSettings, AgentSpec, Confinement, Environment, Programs, SessionLimits};

/// One session and how it is to work.
pub struct Job<'a> {
    /// Absolute.
    pub project: PathBuf,
    pub session: SessionId,
    pub task: Task,
    pub role: Role,
    pub isolation: Isolation,
    pub base: Option<String>,
    /// How many features the session may have, one after the other; the claimed one is the first.
    pub batch: u32,
    pub yolo: bool,
    /// After how many failed attempts a feature is parked.
    pub attempts: u32,
    pub limits: SessionLimits,
    pub settings: AgentSettings,
    pub agent: AgentSpec,
    pub pass_env: Vec<String>,
    pub own: &'a Environment,
    pub programs: &'a Programs,
}

/// What a session is for.
pub enum Task {
    /// To work on a feature, or to test one.
    Feature(Box<Claimed>),
    /// To do what this prompt says. It has no feature and no right to any.
    Prompt(Box<Prompt>),
}

/// A feature under the claim of the session.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub attempt: AttemptId,
    pub token: Token,
    pub feature: Feature,
}

impl Claimed {
    pub fn of(attempt: AttemptId, token: Token, feature: Feature) -> Self {
        Self { attempt, token, feature }
    }
}

impl Job<'_> {
    /// Returns the feature that the session was started for, if it was for one.
    pub fn claimed(&self) -> Option<&Claimed> {
        match &self.task {
            Task::Feature(claimed) => Some(claimed),
            Task::Prompt(_) => None,
        }
    }

    /// Returns the branch of the project that the session starts from, where the base is one.
    pub(super) fn branch(&self) -> Option<&str> {
        self.base.as_deref()?.strip_prefix("refs/remotes/origin/")
    }
}

/// What the session needs of the world, shared by everything it does.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub job: &'a Job<'a>,
    pub store: PatientStore<'a>,
    pub clock: Clock,
    pub report: &'a Report<'a>,
    /// Where the agent and the checks may write; everywhere when there is none.
    pub confinement: Option<&'a Confinement>,
}
