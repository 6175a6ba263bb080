//! A power cut in the middle of a run: what the database calls landed is on the main branch.
//!
//! The disk is a file system in a file. What has reached that file is what a cut leaves; it is looked at in a copy, made
//! while every process of the run stands still.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cogwork_schemas::Status;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::place::{Place, kill, signal, until};

/// Features of a run: enough for some to land before each cut and some after it.
const FEATURES: usize = 8;

/// A file system of its own, mounted while this lives.
struct Disk {
    dir: TempDir,
}

impl Disk {
    /// Makes one; says why not where that cannot be done.
    fn new() -> Result<Self, String> {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        let make = "test $(id -u) = 0 && truncate -s 256M image && mkfs.ext4 -q image && mkdir disk copied && \
                    mount -o loop image disk";
        shell(disk.dir.path(), make).map(|_| disk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Mounts what would be there if the power had been cut now, and looks at it.
    fn after_a_cut(&self, look: impl FnOnce(&Path)) {
        shell(self.dir.path(), "cp --sparse=always image image.copy; mount -o loop image.copy copied")
            .unwrap();
        look(&self.path("copied"));
        shell(self.dir.path(), "umount copied; rm image.copy").unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(shell(self.dir.path(), "umount -l -q disk copied"));
    }
}

fn shell(dir: &Path, script: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-ec", script]).current_dir(dir).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim_end().to_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// Cuts the power once, so many milliseconds after the first landing.
fn cut(after_ms: u64) {
    let disk = match Disk::new() {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped, no disk of our own: {reason}"),
    };
    let features: Vec<_> = (1..=FEATURES)
        .map(|number| json!({"name": format!("f{number}"), "checks": [format!("test -s f{number}")]}))
        .collect();
    let place = Place::with_features_in(&disk.path("disk"), &json!({ "features": features }));
    shell(disk.dir.path(), "sync -f disk").unwrap();
    let agent = "exec:cat > /dev/null; echo work > f$COGWORK_FEATURES; git add .; git commit -qm mine; echo more > m$COGWORK_FEATURES";
    let mut run = place.command(&["run", "--agent", agent, "-c", "2"]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let store = place.store();
    let passing =
        || store.features().unwrap().iter().filter(|feature| feature.status == Status::Passing).count();
    until("the first lands", Duration::from_secs(60), || passing() > 0);
    std::thread::sleep(Duration::from_millis(after_ms));
    let all: Vec<i32> = place.processes();
    signal(&run, Signal::STOP);
    let to_all =
        |signal| all.iter().for_each(|pid| kill_process(Pid::from_raw(*pid).unwrap(), signal).unwrap_or(()));
    to_all(Signal::STOP);
    let project = place.dir.strip_prefix(disk.path("disk").canonicalize().unwrap()).unwrap().to_owned();
    disk.after_a_cut(|copied| {
        let project = copied.join(&project);
        assert_eq!(shell(&project, "git fsck --no-dangling --no-progress 2>&1"), Ok(String::new()));
        let store = cogwork_store::Store::open(&project, crate::place::clock()).unwrap();
        let landed =
            store.features().unwrap().into_iter().filter(|feature| feature.status == Status::Passing);
        let numbers: Vec<i64> = landed.map(|feature| feature.id.0).collect();
        assert!(!numbers.is_empty(), "the first had landed");
        for number in &numbers {
            let files = format!("git cat-file -e main:f{number}; git cat-file -e main:m{number}");
            assert_eq!(shell(&project, &files), Ok(String::new()), "#{number} of {numbers:?}");
        }
    });
    to_all(Signal::KILL);
    kill(&mut run);
    place.assert_no_processes_within(Duration::from_secs(5));
}

#[test]
fn what_has_landed_survives_a_power_cut() {
    cut(400);
}

#[test]
#[ignore = "a minute; nightly"]
fn what_has_landed_survives_ten_power_cuts() {
    for after_ms in [0, 50, 130, 260, 390, 520, 700, 900, 1200, 1700] {
        cut(after_ms);
    }
}
