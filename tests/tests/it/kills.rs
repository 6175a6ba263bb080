//! Whatever is killed, nothing of the session is left. The program `kills` does it a hundred times, and with a real
//! agent.

use cogwork_tests::kills::{Agent, Cut, Scene};

fn nothing_is_left(agent: &Agent) {
    for cut in Cut::ALL {
        let program = env!("CARGO_BIN_EXE_cogwork-under-test").into();
        let outcome = Scene { program, agent: agent.clone(), cut }.play().unwrap();
        assert!(outcome.processes >= 6, "{agent}, {cut}: {outcome:?}");
        assert!(outcome.left.is_empty(), "{agent}, {cut}: {:?}", outcome.left);
    }
}

#[test]
fn of_an_agent_that_ignores_sigterm() {
    nothing_is_left(&Agent::Stubborn);
}

#[test]
fn of_an_agent_that_floods() {
    nothing_is_left(&Agent::Flood);
}

#[test]
fn of_an_agent_that_hears_nothing() {
    nothing_is_left(&Agent::Stopped);
}
