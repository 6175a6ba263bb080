//! The seeded simulator: the production conductor and the production store, behind ports whose world crashes, lies,
//! answers late or never, and comes back from the dead, under a clock that jumps from one event to the next.
//!
//! One seed is one night: a random graph, random slots, agents with random fates, faults at every port, the run killed
//! at random calls, people on the same project and the same branch. Nothing of the loop is written twice: the world
//! implements the ports and [`conduct`](crate::conduct::conduct) runs as it does on a laptop. The invariants of the
//! design are asserted at every input and at the end. The same seed gives the same trace, so a failure is reproduced by
//! its number alone: `COGWORK_SEED=17 cargo test -p cogwork-conductor one_seed -- --nocapture`.

mod agents;
mod branch;
mod contract;
mod invariants;
mod ledger;
mod people;
mod readers;
mod scope;
mod staged;
mod steering;
mod world;

use std::collections::BTreeSet;

use cogwork_schemas::RunOutcome;

use crate::engine::Effect;
use crate::ledger::Call;
use crate::marks;
use world::{Night, World};

/// How many nights the normal test run lives through; `COGWORK_SEEDS` asks for more.
const SEEDS: u64 = 2_000;

/// A night has at most so many runs: people start it again in the morning, but not for ever.
const RUNS: u32 = 200;

fn live(seed: u64, is_traced: bool) -> Night {
    let mut night = Night::new(seed);
    night.world(|world| world.is_traced = is_traced);
    for _ in 0..RUNS {
        match night.run_until_it_ends() {
            // Killed, stopped or broken: a person starts it again the next morning.
            None
            | Some(
                RunOutcome::LimitReached { .. }
                | RunOutcome::Stopped
                | RunOutcome::Through { .. }
                | RunOutcome::Broken { .. },
            ) => {}
            Some(
                RunOutcome::Complete | RunOutcome::CompleteWithFailures { .. } | RunOutcome::Blocked { .. },
            ) => {
                if night.world(|world| world.is_for_all() && !world.has_unlanded_work()) {
                    night.world(World::check_night);
                    return night;
                }
            }
        }
    }
    panic!("seed {seed}: a run on this project never gets to its end");
}

/// What the nights have seen, over all seeds: a simulator that never meets a zombie or never finishes anything would
/// prove nothing.
#[derive(Default)]
struct Tally {
    nights: u64,
    complete: u64,
    fenced: u64,
    kills: u64,
    further: u64,
    stops: u64,
}

fn live_all(seeds: impl Iterator<Item = u64>) {
    let mut tally = Tally::default();
    for seed in seeds {
        let night = std::panic::catch_unwind(|| live(seed, false)).unwrap_or_else(|_| {
            panic!(
                "seed {seed} broke an invariant: COGWORK_SEED={seed} cargo test -p cogwork-conductor one_seed -- --nocapture"
            )
        });
        night.world(|world| {
            tally.nights += 1;
            tally.complete += u64::from(world.is_complete());
            tally.fenced += world.fenced_writes;
            tally.kills += world.kills;
            tally.further += world.further;
            tally.stops += world.stops;
        });
    }
    let Tally { nights, complete, fenced, kills, further, stops } = tally;
    assert!(complete > nights / 4, "only {complete} of {nights} nights ended with every feature passing");
    assert!(fenced > nights / 8, "only {fenced} writes of zombies in {nights} nights");
    assert!(kills > nights / 4, "only {kills} kills in {nights} nights");
    assert!(further > nights / 4, "sessions went on only {further} times in {nights} nights");
    assert!(stops > nights / 8, "only {stops} stops in {nights} nights");
    let missed: Vec<_> = expected_marks().difference(&marks::all()).copied().collect();
    assert!(missed.is_empty(), "no night has reached {missed:?}");
}

/// Every arm that handles an effect or a fault; the lists are held complete by the matches beside the enums.
fn expected_marks() -> BTreeSet<(&'static str, &'static str)> {
    let effects = Effect::KINDS.into_iter().map(|kind| ("effect", kind));
    let classes = ["answered", "refused", "again", "unknown", "fatal"];
    let calls = Call::KINDS.into_iter().flat_map(|kind| classes.map(|class| (kind, class)));
    let others = [
        ("claim", "withdrawn"),
        ("ledger", "given_up"),
        ("ledger", "silent"),
        ("slot", "waits"),
        ("session", "killed"),
        ("session", "given_up"),
        ("session", "let_go"),
        ("landing", "refused"),
        ("landing", "in_use"),
        ("landing", "failed"),
        ("landing", "failed_for_good"),
        ("landing", "overdue"),
        ("keep", "stays"),
        ("confirm", "missing"),
        ("confirm", "failed"),
        ("confirm", "overdue"),
    ];
    effects.chain(calls).chain(others).collect()
}

#[expect(clippy::disallowed_methods, reason = "a developer's way to ask for one night, or for many")]
fn environment_number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

// Two halves, so that two cores share them.
#[test]
fn the_invariants_hold_in_even_nights() {
    live_all((0..environment_number("COGWORK_SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % 2 == 0));
}

#[test]
fn the_invariants_hold_in_odd_nights() {
    live_all((0..environment_number("COGWORK_SEEDS").unwrap_or(SEEDS)).filter(|seed| seed % 2 == 1));
}

#[test]
fn the_same_seed_gives_the_same_night() {
    for seed in 0..20 {
        let trace = |night: Night| night.world(|world| world.trace.clone());
        assert_eq!(trace(live(seed, true)), trace(live(seed, true)), "seed {seed}");
    }
}

#[test]
fn one_seed() {
    let mut night = Night::new(environment_number("COGWORK_SEED").unwrap_or(17));
    night.world(|world| world.is_loud = environment_number("COGWORK_SEED").is_some());
    for _ in 0..RUNS {
        if let Some(
            RunOutcome::Complete | RunOutcome::CompleteWithFailures { .. } | RunOutcome::Blocked { .. },
        ) = night.run_until_it_ends()
            && !night.world(|world| world.has_unlanded_work())
        {
            return night.world(World::check_night);
        }
    }
    panic!("it never gets to its end");
}
