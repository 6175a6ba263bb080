//! The SQL of the operations is such that another engine takes it as it is. Migrations, pragmas and the files of the
//! original belong to this engine alone.

use std::fs;
use std::path::Path;

/// What only SQLite takes, with what both engines take.
const ONLY_HERE: [(&str, &str); 5] = [
    ("last_insert_rowid", "RETURNING"),
    ("INSERT OR ", "ON CONFLICT"),
    ("sqlite_sequence", "the table itself"),
    ("->> '$", "->> 'key'"),
    ("-> '$", "-> 'key'"),
];

/// What may follow `IS`; anything else compares values in a way of SQLite's own.
const AFTER_IS: [&str; 4] = ["NULL", "NOT NULL", "DISTINCT FROM", "NOT DISTINCT FROM"];

/// Returns what is wrong with a source text, as phrases.
fn complaints(text: &str) -> Vec<String> {
    let mut found: Vec<String> = ONLY_HERE
        .iter()
        .filter(|(form, _)| text.contains(form))
        .map(|(form, instead)| format!("`{form}`: use {instead}"))
        .collect();
    for (place, _) in text.match_indices(" IS ") {
        let after = text[place + 4..].trim_start();
        if !AFTER_IS.iter().any(|allowed| after.starts_with(allowed)) {
            let shown: String = after.chars().take(20).collect();
            found.push(format!("`IS {shown}`: use IS [NOT] DISTINCT FROM"));
        }
    }
    found
}

fn sources(dir: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("legacy") {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_sql_of_the_operations_is_for_any_engine() {
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    assert!(all.len() > 30, "only {} files were found", all.len());
    let told: Vec<String> = all
        .iter()
        .flat_map(|(path, text)| complaints(text).into_iter().map(move |what| format!("{path}: {what}")))
        .collect();
    assert!(told.is_empty(), "\n{}\n", told.join("\n"));
}

#[test]
fn each_form_is_complained_about() {
    for bad in [
        "tx.last_insert_rowid()",
        "INSERT OR IGNORE INTO project",
        "SELECT seq FROM sqlite_sequence",
        "fact ->> '$.kind' = 'claimed'",
        "fact -> '$.result'",
        "attempt_id IS ?2",
        "(pid, boot_id) IS NOT (?1, ?2)",
        "f.attempt_id IS a.id",
    ] {
        assert_eq!(complaints(bad).len(), 1, "{bad}");
    }
    for good in [
        "ended_at IS NULL AND pid IS NOT NULL",
        "a IS DISTINCT FROM ?1 OR b IS NOT DISTINCT FROM ?2",
        "fact ->> 'kind'",
        "INSERT INTO calls (id) VALUES (?1) ON CONFLICT (id) DO NOTHING RETURNING id",
    ] {
        assert_eq!(complaints(good), Vec::<String>::new(), "{good}");
    }
}
