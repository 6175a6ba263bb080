//! What a hand-in costs. Not a test: run it in release, alone on the machine.
//!
//! `cargo test --release -p cogwork-process --test it snapshot_costs -- --ignored --nocapture`

use std::fs;
use std::time::{Duration, Instant};

use cogwork_process::git::snapshot::Snapshots;

use crate::snapshot::Site;

const REPETITIONS: usize = 7;

async fn measure(name: &str, files: usize, changed: usize) {
    let site = Site::with_files(files).await;
    let (own, workspace, project) = (site.path("own.git"), site.path("workspace"), site.path("project"));
    let began = now();
    Snapshots::make(&own, &workspace, &project, &site.base).await.unwrap();
    let made = now();
    site.reopened().await;
    println!("{name}: make {:?}, open {:?}", made - began, now() - made);
    // An agent takes its time: what was made in the second of the first index is read twice.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut spent: [Vec<Duration>; 4] = Default::default();
    for round in 0..REPETITIONS {
        for at in 0..changed {
            let at = at * files / changed;
            let path = site.path("workspace").join(format!("many/{}/{at}", at / 50));
            let content = fs::read_to_string(&path).unwrap();
            fs::write(path, format!("{content}change {round}\n")).unwrap();
        }
        let began = now();
        let snapshot = site.snapshots.take_snapshot().await.unwrap();
        let taken = now();
        let commit = site.snapshots.commit(&snapshot.tree, &[&site.base], "Work", &[]).await.unwrap();
        let committed = now();
        site.snapshots.record(&format!("refs/cogwork/kept/{round}/handed-in"), &commit).await.unwrap();
        let recorded = now();
        assert_eq!(snapshot.changed.len(), changed);
        spent[0].push(taken - began);
        spent[1].push(committed - taken);
        spent[2].push(recorded - committed);
        spent[3].push(recorded - began);
    }
    let [take, commit, record, all] = spent.map(|mut spent| {
        spent.sort();
        spent[REPETITIONS / 2].as_micros() / 100
    });
    let ms = |tenths: u128| format!("{}.{}", tenths / 10, tenths % 10);
    println!("{name}: take {} commit {} record {} together {} ms", ms(take), ms(commit), ms(record), ms(all));
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test]
#[ignore = "it measures, and fails nothing"]
async fn a_hand_in() {
    let began = now();
    for _ in 0..20 {
        cogwork_process::git::Git::version().await.unwrap();
    }
    println!("one call of git: {:?}", (now() - began) / 20);
    measure("20 files, 3 changed", 20, 3).await;
    measure("5000 files, 350 changed", 5000, 350).await;
}
