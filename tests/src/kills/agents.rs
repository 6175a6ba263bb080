//! Agents that make it hard, and a real one. Each writes a file when all that it starts is up.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Who works in a session that is cut off.
#[derive(Debug, Clone)]
pub enum Agent {
    /// Ignores SIGTERM, and so do the daemons that it starts.
    Stubborn,
    /// Ends at SIGTERM; its daemons have forked twice, made sessions of their own and cleared their environment.
    Daemons,
    /// Prints without end, to stdout and stderr.
    Flood,
    /// Stops itself, so that it hears nothing.
    Stopped,
    /// The real Claude Code, at this path; a script plays its model.
    Claude { program: PathBuf },
}

/// Forked twice, in a session of its own, without our mark, outside of the workspace; `$1` is where its number goes.
const DAEMON: &str = r#"daemon() {
  (env -i PATH="$PATH" setsid sh -c "$2 cd /; echo \$\$ > $1; exec sleep 600" >/dev/null 2>&1 &)
  until test -s "$1"; do sleep 0.01; done
}
"#;

impl Agent {
    /// Returns the flags of `cogwork run`. `dir` is outside of the workspace.
    pub(super) fn flags(&self, dir: &Path) -> Vec<OsString> {
        let dir = dir.display();
        let daemons =
            |words: &str| format!("daemon {dir}/daemon1 \"{words}\"; daemon {dir}/daemon2 \"{words}\"");
        let up = format!("sleep 600 & echo $! > {dir}/child; echo $$ > {dir}/up");
        let script = match self {
            Self::Stubborn => {
                format!("trap '' TERM; {}; {up}; while :; do sleep 1; done", daemons("trap '' TERM;"))
            }
            Self::Daemons => format!("{}; {up}; wait", daemons("")),
            Self::Flood => {
                format!("{}; {up}; while :; do echo a line; echo another >&2; done", daemons(""))
            }
            Self::Stopped => format!("{}; {up}; kill -STOP $$", daemons("")),
            Self::Claude { program } => {
                // What its model asks for is what the policy refuses.
                let flags = ["--policy", "off", "--agent", "claude", "--program"].map(OsString::from);
                return flags.into_iter().chain([program.into()]).collect();
            }
        };
        vec!["--agent".into(), format!("exec:{DAEMON}{script}").into()]
    }

    /// Returns what the model of the real agent says: start a daemon and one more child and tell where they are. Then
    /// it answers no more.
    pub(super) fn script(dir: &Path) -> serde_json::Value {
        let dir = dir.display();
        let shell = format!(
            "{DAEMON}daemon {dir}/daemon1 ''; (setsid sleep 600 >/dev/null 2>&1 & echo $! > {dir}/child); \
             echo $$ > {dir}/up"
        );
        serde_json::json!({"turns": [{"shell": shell}, {"hang": 600, "times": 0}]})
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stubborn => "ignores SIGTERM",
            Self::Daemons => "has daemons",
            Self::Flood => "floods",
            Self::Stopped => "is stopped",
            Self::Claude { .. } => "Claude Code",
        })
    }
}
