//! What Codex writes down about a session and does not print: the kind of an error, and when a limit ends.
//!
//! The file `sessions/YYYY/MM/DD/rollout-*-THREAD.jsonl` in its home, of which only the end is read. When it is
//! missing or has another form, nothing is known; that is no error.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;

/// How much of the end is read: the last lines are short.
const END: u64 = 128 << 10;

/// Days that are looked through, the newest first: a session that is older is not resumed.
const DAYS: usize = 40;

/// What the end of a session's file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Written {
    /// The kind of the last turn's error.
    pub(super) error: Option<String>,
    /// The status of HTTP that came with it.
    pub(super) status: Option<u64>,
    /// The allowance that is used up, or nearly.
    pub(super) used_up: Option<Window>,
}

/// One allowance of the account.
#[derive(Debug, PartialEq)]
pub(super) struct Window {
    pub(super) name: String,
    pub(super) resets_at: Option<Timestamp>,
}

/// Returns what is written down about a thread.
pub(super) fn read(home: &Path, thread: &str) -> Written {
    // It becomes a part of a file's name.
    let is_id = thread.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let Some(path) = is_id.then(|| find(&home.join("sessions"), thread)).flatten() else {
        return Written::default();
    };
    end_of(&path).map(|text| understood(&text)).unwrap_or_default()
}

fn find(sessions: &Path, thread: &str) -> Option<PathBuf> {
    let ending = format!("-{thread}.jsonl");
    let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(&ending);
    let months = newest_first(sessions).into_iter().flat_map(|year| newest_first(&year));
    let days = months.flat_map(|month| newest_first(&month));
    days.take(DAYS).find_map(|day| newest_first(&day).into_iter().find(is_it))
}

fn newest_first(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_by(|one, other| other.cmp(one));
    paths
}

fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
    let mut bytes = Vec::new();
    file.take(END).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn understood(text: &str) -> Written {
    let mut written = Written::default();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let payload = &line["payload"];
        match payload["type"].as_str() {
            Some("task_started" | "turn_started") => (written.error, written.status) = (None, None),
            Some("token_count") => written.used_up = used_up(&payload["rate_limits"]),
            Some("task_complete" | "turn_complete") => {
                let info = &payload["error"]["codex_error_info"];
                (written.error, written.status) = kind(info);
            }
            Some(_) | None => {}
        }
    }
    written
}

/// Kinds are a word, or one key that holds the details.
fn kind(info: &Value) -> (Option<String>, Option<u64>) {
    if let Some(word) = info.as_str() {
        return (Some(word.to_owned()), None);
    }
    let only = info.as_object().and_then(|object| object.iter().next());
    only.map_or((None, None), |(word, details)| (Some(word.clone()), details["http_status_code"].as_u64()))
}

/// Returns the allowance of which most is used, if that is nearly all; the longer one of two.
fn used_up(limits: &Value) -> Option<Window> {
    ["secondary", "primary"]
        .iter()
        .map(|key| &limits[*key])
        .find(|window| window["used_percent"].as_f64().is_some_and(|percent| percent >= 99.0))
        .map(|window| Window {
            name: name(window["window_minutes"].as_u64()),
            resets_at: window["resets_at"].as_i64().and_then(|at| Timestamp::from_second(at).ok()),
        })
}

/// Returns the name that other agents have for an allowance of this length.
fn name(minutes: Option<u64>) -> String {
    match minutes {
        Some(minutes @ 270..=330) if minutes % 30 == 0 => "five_hour".to_owned(),
        Some(10_080) => "seven_day".to_owned(),
        Some(minutes) => format!("{minutes} minutes"),
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: &str = "01a1fa1c-acfb-7cf2-9ce5-c32c12bf9fde";

    /// As Codex 0.169.0 wrote it at the end of a session that met the limit of its account.
    const LIMIT: &str = r#"
{"timestamp":"2026-11-20T17:59:07.104Z","ordinal":9,"type":"event_msg","payload":{"type":"token_count","info":null,"rate_limits":{"limit_id":"codex","limit_name":null,"primary":{"used_percent":100.0,"window_minutes":300,"resets_at":1795204746},"secondary":null,"credits":null,"plan_type":null,"rate_limit_reached_type":null}}}
{"timestamp":"2026-11-20T17:59:07.108Z","ordinal":10,"type":"event_msg","payload":{"type":"task_complete","turn_id":"t","last_agent_message":null,"error":{"message":"You’ve hit your usage limit.","codex_error_info":"usage_limit_exceeded"},"started_at":1795197546,"completed_at":1795197547,"duration_ms":266}}
"#;

    fn written(text: &str) -> Written {
        let home = tempfile::tempdir().unwrap();
        let day = home.path().join("sessions/2026/11/20");
        fs::create_dir_all(&day).unwrap();
        fs::create_dir_all(home.path().join("sessions/2026/12/01")).unwrap();
        fs::write(day.join("rollout-2026-11-20T17-59-05-other.jsonl"), "{}").unwrap();
        fs::write(day.join(format!("rollout-2026-11-20T17-59-05-{THREAD}.jsonl")), text).unwrap();
        read(home.path(), THREAD)
    }

    #[test]
    fn a_limit_is_written_down_with_its_time() {
        let found = written(LIMIT);
        assert_eq!(found.error.as_deref(), Some("usage_limit_exceeded"));
        let resets_at = Some("2026-11-20T19:59:06Z".parse().unwrap());
        assert_eq!(found.used_up, Some(Window { name: "five_hour".to_owned(), resets_at }));
    }

    #[test]
    fn the_end_of_a_long_file_is_enough() {
        let long = format!("{{\"payload\":\"{}\"}}\n", "x".repeat(1_000_000));
        assert_eq!(written(&format!("{long}{LIMIT}")), written(LIMIT));
    }

    #[test]
    fn of_two_allowances_the_longer_one_counts_and_only_if_it_is_used_up() {
        let both = r#"{"primary":{"used_percent":100,"window_minutes":300,"resets_at":1},"secondary":{"used_percent":100,"window_minutes":10080,"resets_at":2}}"#;
        let found = used_up(&serde_json::from_str(both).unwrap()).unwrap();
        assert_eq!((found.name.as_str(), found.resets_at), ("seven_day", Timestamp::from_second(2).ok()));
        let none = r#"{"primary":{"used_percent":40,"window_minutes":300,"resets_at":1},"secondary":null}"#;
        assert_eq!(used_up(&serde_json::from_str(none).unwrap()), None);
    }

    #[test]
    fn errors_have_details_and_a_new_turn_forgets_them() {
        let detailed = r#"{"payload":{"type":"task_complete","error":{"message":"m","codex_error_info":{"http_connection_failed":{"http_status_code":529}}}}}"#;
        let found = written(detailed);
        assert_eq!((found.error.as_deref(), found.status), (Some("http_connection_failed"), Some(529)));
        assert_eq!(written(&format!("{detailed}\n{}", r#"{"payload":{"type":"task_started"}}"#)).error, None);
    }

    #[test]
    fn what_is_not_there_or_not_understood_is_nothing() {
        for text in ["", "{", "null", "{\"payload\":7}", "\u{0}\u{1}"] {
            assert_eq!(written(text), Written::default(), "{text}");
        }
        assert_eq!(read(Path::new("/no/such/home"), THREAD), Written::default());
        assert_eq!(read(Path::new("/"), "../../etc/passwd"), Written::default());
    }
}
