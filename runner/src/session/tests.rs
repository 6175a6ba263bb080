use super::*;

const LIMITS: Limits = Limits {
    max_session: SignedDuration::from_secs(100),
    max_silence: SignedDuration::from_secs(30),
    grace: SignedDuration::from_secs(10),
    lease: SignedDuration::from_secs(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn exit(code: i32) -> Event {
    Event::AgentExited(Exit { ending: Ending::Code(code), stderr_tail: "why".into() })
}

/// Plays `events` (second, event) and compares with what must be asked for, as `second: effect`. Renewals are left
/// out; they have a test of their own.
fn check(events: &[(i64, Event)], expected: &[&str]) {
    let mut session = Session::new(at(0), LIMITS);
    let mut seen = Vec::new();
    for (second, event) in events {
        for effect in session.step(at(*second), event.clone()) {
            if effect != Effect::Renew {
                seen.push(format!("{second}: {effect:?}"));
            }
        }
    }
    assert_eq!(seen, expected);
}

const UP: [(i64, Event); 2] = [(1, Event::Prepared), (2, Event::AgentStarted)];

fn up_then(events: &[(i64, Event)]) -> Vec<(i64, Event)> {
    UP.iter().chain(events).cloned().collect()
}

#[test]
fn an_agent_that_ends_by_itself_is_judged_by_the_checks() {
    for (event, outcome) in [
        (exit(0), "Completed".to_owned()),
        (exit(3), r#"Failed { exit_code: 3, stderr_tail: "why" }"#.to_owned()),
        (
            Event::AgentExited(Exit { ending: Ending::Signal(9), stderr_tail: String::new() }),
            r#"Killed { signal: 9, stderr_tail: "" }"#.to_owned(),
        ),
    ] {
        check(
            &up_then(&[(5, event), (7, Event::Judged)]),
            &["1: Start", "5: Judge(Checks)", &format!("7: Finish {{ outcome: {outcome}, agent_ms: 3000 }}")],
        );
    }
}

#[test]
fn what_cannot_be_started_ends_at_once() {
    let reason = || "no such program".to_owned();
    let finish = r#"Finish { outcome: NotStarted { reason: "no such program" }, agent_ms: 0 }"#;
    check(&[(1, Event::NotPrepared { reason: reason() })], &[&format!("1: {finish}")]);
    check(
        &[(1, Event::Prepared), (2, Event::AgentNotStarted { reason: reason() })],
        &["1: Start", &format!("2: {finish}")],
    );
}

#[test]
fn the_wall_clock_stops_a_busy_agent_and_its_work_is_still_judged() {
    let mut busy: Vec<_> = (3..100).map(|second| (second, Event::AgentOutput)).collect();
    busy.extend([(101, Event::Deadline), (102, Event::Deadline), (104, exit(143)), (105, Event::Judged)]);
    check(
        &up_then(&busy),
        &[
            "1: Start",
            "102: Terminate",
            "104: Judge(Checks)",
            "105: Finish { outcome: TimedOut { after_s: 100 }, agent_ms: 102000 }",
        ],
    );
}

#[test]
fn silence_stops_an_agent_and_output_puts_it_off() {
    check(
        &up_then(&[
            (20, Event::AgentOutput),
            (32, Event::Deadline),
            (50, Event::Deadline),
            (51, exit(0)),
            (52, Event::Judged),
        ]),
        &[
            "1: Start",
            "50: Terminate",
            "51: Judge(Checks)",
            "52: Finish { outcome: Silent { after_s: 30 }, agent_ms: 49000 }",
        ],
    );
}

#[test]
fn an_agent_that_does_not_end_is_killed_after_the_grace_and_only_once() {
    check(
        &up_then(&[
            (5, Event::Control(Control::Stop)),
            (14, Event::Deadline),
            (15, Event::Deadline),
            (16, Event::Deadline),
            (17, exit(0)),
            (18, Event::Judged),
        ]),
        &[
            "1: Start",
            "5: Terminate",
            "15: Kill",
            "17: Judge(Commit)",
            "18: Finish { outcome: Stopped, agent_ms: 15000 }",
        ],
    );
}

#[test]
fn a_stop_ends_preparation_and_judging_without_a_verdict() {
    let stopped = |agent_ms: u32| format!("Finish {{ outcome: Stopped, agent_ms: {agent_ms} }}");
    for stop in [Event::Control(Control::Stop), Event::Signal, Event::ParentGone, Event::LeaseLost] {
        check(&[(1, stop.clone()), (2, Event::Prepared)], &["1: Abandon", &format!("1: {}", stopped(0))]);
        check(
            &up_then(&[(5, exit(0)), (6, stop), (7, Event::Judged)]),
            &["1: Start", "5: Judge(Checks)", "6: Abandon", &format!("6: {}", stopped(3000))],
        );
    }
}

#[test]
fn a_stop_before_the_agent_is_there_reaches_it() {
    check(
        &[
            (1, Event::Prepared),
            (2, Event::Control(Control::Stop)),
            (3, Event::AgentStarted),
            (4, exit(0)),
            (5, Event::Judged),
        ],
        &["1: Start", "3: Terminate", "4: Judge(Commit)", "5: Finish { outcome: Stopped, agent_ms: 1000 }"],
    );
    check(
        &[
            (1, Event::Prepared),
            (2, Event::Control(Control::Stop)),
            (3, Event::AgentNotStarted { reason: "gone".into() }),
        ],
        &["1: Start", "3: Finish { outcome: Stopped, agent_ms: 0 }"],
    );
}

#[test]
fn the_second_signal_kills() {
    check(
        &up_then(&[(5, Event::Signal), (6, Event::Signal), (7, Event::Signal)]),
        &["1: Start", "5: Terminate", "6: Kill"],
    );
}

#[test]
fn a_parent_that_stops_us_in_every_way_at_once_waits_for_the_grace() {
    let stop = || Event::Control(Control::Stop);
    check(
        &up_then(&[
            (5, stop()),
            (5, Event::ParentGone),
            (5, Event::Signal),
            (14, Event::Deadline),
            (15, Event::Deadline),
        ]),
        &["1: Start", "5: Terminate", "15: Kill"],
    );
    // It died while it waited: the kernel sends the second signal.
    check(
        &up_then(&[(5, stop()), (5, Event::ParentGone), (5, Event::Signal), (6, Event::Signal)]),
        &["1: Start", "5: Terminate", "6: Kill"],
    );
}

#[test]
fn nobody_waits_long_for_an_orphan() {
    check(
        &up_then(&[(5, Event::ParentGone), (6, Event::Deadline), (7, Event::Deadline)]),
        &["1: Start", "5: Terminate", "7: Kill"],
    );
    // Also when the polite stop came first.
    check(
        &up_then(&[(5, Event::Signal), (6, Event::ParentGone), (8, Event::Deadline)]),
        &["1: Start", "5: Terminate", "8: Kill"],
    );
}

#[test]
fn a_lost_lease_stops_the_agent_and_nothing_is_judged() {
    check(
        &up_then(&[(5, Event::LeaseLost), (7, Event::Deadline), (8, exit(0))]),
        &["1: Start", "5: Terminate", "7: Kill", "8: Finish { outcome: Stopped, agent_ms: 6000 }"],
    );
    // Even when it was stopping for another reason.
    check(
        &up_then(&[(5, Event::Signal), (6, Event::LeaseLost), (8, exit(0))]),
        &["1: Start", "5: Terminate", "8: Finish { outcome: Stopped, agent_ms: 6000 }"],
    );
}

#[test]
fn drain_changes_nothing_for_a_session_of_one_feature() {
    check(&up_then(&[(5, Event::Control(Control::Drain))]), &["1: Start"]);
}

#[test]
fn the_lease_is_renewed_at_each_third_in_every_phase_until_it_is_lost() {
    let mut session = Session::new(at(0), LIMITS);
    assert_eq!(session.next_deadline(), Some(at(20)));
    assert_eq!(session.step(at(20), Event::Deadline), [Effect::Renew]);
    assert_eq!(session.step(at(21), Event::Prepared), [Effect::Start]);
    assert_eq!(session.next_deadline(), Some(at(40)));
    assert_eq!(session.step(at(22), Event::AgentStarted), []);
    assert_eq!(session.step(at(41), Event::Deadline), [Effect::Renew]);
    assert_eq!(session.step(at(42), exit(0)), [Effect::Judge(Depth::Checks)]);
    assert_eq!(session.next_deadline(), Some(at(61)));
    assert_eq!(session.step(at(61), Event::Deadline), [Effect::Renew]);
    let last = session.step(at(62), Event::LeaseLost);
    assert_eq!(last.first(), Some(&Effect::Abandon));
    assert_eq!(session.next_deadline(), None);
}

/// Random lives, by a driver that keeps its word: whatever comes in between, each ends exactly once, in bounded time,
/// with no agent left, and nothing spins.
#[test]
fn every_life_ends_once_and_soon() {
    for seed in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut session = Session::new(at(0), LIMITS);
        let mut now = at(0);
        let mut pending = vec![Event::Prepared];
        let (mut agent, mut killed, mut lost, mut finished) = (false, false, false, 0);
        let mut trace = Vec::new();
        while finished == 0 {
            let deadline = session.next_deadline();
            // What the world would do next, now or later; a deadline is never late.
            let mut wait = SignedDuration::from_secs(rng.i64(0..15));
            let mut choices: Vec<Event> = pending.clone();
            if rng.u8(0..8) == 0 {
                choices.push(
                    rng.choice([
                        Event::Control(Control::Stop),
                        Event::Signal,
                        Event::ParentGone,
                        Event::LeaseLost,
                    ])
                    .unwrap(),
                );
            }
            if agent {
                choices.push(Event::AgentOutput);
                if killed || rng.u8(0..6) == 0 {
                    choices = vec![exit(0)];
                }
            }
            let mut event = rng.choice(choices).unwrap_or(Event::Deadline);
            if let Some(deadline) = deadline {
                let until = deadline.duration_since(now);
                assert!(until >= SignedDuration::ZERO, "seed {seed}: a deadline in the past: {trace:?}");
                if event == Event::Deadline || wait >= until {
                    (wait, event) = (until, Event::Deadline);
                }
            }
            now += wait;
            pending.retain(|p| *p != event);
            agent &= !matches!(event, Event::AgentExited(_));
            lost |= event == Event::LeaseLost;
            trace.push(format!("{now} {event:?}"));
            for effect in session.step(now, event.clone()) {
                assert_eq!(finished, 0, "seed {seed}: {effect:?} after the end: {trace:?}");
                match effect {
                    Effect::Start => pending.push(Event::AgentStarted),
                    Effect::Terminate => {
                        assert!(agent || event == Event::AgentStarted, "seed {seed}: {trace:?}");
                    }
                    Effect::Kill => killed = true,
                    Effect::Abandon => pending.clear(),
                    Effect::Judge(_) => {
                        assert!(!lost, "seed {seed}: judged with a stale token: {trace:?}");
                        pending.push(Event::Judged);
                    }
                    Effect::Renew => assert!(!lost, "seed {seed}: renewed a lost lease: {trace:?}"),
                    Effect::Finish { .. } => finished += 1,
                }
            }
            agent |= event == Event::AgentStarted;
            assert!(now < at(10_000) && trace.len() < 5_000, "seed {seed} does not end: {trace:?}");
        }
        assert!(!agent, "seed {seed}: an agent is left: {trace:?}");
        assert_eq!(session.next_deadline(), None);
    }
}

#[test]
fn each_feature_has_the_time_of_one() {
    let mut busy: Vec<_> = (3..200).map(|second| (second, Event::AgentOutput)).collect();
    busy.insert(80, (90, Event::NextFeature));
    busy.sort_by_key(|(second, _)| *second);
    busy.extend([(200, Event::Deadline), (201, exit(143)), (202, Event::Judged)]);
    check(
        &up_then(&busy),
        &[
            "1: Start",
            "200: Terminate",
            "201: Judge(Checks)",
            "202: Finish { outcome: TimedOut { after_s: 100 }, agent_ms: 199000 }",
        ],
    );
}
