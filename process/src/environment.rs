//! What a started program may see of our own environment. The only place that reads it.

use std::env;
use std::ffi::{OsStr, OsString};

/// Variables that are passed on: where things are, who and where the user is, how to reach the network. Secrets,
/// `SSH_AUTH_SOCK`, all else of `GIT_*` and everything of Cogwork's own are not among them.
const PASSED_ON: &[&str] = &[
    // the user and the system
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "TZ",
    "LANG",
    "LANGUAGE",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    // set by a runner, so that no git in a workspace finds the project around it
    "GIT_CEILING_DIRECTORIES",
    // the way to the network, and whom to trust there
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    // where tool chains live, without which an installed compiler is not found
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "JAVA_HOME",
    "NVM_DIR",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "SDKMAN_DIR",
    "NIX_PATH",
];

/// Families that are passed on whole.
const PASSED_ON_FAMILIES: &[&str] = &["LC_", "XDG_"];

/// Returns the variables of this process that every program it starts may see, sorted by name.
///
/// An allow-list: what an agent or a check needs beyond it (its own key, its session's variables) is added by name
/// by whoever starts it.
pub fn base_env() -> Vec<(OsString, OsString)> {
    let mut env: Vec<_> = env::vars_os().filter(|(name, _)| is_passed_on(name)).collect();
    env.sort();
    env
}

fn is_passed_on(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        PASSED_ON.contains(&name) || PASSED_ON_FAMILIES.iter().any(|family| name.starts_with(family))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_variables_are_passed_on() {
        for name in ["PATH", "HOME", "LC_CTYPE", "XDG_CONFIG_HOME", "https_proxy"] {
            assert!(is_passed_on(OsStr::new(name)), "{name}");
        }
        for name in ["ANTHROPIC_API_KEY", "GIT_DIR", "COGWORK_TOKEN", "SSH_AUTH_SOCK", "PATHS", "path", "LC"]
        {
            assert!(!is_passed_on(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn the_base_environment_finds_programs() {
        let env = base_env();
        assert!(env.iter().any(|(name, _)| name == "PATH"), "{env:?}");
        assert!(env.is_sorted());
    }
}
