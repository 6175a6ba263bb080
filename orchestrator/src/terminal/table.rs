//! Plain tables for a terminal.

use cogwork_schemas::Standing;
use console::{Alignment, measure_text_width, pad_str, style};

/// Lays rows out in columns as wide as their widest cell, two spaces apart; the last column is not padded.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(measure_text_width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(measure_text_width(cell));
        }
    }
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(widths) {
            text.push_str(&pad_str(cell, width + 2, Alignment::Left, None));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&mut head.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    out
}

/// Returns the word for where a feature stands; in colour where stdout is a terminal that is to have some
/// (<https://no-color.org>).
pub(crate) fn standing_word(standing: Standing) -> String {
    let word = style(standing.word());
    match standing {
        Standing::Proven | Standing::AlreadyGreen => word.green(),
        Standing::NoCheck | Standing::NeedsYou => word.yellow(),
        Standing::GivenUp => word.red(),
        Standing::Blocked => word.dim(),
        Standing::Landing | Standing::Running | Standing::Ready => word,
    }
    .to_string()
}

/// Returns a duration for people: `41 ms`, `2.4 s`, `12 s`, `3 min 05 s`, `2 h 10 min`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10_000..60_000 => format!("{} s", ms / 1000),
        60_000..3_600_000 => format!("{} min {:02} s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{} h {:02} min", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_needed() {
        let rows = [["#1".into(), "store".into()], ["#12".into(), "add".into()]];
        assert_eq!(table(["id", "name"], &rows), "id   name\n#1   store\n#12  add\n");
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(412), "412 ms");
        assert_eq!(duration(2_412), "2.4 s");
        assert_eq!(duration(12_000), "12 s");
        assert_eq!(duration(185_000), "3 min 05 s");
        assert_eq!(duration(7_800_000), "2 h 10 min");
    }
}
