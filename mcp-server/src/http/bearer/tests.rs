use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".cogwork")).unwrap();
    dir
}

fn token(project: &Path) -> (String, PathBuf) {
    let (bearer, path) = Bearer::of_project(project).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), bearer.0);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    (bearer.0, path)
}

#[test]
fn the_file_is_made_once_private_and_kept() {
    let (one, other) = (project(), project());
    let (made, path) = token(one.path());
    assert_eq!(made.len(), 64);
    assert_eq!(token(one.path()), (made.clone(), path));
    assert_ne!(token(other.path()).0, made);
    let names: Vec<_> =
        fs::read_dir(one.path().join(".cogwork")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, [FILE], "nothing else is left");
}

#[test]
fn a_file_that_others_could_have_read_or_written_is_not_trusted() {
    let dir = project();
    let (made, path) = token(dir.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let (anew, _) = token(dir.path());
    assert_ne!(made, anew);

    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, &made).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_ne!(token(dir.path()).0, made);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), made, "what a link points to is left alone");

    fs::write(&path, "short\n").unwrap();
    assert_eq!(token(dir.path()).0.len(), 64);
}

#[test]
fn without_a_project_there_is_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let error = Bearer::of_project(dir.path()).unwrap_err().to_string();
    assert!(error.contains("no Cogwork project") && error.contains("COGWORK_HTTP_TOKEN"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_token_of_the_environment_must_be_long_and_fit_a_header() {
    let given = |text: &str| Bearer::given(OsStr::new(text));
    for wrong in ["", "0123456789abcde", "with a blank in it", "with-an-ümlaut-in-it", "0123456789abcdef\n"]
    {
        assert_eq!(given(wrong), None, "{wrong}");
    }
    assert_eq!(format!("{:?}", given("0123456789abcdef")), "Some(Bearer(…))");
}

#[test]
fn only_the_whole_token_opens() {
    let bearer = Bearer::given(OsStr::new("0123456789abcdef")).unwrap();
    let shows = |header: &str| bearer.is_shown_by(Some(&HeaderValue::from_str(header).unwrap()));
    assert!(shows("Bearer 0123456789abcdef") && shows("bearer  0123456789abcdef"));
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "0123456789abcdef",
        "Basic 0123456789abcdef",
        "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0",
        "Bearer 0123456789ABCDEF",
    ] {
        assert!(!shows(wrong), "{wrong}");
    }
    assert!(!bearer.is_shown_by(None));
}
