//! The figures, as the README shows them.

/// A table that is printed while it grows.
pub(crate) struct Table;

/// Into how many parts a series is cut; the quietest of them counts.
const PARTS: usize = 3;

impl Table {
    pub(crate) fn begin() -> Self {
        println!("| figure | median | p99 | of | target |");
        println!("| --- | --- | --- | --- | --- |");
        Self
    }

    /// Prints the figures of one series.
    pub(crate) fn row(&mut self, name: &str, unit: &str, target: Option<f64>, values: &[f64]) {
        let part = quietest(values);
        let (median, high) = (percentile(&part, 50), percentile(&part, 99));
        let verdict = match target {
            Some(target) if median <= target => format!("≤ {target} {unit}"),
            Some(target) => format!("≤ {target} {unit}, missed"),
            None => String::new(),
        };
        println!(
            "| {name} | {} {unit} | {} {unit} | {} | {verdict} |",
            short(median),
            short(high),
            values.len()
        );
    }

    /// Prints that a tool does not exist.
    pub(crate) fn missing(&mut self, name: &str) {
        println!("| {name} | not there yet | | | |");
    }
}

/// Returns the third of a series, in the order of time, whose median is the lowest.
fn quietest(values: &[f64]) -> Vec<f64> {
    values
        .chunks(values.len().div_ceil(PARTS))
        .map(<[f64]>::to_vec)
        .min_by(|one, other| percentile(one, 50).total_cmp(&percentile(other, 50)))
        .unwrap_or_default()
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last * percent + 50) / 100).copied().unwrap_or(f64::NAN)
}

fn short(value: f64) -> String {
    if value < 1.0 {
        format!("{value:.3}")
    } else if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}
