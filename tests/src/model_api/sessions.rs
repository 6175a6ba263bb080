//! Where each agent is in its script: pure, one position for each session.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Value, json};

use super::asked::Asked;
use super::script::{Planned, Script, Scripts};

/// The positions of all sessions.
#[derive(Debug)]
pub struct Sessions {
    scripts: Scripts,
    positions: BTreeMap<String, Position>,
}

#[derive(Debug, Default)]
struct Position {
    scenario: String,
    turn: usize,
    /// How many requests the turn has answered.
    used: u64,
    sides: usize,
}

/// The turn that answers a request, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub scenario: String,
    /// The number of the turn, or `side`, `when_done`.
    pub label: Value,
    pub planned: Planned,
    pub script: ScriptParts,
}

/// What a script says about all its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptParts {
    pub headers: BTreeMap<String, String>,
    pub usage: super::script::Tokens,
}

impl Sessions {
    #[must_use]
    pub fn new(scripts: Scripts) -> Self {
        Self { scripts, positions: BTreeMap::new() }
    }

    /// Takes the next turn of a session; `scenario` counts for its first request only. `None` when there is no
    /// such scenario.
    pub fn take(&mut self, session: &str, scenario: Option<&str>, asked: &Asked) -> Option<Taken> {
        let chosen = || scenario.unwrap_or_else(|| self.scripts.choose(&asked.opening())).to_owned();
        let begin = || Position { scenario: chosen(), ..Position::default() };
        let position = self.positions.entry(session.to_owned()).or_insert_with(begin);
        let script = self.scripts.scenarios.get(&position.scenario)?;
        let (label, planned) = position.advance(script, asked);
        Some(Taken {
            scenario: position.scenario.clone(),
            label,
            planned,
            script: ScriptParts { headers: script.headers.clone(), usage: script.usage },
        })
    }
}

impl Position {
    fn advance(&mut self, script: &Script, asked: &Asked) -> (Value, Planned) {
        if script.main_requires_tools && asked.tools.is_empty() {
            let turn = script.side.get(self.sides).or(script.side.last());
            self.sides += 1;
            return (json!("side"), turn.unwrap_or(&script.when_done).clone());
        }
        // Once round at most: a script whose turns are all passed over has nothing to say.
        for _ in 0..=script.turns.len() {
            if script.starts_over && self.turn >= script.turns.len() {
                self.turn = 0;
            }
            let Some(turn) = script.turns.get(self.turn) else { break };
            let label = json!(self.turn);
            if !wanted(turn, asked) {
                (self.turn, self.used) = (self.turn + 1, 0);
                continue;
            }
            self.used += 1;
            let times = turn.get("times").and_then(Value::as_u64).unwrap_or(1);
            if times > 0 && self.used >= times {
                (self.turn, self.used) = (self.turn + 1, 0);
            }
            return (label, turn.clone());
        }
        (json!("when_done"), script.when_done.clone())
    }
}

fn wanted(turn: &Planned, asked: &Asked) -> bool {
    let pattern = turn.get("if_result").and_then(Value::as_str);
    let pattern = pattern.and_then(|pattern| Regex::new(pattern).ok());
    pattern.is_none_or(|pattern| pattern.is_match(&asked.results.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::super::asked::Offered;
    use super::super::dialect::Dialect;
    use super::*;

    fn asked(results: &[&str]) -> Asked {
        let mut asked = Asked::new(Dialect::Chat, "m", false);
        asked.tools.push(Offered::plain("bash"));
        asked.results = results.iter().map(ToString::to_string).collect();
        asked
    }

    fn sessions(script: &Value) -> Sessions {
        Sessions::new(Scripts::parse(&script.to_string()).unwrap())
    }

    fn labels(sessions: &mut Sessions, session: &str, requests: &[Asked]) -> Vec<Value> {
        requests.iter().map(|asked| sessions.take(session, None, asked).unwrap().label).collect()
    }

    #[test]
    fn turns_come_in_order_and_as_often_as_they_say() {
        let script = json!({"turns": [{"error": 429, "times": 2}, {"text": "a"}]});
        let mut sessions = sessions(&script);
        let requests = vec![asked(&[]); 4];
        assert_eq!(labels(&mut sessions, "a", &requests), [json!(0), json!(0), json!(1), json!("when_done")]);
        assert_eq!(labels(&mut sessions, "b", &requests[..1]), [json!(0)], "each session walks by itself");
    }

    #[test]
    fn requests_without_tools_use_up_nothing() {
        let mut sessions = sessions(&json!({"turns": [{"text": "a"}], "side": [{"text": "t"}]}));
        let mut title = asked(&[]);
        title.tools.clear();
        let requests = [title.clone(), title, asked(&[])];
        assert_eq!(labels(&mut sessions, "a", &requests), [json!("side"), json!("side"), json!(0)]);
    }

    #[test]
    fn turns_may_depend_on_results_and_start_over() {
        let script = json!({"loop": true, "turns": [{"text": "a"}, {"text": "b", "if_result": "^red"}]});
        let mut sessions = sessions(&script);
        let requests = [asked(&[]), asked(&["red x"]), asked(&[]), asked(&["green"]), asked(&["red"])];
        assert_eq!(labels(&mut sessions, "a", &requests), [json!(0), json!(1), json!(0), json!(0), json!(1)]);
    }

    #[test]
    fn an_unknown_scenario_is_no_turn() {
        let mut sessions = sessions(&json!({"turns": []}));
        assert_eq!(sessions.take("a", Some("nowhere"), &asked(&[])), None);
    }
}
