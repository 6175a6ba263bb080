use super::*;

const LIMITS: Limits = Limits {
    max_session: SignedDuration::from_secs(100),
    max_silence: SignedDuration::from_secs(30),
    max_idle: SignedDuration::from_secs(80),
    after_result: SignedDuration::from_secs(5),
    grace: SignedDuration::from_secs(10),
    max_memory: Some(500 * MEGABYTE),
    lease: SignedDuration::from_secs(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

const POLICY: Policy = Policy { waits_for_limits: true, jitter: SignedDuration::ZERO };

fn session() -> Session {
    Session::new(at(0), LIMITS, Patience::new(POLICY, 1))
}

fn ended(exit: &Exit) -> Event {
    dies(exit.outcome())
}

fn dies(outcome: SessionOutcome) -> Event {
    Event::AgentExited(Death { outcome, can_resume: true, wall: at(0) })
}

fn exit(code: i32) -> Event {
    ended(&Exit { ending: Ending::Code(code), stderr_tail: "why".into() })
}

/// Plays `events` (second, event) and compares with what must be asked for, as `second: effect`. Renewals are left
/// out; they have a test of their own.
fn check(events: &[(i64, Event)], expected: &[&str]) {
    let mut session = session();
    let mut seen = Vec::new();
    for (second, event) in events {
        for effect in session.step(at(*second), event.clone()) {
            if effect != Effect::Renew {
                seen.push(format!("{second}: {effect:?}"));
            }
        }
        assert_eq!(session.fault(), None);
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
            ended(&Exit { ending: Ending::Signal(9), stderr_tail: String::new() }),
            r#"Killed { signal: 9, stderr_tail: "" }"#.to_owned(),
        ),
    ] {
        check(
            &up_then(&[(5, event), (7, Event::Judged)]),
            &[
                "1: Start { resumes: false }",
                "5: Judge(Checks)",
                &format!("7: Finish {{ outcome: {outcome}, agent_ms: 3000 }}"),
            ],
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
        &["1: Start { resumes: false }", &format!("2: {finish}")],
    );
}

#[test]
fn the_wall_clock_stops_a_busy_agent_and_its_work_is_still_judged() {
    let mut busy: Vec<_> = (3..100).map(|second| (second, Event::AgentProgress)).collect();
    busy.extend([(101, Event::Deadline), (102, Event::Deadline), (104, exit(143)), (105, Event::Judged)]);
    check(
        &up_then(&busy),
        &[
            "1: Start { resumes: false }",
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
            "1: Start { resumes: false }",
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
            "1: Start { resumes: false }",
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
            &[
                "1: Start { resumes: false }",
                "5: Judge(Checks)",
                "6: Abandon",
                &format!("6: {}", stopped(3000)),
            ],
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
        &[
            "1: Start { resumes: false }",
            "3: Terminate",
            "4: Judge(Commit)",
            "5: Finish { outcome: Stopped, agent_ms: 1000 }",
        ],
    );
    check(
        &[
            (1, Event::Prepared),
            (2, Event::Control(Control::Stop)),
            (3, Event::AgentNotStarted { reason: "gone".into() }),
        ],
        &["1: Start { resumes: false }", "3: Finish { outcome: Stopped, agent_ms: 0 }"],
    );
}

#[test]
fn the_second_signal_kills() {
    check(
        &up_then(&[(5, Event::Signal), (6, Event::Signal), (7, Event::Signal)]),
        &["1: Start { resumes: false }", "5: Terminate", "6: Kill"],
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
        &["1: Start { resumes: false }", "5: Terminate", "15: Kill"],
    );
    // It died while it waited: the kernel sends the second signal.
    check(
        &up_then(&[(5, stop()), (5, Event::ParentGone), (5, Event::Signal), (6, Event::Signal)]),
        &["1: Start { resumes: false }", "5: Terminate", "6: Kill"],
    );
}

#[test]
fn nobody_waits_long_for_an_orphan() {
    check(
        &up_then(&[(5, Event::ParentGone), (6, Event::Deadline), (7, Event::Deadline)]),
        &["1: Start { resumes: false }", "5: Terminate", "7: Kill"],
    );
    // Also when the polite stop came first.
    check(
        &up_then(&[(5, Event::Signal), (6, Event::ParentGone), (8, Event::Deadline)]),
        &["1: Start { resumes: false }", "5: Terminate", "8: Kill"],
    );
}

#[test]
fn a_lost_lease_stops_the_agent_and_nothing_is_judged() {
    check(
        &up_then(&[(5, Event::LeaseLost), (7, Event::Deadline), (8, exit(0))]),
        &[
            "1: Start { resumes: false }",
            "5: Terminate",
            "7: Kill",
            "8: Finish { outcome: Stopped, agent_ms: 6000 }",
        ],
    );
    // Even when it was stopping for another reason.
    check(
        &up_then(&[(5, Event::Signal), (6, Event::LeaseLost), (8, exit(0))]),
        &["1: Start { resumes: false }", "5: Terminate", "8: Finish { outcome: Stopped, agent_ms: 6000 }"],
    );
}

#[test]
fn drain_changes_nothing_for_a_session_of_one_feature() {
    check(&up_then(&[(5, Event::Control(Control::Drain))]), &["1: Start { resumes: false }"]);
}

#[test]
fn the_lease_is_renewed_at_each_third_in_every_phase_until_it_is_lost() {
    let mut session = session();
    assert_eq!(session.next_deadline(), Some(at(20)));
    assert_eq!(session.step(at(20), Event::Deadline), [Effect::Renew]);
    assert_eq!(session.step(at(21), Event::Prepared), [Effect::Start { resumes: false }]);
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

#[test]
fn a_limit_is_waited_for_and_the_conversation_goes_on() {
    let limit = || SessionOutcome::UsageLimit { resets_at: Some(at(300)), window: None };
    check(
        &up_then(&[
            (5, dies(limit())),
            (301, Event::WaitOver),
            (302, Event::AgentStarted),
            (310, exit(0)),
            (311, Event::Judged),
        ]),
        &[
            "1: Start { resumes: false }",
            "5: Wait { until: 1970-01-12T13:51:40Z, because: UsageLimit { resets_at: Some(1970-01-12T13:51:40Z), \
             window: None } }",
            "301: Start { resumes: true }",
            "310: Judge(Checks)",
            "311: Finish { outcome: Completed, agent_ms: 11000 }",
        ],
    );
}

#[test]
fn a_wait_can_be_cut_short() {
    let busy = || SessionOutcome::Throttled { reason: "429".into() };
    let ends = |event: Event| {
        let mut session = session();
        for (second, event) in up_then(&[(5, dies(busy()))]) {
            drop(session.step(at(second), event));
        }
        let first = session.step(at(6), event);
        let last = session.step(at(7), Event::Judged);
        assert_eq!(session.step(at(8), Event::WaitOver), []);
        (first, last)
    };
    let finish = |outcome| vec![Effect::Finish { outcome, agent_ms: 3000 }];
    let judged = vec![Effect::Judge(Depth::Commit)];
    assert_eq!(ends(Event::Control(Control::Stop)), (judged.clone(), finish(SessionOutcome::Stopped)));
    assert_eq!(ends(Event::Control(Control::Drain)), (judged.clone(), finish(busy())));
    assert_eq!(ends(Event::Signal), (judged, finish(SessionOutcome::Stopped)));
    assert_eq!(ends(Event::LeaseLost), (finish(SessionOutcome::Stopped), vec![]));
}

#[test]
fn a_refused_key_ends_the_agent_at_once_and_nobody_waits() {
    let outcome = || SessionOutcome::Auth { reason: "401".into() };
    check(
        &up_then(&[(3, Event::AgentHopeless { outcome: outcome() }), (4, exit(143)), (5, Event::Judged)]),
        &[
            "1: Start { resumes: false }",
            "3: Terminate",
            "4: Judge(Checks)",
            r#"5: Finish { outcome: Auth { reason: "401" }, agent_ms: 2000 }"#,
        ],
    );
}

#[test]
fn an_agent_that_is_through_has_to_end() {
    check(
        &up_then(&[
            (3, Event::AgentProgress),
            (4, Event::AgentResult),
            // It takes it back, and is through once more.
            (8, Event::AgentProgress),
            (9, Event::Deadline),
            (20, Event::AgentResult),
            (25, Event::Deadline),
            (26, exit(0)),
            (27, Event::Judged),
        ]),
        &[
            "1: Start { resumes: false }",
            "25: Terminate",
            "26: Judge(Checks)",
            "27: Finish { outcome: Completed, agent_ms: 24000 }",
        ],
    );
}

#[test]
fn signs_of_life_are_no_progress() {
    let mut dots: Vec<_> = (3..82).map(|second| (second, Event::AgentOutput)).collect();
    dots.extend([(82, Event::Deadline), (83, exit(143)), (84, Event::Judged)]);
    check(
        &up_then(&dots),
        &[
            "1: Start { resumes: false }",
            "82: Terminate",
            "83: Judge(Checks)",
            "84: Finish { outcome: NoProgress { after_s: 80 }, agent_ms: 81000 }",
        ],
    );
}

/// Random lives, by a driver that keeps its word: whatever comes in between, each ends exactly once, in bounded time,
/// with no agent left, and nothing spins. Its record, played again, comes to the same end.
#[test]
fn every_life_ends_once_and_soon() {
    for seed in 0..2000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut session = session();
        let mut now = at(0);
        let mut pending = vec![Event::Prepared];
        let (mut agent, mut killed, mut lost, mut finished) = (false, false, false, 0);
        let mut trace = Vec::new();
        let mut recorder = Recorder::default();
        let mut record = vec![Record::begin(at(0), LIMITS, POLICY, 1)];
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
                let memory = Event::Memory { bytes: rng.u64(0..800) * MEGABYTE };
                choices.extend([Event::AgentOutput, Event::AgentProgress, Event::AgentResult, memory]);
                if rng.u8(0..10) == 0 {
                    let outcome = SessionOutcome::Auth { reason: String::new() };
                    choices.push(Event::AgentHopeless { outcome });
                }
                if killed || rng.u8(0..6) == 0 {
                    let limit = SessionOutcome::UsageLimit { resets_at: None, window: None };
                    let busy = SessionOutcome::Throttled { reason: String::new() };
                    choices =
                        vec![exit(0), exit(1), dies(limit), dies(busy), dies(SessionOutcome::ContextFull)];
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
            let effects = session.step(now, event.clone());
            record.extend(recorder.step(now, event.clone(), &effects));
            for effect in effects {
                assert_eq!(finished, 0, "seed {seed}: {effect:?} after the end: {trace:?}");
                match effect {
                    Effect::Start { .. } => pending.push(Event::AgentStarted),
                    Effect::Wait { .. } => pending.push(Event::WaitOver),
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
        assert_eq!((session.next_deadline(), session.fault()), (None, None));
        let record: String = record.iter().map(|record| crate::json::line(record) + "\n").collect();
        assert!(replay(&record).unwrap().outcome.is_some(), "seed {seed}: {record}");
    }
}

#[test]
fn memory_ends_an_agent_when_it_was_too_much_twice_in_a_row_and_its_work_is_still_judged() {
    let memory = |second, megabytes| (second, Event::Memory { bytes: megabytes * MEGABYTE });
    check(
        &up_then(&[
            memory(4, 501),
            memory(6, 500),
            memory(8, 900),
            memory(10, 812),
            memory(12, 900),
            (13, exit(143)),
            memory(14, 900),
            (15, Event::Judged),
        ]),
        &[
            "1: Start { resumes: false }",
            "10: Terminate",
            "13: Judge(Checks)",
            "15: Finish { outcome: MemoryLimit { limit_mb: 500, used_mb: 812 }, agent_ms: 11000 }",
        ],
    );
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
            "1: Start { resumes: false }",
            "200: Terminate",
            "201: Judge(Checks)",
            "202: Finish { outcome: TimedOut { after_s: 100 }, agent_ms: 199000 }",
        ],
    );
}
