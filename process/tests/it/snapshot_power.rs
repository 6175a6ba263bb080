//! A power cut: what has a ref is there afterwards.
//!
//! The disk is a file system in a file. What has reached that file is what a cut leaves, and is looked at in a copy.

use std::fs;
use std::path::{Path, PathBuf};

use crate::contained::{outcome, script};
use crate::git::shell;
use crate::snapshot::Site;

/// A file system of its own, mounted while this lives.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    /// Makes one; says why not where that cannot be done.
    async fn new() -> Result<Self, String> {
        let dir = tempfile::tempdir().unwrap();
        let disk = Self { dir };
        let make = "test $(id -u) = 0 && dd if=/dev/zero of=image bs=1M count=0 seek=96 && mkfs.ext4 -q image && \
                    mkdir disk copied && mount -o loop image disk";
        let mut spawn = script(make);
        spawn.cwd = disk.dir.path().into();
        let (said, exit) = outcome(&mut spawn.start().unwrap()).await;
        if exit.is_success() { Ok(disk) } else { Err(format!("no disk of our own: {said:?}")) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs commands in what would be there if the power had been cut now.
    async fn after_a_cut(&self, below: &Path, commands: &str) -> String {
        let copy = "cp --sparse=always image image.copy; mount -o loop image.copy copied";
        shell(self.dir.path(), copy).await;
        let said = shell(&self.path("copied").join(below), commands).await;
        shell(self.dir.path(), "umount copied; rm image.copy").await;
        said
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "a drop cannot wait for a contained program")]
        let mut umount = std::process::Command::new("umount");
        umount.args(["-l", "-q"]).args([self.path("disk"), self.path("copied")]);
        umount.status().ok();
    }
}

#[tokio::test]
async fn what_has_a_ref_survives_a_power_cut() {
    let disk = match Disk::new().await {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let site = Site::on(tempfile::tempdir_in(disk.path("disk")).unwrap(), 60).await;
    shell(disk.dir.path(), "sync -f disk").await;
    let project = site.path("project");
    let project = project.strip_prefix(disk.path("disk")).unwrap();
    for round in 0..6 {
        let work = "for i in 0 1 2 3 4 5 6 7 8 9; do echo $ROUND >> many/0/$i; done; mkdir n$ROUND; echo x > n$ROUND/x";
        site.work(&format!("ROUND={round}; {work}")).await;
        // One that nobody keeps, and whose objects are half on the disk.
        site.snapshots.take_snapshot().await.unwrap();
        site.work(&format!("echo {round} > y")).await;
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        let commit = site.snapshots.commit(&snapshot.tree, &[&site.base], "Work", &[]).await.unwrap();
        let name = format!("refs/cogwork/kept/{round}/handed-in");
        site.snapshots.record(&name, &commit).await.unwrap();
        let look =
            format!("git fsck --no-dangling 2>&1; git rev-parse {name}; git cat-file blob {name}:n{round}/x");
        assert_eq!(disk.after_a_cut(project, &look).await, format!("{commit}\nx"), "round {round}");
    }
    drop(site);
    assert!(fs::exists(disk.path("image")).unwrap());
}
