//! The demo project: the files of `examples/todo`, inside the binary, so that `cogwork demo` works anywhere.

macro_rules! example {
    ($($part:literal),+) => {
        include_str!(concat!("../../examples/todo/", $($part),+))
    };
}

macro_rules! seed {
    ($($file:literal),* $(,)?) => {
        &[("app_spec.md", example!("app_spec.md")), $(($file, example!("seed/", $file))),*]
    };
}

/// The feature list, as `cogwork import` reads it.
pub(crate) const FEATURES: &str = example!("features.json");

/// What the scripted agent plays.
pub(crate) const SCRIPT: &str = example!("script.toml");

/// The files of the first commit: path and content.
pub(crate) const SEED: &[(&str, &str)] = seed![
    ".gitignore",
    "README.md",
    "checks/add.sh",
    "checks/agenda.sh",
    "checks/archive.sh",
    "checks/dates_calendar.sh",
    "checks/dates_words.sh",
    "checks/dispatch.sh",
    "checks/done.sh",
    "checks/due.sh",
    "checks/edit.sh",
    "checks/find.sh",
    "checks/help.sh",
    "checks/install.sh",
    "checks/lib.sh",
    "checks/list.sh",
    "checks/priority.sh",
    "checks/remove.sh",
    "checks/shape.sh",
    "checks/storage_read.sh",
    "checks/storage_write.sh",
    "checks/undo.sh",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// A new file of the example would otherwise be missing from the demo without a word.
    #[test]
    fn no_file_of_the_seed_is_forgotten() {
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo/seed");
        let mut found = BTreeSet::from(["app_spec.md".to_owned()]);
        let mut dirs = vec![seed.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else {
                    found.insert(path.strip_prefix(&seed).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        let known: BTreeSet<_> = SEED.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(known, found);
    }
}
