//! `feature_get_stats`: where the project stands, in numbers.

use cogwork_store::graph::{Counts, Graph};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::Out;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

/// How many features there are in each state.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Stats {
    passing: usize,
    in_progress: usize,
    needs_human_input: usize,
    parked: usize,
    blocked: usize,
    ready: usize,
    total: usize,
    /// Passing of total, with one decimal; 0 when there are none.
    percentage: f64,
}

impl Stats {
    pub(crate) fn of(graph: &Graph) -> Self {
        let counts = graph.counts();
        let Counts { ready, blocked, claimed, passing, parked, needs_human } = counts;
        let total = counts.total();
        Self {
            passing,
            in_progress: claimed,
            needs_human_input: needs_human,
            parked,
            blocked,
            ready,
            total,
            percentage: percentage(passing, total),
        }
    }
}

/// Rounds down, so that 100 means all of them.
fn percentage(part: usize, total: usize) -> f64 {
    let tenths = (part * 1000).checked_div(total).unwrap_or(0);
    f64::from(u32::try_from(tenths).unwrap_or(1000)) / 10.0
}

#[tool_router(router = stats_router, vis = "pub(super)")]
impl Server {
    /// How many features pass, are ready, in progress, blocked, parked or waiting for a person. Call it for an
    /// overview of the project.
    #[tool(
        title = "Count features",
        input_schema = schema::input::<Nothing>(),
        output_schema = schema::output::<Stats>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_stats(&self) -> Result<Out<Stats>, ToolError> {
        let count = self.database().run(|store| Ok(Stats::of(&*store.graph()?)));
        count.await.map(Out)
    }
}

/// A tool without arguments.
#[derive(JsonSchema)]
struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percentage(0, 0), 0.0);
        assert_eq!(percentage(1, 3), 33.3);
        assert_eq!(percentage(1_999, 2_000), 99.9);
        assert_eq!(percentage(2_000, 2_000), 100.0);
    }
}
