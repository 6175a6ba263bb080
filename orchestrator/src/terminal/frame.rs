//! The lines that move, made for the size of the terminal: one for each session, and always the one for the whole.

use cogwork_views::counted;
use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};

use super::duration;

/// Rows above the moving lines, for what happened.
const LOG_ROWS: usize = 8;
/// A feature's label takes this part of a line at most.
const LABEL_PART: usize = 3;

/// How many characters fit where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Size {
    /// Returns the size of the terminal that is drawn on now, which may change at any moment.
    pub(super) fn of(term: &Term) -> Self {
        let (rows, columns) = term.size();
        Self { rows: rows.into(), columns: columns.into() }
    }

    /// Returns as much of a text as fits, and says what does not.
    pub(super) fn page(self, text: &str) -> String {
        let lines: Vec<_> = text.lines().collect();
        let room = self.rows.saturating_sub(1).max(2);
        let shown = if lines.len() <= room { lines.len() } else { room - 1 };
        let more = (lines.len() - shown) as u64;
        let more = (more > 0).then(|| format!("and {} more", counted(more, "line")));
        let fitting = lines[..shown].iter().map(|line| self.line(line));
        fitting.chain(more).map(|line| line + "\n").collect()
    }

    /// Returns a text as it fits into a line. The last column stays free: some terminals wrap when it is filled.
    pub(super) fn line(self, text: &str) -> String {
        truncate_str(text, self.columns.saturating_sub(1).max(1), "…").into_owned()
    }
}

/// What is shown of one session.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionLine {
    pub(super) label: String,
    pub(super) at_it_ms: u64,
    pub(super) cost_usd: Option<f64>,
    pub(super) doing: String,
}

/// What is shown of all.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    pub(super) total: usize,
    pub(super) done: usize,
    /// How many stand where, never added up, and what else counts.
    pub(super) parts: Vec<String>,
}

/// Returns the moving lines, none of which is too long, and not too many of them.
pub(super) fn frame(sessions: &[SessionLine], whole: &Whole, size: Size) -> Vec<String> {
    let whole = whole.lines(size);
    let rows = size.rows.saturating_sub(LOG_ROWS + whole.len()).max(1);
    let shown = if sessions.len() <= rows { sessions.len() } else { rows - 1 };
    let labels = sessions[..shown].iter().map(|session| measure_text_width(&session.label));
    let width = labels.max().unwrap_or(0).min(size.columns / LABEL_PART);
    let mut lines: Vec<_> = sessions[..shown].iter().map(|session| session.text(width)).collect();
    if shown < sessions.len() {
        let more = (sessions.len() - shown) as u64;
        lines.push(format!("and {}", counted(more, "more session")));
    }
    lines.extend(whole);
    lines.iter().map(|line| size.line(line)).collect()
}

impl SessionLine {
    fn text(&self, width: usize) -> String {
        let label = pad_str(&self.label, width, Alignment::Left, Some("…"));
        let cost = self.cost_usd.map_or_else(String::new, |usd| format!("  {usd:.2} USD"));
        format!("{label}  {:>10}{cost}  {}", duration(self.at_it_ms), self.doing)
    }
}

impl Whole {
    /// Returns it as one line, or as two where one is too short.
    fn lines(&self, size: Size) -> Vec<String> {
        let width = (size.columns / 8).clamp(4, 30);
        let filled = (width * self.done).checked_div(self.total).unwrap_or(0).min(width);
        let bar = "█".repeat(filled) + &"░".repeat(width - filled);
        let (mut first, mut second) = (format!("{bar} {}/{}", self.done, self.total), String::new());
        for part in &self.parts {
            let columns = measure_text_width(&first) + measure_text_width(part) + 4;
            if second.is_empty() && columns <= size.columns {
                first.push_str(&format!(" · {part}"));
            } else if second.is_empty() {
                second.push_str(part);
            } else {
                second.push_str(&format!(" · {part}"));
            }
        }
        if second.is_empty() || size.rows <= LOG_ROWS { vec![first] } else { vec![first, second] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(count: usize) -> Vec<SessionLine> {
        let doing = [
            "Edit src/landing/checks.rs",
            "waits until Thu 14:05: the account's usage limit (five_hour)",
            "Bash cargo test --workspace --all-features -- --test-threads 1 --nocapture landing",
            "読み込み中のファイルを確認しています。少々お待ちください。読み込み中のファイル",
        ];
        (0..count)
            .map(|index| SessionLine {
                label: format!(
                    "#{} {}",
                    index + 1,
                    ["checkout", "a-rather-long-name-of-a-feature"][index % 2]
                ),
                at_it_ms: 7_000 * (index as u64 + 1),
                cost_usd: (index % 3 == 0).then_some(0.25),
                doing: doing[index % 4].to_owned(),
            })
            .collect()
    }

    fn whole() -> Whole {
        let parts = ["16 running", "4 at a limit", "1 needs you", "2 given up", "41 proven", "2 no check"];
        let parts = parts.into_iter().chain(["12.50 USD", "about 1 h 20 min left"]).map(str::to_owned);
        Whole { total: 200, done: 43, parts: parts.collect() }
    }

    #[test]
    fn nothing_is_longer_than_a_line_and_the_whole_is_always_there() {
        for (rows, columns) in [(24, 80), (40, 120), (60, 200), (10, 40), (3, 20), (1, 1), (0, 0)] {
            for count in [0, 1, 3, 16, 50] {
                let lines = frame(&sessions(count), &whole(), Size { rows, columns });
                assert!(lines.len() <= rows.saturating_sub(LOG_ROWS).max(3), "{rows}×{columns}: {lines:?}");
                let longest = lines.iter().map(|line| measure_text_width(line)).max().unwrap();
                assert!(longest <= columns.saturating_sub(1).max(1), "{rows}×{columns}: {lines:?}");
                let end = &lines[lines.len().saturating_sub(2)..];
                let is_there = end.iter().any(|line| line.contains("43/200"));
                assert!(columns < 20 || is_there, "{rows}×{columns}: {lines:?}");
            }
        }
    }

    #[test]
    fn a_small_terminal_shows_how_many_more_there_are() {
        let lines = frame(&sessions(16), &whole(), Size { rows: 24, columns: 80 });
        insta::assert_snapshot!(lines.join("\n"));
        let lines = frame(&sessions(16), &whole(), Size { rows: 40, columns: 120 });
        assert!(lines.len() == 18 && !lines.join("\n").contains("more"), "{lines:?}");
    }
}
