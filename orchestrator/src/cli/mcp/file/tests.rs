use super::*;

#[test]
fn what_was_written_meanwhile_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.json");
    for (before, meanwhile) in [(Some("{}"), "{ }"), (None, "{}")] {
        drop(fs::remove_file(&path));
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        let file = SettingsFile::read(path.clone()).unwrap();
        fs::write(&path, meanwhile).unwrap();
        assert!(file.replace(Some("[]"), 0o644).unwrap_err().to_string().contains("by somebody else"));
        assert!(file.replace(None, 0o644).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), meanwhile);
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn a_new_file_has_the_mode_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0o600, 0o644] {
        let path = dir.path().join(format!("{mode:o}/b/c.json"));
        let file = SettingsFile::read(path.clone()).unwrap();
        let made = file.replace(Some("{}"), mode).unwrap();
        assert_eq!(made, [path.parent().unwrap(), path.parent().unwrap().parent().unwrap()]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}
