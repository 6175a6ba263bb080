//! What this server was started for: its flags and its environment, read once and resolved into plain values.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use cogwork_process::contain;
use cogwork_schemas::{FeatureId, Role, Token};
use cogwork_store::{AttemptLimits, ImportLimits, StateHome};
use jiff::SignedDuration;

use crate::http::{self, Bearer, Http, SHORTEST};
use crate::role;

/// The feature database of a Cogwork project, as tools for any MCP client (stdio, or HTTP on this machine).
#[derive(Debug, Parser)]
#[command(name = "cogwork-mcp", version, after_help = AFTER_HELP)]
pub(crate) struct Flags {
    /// The project's directory [default: $PROJECT_DIR, else $CLAUDE_PROJECT_DIR, else the current directory]
    #[arg(long, value_name = "DIR")]
    project_dir: Option<PathBuf>,
    /// What the session is for; fixes which tools there are
    #[arg(long, default_value = "all", value_parser = role::parse)]
    role: Role,
    /// The only features that may be changed, such as 1,2 [default: $COGWORK_FEATURES, else any]
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    features: Vec<FeatureId>,
    /// Serve these tools of the role only
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tools: Vec<String>,
    /// Do not serve these tools
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude_tools: Vec<String>,
    /// Serve no tool that changes anything
    #[arg(long)]
    read_only: bool,
    /// Serve any number of clients over HTTP at this loopback address, such as 127.0.0.1:4711; port 0 takes a free one.
    /// They need a bearer token: $COGWORK_HTTP_TOKEN, else the one in .cogwork/mcp-http.token
    #[arg(long, value_name = "ADDR:PORT", value_parser = http::loopback)]
    http: Option<SocketAddr>,
    /// Most dependencies of one feature
    #[arg(long, value_name = "N", default_value_t = ImportLimits::default().dependencies)]
    max_dependencies: usize,
    /// Park a feature that was given back or failed so many times
    #[arg(long, value_name = "N", default_value_t = AttemptLimits::default().attempts)]
    max_attempts: u32,
    /// Further environment variables that checks may see
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pass_env: Vec<String>,
}

/// What the help says of the environment that no flag stands for.
const AFTER_HELP: &str = "\
Environment:
  COGWORK_LEASE_S  Seconds for which a claim of a server that claims for itself outlives it when it is killed; from 1 \
to 86400 [default: 600]
  COGWORK_LOG      What to log to stderr, as RUST_LOG has it elsewhere [default: warn]";

/// How long such a claim holds without being renewed, unless the environment says otherwise.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// The shortest lease in seconds: less, and a busy machine loses claims of servers that live.
const SHORTEST_LEASE_S: i64 = 1;

/// The longest lease in seconds, a day: more, and nobody would wait for it.
const LONGEST_LEASE_S: i64 = 86_400;

/// The environment as it was at the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Reads this process's environment: the only place that does.
    pub(crate) fn read() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Returns a variable that is set to something.
    fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)?;
        (!value.is_empty()).then_some(value)
    }

    /// Returns the session's mark and the named variables, as far as they are set. Tokens are never granted:
    /// checks run what an agent wrote.
    fn granted(&self, names: &[String]) -> Vec<(OsString, OsString)> {
        let is_granted =
            |name: &OsString| name == contain::MARKER || names.iter().any(|granted| name == granted.as_str());
        let is_secret = |name: &OsString| name == TOKEN || name == HTTP_TOKEN;
        self.0.iter().filter(|(name, _)| !is_secret(name) && is_granted(name)).cloned().collect()
    }

    /// Returns a variable as text; what is not UTF-8 is no value of ours.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str()
    }
}

/// Which features this server may change, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Assignment {
    /// Somebody claimed these features for the session and gave it their tokens.
    Given(Vec<(FeatureId, Token)>),
    /// Nobody did: the server claims for itself, only these features unless the list is empty.
    Own { only: Vec<FeatureId> },
}

/// How a session that was given a feature gets further ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Further {
    /// The branch of the project on which each begins; none where the session works in the project itself.
    pub(crate) branch: Option<String>,
}

/// Which of the role's tools are served.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolFilter {
    /// Only these, unless empty.
    pub(crate) only: Vec<String>,
    pub(crate) except: Vec<String>,
    pub(crate) read_only: bool,
}

/// Everything the server has to know.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) project: PathBuf,
    /// Where copies of a project lie outside it.
    pub(crate) state_home: StateHome,
    /// Where the session works and checks run.
    pub(crate) workspace: PathBuf,
    pub(crate) role: Role,
    pub(crate) assignment: Assignment,
    /// Set in a session that may take further features when it has handed in what it was given.
    pub(crate) further: Option<Further>,
    pub(crate) filter: ToolFilter,
    /// Where to serve over HTTP; `None` for standard input and output.
    pub(crate) http: Option<Http>,
    /// How large features may be.
    pub(crate) limits: ImportLimits,
    /// When a feature is given up.
    pub(crate) attempts: AttemptLimits,
    /// How long a claim of our own holds without being renewed.
    pub(crate) lease: SignedDuration,
    /// What checks see beyond what every program that Cogwork starts sees: the mark of this session, for whoever
    /// clears its processes away, and what they were granted by name.
    pub(crate) check_variables: Vec<(OsString, OsString)>,
}

/// Why the server cannot start as it was told to.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum OptionsError {
    /// A feature id is no number.
    #[error("COGWORK_FEATURES is `{text}`: it must be feature ids with commas between, such as 1,2")]
    BadFeatures { text: String },
    /// The lease is no number.
    #[error("COGWORK_LEASE_S is `{text}`: it must be a number of whole seconds, such as 600")]
    BadLease { text: String },
    /// Tokens and features do not belong together.
    #[error(
        "COGWORK_TOKEN holds {tokens} tokens for {features} features: give one token for each of --features, in the \
         same order"
    )]
    TokenCount { tokens: usize, features: usize },
    /// The bearer token could be guessed, or could not be sent.
    #[error(
        "COGWORK_HTTP_TOKEN cannot be used: it must have {SHORTEST} characters or more, all of them letters, digits or \
         -._~+/="
    )]
    BadBearer,
    /// The current directory is gone.
    #[error("the current directory cannot be read: give the project's directory with --project-dir")]
    NoDirectory,
}

const TOKEN: &str = "COGWORK_TOKEN";
const HTTP_TOKEN: &str = "COGWORK_HTTP_TOKEN";

impl Options {
    /// Resolves flags over environment over defaults.
    ///
    /// # Errors
    /// [`OptionsError`] when what was given contradicts itself.
    pub(crate) fn resolve(flags: Flags, environment: &Environment) -> Result<Self, OptionsError> {
        let named = flags.project_dir.or_else(|| {
            let variable = environment.get("PROJECT_DIR").or_else(|| environment.get("CLAUDE_PROJECT_DIR"));
            variable.map(PathBuf::from)
        });
        let project = match named {
            Some(dir) => std::path::absolute(dir),
            None => std::env::current_dir(),
        }
        .map_err(|_| OptionsError::NoDirectory)?;
        let workspace = environment.get("COGWORK_WORKSPACE").map_or_else(|| project.clone(), PathBuf::from);
        let features = if flags.features.is_empty() { features_of(environment)? } else { flags.features };
        Ok(Self {
            workspace,
            project,
            state_home: StateHome::of_variables(|name| environment.get(name)),
            role: flags.role,
            assignment: assignment(features, environment)?,
            further: further(environment),
            filter: ToolFilter { only: flags.tools, except: flags.exclude_tools, read_only: flags.read_only },
            http: flags.http.map(|address| http(address, environment)).transpose()?,
            limits: ImportLimits { dependencies: flags.max_dependencies, ..ImportLimits::default() },
            attempts: AttemptLimits { attempts: flags.max_attempts.max(1), ..AttemptLimits::default() },
            lease: lease_of(environment)?,
            check_variables: environment.granted(&flags.pass_env),
        })
    }
}

fn http(address: SocketAddr, environment: &Environment) -> Result<Http, OptionsError> {
    let given = match environment.get(HTTP_TOKEN) {
        Some(text) => Some(Bearer::given(text).ok_or(OptionsError::BadBearer)?),
        None => None,
    };
    Ok(Http { address, given })
}

/// What is out of bounds is brought to the bound: whoever sets 0 wants a short lease, not a server that refuses.
fn lease_of(environment: &Environment) -> Result<SignedDuration, OptionsError> {
    let Some(text) = environment.text("COGWORK_LEASE_S") else {
        return Ok(LEASE);
    };
    let seconds = text.trim().parse::<i64>().map_err(|_| OptionsError::BadLease { text: text.to_owned() })?;
    Ok(SignedDuration::from_secs(seconds.clamp(SHORTEST_LEASE_S, LONGEST_LEASE_S)))
}

fn features_of(environment: &Environment) -> Result<Vec<FeatureId>, OptionsError> {
    let Some(text) = environment.text("COGWORK_FEATURES") else {
        return Ok(Vec::new());
    };
    let ids: Result<Vec<FeatureId>, _> = text.split(',').map(str::parse).collect();
    ids.map_err(|_| OptionsError::BadFeatures { text: text.to_owned() })
}

/// Inside a session of an orchestrator a missing token is never made up for by claiming: it gives no right at all.
fn assignment(features: Vec<FeatureId>, environment: &Environment) -> Result<Assignment, OptionsError> {
    let tokens: Vec<Token> = match environment.text(TOKEN) {
        Some(tokens) => tokens.split(',').map(|token| Token::new(token.trim())).collect(),
        None if environment.get("COGWORK_SESSION").is_some() => Vec::new(),
        None => return Ok(Assignment::Own { only: features }),
    };
    if tokens.len() != features.len() {
        return Err(OptionsError::TokenCount { tokens: tokens.len(), features: features.len() });
    }
    Ok(Assignment::Given(features.into_iter().zip(tokens).collect()))
}

/// Returns how to take further features in a session whose batch is larger than one.
fn further(environment: &Environment) -> Option<Further> {
    let size: u32 = environment.text("COGWORK_BATCH")?.parse().ok()?;
    let branch = environment.text("COGWORK_BRANCH").map(str::to_owned);
    (size > 1).then_some(Further { branch })
}

#[cfg(test)]
mod tests;
