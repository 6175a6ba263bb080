//! Files of the original that cannot be taken over: each a sentence, and nothing changed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cogwork_store::{Store, StoreError, state_dir};

use super::files;
use super::originals::*;
use crate::fixture::*;

/// Asserts that opening the project is refused, changes nothing, and returns the sentence.
pub(super) fn refused(project: &Path) -> String {
    let before = files(project);
    let error = Store::open_or_adopt(project, clock_at(1)).unwrap_err();
    assert!(matches!(error, StoreError::NotAdopted { .. }), "{error:?}");
    assert!(files(project) == before, "something was changed");
    assert!(!state_dir(project).exists(), "something was made");
    error.to_string().replace(project.to_str().unwrap(), "[project]")
}

fn refused_database(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("features.db"), bytes).unwrap();
    refused(dir.path())
}

#[test]
fn files_that_are_no_original() {
    let mut told = vec![
        refused_database(b""),
        refused_database(
            "prose that is long enough to be looked at as a header of a database".repeat(9).as_bytes(),
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("features.db"), "CREATE TABLE features (id INTEGER, weight REAL)");
    told.push(refused(dir.path()));
    for text in ["[", "{}", "3", "[]", "[1]", r#"[{"name": "n", "checks": ["make"]}]"#] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("feature_list.json"), text).unwrap();
        told.push(refused(dir.path()));
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    [project]/features.db cannot be taken over: it is empty; restore it from a copy, or start without it: `cogwork import FILE.json`
    [project]/features.db cannot be taken over: it holds no features of AutoForge or autocoder (it is no database); start without it: `cogwork import FILE.json`
    [project]/features.db cannot be taken over: it holds no features of AutoForge or autocoder (its tables are of another program); start without it: `cogwork import FILE.json`
    [project]/feature_list.json cannot be taken over: it is damaged (EOF while parsing a list at line 1 column 1); restore it from a copy, or move it away to start without it
    [project]/feature_list.json cannot be taken over: it holds no features of AutoForge or autocoder (it is an object without a list `features`); start without it: `cogwork import FILE.json`
    [project]/feature_list.json cannot be taken over: it holds no features of AutoForge or autocoder (it is no list); start without it: `cogwork import FILE.json`
    [project]/feature_list.json cannot be taken over: it holds no features of AutoForge or autocoder (its list is empty); start without it: `cogwork import FILE.json`
    [project]/feature_list.json cannot be taken over: it holds no features of AutoForge or autocoder (not every item of its list is an object); start without it: `cogwork import FILE.json`
    [project]/feature_list.json cannot be taken over: it holds no features of AutoForge or autocoder (it is a list for `cogwork import`); start without it: `cogwork import FILE.json`
    ");
}

#[test]
fn what_is_somebody_elses_does_not_stop_a_new_project() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("features.db"), "CREATE TABLE features (id INTEGER, weight REAL)");
    let before = files(dir.path());
    assert_eq!(Store::create(dir.path(), clock_at(1)).unwrap().features().unwrap(), []);
    assert!(files(dir.path()) == before);
    // What may be an original that is damaged does.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("feature_list.json"), "[").unwrap();
    assert!(matches!(Store::create(dir.path(), clock_at(1)), Err(StoreError::NotAdopted { .. })));
}

#[test]
fn places_without_a_file() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("elsewhere/features.db"), LAST);
    symlink("elsewhere/features.db", dir.path().join("features.db")).unwrap();
    let linked = refused(dir.path());
    fs::remove_file(dir.path().join("features.db")).unwrap();
    symlink("nowhere", dir.path().join("feature_list.json")).unwrap();
    let dangling = refused(dir.path());
    fs::remove_file(dir.path().join("feature_list.json")).unwrap();
    fs::create_dir(dir.path().join("feature_list.json")).unwrap();
    insta::assert_snapshot!([linked, dangling, refused(dir.path())].join("\n"), @r"
    [project]/features.db cannot be taken over: it is a symbolic link; put the file itself in its place, or move the link away to start without it
    [project]/feature_list.json cannot be taken over: it is a symbolic link; put the file itself in its place, or move the link away to start without it
    [project]/feature_list.json cannot be taken over: it is no file; move it away
    ");
}

#[test]
fn a_file_that_this_user_may_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("features.db");
    make(&path, LAST);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&path).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let error = Store::open_or_adopt(dir.path(), clock_at(1)).unwrap_err();
    assert!(error.to_string().contains("make it readable for this user"), "{error}");
}

#[test]
fn a_damaged_page_is_noticed_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("features.db");
    make(&path, &of_real_size(60));
    let sound = fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 8, "{pages}");
    for page in 0..pages {
        let mut damaged = sound.clone();
        let start = if page == 0 { 100 } else { page * 4096 };
        damaged[start..start + 300].fill(0x5a);
        fs::write(&path, &damaged).unwrap();
        let sentence = refused(dir.path());
        assert!(sentence.contains("restore it from a copy"), "page {page}: {sentence}");
    }
    for length in [sound.len() / 2, 4096, 700, 100, 20] {
        fs::write(&path, &sound[..length]).unwrap();
        refused(dir.path());
    }
}
