//! Nothing is left, whatever a program does to get away; and nothing else is touched.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cogwork_process::contain::{self, Bond, Contained, Exit, MARKER, Output, Spawn, Sweep};
use cogwork_schemas::{Check, ProcessIdentity};
use rustix::process::{Pid, Signal};
use tokio::time::sleep;

use crate::alone::alone;
use crate::contained::{script, within};
use crate::part::{part, play};

/// An agent that ignores SIGTERM and starts five daemons, each forked twice, with a session and an empty environment
/// of its own, ignoring SIGTERM. All write their pids to the file `pids` in `dir`; then the agent prints "up". Should
/// a test fail, the daemons end after a minute.
fn agent_with_daemons(dir: &Path, then: &str) -> Spawn {
    let pids = dir.join("pids");
    let pids = pids.display();
    let daemon = format!("trap \"\" TERM; echo $$ >> {pids}; for i in $(seq 60); do sleep 1; done");
    script(&format!(
        "trap '' TERM; echo $$ >> {pids}
         for i in 1 2 3 4 5; do (env -i PATH=\"$PATH\" setsid sh -c '{daemon}' >/dev/null 2>&1 &); done
         while [ $(wc -l < {pids}) -lt 6 ]; do sleep 0.02; done
         echo up; {then}"
    ))
}

fn identities(dir: &Path) -> Vec<ProcessIdentity> {
    let pids = fs::read_to_string(dir.join("pids")).unwrap();
    pids.lines().filter_map(|pid| contain::identity(pid.parse().unwrap())).collect()
}

async fn up(spawn: Spawn) -> Contained {
    let mut contained = spawn.start().unwrap();
    assert!(matches!(within(20_000, contained.next()).await, Output::Stdout(line) if line.text == "up"));
    contained
}

fn is_missing(program: &str) -> bool {
    let is_there = |dir: &str| Path::new(dir).join(program).exists();
    let missing = !["/bin", "/usr/bin", "/usr/local/bin"].into_iter().any(is_there);
    if missing {
        eprintln!("skipped: there is no `{program}` here");
    }
    missing
}

/// The zombies among our children.
fn zombies() -> Vec<String> {
    let own = std::process::id().to_string();
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = fs::read_to_string(entry.unwrap().path().join("stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        (fields[0] == "Z" && fields[1] == own).then(|| stat.clone())
    });
    stats.collect()
}

#[test]
fn daemons_that_escape_everything_are_gone_after_terminate() {
    alone(async || {
        if is_missing("setsid") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut agent = up(agent_with_daemons(dir.path(), "while :; do sleep 1; done")).await;
        let all = identities(dir.path());
        assert_eq!(all.len(), 6);
        let exit = within(10_000, agent.terminate(Duration::from_millis(200))).await;
        assert_eq!(exit, Exit::Signal(9));
        assert_eq!(all.iter().filter(|process| contain::is_alive(process)).count(), 0);
        assert_eq!(contain::descendants(contain::own_identity().pid), [0; 0]);
        assert_eq!(zombies(), [""; 0]);
    });
}

#[test]
fn daemons_are_gone_when_their_agent_ends_by_itself() {
    alone(async || {
        if is_missing("setsid") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut agent = up(agent_with_daemons(dir.path(), "exit 0")).await;
        let all = identities(dir.path());
        assert_eq!(within(10_000, agent.wait()).await, Exit::Code(0));
        assert!(all.len() >= 5);
        assert!(!all.iter().any(contain::is_alive));
        assert_eq!(zombies(), [""; 0]);
    });
}

#[test]
fn dropping_the_handle_and_sweeping_leaves_nothing() {
    alone(async || {
        if is_missing("setsid") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let agent = up(agent_with_daemons(dir.path(), "while :; do sleep 1; done")).await;
        drop(agent);
        assert_eq!(contain::kill_descendants().await, []);
        assert_eq!(identities(dir.path()), []);
        assert_eq!(contain::descendants(contain::own_identity().pid), [0; 0]);
    });
}

#[test]
fn a_person_who_looks_around_in_a_workspace_is_left_alone() {
    alone(async || {
        if is_missing("script") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap();
        let shell = format!("cd {} && echo $$ > pid && exec sleep 60", place.display());
        let mut terminal = script(&format!("exec script -q -c '{shell}' /dev/null"));
        terminal.cwd = "/".into();
        let terminal = terminal.start().unwrap();
        within(10_000, async {
            while contain::inside(&place).is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let sweep = Sweep { dirs: vec![place.clone()], ..Sweep::default() };
        assert_eq!(contain::sweep(&sweep).await, []);
        assert_eq!(contain::inside(&place).len(), 1);
        drop(terminal);
        assert_eq!(contain::kill_descendants().await, []);
    });
}

/// The part of a runner: keeps the agent of the directory running; it starts another program that outlives it.
#[test]
fn part_runner() {
    play(async |dir| {
        let dir = Path::new(&dir);
        let mut agent = up(agent_with_daemons(dir, "while :; do sleep 1; done")).await;
        let mut free = script("echo up; sleep 1; : > finished");
        free.cwd = dir.into();
        free.bond = Bond::Free;
        let free = up(free).await;
        fs::write(dir.join("free"), free.identity().pid.to_string()).unwrap();
        println!("\nready");
        agent.wait().await;
    });
}

/// Starts a runner and waits until its agent is up.
async fn runner(dir: &Path, bond: Bond) -> Contained {
    let mut spawn = part("sweep::part_runner", dir);
    spawn.bond = bond;
    let mut runner = spawn.start().unwrap();
    loop {
        match within(20_000, runner.next()).await {
            Output::Stdout(line) if line.text == "ready" => return runner,
            Output::Stdout(_) | Output::Stderr(_) => {}
            Output::Ended(exit) => panic!("{exit}: {}", runner.stderr_tail()),
        }
    }
}

fn kill(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn the_tree_of_a_killed_runner_is_adopted_and_gone() {
    alone(async || {
        if is_missing("setsid") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut runner = runner(dir.path(), Bond::Asked).await;
        let all = identities(dir.path());
        assert_eq!(all.len(), 6);
        kill(runner.identity().pid);
        assert_eq!(within(10_000, runner.wait()).await, Exit::Signal(9));
        assert!(!all.iter().any(contain::is_alive));
        assert_eq!(zombies(), [""; 0]);
    });
}

#[test]
fn an_agent_dies_with_its_runner_and_a_free_program_finishes() {
    alone(async || {
        if is_missing("setsid") {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        // Free: nothing but the kernel cleans up behind it.
        let mut runner = runner(dir.path(), Bond::Free).await;
        let agent = identities(dir.path()).remove(0);
        assert!(contain::is_alive(&agent));
        kill(runner.identity().pid);
        runner.wait().await;
        sleep(Duration::from_millis(50)).await;
        assert!(!contain::is_alive(&agent), "the kernel kills it");
        let free: i32 = fs::read_to_string(dir.path().join("free")).unwrap().parse().unwrap();
        assert!(contain::identity(free).is_some(), "it is not killed");
        within(10_000, async {
            while !dir.path().join("finished").exists() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        // The daemons are left: the next sweep finds them.
        assert_eq!(identities(dir.path()).len(), 5);
        assert_eq!(contain::kill_descendants().await, []);
        assert_eq!(identities(dir.path()), []);
    });
}

#[test]
fn a_sweep_takes_what_it_names_and_nothing_else() {
    alone(async || {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().display().to_string();
        let mut spawn = script("sleep 60 & echo up; wait");
        spawn.env.push((MARKER.into(), format!("{state}#s1").into()));
        let marked = up(spawn.clone()).await;
        spawn.env.pop();
        spawn.env.push((MARKER.into(), format!("{state}#s12").into()));
        let other = up(spawn.clone()).await;
        spawn.env.pop();
        spawn.cwd = dir.path().into();
        let inside = up(spawn.clone()).await;
        spawn.cwd = "/".into();
        let named = up(spawn.clone()).await;
        let kept = up(spawn).await;
        let mut imposter = kept.identity().clone();
        imposter.started += 1;
        let sweep = Sweep {
            markers: vec![format!("{state}#s1")],
            dirs: vec![dir.path().into()],
            processes: vec![named.identity().clone(), imposter],
            ..Sweep::default()
        };
        assert_eq!(contain::sweep(&sweep).await, []);
        for gone in [&marked, &inside, &named] {
            assert!(!contain::is_alive(gone.identity()));
            assert_eq!(contain::descendants(gone.identity().pid), [0; 0]);
        }
        let sweep = Sweep { descendants: true, keep: vec![kept.identity().pid], ..Sweep::default() };
        assert!(contain::is_alive(other.identity()));
        assert_eq!(contain::sweep(&sweep).await, []);
        assert!(!contain::is_alive(other.identity()));
        assert!(contain::is_alive(kept.identity()));
        assert_eq!(contain::descendants(kept.identity().pid).len(), 1);
    });
}

#[test]
fn a_sweep_spares_us_and_whoever_started_us() {
    alone(async || {
        let own = contain::own_identity();
        let parent = contain::identity(Pid::as_raw(rustix::process::getppid())).unwrap();
        let sweep = Sweep { processes: vec![own.clone(), parent.clone()], ..Sweep::default() };
        assert_eq!(contain::sweep(&sweep).await, []);
        assert!(contain::is_alive(&own) && contain::is_alive(&parent));
    });
}

#[test]
fn a_sweep_steals_no_exit_code() {
    alone(async || {
        let mut contained = script("exit 5").start().unwrap();
        sleep(Duration::from_millis(100)).await;
        assert_eq!(contain::kill_descendants().await, []);
        assert_eq!(contained.wait().await, Exit::Code(5));
    });
}

#[test]
fn children_that_others_started_are_not_swept_with_a_program() {
    alone(async || {
        #[expect(
            clippy::disallowed_methods,
            reason = "what the test is about: a child that does not come from here"
        )]
        let mut command = std::process::Command::new("sh");
        let mut foreign = command.args(["-c", "sleep 0.5; exit 6"]).stdin(Stdio::null()).spawn().unwrap();
        let report = cogwork_process::check::run(&Check::new("true"), Path::new("/"), &[]).await;
        assert!(report.verdict.is_green());
        assert_eq!(foreign.wait().unwrap().code(), Some(6));
    });
}

#[test]
fn a_swarm_that_goes_on_forking_is_gone() {
    alone(async || {
        let swarm = "f() { for i in $(seq 999); do (sleep 0.3 &) ; sleep 0.01; done; }; for i in 1 2 3; do f & done; echo up; wait";
        let mut contained = up(script(swarm)).await;
        sleep(Duration::from_millis(300)).await;
        contained.kill();
        assert_eq!(within(10_000, contained.wait()).await, Exit::Signal(9));
        assert_eq!(contain::descendants(contain::own_identity().pid), [0; 0]);
        assert_eq!(zombies(), [""; 0]);
    });
}
