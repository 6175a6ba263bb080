//! What an agent said last: all that is left of an attempt that ends without a word for the next one.

use cogwork_schemas::AgentEvent;

use crate::text::{Tail, shortened};

/// Bytes of prose that are kept, from its end: what an agent says last is what it came to.
const KEPT: usize = 1_500;

/// The end of an agent's prose.
#[derive(Debug)]
pub(super) struct LastWords {
    prose: Tail,
    /// What it said of its work when it was through.
    result: Option<String>,
}

impl LastWords {
    pub(super) fn new() -> Self {
        Self { prose: Tail::of(KEPT), result: None }
    }

    /// Hears one thing that the agent said or did.
    pub(super) fn hear(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Text { text } => {
                self.prose.push_line(text);
                self.result = None;
            }
            AgentEvent::Result { text, .. } if !text.trim().is_empty() => {
                self.result = Some(shortened(text.clone(), KEPT));
            }
            AgentEvent::Result { .. }
            | AgentEvent::Started { .. }
            | AgentEvent::ToolCall { .. }
            | AgentEvent::ToolResult { .. }
            | AgentEvent::Retrying { .. }
            | AgentEvent::Allowance { .. }
            | AgentEvent::Usage { .. }
            | AgentEvent::Other { .. } => {}
        }
    }

    /// Returns them as a note; `None` when it said nothing.
    pub(super) fn into_note(self) -> Option<String> {
        let words = self.result.unwrap_or_else(|| self.prose.into_text());
        let words = words.trim();
        (!words.is_empty()).then(|| format!("It left no note; its last words were:\n{words}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(events: &[AgentEvent]) -> Option<String> {
        let mut words = LastWords::new();
        for event in events {
            words.hear(event);
        }
        words.into_note()
    }

    fn text(text: &str) -> AgentEvent {
        AgentEvent::Text { text: text.into() }
    }

    fn result(text: &str) -> AgentEvent {
        AgentEvent::Result { ok: true, text: text.into() }
    }

    #[test]
    fn the_result_goes_before_the_prose_unless_it_says_nothing_or_more_was_said() {
        let left = |words: &str| Some(format!("It left no note; its last words were:\n{words}"));
        assert_eq!(note(&[text("a"), text("b")]), left("a\nb"));
        assert_eq!(note(&[text("a"), result("It cannot be done.")]), left("It cannot be done."));
        assert_eq!(note(&[text("a"), result(" ")]), left("a"));
        assert_eq!(note(&[result("done"), text("but then")]), left("but then"));
        assert_eq!(note(&[result(""), text(" ")]), None);
    }

    #[test]
    fn of_much_prose_the_end_is_kept() {
        let much: Vec<_> = (0..2_000).map(|n| text(&format!("word {n}"))).collect();
        let note = note(&much).unwrap();
        assert!(note.ends_with("word 1999") && note.len() < KEPT + 100, "{}", note.len());
    }
}
