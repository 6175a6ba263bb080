//! Identities: small integers for what people and models name, a secret for what only Cogwork may hold.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = std::num::ParseIntError;

            /// Parses the number alone or with its letter, as [`fmt::Display`] prints it.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().trim_start_matches($letter).parse().map(Self)
            }
        }
    };
}

integer_id!(
    /// Names a feature; small and stable, because models and people type it. Printed as `#7`.
    FeatureId, "#"
);
integer_id!(
    /// Names one try at one feature. Attempt numbers only grow, so a later claim always has a larger one.
    AttemptId, "a"
);
integer_id!(
    /// Names one life of an agent program.
    SessionId, "s"
);
integer_id!(
    /// Names one run of the orchestrator over a project.
    RunId, "r"
);
integer_id!(
    /// Names one try at moving a branch to an attempt's work.
    LandingId, "l"
);

/// The fencing token of an attempt: whoever shows it may change that attempt's feature, until the attempt ends.
///
/// It holds the attempt's number and the secret of its session, which whoever claimed made up and no database holds.
/// It travels in the environment of Cogwork's own processes and never in a prompt; [`fmt::Debug`] hides it for that
/// reason.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Takes a token as text, from the environment.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the token that the holder of a session's secret shows for one of its attempts.
    pub fn of(attempt: AttemptId, secret: &str) -> Self {
        Self(format!("{}-{secret}", attempt.0))
    }

    /// Returns the token of another attempt of the same session: a session has one secret for all of them.
    #[must_use]
    pub fn for_attempt(&self, attempt: AttemptId) -> Self {
        Self::of(attempt, self.parts().map_or("", |(_, secret)| secret))
    }

    /// Returns the attempt and the secret; `None` of a text that is no token.
    pub fn parts(&self) -> Option<(AttemptId, &str)> {
        let (id, secret) = self.0.split_once('-')?;
        Some((AttemptId(id.parse().ok()?), secret))
    }

    /// Returns the token itself, to be compared or handed to a child's environment.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_printed() {
        assert_eq!(FeatureId(7).to_string(), "#7");
        assert_eq!("#7".parse(), Ok(FeatureId(7)));
        assert_eq!("7".parse(), Ok(FeatureId(7)));
        assert!("seven".parse::<FeatureId>().is_err());
    }

    #[test]
    fn a_token_does_not_print_itself() {
        assert_eq!(format!("{:?}", Token::new("3-secret")), "Token(…)");
    }

    #[test]
    fn one_secret_makes_the_tokens_of_all_attempts_of_a_session() {
        let token = Token::of(AttemptId(3), "secret");
        assert_eq!(token.parts(), Some((AttemptId(3), "secret")));
        assert_eq!(token.for_attempt(AttemptId(12)), Token::new("12-secret"));
        assert_eq!(Token::new("three-secret").parts(), None);
    }
}
