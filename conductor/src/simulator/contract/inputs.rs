//! The inputs and the clock: signals and a channel, and the simulator's queue.

use cogwork_schemas::SessionId;
use jiff::SignedDuration;
use tokio::sync::mpsc::{self, Sender};

use super::super::world::Happening;
use super::{Stage, alone, live};
use crate::ports::{Clock, Deadlines, Input, Inputs, Moment, Report, Signal};
use crate::run::Sources;
use crate::signals::Signals;

on_both!(
    Process, Stage:
    what_was_said_first_is_heard_first,
    a_deadline_comes_and_not_before_its_time,
    what_is_there_is_heard_before_a_deadline_that_is_over,
    time_never_goes_back,
);

const SOON: SignedDuration = SignedDuration::from_millis(200);

#[test]
fn a_person_is_heard_before_all_that_waits_by_a_real_run() {
    alone(module_path!(), "a_person_is_heard_before_all_that_waits_by_a_real_run", || {
        live(async { a_person_is_heard_before_all_that_waits(&mut Process::new().await).await });
    });
}

#[test]
fn a_person_is_heard_before_all_that_waits_by_a_simulated_run() {
    live(async { a_person_is_heard_before_all_that_waits(&mut <Stage as Rig>::new().await).await });
}

/// What a run hears, and its clock.
trait Rig {
    async fn new() -> Self;
    fn inputs(&mut self) -> &mut dyn Inputs;
    fn now(&self) -> Moment;
    /// Lets a port say something of this session.
    async fn say(&mut self, session: i64);
    /// Lets a person press Ctrl-C.
    async fn interrupt(&mut self);
}

async fn a_person_is_heard_before_all_that_waits(rig: &mut impl Rig) {
    for session in 1..=20 {
        rig.say(session).await;
    }
    rig.interrupt().await;
    let deadlines = in_time(rig.now());
    let first = rig.inputs().next(deadlines).await;
    assert!(matches!(first, Input::Signal(Signal::Interrupt)), "{first:?}");
    assert_eq!(session(rig).await, 1);
}

async fn what_was_said_first_is_heard_first(rig: &mut impl Rig) {
    for session in 1..=20 {
        rig.say(session).await;
    }
    for expected in 1..=20 {
        assert_eq!(session(rig).await, expected);
    }
}

async fn a_deadline_comes_and_not_before_its_time(rig: &mut impl Rig) {
    let at = |clock: fn(Moment) -> jiff::Timestamp, now| Some(clock(now) + SOON);
    let now = rig.now();
    let steady = Deadlines { steady: at(|now| now.steady, now), wall: None };
    assert!(matches!(rig.inputs().next(steady).await, Input::Deadline));
    assert!(Some(rig.now().steady) >= steady.steady);
    let now = rig.now();
    let wall = Deadlines { wall: at(|now| now.wall, now), steady: None };
    assert!(matches!(rig.inputs().next(wall).await, Input::Deadline));
    assert!(Some(rig.now().wall) >= wall.wall);
    // Of two, the first.
    let now = rig.now();
    let both = Deadlines { wall: at(|now| now.wall, now), steady: Some(now.steady + SOON * 100) };
    assert!(matches!(rig.inputs().next(both).await, Input::Deadline));
    assert!(rig.now().steady < now.steady + SOON * 50);
}

async fn what_is_there_is_heard_before_a_deadline_that_is_over(rig: &mut impl Rig) {
    rig.say(1).await;
    let now = rig.now();
    let over = Deadlines { wall: Some(now.wall), steady: Some(now.steady) };
    let first = rig.inputs().next(over).await;
    assert!(matches!(first, Input::Runner { .. }), "{first:?}");
    assert!(matches!(rig.inputs().next(over).await, Input::Deadline));
}

async fn time_never_goes_back(rig: &mut impl Rig) {
    let mut before = rig.now();
    for session in 1..=20 {
        rig.say(session).await;
        rig.inputs().next(in_time(before)).await;
        let now = rig.now();
        assert!(now.steady >= before.steady, "{now:?} after {before:?}");
        before = now;
    }
}

fn in_time(now: Moment) -> Deadlines {
    Deadlines { wall: None, steady: Some(now.steady + SOON) }
}

/// Hears which session something is said of.
async fn session(rig: &mut impl Rig) -> i64 {
    let deadlines = in_time(rig.now());
    let input = rig.inputs().next(deadlines).await;
    let Input::Runner { session, .. } = input else { panic!("{input:?}") };
    session.0
}

fn gone(session: i64) -> Input {
    Input::Runner { session: SessionId(session), report: Report::Gone { how: String::new() } }
}

/// This process, its signals and a channel.
struct Process {
    sender: Sender<Input>,
    sources: Sources<'static>,
    clock: cogwork_session::clock::Clock,
}

impl Rig for Process {
    async fn new() -> Self {
        let (sender, received) = mpsc::channel(256);
        let clock = cogwork_session::clock::Clock::start();
        let signals = Box::leak(Box::new(Signals::new().unwrap()));
        Self { sender, sources: Sources::new(received, signals, clock), clock }
    }

    fn inputs(&mut self) -> &mut dyn Inputs {
        &mut self.sources
    }

    fn now(&self) -> Moment {
        Clock::now(&self.clock)
    }

    async fn say(&mut self, session: i64) {
        self.sender.send(gone(session)).await.unwrap();
    }

    async fn interrupt(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "a person, who knows nothing of the crate `process`")]
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-INT", &std::process::id().to_string()]).status().unwrap().success());
        // The kernel tells a thread of this process, which tells the one that waits.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

impl Rig for Stage {
    async fn new() -> Self {
        Self::set()
    }

    fn inputs(&mut self) -> &mut dyn Inputs {
        &mut self.port
    }

    fn now(&self) -> Moment {
        self.world(|world| world.moment())
    }

    async fn say(&mut self, session: i64) {
        self.world(|world| world.deliver(0, gone(session)));
    }

    async fn interrupt(&mut self) {
        self.world(|world| world.later(0, Happening::Signal(Signal::Interrupt)));
    }
}
