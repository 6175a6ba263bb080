//! Sandboxes: what is inside writes inside, and nowhere else, and ends like everything else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cogwork_process::base_env;
use cogwork_process::contain::{Exit, NoSandbox, Rule, Sandbox, SandboxChoice, Wall, marked};

use crate::alone::alone;
use crate::contained::{outcome, script, within};

/// Every wall that stands here; says which does not.
async fn walls() -> Vec<Wall> {
    let mut walls = Vec::new();
    for choice in [SandboxChoice::Bubblewrap, SandboxChoice::Landlock] {
        match Wall::find(choice, &base_env()).await {
            Ok(found) => walls.extend(found),
            Err(NoSandbox { reason }) => println!("skipped: {reason}"),
        }
    }
    walls
}

fn around(wall: Wall, inside: &Path) -> Sandbox {
    Sandbox { wall, rules: vec![Rule::Writable(inside.to_owned())] }
}

struct Place {
    _root: tempfile::TempDir,
    inside: PathBuf,
    outside: PathBuf,
}

fn place() -> Place {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let (inside, outside) = (path.join("in"), path.join("out"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::write(outside.join("kept"), "kept").unwrap();
    Place { _root: root, inside, outside }
}

#[tokio::test]
async fn nothing_outside_is_written_by_whatever_is_started() {
    for wall in walls().await {
        let place = place();
        let (inside, outside) = (place.inside.display(), place.outside.display());
        let text = format!(
            "exec 2>/dev/null
            echo x > {inside}/a; mkdir -p {inside}/b/c && mv {inside}/a {inside}/b/c/a && ln -s {outside} {inside}/link
            for file in {outside}/new {inside}/link/new /etc/cogwork-test \"$HOME/cogwork-test\" /usr/cogwork-test; do
                (echo x > \"$file\") && echo \"wrote $file\"
            done
            (echo x > {outside}/kept) && echo changed; (: > {outside}/kept); rm -f {outside}/kept
            mv {outside}/kept {inside}/stolen && echo moved
            ln {outside}/kept {inside}/hard && (echo x >> {inside}/hard)
            touch {outside}/touched && echo touched
            setsid sh -c 'echo x > {outside}/later'; (env -i /bin/sh -c 'echo x > {outside}/bare')
            cat {outside}/kept; echo; echo x > /dev/null && echo null; cat /etc/passwd > /dev/null && echo read
            test -f {inside}/b/c/a && echo inside"
        );
        let mut spawn = script(&text);
        spawn.cwd = place.inside.clone();
        spawn.sandbox = Some(around(wall, &place.inside));
        let mut contained = spawn.start().unwrap();
        let (lines, exit) = within(20_000, outcome(&mut contained)).await;
        assert_eq!(lines, ["kept", "null", "read", "inside"], "{wall:?}");
        assert_eq!(exit, Exit::Code(0), "{wall:?}");
        let left: Vec<_> =
            std::fs::read_dir(&place.outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"], "{wall:?}");
        assert_eq!(std::fs::read_to_string(place.outside.join("kept")).unwrap(), "kept", "{wall:?}");
    }
}

#[tokio::test]
async fn its_end_is_the_programs_end() {
    for wall in walls().await {
        let place = place();
        let start = |text: &str| {
            let mut spawn = script(text);
            spawn.sandbox = Some(around(wall, &place.inside));
            spawn.start().unwrap()
        };
        let mut contained = start("exit 7");
        assert_eq!(within(20_000, contained.wait()).await, Exit::Code(7), "{wall:?}");
        // Asked to end, it has time for its last words.
        let mut contained =
            start("trap 'sleep 0.3; echo last words; exit 3' TERM; echo up; while :; do sleep 0.05; done");
        let mut lines = Vec::new();
        while lines.is_empty() {
            if let cogwork_process::contain::Output::Stdout(line) = within(20_000, contained.next()).await {
                lines.push(line.to_string());
            }
        }
        contained.interrupt(Duration::from_secs(15));
        let (mut said, exit) = within(20_000, outcome(&mut contained)).await;
        // Its shell may tell of what it was waiting for.
        said.retain(|line| !line.starts_with('!'));
        assert_eq!((said, exit), (vec!["last words".to_owned()], Exit::Code(3)), "{wall:?}");
    }
}

/// Alone: an orphan stays for as long as another program runs that may have left it.
#[test]
fn what_it_leaves_goes_with_it() {
    alone(async || {
        for wall in walls().await {
            let place = place();
            let marker = format!("{}#sandbox", place.inside.display());
            let mut spawn =
                script("(setsid sleep 300 &) ; (setsid env -i /bin/sleep 300 &) ; sleep 0.1; echo left");
            spawn.env.push(("COGWORK_MARKER".into(), marker.clone().into()));
            spawn.sandbox = Some(around(wall, &place.inside));
            let mut contained = spawn.start().unwrap();
            within(20_000, contained.wait()).await;
            assert_eq!(marked(&marker), Vec::<i32>::new(), "{wall:?}");
        }
    });
}

#[tokio::test]
async fn a_seal_holds_in_what_is_writable() {
    if !walls().await.contains(&Wall::Bubblewrap) {
        println!("skipped: only bubblewrap knows seals");
        return;
    }
    let place = place();
    std::fs::create_dir(place.inside.join("state")).unwrap();
    std::fs::write(place.inside.join("state/db"), "").unwrap();
    let mut spawn = script("(echo x > state/new) 2>/dev/null; echo x > db; echo x > state/db && echo ok");
    spawn.cwd = place.inside.clone();
    let rules = vec![
        Rule::Writable(place.inside.clone()),
        Rule::Sealed(place.inside.join("state")),
        Rule::Writable(place.inside.join("state/db")),
        Rule::Writable(place.inside.join("not there")),
    ];
    spawn.sandbox = Some(Sandbox { wall: Wall::Bubblewrap, rules });
    let (lines, _) = within(20_000, outcome(&mut spawn.start().unwrap())).await;
    assert_eq!(lines.last().map(String::as_str), Some("ok"));
    assert!(!place.inside.join("state/new").exists());
}

#[tokio::test]
async fn a_directory_of_its_own_takes_the_place_of_another() {
    for wall in walls().await {
        let place = place();
        let (own, at) = (place.inside.clone(), place.outside.clone());
        let text = format!(
            "(echo x > {}/mine) 2>/dev/null; echo x > {}/here && echo ok",
            at.display(),
            own.display()
        );
        let mut spawn = script(&text);
        spawn.sandbox =
            Some(Sandbox { wall, rules: vec![Rule::Writable(own.clone()), Rule::Own { dir: own, at }] });
        let (lines, _) = within(20_000, outcome(&mut spawn.start().unwrap())).await;
        assert_eq!(lines, ["ok"], "{wall:?}");
        assert!(!place.outside.join("mine").exists(), "{wall:?}");
        assert_eq!(place.inside.join("mine").exists(), wall == Wall::Bubblewrap);
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_replaced_by_nothing() {
    let nowhere = vec![("PATH".into(), "/nowhere".into())];
    let error = Wall::find(SandboxChoice::Bubblewrap, &nowhere).await.unwrap_err();
    assert!(error.to_string().contains("bubblewrap is not installed"), "{error}");
    assert_eq!(Wall::find(SandboxChoice::Off, &nowhere).await, Ok(None));
}
