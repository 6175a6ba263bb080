//! The rules. Each takes the files it is about and returns one complaint for each that breaks it, which names the
//! file, what is wrong and what to do.

use super::source::{Source, blanked, names, without_test_items};

/// Room for one topic; what is longer has two.
const MAX_LINES: usize = 600;

/// The crates of the workspace: directory, package, and the directories of the crates that it may use. None for
/// all of them.
const CRATES: [(&str, &str, Option<&[&str]>); 12] = [
    ("schemas", "cogwork-schemas", Some(&[])),
    ("store", "cogwork-store", Some(&["schemas"])),
    ("process", "cogwork-process", Some(&["schemas"])),
    ("views", "cogwork-views", Some(&["store", "schemas"])),
    ("prompts", "cogwork-prompts", Some(&["schemas"])),
    ("mcp-server", "cogwork-mcp", Some(&["store", "process", "schemas"])),
    ("session", "cogwork-session", Some(&["store", "process", "prompts", "schemas"])),
    ("conductor", "cogwork-conductor", Some(&["session", "store", "process", "schemas"])),
    (
        "orchestrator",
        "cogwork",
        Some(&["conductor", "session", "mcp-server", "prompts", "process", "views", "store", "schemas"]),
    ),
    (
        "runner",
        "cogwork-runner",
        Some(&["orchestrator", "conductor", "session", "store", "process", "schemas"]),
    ),
    ("tests", "cogwork-tests", None),
    ("fuzz", "cogwork-fuzz", Some(&["mcp-server", "session", "store"])),
];

/// Dependencies that are hidden from all but these places: name and the beginnings of their paths.
const SOLE_USERS: [(&str, &[&str]); 4] = [
    ("brush_parser", &["session/src/policy/"]),
    ("rmcp", &["mcp-server/"]),
    ("rusqlite", &["store/"]),
    ("axum", &["mcp-server/src/http.rs", "mcp-server/src/http/"]),
];

/// Where the pure machines live, the loop of a run, and the rules that judge an agent's tools: the beginnings of their
/// paths.
const PURE: [&str; 7] = [
    "views/src",
    "store/src/graph",
    "session/src/policy",
    "session/src/machine",
    "conductor/src/engine",
    "conductor/src/conduct",
    "conductor/src/main_branch/landing",
];

/// What a pure machine may not name, and what it does instead.
const IMPURE_WORDS: [(&str, &str); 7] = [
    ("tokio", "return effects and let the driver wait"),
    ("rusqlite", "take facts as parameters"),
    ("SystemTime", "take `now: Timestamp` as a parameter"),
    ("Instant", "take `now: Timestamp` as a parameter"),
    ("Timestamp::now", "take `now: Timestamp` as a parameter"),
    ("Zoned::now", "take `now: Timestamp` as a parameter"),
    ("Rng::new", "hold an `Rng::with_seed`"),
];

/// Modules of `std` that a pure machine may not name.
const IMPURE_STD: [&str; 5] = ["process", "env", "fs", "net", "thread"];

pub(super) fn short(files: &[Source]) -> Vec<String> {
    let lines = |file: &Source| file.text.lines().count();
    files
        .iter()
        .filter(|file| lines(file) > MAX_LINES)
        .map(|file| {
            format!("{}: {} lines; {MAX_LINES} are the limit: split it by topic", file.path, lines(file))
        })
        .collect()
}

pub(super) fn documented(files: &[Source]) -> Vec<String> {
    let silent = |file: &&Source| {
        let first = file.text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").unwrap_or_default().trim().is_empty()
    };
    files
        .iter()
        .filter(|file| !file.is_test() && file.file_name() != "main.rs" && !file.path.contains("/src/bin/"))
        .filter(silent)
        .map(|file| {
            format!("{}: does not begin with `//!`: say what the module owns and never does", file.path)
        })
        .collect()
}

/// The words for where a feature stands, which one table has, and where that is.
const STANDINGS: [&str; 5] = ["proven", "already green", "no check", "given up", "needs you"];
const STANDINGS_AT: &str = "schemas/src/standing.rs";

pub(super) fn standings(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| !file.is_test() && file.path != STANDINGS_AT) {
        let code = without_test_items(&file.text);
        for word in STANDINGS.iter().filter(|word| code.contains(&format!("\"{word}\""))) {
            complaints.push(format!(
                "{}: has the word \"{word}\" of its own: take it from {STANDINGS_AT}",
                file.path
            ));
        }
    }
    complaints
}

pub(super) fn sole_users(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        for (name, homes) in SOLE_USERS {
            let (used, at_home) = if file.file_name() == "Cargo.toml" {
                let in_its_crate = |home: &&str| home.split('/').next() == Some(file.crate_dir());
                let used = dependencies(&file.text).iter().any(|dependency| dependency == name);
                (used, homes.iter().any(in_its_crate))
            } else {
                let used = names(&blanked(&file.text), name);
                (used, homes.iter().any(|home| file.path.starts_with(home)))
            };
            if used && !at_home {
                let places = homes.join(", ");
                complaints.push(format!("{}: names {name}, which only these may: {places}", file.path));
            }
        }
    }
    complaints
}

pub(super) fn doors(files: &[Source]) -> Vec<String> {
    files
        .iter()
        .filter(|file| !file.is_test() && file.crate_dir() != "process")
        .filter(|file| names(&file.code(), "Command::new"))
        .map(|file| format!("{}: starts a program; only the crate in process/ may", file.path))
        .collect()
}

pub(super) fn arrows(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files.iter().filter(|file| file.path.contains('/')) {
        let Some((_, _, allowed)) = CRATES.iter().find(|(dir, ..)| *dir == file.crate_dir()) else {
            complaints
                .push(format!("{}: a crate without a place in the layering: give it one here", file.path));
            continue;
        };
        let Some(allowed) = allowed else { continue };
        for dependency in dependencies(&file.text) {
            let used = CRATES.iter().find(|(_, package, _)| *package == dependency);
            if let Some((dir, ..)) = used
                && !allowed.contains(dir)
            {
                complaints.push(format!(
                    "{}: depends on {dependency}, and that arrow does not point down",
                    file.path
                ));
            }
        }
    }
    complaints
}

pub(super) fn pure(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for start in PURE {
        let of_core =
            |file: &&Source| file.path.strip_prefix(start).is_some_and(|rest| rest.starts_with(['/', '.']));
        if !files.iter().any(|file| of_core(&file)) {
            complaints
                .push(format!("{start}: is not there; if the machine has moved, move it in this rule too"));
        }
        for file in files.iter().filter(of_core).filter(|file| !file.is_test()) {
            let code = file.code();
            for (word, instead) in IMPURE_WORDS {
                if names(&code, word) {
                    complaints
                        .push(format!("{}: names {word}, but the machine is pure: {instead}", file.path));
                }
            }
            for module in IMPURE_STD.into_iter().filter(|module| names_std(&code, module)) {
                complaints.push(format!("{}: names std::{module}, but the machine is pure", file.path));
            }
            // `fastrand::Rng` and its methods are fine; the functions of the crate use the generator of the thread.
            let thread_local =
                |(at, found): (usize, &str)| code[at + found.len()..].starts_with(|c: char| c.is_lowercase());
            if code.match_indices("fastrand::").any(thread_local) {
                complaints
                    .push(format!("{}: uses the thread's generator: hold an `Rng::with_seed`", file.path));
            }
        }
    }
    complaints
}

/// Returns whether the code names this module of `std`, by path or in a group of a `use`.
fn names_std(code: &str, module: &str) -> bool {
    if names(code, &format!("std::{module}")) {
        return true;
    }
    code.split("std::{").skip(1).any(|group| {
        let mut depth = 1_u32;
        let end = group.find(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0
        });
        names(&group[..end.unwrap_or(group.len())], module)
    })
}

pub(super) fn declared(files: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in files {
        let Some((parents, name)) = parents(&file.path) else {
            continue;
        };
        let is_parent = |other: &&Source| parents.contains(&other.path);
        let by_path = |line: &str| {
            let path = line.trim().strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]"));
            path.is_some_and(|path| path.rsplit('/').next() == Some(file.file_name()))
        };
        let declares = |other: &Source| {
            names(&blanked(&other.text), &format!("mod {name};")) || other.text.lines().any(by_path)
        };
        if !files.iter().filter(is_parent).any(declares) {
            let parents = parents.join(" or ");
            complaints.push(format!("{}: no `mod {name};` in {parents}, so it is never compiled", file.path));
        }
    }
    complaints
}

/// Returns the files that may declare this one, and the name it has there; nothing for the root of a crate.
fn parents(path: &str) -> Option<(Vec<String>, &str)> {
    const ROOTS: [(&str, &[&str]); 2] = [("/src/", &["lib.rs", "main.rs"]), ("/tests/it/", &["main.rs"])];
    let (root, roots) =
        ROOTS.into_iter().find_map(|(part, roots)| path.find(part).map(|at| (at + part.len(), roots)))?;
    let (top, inner) = path.split_at(root);
    if roots.contains(&inner) || inner.starts_with("bin/") {
        return None;
    }
    let module = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs"))?;
    Some(match module.rsplit_once('/') {
        Some((above, name)) => (vec![format!("{top}{above}.rs"), format!("{top}{above}/mod.rs")], name),
        None => (roots.iter().map(|file| format!("{top}{file}")).collect(), module),
    })
}

pub(super) fn one_binary_per_crate(files: &[Source]) -> Vec<String> {
    let inside = |file: &&Source| {
        let rest = file.path.strip_prefix(file.crate_dir()).unwrap_or_default();
        rest.strip_prefix("/tests/").is_some_and(|rest| !rest.contains('/'))
    };
    files
        .iter()
        .filter(inside)
        .map(|file| format!("{}: a test binary of its own; make it a module of tests/it/main.rs", file.path))
        .collect()
}

pub(super) fn machine_paths(files: &[Source]) -> Vec<String> {
    // In parts, so that this file does not complain about itself.
    let needles = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat()];
    let begins = |before: &str| !before.ends_with(|c: char| c.is_alphanumeric() || "_-.~}/$".contains(c));
    let mut complaints = Vec::new();
    for file in files {
        for needle in &needles {
            if file.text.match_indices(needle.as_str()).any(|(at, _)| begins(&file.text[..at])) {
                complaints.push(format!("{}: names {needle}, a directory of one machine", file.path));
            }
        }
    }
    complaints
}

/// Returns the names in all tables of dependencies of a crate's Cargo.toml.
fn dependencies(toml: &str) -> Vec<String> {
    let (mut found, mut inside) = (Vec::new(), false);
    for line in toml.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_end_matches(']');
            inside = table.ends_with("dependencies") && !table.starts_with("workspace");
            // `[dependencies.name]`
            if let Some((above, name)) = table.rsplit_once('.')
                && above.ends_with("dependencies")
                && !above.starts_with("workspace")
            {
                found.push(name.to_owned());
            }
        } else if inside
            && let Some(name) = line.split(['.', '=', ' ']).next().filter(|name| !name.is_empty())
        {
            found.push(name.to_owned());
        }
    }
    found
}
