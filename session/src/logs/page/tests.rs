use cogwork_schemas::{AttemptId, CheckReport, CheckVerdict, FeatureId};

use super::*;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000 + ms).unwrap()
}

fn page(events: Vec<(i64, RunnerEvent)>) -> (String, Page) {
    let mut page = Page::new(SessionId(4));
    let mut text = String::new();
    for (ms, event) in events {
        text.extend(page.take(&RunnerMessage { at: at(ms), session: SessionId(4), event }));
    }
    (text, page)
}

fn agent(event: AgentEvent) -> RunnerEvent {
    RunnerEvent::Agent { event }
}

fn usage(read: u64, written: u64, usd: f64) -> RunnerEvent {
    agent(AgentEvent::Usage { input_tokens: read, output_tokens: written, cost_usd: Some(usd) })
}

fn nobody() -> ProcessIdentity {
    ProcessIdentity { pid: 999_999_999, started: 1, boot_id: "of long ago".into() }
}

fn life() -> Vec<(i64, RunnerEvent)> {
    let report = CheckReport {
        command: "sh t.sh".into(),
        verdict: CheckVerdict::Red { exit_code: 1 },
        duration_ms: 41,
        output_tail: String::new(),
        output_digest: String::new(),
    };
    let checked = RunnerEvent::Checked {
        attempt: AttemptId(9),
        feature: FeatureId(7),
        phase: CheckPhase::Before,
        report,
    };
    let tree = Resources { processes: 3, memory_bytes: 41_250_000, cpu_ms: 1250 };
    let runner = Resources { processes: 1, memory_bytes: 10_700_000, cpu_ms: 40 };
    let limit = SessionOutcome::UsageLimit { resets_at: None, window: None };
    vec![
        (0, RunnerEvent::Up { process: nobody() }),
        (250, RunnerEvent::Prepared { workspace: "/p/w".into(), duration_ms: 240 }),
        (300, checked),
        (310, RunnerEvent::AgentStarted { process: nobody() }),
        (1_000, agent(AgentEvent::Text { text: "First:\n\n  \u{1b}[2Jthe \u{9b}31m plan\r\u{7}".into() })),
        (1_100, agent(AgentEvent::ToolCall { tool: "Bash".into(), input: "ls\nls".into() })),
        (1_200, usage(100, 10, 0.5)),
        (1_300, usage(200, 20, 1.0)),
        (2_000, RunnerEvent::Waiting { until: at(9_000), because: limit }),
        (9_000, RunnerEvent::AgentStarted { process: nobody() }),
        (9_100, usage(1_000, 7, 0.25)),
        (61_500, RunnerEvent::Resources { tree, runner, peak_bytes: 812_000_000 }),
        (
            62_000,
            RunnerEvent::Ended {
                outcome: SessionOutcome::Completed,
                agent_ms: 60_000,
                reason: None,
                confirmed: false,
            },
        ),
    ]
}

#[test]
fn a_session_is_told_line_by_line() {
    let (text, _) = page(life());
    assert_eq!(
        text,
        "   0.0 s  the runner is there (process 999999999)
   0.2 s  the workspace is there after 0.2 s: /p/w
   0.3 s  before: `sh t.sh` is red (exit 1), 0.0 s
   0.3 s  the agent runs (process 999999999)
   1.0 s  | First:
          |   [2Jthe 31m plan
   1.1 s  > Bash ls ls
   1.2 s  100 tokens read, 10 written, 0.50 USD
   1.3 s  200 tokens read, 20 written, 1.00 USD
   2.0 s  the account's usage limit was reached: waiting until 1970-01-01T00:16:49Z
   9.0 s  the agent runs (process 999999999)
   9.1 s  1000 tokens read, 7 written, 0.25 USD
  61.5 s  41.2 MB of memory in 3 processes, 1.2 s of processor time; the runner 10.7 MB
  62.0 s  the agent ended (60.0 s)
"
    );
}

#[test]
fn the_end_sums_up_what_each_life_has_cost() {
    let (_, page) = page(life());
    assert!(page.is_over());
    assert_eq!(
        page.summary(&Ok(vec![])),
        "
session s4 ended after 62.0 s, 60.0 s of them the agent's: the agent ended
  agent     2 lives, 1 tool calls, 1200 tokens read, 27 written, 1.25 USD
  machine   at most 812.0 MB of memory, 1.2 s of processor time
"
    );
}

#[test]
fn what_is_missing_is_told_where_it_is_missing() {
    let (_, mut page) = page(life()[..2].to_vec());
    let gap = page.gap(12_340_000);
    let text = page.take(&gap).unwrap();
    assert_eq!(text, "   0.2 s  … here 12.3 MB of the journal are left out: it became too long\n");
}

#[test]
fn a_session_whose_runner_is_gone_has_no_end_and_is_not_waited_for() {
    let (_, dead) = page(life()[..5].to_vec());
    assert!(dead.is_gone(false) && !dead.is_over());
    assert!(
        dead.summary(&Ok(vec![])).starts_with("\nsession s4 has no end: its runner was gone after 1.0 s\n")
    );
    let (_, alive) = page(vec![(0, RunnerEvent::Up { process: contain::own_identity() })]);
    assert!(!alive.is_gone(true));
    assert!(alive.summary(&Ok(vec![])).contains("is under way, so far for 0.0 s"));
    let (_, silent) = page(vec![]);
    assert!(!silent.is_gone(false) && silent.is_gone(true));
    assert_eq!(silent.summary(&Ok(vec![])), "\nsession s4 has said nothing\n");
}
