//! The graph by itself: small graphs in a short notation, and a few very large ones.

use super::*;

/// Builds a graph from lines such as `3: 1 2 = 5 p2 passing`: feature 3 depends on 1 and 2, takes 5 s and has
/// priority 2.
fn graph(lines: &str) -> Graph {
    Graph::new(lines.lines().filter(|line| !line.trim().is_empty()).map(node)).unwrap()
}

fn node(line: &str) -> Node {
    let (id, rest) = line.split_once(':').unwrap();
    let mut node = Node::new(id.parse().unwrap());
    let mut words = rest.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "=" => node.estimate_s = words.next().map(|seconds| seconds.parse().unwrap()),
            "passing" => node.status = Status::Passing,
            "parked" => {
                node.status = Status::Parked;
                node.failed_attempts = 3;
                node.reason = Some("the check is red".into());
            }
            "asks" => node.status = Status::NeedsHuman,
            "claimed" => {
                node.status = Status::Claimed;
                node.session = Some(SessionId(40 + node.id.0));
            }
            priority if priority.starts_with('p') => node.priority = priority[1..].parse().unwrap(),
            id => node.dependencies.push(id.parse().unwrap()),
        }
    }
    node
}

fn ids(ids: &[i64]) -> Vec<FeatureId> {
    ids.iter().copied().map(FeatureId).collect()
}

#[track_caller]
fn check_order(lines: &str, expected: &[i64]) {
    assert_eq!(graph(lines).ready_in_order(), ids(expected));
}

#[test]
fn ready_is_pending_with_every_dependency_passing() {
    let graph = graph(
        "1: passing
         2: passing
         3: 1 2
         4: 1 5
         5:
         6: claimed
         7: parked
         8: asks
         9: 99",
    );
    let ready: Vec<_> = graph.iter().map(|node| node.id).filter(|id| graph.is_ready(*id)).collect();
    assert_eq!(ready, ids(&[3, 5]));
    assert!(!graph.is_ready(FeatureId(100)));
}

#[test]
fn a_dependency_that_does_not_exist_is_never_satisfied_until_it_does() {
    let mut graph = graph("2: 1 1");
    assert_eq!(graph.hold(FeatureId(2)), Some(Hold::Blocked { waiting_for: ids(&[1]), roots: ids(&[1]) }));
    graph.upsert(node("1: passing"));
    assert_eq!(graph.ready_in_order(), ids(&[2]));
}

#[test]
fn the_longest_remaining_chain_goes_first() {
    // 1 begins 10 + 1, 2 begins 2 + 20, 3 takes 15 by itself.
    check_order("1: = 10\n2: = 2\n3: = 15\n4: 1 = 1\n5: 2 = 20", &[2, 3, 1]);
    // What passes is no part of any chain: a regressed feature whose dependents pass is short again.
    check_order("1: = 10\n2: = 2\n5: 2 = 20 passing", &[1, 2]);
}

#[test]
fn without_an_estimate_a_feature_takes_the_median_or_one() {
    // The median of 2, 4, 8 and 90 is 6. What passes or is parked counts: it shows how its author estimates.
    check_order("1:\n2: = 2\n3: parked = 90\n4: = 4\n5: = 8", &[5, 1, 4, 2]);
    assert_eq!(graph("1:\n2: 1\n3: 2").critical_path_s(), 3.0);
    assert_eq!(graph("1: = 10\n2: 1\n3: = 20").critical_path_s(), 25.0);
    // What is no duration is no estimate.
    assert_eq!(graph("1: = NaN\n2: = -4\n3: = inf").critical_path_s(), 1.0);
    check_order("1: = -0\n2: = 0 p1\n3: = 0", &[1, 3, 2]);
}

#[test]
fn a_diamond_counts_its_features_once() {
    // Both begin chains of 3. From 1 six paths lead to four distinct features, from 2 five to five.
    check_order(
        "1:
         2:
         3: 1
         4: 1
         5: 1
         9: 3 4 5
         6: 2
         7: 2
         8: 6
         10: 6
         11: 7",
        &[2, 1],
    );
}

#[test]
fn equals_go_by_priority_and_then_by_id() {
    check_order("5:\n3: p2\n4: p1\n1: p2", &[5, 4, 1, 3]);
}

#[test]
fn the_order_does_not_depend_on_the_order_of_arrival() {
    let lines = "1:\n2:\n3: 1 = 3\n4: 1\n5: 2 4\n6: p4\n7: 6 = 2\n8: = 1";
    let expected = graph(lines).ready_in_order();
    let mut lines: Vec<_> = lines.lines().collect();
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..50 {
        rng.shuffle(&mut lines);
        assert_eq!(graph(&lines.join("\n")).ready_in_order(), expected);
    }
}

#[test]
fn hold_gives_every_answer() {
    let graph = graph(
        "1: passing
         2: claimed
         3: parked
         4: asks
         5:
         6: 5 1
         7: 6 2 3 4
         8: 7 7
         9: 3 88
         10: claimed 3",
    );
    let blocked = |waiting_for: &[i64], roots: &[i64]| Hold::Blocked {
        waiting_for: ids(waiting_for),
        roots: ids(roots),
    };
    let hold = |id| graph.hold(FeatureId(id)).unwrap();
    assert_eq!(hold(1), Hold::Passing);
    assert_eq!(hold(2), Hold::Running { session: SessionId(42) });
    assert_eq!(hold(3), Hold::Parked { failed_attempts: 3, reason: "the check is red".into() });
    assert_eq!(hold(4), Hold::NeedsHuman { question: String::new() });
    assert_eq!(hold(5), Hold::Ready);
    assert_eq!(hold(6), blocked(&[5], &[5]));
    assert_eq!(hold(7), blocked(&[2, 3, 4, 6], &[2, 3, 4, 5]));
    assert_eq!(hold(8), blocked(&[7], &[2, 3, 4, 5]));
    assert_eq!(hold(9), blocked(&[3, 88], &[3, 88]));
    assert_eq!(hold(10), Hold::Running { session: SessionId(50) });
    assert_eq!(graph.hold(FeatureId(11)), None);
}

#[test]
fn a_removed_feature_holds_what_still_depends_on_it() {
    let mut graph = graph("1: passing\n2: 1\n3:");
    assert_eq!(graph.ready_in_order(), ids(&[2, 3]));
    graph.remove(FeatureId(3));
    graph.remove(FeatureId(1));
    graph.remove(FeatureId(9));
    assert_eq!(graph.ready_in_order(), []);
    assert_eq!(graph.hold(FeatureId(1)), None);
    graph.upsert(node("2:"));
    assert_eq!(graph.ready_in_order(), ids(&[2]));
}

#[test]
fn the_shortest_way_is_found() {
    let graph = graph("1: 2 3\n2: 4\n3: 5\n4: 6\n5: 6\n6:\n7: 1\n8: 9");
    let path = |from, to| graph.path(FeatureId(from), FeatureId(to));
    assert_eq!(path(1, 6), Some(ids(&[1, 2, 4, 6])), "of two the one through the lower ids");
    assert_eq!(path(7, 5), Some(ids(&[7, 1, 3, 5])));
    assert_eq!(path(1, 1), Some(ids(&[1])));
    assert_eq!(path(6, 1), None);
    assert_eq!(path(1, 7), None, "nothing depends on it");
    assert_eq!(path(1, 10), None);
}

#[test]
fn a_cycle_is_found_as_its_path() {
    let error = Graph::new(["7: 1", "1: 2", "2: 9", "9: 1 4", "4:"].map(node)).unwrap_err();
    assert_eq!(error.path, ids(&[1, 2, 9, 1]));
    assert!(error.to_string().contains("#1 → #2 → #9 → #1"), "{error}");
    assert_eq!(Graph::new([node("3: 3")]).unwrap_err().path, ids(&[3, 3]));
}

#[test]
fn find_cycle_takes_any_key_and_begins_with_the_smallest() {
    let edges = |text: &str| -> BTreeMap<String, BTreeSet<String>> {
        text.split(", ").map(|edge| edge.split_once(' ').unwrap()).fold(
            BTreeMap::new(),
            |mut all, (from, to)| {
                all.entry(from.to_owned()).or_insert_with(BTreeSet::new).insert(to.to_owned());
                all
            },
        )
    };
    assert_eq!(find_cycle(&edges("x c, c a, a b, b c")).unwrap().join(" "), "a b c a");
    assert_eq!(find_cycle(&edges("a b, a c, b d, c d, d gone")), None);
}

#[test]
fn a_cycle_that_gets_in_later_blocks_its_own_features_only() {
    let mut graph = graph("1:\n2: 1\n3: 2\n4: 1");
    graph.upsert(node("1: 3"));
    assert_eq!(graph.ready_in_order(), []);
    graph.upsert(node("4:"));
    assert_eq!(graph.ready_in_order(), ids(&[4]));
    assert_eq!(graph.hold(FeatureId(1)), Some(Hold::Blocked { waiting_for: ids(&[3]), roots: vec![] }));
    graph.upsert(node("1: 1"));
    graph.upsert(node("1: 1 passing"));
    assert_eq!(graph.ready_in_order(), ids(&[2, 4]));
    graph.upsert(node("1: passing"));
    assert_eq!(graph.ready_in_order(), ids(&[2, 4]));
    graph.upsert(node("1:"));
    assert_eq!(graph.ready_in_order(), ids(&[1, 4]));
}

fn unmet(graph: &Graph) -> Vec<(FeatureId, u32)> {
    let of = |id| graph.links[graph.places.find(id).unwrap()].unmet;
    graph.iter().map(|node| (node.id, of(node.id))).collect()
}

/// The kept order and counts must never differ from those of a graph built from nothing.
#[test]
fn upserting_is_the_same_as_building_anew() {
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut graph = Graph::default();
        let mut asked = 0;
        for _ in 0..80 {
            let id = rng.i64(1..12);
            let mut node =
                graph.node(FeatureId(id)).map(Node::from).unwrap_or_else(|| Node::new(FeatureId(id)));
            match rng.u32(0..11) {
                10 => {
                    graph.remove(node.id);
                    continue;
                }
                0 => node.dependencies = (0..rng.i64(0..3)).map(|_| FeatureId(rng.i64(0..id))).collect(),
                1 => node.estimate_s = rng.bool().then(|| f64::from(rng.u32(0..5))),
                2 => node.priority = rng.i64(0..3),
                3 => node.status = Status::Parked,
                4 => node.status = Status::Pending,
                5 | 6 => node.status = Status::Claimed,
                _ => node.status = Status::Passing,
            }
            graph.upsert(node);
            // Sometimes nobody asks in between, and the kept order has to follow several changes.
            if rng.bool() {
                let anew = Graph::new(graph.iter().map(Node::from)).unwrap();
                assert_eq!(graph.ready_in_order(), anew.ready_in_order(), "seed {seed}");
                assert_eq!(graph.critical_path_s(), anew.critical_path_s(), "seed {seed}");
                assert_eq!(graph.counts(), anew.counts(), "seed {seed}");
                assert_eq!(graph.counts().ready, graph.ready().count(), "seed {seed}");
                assert_eq!(unmet(&graph), unmet(&anew), "seed {seed}");
                let each = graph.iter().map(|node| (node.id, graph.hold(node.id).unwrap()));
                assert!(graph.holds().eq(each), "seed {seed}");
                asked += graph.ready_in_order().len();
            }
        }
        assert!(asked > 0, "seed {seed} shows nothing");
    }
}

#[test]
fn a_chain_of_100_000_needs_no_stack() {
    let size = 100_000;
    let link = |id: i64| Node {
        dependencies: if id == 1 { vec![] } else { vec![FeatureId(id - 1)] },
        ..Node::new(FeatureId(id))
    };
    let mut graph = Graph::new((1..=size).map(link)).unwrap();
    assert_eq!(graph.ready_in_order(), ids(&[1]));
    assert_eq!(graph.critical_path_s(), 100_000.0);
    let last = graph.hold(FeatureId(size)).unwrap();
    assert_eq!(last, Hold::Blocked { waiting_for: ids(&[size - 1]), roots: ids(&[1]) });
    // Working through the beginning of it does not compute the rest again.
    for id in 1..=1_000 {
        graph.upsert(Node { status: Status::Claimed, ..link(id) });
        assert_eq!(graph.ready_in_order(), []);
        graph.upsert(Node { status: Status::Passing, ..link(id) });
        assert_eq!(graph.ready_in_order(), ids(&[id + 1]));
    }
    let around = Node { dependencies: vec![FeatureId(size)], ..Node::new(FeatureId(1)) };
    let circle = Graph::new((2..=size).map(link).chain([around])).unwrap_err();
    assert_eq!(circle.path.len(), 100_001);
}

/// A group of equals is put in order while somebody goes through it, and what was found out is kept or not.
#[test]
fn the_first_of_many_equals_are_the_same_however_many_are_asked_for() {
    let mut rng = fastrand::Rng::with_seed(11);
    for _ in 0..20 {
        // Features 1 to 40 begin chains of two; what waits for them is more than the bound for some.
        let mut nodes: Vec<Node> = (1..=40).map(|id| Node::new(FeatureId(id))).collect();
        for node in &mut nodes {
            node.priority = rng.i64(0..5);
        }
        for id in 41..=1_000 {
            let dependencies = vec![FeatureId(rng.i64(1..=10).min(rng.i64(1..=40)))];
            nodes.push(Node { dependencies, ..Node::new(FeatureId(id)) });
        }
        let graph = Graph::new(nodes).unwrap();
        let begun: Vec<Vec<FeatureId>> =
            (0..=40).map(|wanted| graph.ready().take(wanted).collect()).collect();
        let whole = graph.ready_in_order();
        for (wanted, begun) in begun.iter().enumerate() {
            assert_eq!(begun[..], whole[..wanted.min(whole.len())]);
        }
        let mut by_hand: Vec<_> = (1..=40)
            .map(|id| {
                let id = FeatureId(id);
                let above = graph.dependents(id).len().min(100);
                (above == 0, std::cmp::Reverse(above), graph.node(id).unwrap().priority, id)
            })
            .collect();
        by_hand.sort();
        assert_eq!(whole, by_hand.iter().map(|(.., id)| *id).collect::<Vec<_>>());
        assert_eq!(graph.ready_in_order(), whole, "and again, now that it is known");
    }
}
