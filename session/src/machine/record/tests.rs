use super::super::Death;
use super::*;
use cogwork_schemas::Control;
use jiff::SignedDuration;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn begin() -> Record {
    let seconds = SignedDuration::from_secs;
    let limits = Limits {
        max_session: seconds(100),
        max_silence: seconds(30),
        max_idle: seconds(80),
        after_result: seconds(5),
        grace: seconds(10),
        max_memory: None,
        lease: seconds(60),
    };
    Record::begin(at(0), limits, Policy { waits_for_limits: true, jitter: seconds(120) }, 7)
}

fn dies(outcome: SessionOutcome) -> Event {
    Event::AgentExited(Death { outcome, can_resume: true, wall: at(50) })
}

/// A life with a limit in the middle of it, whose pause is random, and a stop.
fn life() -> Vec<(i64, Event)> {
    let limit = SessionOutcome::UsageLimit { resets_at: Some(at(60)), window: None };
    vec![
        (1, Event::Prepared),
        (2, Event::AgentStarted),
        (3, Event::AgentOutput),
        (4, Event::AgentProgress),
        (20, Event::Deadline),
        (30, dies(limit)),
        (120, Event::WaitOver),
        (121, Event::AgentStarted),
        (122, Event::Control(Control::Stop)),
        (123, dies(SessionOutcome::Completed)),
        (124, Event::Judged),
    ]
}

/// Plays events and writes the record of it.
fn recorded(events: &[(i64, Event)]) -> String {
    let begin = begin();
    let mut lines = vec![crate::json::line(&begin)];
    let Record::Begin { at: began, limits, policy, seed, .. } = begin else { unreachable!() };
    let mut machine = Session::new(began, limits, Patience::new(policy, seed));
    let mut recorder = Recorder::default();
    for (second, event) in events {
        let effects = machine.step(at(*second), event.clone());
        let records = recorder.step(at(*second), event.clone(), &effects);
        lines.extend(records.iter().map(crate::json::line));
    }
    lines.join("\n") + "\n"
}

#[test]
fn a_life_is_played_again_to_the_same_end() {
    let record = recorded(&life());
    let expected = Replayed { steps: 11, outcome: Some(SessionOutcome::Stopped) };
    assert_eq!(replay(&record), Ok(expected));
}

#[test]
fn a_record_that_was_cut_off_is_as_good_as_far_as_it_goes() {
    let record = recorded(&life());
    for end in 0..record.len() {
        let lines = record[..end].lines().count().saturating_sub(usize::from(!record[..end].ends_with('\n')));
        match replay(&record[..end]) {
            Ok(replayed) => assert_eq!(replayed, Replayed { steps: lines - 1, outcome: None }),
            Err(error) => assert_eq!((error, lines), (ReplayError::Empty, 0)),
        }
    }
}

#[test]
fn a_line_that_was_changed_is_found() {
    let record = recorded(&life());
    let changed = |from: &str, to: &str| {
        assert!(record.contains(from), "{from} is not in {record}");
        replay(&record.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let differs = changed("\"seed\":7", "\"seed\":8");
    assert!(
        differs.starts_with("line 7 differs: after AgentExited(") && differs.contains("Wait { until"),
        "{differs}"
    );
    assert_eq!(
        changed("{\"control\":{\"control\":\"stop\"}}", "\"deadline\""),
        "line 10 differs: after Deadline the machine asks for Renew, and asked for Terminate in the session"
    );
    assert_eq!(
        changed("\"wait_over\"", "\"judged\""),
        "line 8 cannot have happened then (judged before the agent ended): Judged"
    );
    assert!(changed("\"judged\"", "\"applauded\"").starts_with("line 12 is not understood: "));
    let full = Record::Full;
    let cut: String = record.lines().take(4).map(|line| format!("{line}\n")).collect();
    assert_eq!(replay(&format!("{cut}{}\n", crate::json::line(&full))), Err(ReplayError::Full { steps: 3 }));
    let longer = format!("{record}{}\n", record.lines().last().unwrap());
    assert_eq!(replay(&longer), Err(ReplayError::AfterTheEnd { line: 13 }));
}

#[test]
fn another_form_is_refused_whatever_else_is_in_it() {
    for (first, found) in [
        ("{\"record\":\"begin\",\"form\":0,\"patience\":\"infinite\"}", "0"),
        ("{\"record\":\"begin\",\"form\":99}", "99"),
        ("{\"at\":\"2026-11-20T12:00:00Z\",\"session\":1,\"event\":{\"type\":\"up\"}}", "unknown"),
    ] {
        let error = replay(&format!("{first}\n")).unwrap_err();
        assert_eq!(error, ReplayError::OtherForm { found: found.to_owned() });
    }
}

#[test]
fn a_flood_of_signs_is_recorded_as_the_last_of_each() {
    let mut events = vec![(1, Event::Prepared), (2, Event::AgentStarted)];
    for second in 3..30 {
        events.extend([(second, Event::AgentOutput), (second, Event::AgentProgress)]);
    }
    events.extend([(30, Event::AgentResult), (31, Event::AgentOutput)]);
    // Silent since 31, with a result at 30 that lets it linger until 35: all three clocks matter.
    events.extend([(34, Event::Deadline), (35, Event::Deadline), (36, dies(SessionOutcome::Completed))]);
    events.push((37, Event::Judged));
    let record = recorded(&events);
    let kinds: Vec<&str> = record.lines().skip(3).take(4).collect();
    let expected = ["agent_progress", "agent_result", "agent_output", "deadline"];
    for (line, kind) in kinds.iter().zip(expected) {
        assert!(line.contains(kind), "{record}");
    }
    assert_eq!(replay(&record).map(|replayed| replayed.steps), Ok(9));
    assert!(record.contains("\"terminate\""), "{record}");
}

/// What a version of Cogwork has written must be read by the next, or be refused: when this fails, the machine or its
/// types have changed, and [`FORM`] has to grow together with this text.
#[test]
fn the_form_is_what_it_was() {
    let written = recorded(&life());
    assert_eq!(written, include_str!("../../../samples/machine.ndjson"), "{written}");
}
