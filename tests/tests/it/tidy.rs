//! What no compiler checks: layering, pure cores, file sizes, forgotten files. Each rule is a function from files
//! to complaints, and each has a test that shows it complaining.

mod rules;
mod source;

use rules::{
    arrows, declared, documented, doors, machine_paths, one_binary_per_crate, pure, short, sole_users,
    standings,
};
use source::{Source, files};

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn files_are_short() {
    none(&short(&files(&[".rs"])));
}

#[test]
fn modules_say_what_they_own() {
    none(&documented(&files(&[".rs"])));
}

#[test]
fn big_dependencies_have_one_user_each() {
    none(&sole_users(&files(&[".rs", "Cargo.toml"])));
}

#[test]
fn where_a_feature_stands_has_one_table_of_words() {
    none(&standings(&files(&[".rs"])));
}

#[test]
fn programs_are_started_in_one_crate() {
    none(&doors(&files(&[".rs"])));
}

#[test]
fn crates_depend_downwards() {
    none(&arrows(&files(&["Cargo.toml"])));
}

#[test]
fn pure_cores_are_pure() {
    none(&pure(&files(&[".rs"])));
}

#[test]
fn no_file_is_forgotten() {
    none(&declared(&files(&[".rs"])));
}

#[test]
fn each_crate_has_one_test_binary() {
    none(&one_binary_per_crate(&files(&[".rs"])));
}

#[test]
fn nothing_names_a_directory_of_this_machine() {
    let endings = [".rs", ".toml", ".md", ".json", ".sh", ".py", ".yml", ".j2", "justfile", "run"];
    none(&machine_paths(&files(&endings)));
}

/// The rules, shown complaining: a rule that cannot fail protects nothing.
mod complain {
    use super::source::{blanked, without_test_items};
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// Asserts that the rule complains about exactly these files, each given with its text.
    fn check(rule: fn(&[Source]) -> Vec<String>, good: &[(&str, &str)], bad: &[(&str, &str)]) {
        let of =
            |files: &[(&str, &str)]| files.iter().map(|(path, text)| source(path, text)).collect::<Vec<_>>();
        for file in of(good) {
            none(&rule(&[file]));
        }
        for file in of(bad) {
            let (path, complaints) = (file.path.clone(), rule(&[file]));
            assert_eq!(complaints.len(), 1, "{path}: {complaints:?}");
            assert!(complaints[0].starts_with(&path), "{complaints:?}");
        }
    }

    #[test]
    fn about_long_files() {
        let lines = |n: usize| "x\n".repeat(n);
        check(short, &[("store/src/a.rs", &lines(600))], &[("store/src/a.rs", &lines(601))]);
    }

    #[test]
    fn about_silent_modules() {
        check(
            documented,
            &[
                ("store/src/a.rs", "//! What it owns.\n"),
                ("runner/src/main.rs", "fn main() {}\n"),
                ("store/src/graph/tests.rs", "use super::*;\n"),
                ("store/tests/it/a.rs", "use x;\n"),
            ],
            &[
                ("store/src/lib.rs", "mod a;\n"),
                ("store/src/a.rs", "/// An item.\n"),
                ("store/src/b.rs", "//!\n"),
            ],
        );
    }

    #[test]
    fn about_words_of_their_own() {
        check(
            standings,
            &[
                ("schemas/src/standing.rs", "const A: &str = \"given up\";"),
                ("orchestrator/src/a.rs", "const A: &str = \"was given up twice\";"),
                ("tests/tests/it/a.rs", "const A: &str = \"proven\";"),
            ],
            &[("orchestrator/src/a.rs", "const A: &str = \"given up\";")],
        );
    }

    #[test]
    fn about_second_users() {
        check(
            sole_users,
            &[
                ("mcp-server/src/a.rs", "use rmcp::tool;"),
                ("runner/src/a.rs", "// rmcp is elsewhere\nuse my_rmcp; const A: &str = \"rusqlite\";"),
                ("store/Cargo.toml", "[dependencies]\nrusqlite.workspace = true\n"),
                ("Cargo.toml", "[workspace.dependencies]\nrmcp = \"3\"\n"),
                ("mcp-server/src/http/gate.rs", "use axum::body::Body;"),
                ("mcp-server/src/http.rs", "use axum::Router;"),
                ("mcp-server/Cargo.toml", "[dependencies]\naxum.workspace = true\n"),
            ],
            &[
                ("runner/src/a.rs", "fn f() { rmcp::serve(); }"),
                ("tests/tests/it/a.rs", "use rusqlite::Connection;"),
                ("mcp-server/src/serve.rs", "use axum::Router;"),
                ("runner/Cargo.toml", "[dependencies]\naxum.workspace = true\n"),
                (
                    "runner/Cargo.toml",
                    "[dev-dependencies]\nrmcp = { workspace = true, features = [\"client\"] }\n",
                ),
                ("runner/Cargo.toml", "[target.'cfg(unix)'.dependencies.rusqlite]\nworkspace = true\n"),
            ],
        );
    }

    #[test]
    fn about_programs_started_elsewhere() {
        check(
            doors,
            &[
                ("process/src/a.rs", "fn f() { Command::new(\"git\"); }"),
                ("runner/tests/it/a.rs", "fn f() { Command::new(\"git\"); }"),
                ("runner/src/a.rs", "#[cfg(test)]\nmod tests { fn f() { Command::new(\"git\"); } }"),
                ("orchestrator/src/a.rs", "fn f() { clap::Command::name(); MyCommand::new(); }"),
            ],
            &[("runner/src/a.rs", "fn f() { Command::new(\"git\"); }\n#[cfg(test)]\nmod tests {}")],
        );
    }

    #[test]
    fn about_arrows_that_point_up() {
        check(
            arrows,
            &[
                ("runner/Cargo.toml", "[dependencies]\ncogwork-store.workspace = true\nserde = \"1\"\n"),
                ("tests/Cargo.toml", "[dependencies]\ncogwork.workspace = true\n"),
                ("Cargo.toml", "[workspace]\nmembers = []\n[workspace.dependencies]\ncogwork = \"0\"\n"),
            ],
            &[
                ("store/Cargo.toml", "[dependencies]\ncogwork-process.workspace = true\n"),
                ("conductor/Cargo.toml", "[dev-dependencies]\ncogwork = { path = \"../orchestrator\" }\n"),
                ("mcp-server/Cargo.toml", "[dependencies.cogwork-runner]\nworkspace = true\n"),
                ("gateway/Cargo.toml", "[package]\nname = \"cogwork-gateway\"\n"),
            ],
        );
    }

    #[test]
    fn about_impure_cores() {
        let core = |text: &str| {
            let others = [
                "store/src/graph.rs",
                "views/src/lib.rs",
                "session/src/policy/mod.rs",
                "session/src/machine/mod.rs",
                "conductor/src/engine/mod.rs",
                "conductor/src/conduct/mod.rs",
                "conductor/src/main_branch/landing.rs",
            ];
            let mut files: Vec<_> = others.iter().map(|path| source(path, "//! Pure.\n")).collect();
            files.push(source("conductor/src/engine/plan.rs", text));
            pure(&files)
        };
        none(&core("use jiff::Timestamp; fn f(rng: &mut fastrand::Rng) {} // tokio, Instant"));
        none(&core("#[cfg(test)]\nmod tests { use std::time::Instant; }"));
        for text in [
            "use tokio::time;",
            "use std::process::Command;",
            "use std::{collections::BTreeMap, env};",
            "use std::{fmt, process::{self, id}};",
            "fn f() { std::fs::read(p); }",
            "use std::time::{Duration, Instant};",
            "fn f() { Timestamp::now(); }",
            "fn f() { fastrand::Rng::new(); }",
            "fn f() { fastrand::u64(1..6); }",
            "use rusqlite::Row;",
        ] {
            let complaints = core(text);
            assert_eq!(complaints.len(), 1, "{text}: {complaints:?}");
            assert!(complaints[0].starts_with("conductor/src/engine/plan.rs: "), "{complaints:?}");
        }
        assert_eq!(pure(&[]).len(), 7, "a core that is not where it was is not checked any more");
    }

    #[test]
    fn about_forgotten_files() {
        let complaints = declared(&[
            source("store/src/lib.rs", "pub mod graph;\nmod a;\n// mod comment;\nmod os;\n"),
            source("store/src/os.rs", "#[path = \"os/linux.rs\"]\nmod native;\n"),
            source("store/src/os/linux.rs", ""),
            source("store/src/graph/mod.rs", "#[cfg(test)]\nmod tests;\npub(crate) mod walk;\n"),
            source("store/src/graph/tests.rs", ""),
            source("store/src/graph/walk.rs", ""),
            source("store/src/graph/old.rs", ""),
            source("store/src/a.rs", "mod b;\n"),
            source("store/src/a/b.rs", ""),
            source("store/src/comment.rs", ""),
            source("store/src/bin/tool.rs", ""),
            source("store/examples/measure.rs", ""),
            source("store/tests/it/main.rs", "mod claims;\nmod place;\n"),
            source("store/tests/it/claims.rs", ""),
            source("store/tests/it/place/mod.rs", ""),
            source("store/tests/it/forgotten.rs", ""),
        ]);
        let of = |path: &str| complaints.iter().filter(|line| line.starts_with(path)).count();
        assert_eq!(of("store/src/graph/old.rs: "), 1, "{complaints:?}");
        assert_eq!(of("store/src/comment.rs: "), 1, "{complaints:?}");
        assert_eq!(of("store/tests/it/forgotten.rs: "), 1, "{complaints:?}");
        assert_eq!(complaints.len(), 3, "{complaints:?}");
    }

    #[test]
    fn about_second_test_binaries() {
        check(
            one_binary_per_crate,
            &[("store/tests/it/main.rs", ""), ("tests/tests/it/a.rs", ""), ("tests/src/lib.rs", "")],
            &[("store/tests/claims.rs", ""), ("tests/tests/chaos.rs", "")],
        );
    }

    #[test]
    fn about_machine_paths() {
        let home = ["/ro", "ot/x"].concat();
        let work = ["\"/wo", "rk/x\""].concat();
        check(
            machine_paths,
            &[("README.md", "net/work/x and ~/root/x and /workspace/")],
            &[("README.md", &home), ("store/src/a.rs", &work)],
        );
    }

    #[test]
    fn only_code_is_code() {
        let code = blanked(
            "a /* b /* c */ d */ e // f\n\"g\\\"h\" i r#\"j\"k\"# 'l' '\\'' m<'n> b\"o\" r\"p\\\" q br\"s\"",
        );
        let words: Vec<_> = code.split_whitespace().collect();
        assert_eq!(words, ["a", "e", "i", "m<'n>", "b", "q", "b"]);
        assert_eq!(code.lines().count(), 2);
        let kept = without_test_items(
            "a; #[cfg(test)] mod t { fn f() { x } } b; #[cfg(test)]\nmod tests; c; #[cfg(test)]",
        );
        assert_eq!(kept.split_whitespace().collect::<Vec<_>>(), ["a;", "b;", "c;"]);
    }
}
