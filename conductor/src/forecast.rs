//! A guess of what is left, honest about being one.

use cogwork_schemas::Status;
use cogwork_store::graph::Graph;

/// Learns how long features really take compared with their estimates.
#[derive(Debug, Default)]
pub(crate) struct Forecast {
    estimated_s: f64,
    taken_s: f64,
}

impl Forecast {
    /// A feature with this estimate (one second when it has none) took this long.
    pub(crate) fn learn(&mut self, estimate_s: Option<f64>, taken_s: f64) {
        self.estimated_s += estimate_s.unwrap_or(1.0);
        self.taken_s += taken_s;
    }

    /// Returns the milliseconds until the run is over, if nothing fails: no schedule is shorter than the longest
    /// chain, nor than all work shared among the slots. `None` before anything was learned.
    pub(crate) fn left_ms(&self, graph: &Graph, slots: usize) -> Option<u64> {
        if self.estimated_s <= 0.0 {
            return None;
        }
        let open = graph.iter().filter(|node| matches!(node.status, Status::Pending | Status::Claimed));
        let work: f64 = open.map(|node| node.estimate_s.unwrap_or(1.0)).sum();
        let slots = u32::try_from(slots.max(1)).map_or(1.0, f64::from);
        let left_s = graph.critical_path_s().max(work / slots) * self.taken_s / self.estimated_s;
        u64::try_from(std::time::Duration::try_from_secs_f64(left_s).ok()?.as_millis()).ok()
    }
}

#[cfg(test)]
mod tests {
    use cogwork_schemas::FeatureId;
    use cogwork_store::graph::Node;

    use super::*;

    #[test]
    fn it_knows_nothing_before_it_has_seen_something() {
        let graph = Graph::new((1..=4).map(|id| Node::new(FeatureId(id)))).unwrap();
        let mut forecast = Forecast::default();
        assert_eq!(forecast.left_ms(&graph, 2), None);
        forecast.learn(Some(1.0), 3.0);
        assert_eq!(forecast.left_ms(&graph, 2), Some(6_000));
    }
}
