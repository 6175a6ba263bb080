//! The seeded simulator: the real engine and the real store, in a world of agents that crash, lie and come back
//! from the dead, under a clock that jumps from one event to the next.
//!
//! One seed is one night: a random graph, random slots, agents with random fates, the orchestrator killed at random
//! moments, another person's session on the same project. The invariants of the design are asserted at every
//! step. The same seed gives the same trace, so a failure is reproduced by its number alone:
//! `COGWORK_SEED=17 cargo test -p cogwork one_seed`.

mod world;

use cogwork_schemas::RunOutcome;

use world::World;

/// How many nights the normal test run lives through.
const SEEDS: u64 = 1_200;

fn live(seed: u64) -> World {
    let mut world = World::new(seed);
    let mut runs = 0;
    loop {
        runs += 1;
        assert!(runs < 60, "seed {seed}: a run on this project never gets to its end");
        match world.run_until_it_ends() {
            // Killed, stopped or broken: a person starts it again the next morning.
            None
            | Some(RunOutcome::LimitReached { .. } | RunOutcome::Stopped | RunOutcome::Broken { .. }) => {}
            Some(
                RunOutcome::Complete | RunOutcome::CompleteWithFailures { .. } | RunOutcome::Blocked { .. },
            ) => return world,
        }
    }
}

fn live_all(seeds: impl Iterator<Item = u64>) {
    let mut complete = 0;
    let mut fenced = 0;
    let mut kills = 0;
    let mut nights = 0;
    let mut further = 0;
    for seed in seeds {
        let world = std::panic::catch_unwind(|| live(seed)).unwrap_or_else(|_| {
            panic!("seed {seed} broke an invariant: COGWORK_SEED={seed} cargo test -p cogwork one_seed")
        });
        nights += 1;
        complete += u64::from(world.is_complete());
        fenced += world.fenced_writes;
        kills += world.kills;
        further += world.further;
    }
    // A simulator that never meets a zombie or never finishes anything would prove nothing.
    assert!(complete > nights / 4, "only {complete} of {nights} nights ended with every feature passing");
    assert!(fenced > nights / 4, "only {fenced} writes of zombies in {nights} nights");
    assert!(kills > nights / 4, "only {kills} kills in {nights} nights");
    assert!(further > nights / 4, "sessions went on only {further} times in {nights} nights");
}

// Two halves, so that two cores share them.
#[test]
fn the_invariants_hold_in_even_nights() {
    live_all((0..SEEDS).filter(|seed| seed % 2 == 0));
}

#[test]
fn the_invariants_hold_in_odd_nights() {
    live_all((0..SEEDS).filter(|seed| seed % 2 == 1));
}

#[test]
fn the_same_seed_gives_the_same_night() {
    for seed in 0..20 {
        assert_eq!(live(seed).trace, live(seed).trace, "seed {seed}");
    }
}

#[test]
fn one_seed() {
    #[expect(clippy::disallowed_methods, reason = "a developer's way to replay one night")]
    let seed = std::env::var("COGWORK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(17);
    let world = live(seed);
    for line in &world.trace {
        println!("{line}");
    }
}
