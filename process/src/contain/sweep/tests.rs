use super::*;

const OWN: i32 = 100;
const OWN_SESSION: i32 = 90;

/// `(pid, parent, session)`, each started at the time of its pid.
fn table(rows: &[(i32, i32, i32)]) -> Table {
    let ours = [(1, 0, 1), (90, 1, 90), (OWN, 90, OWN_SESSION)];
    let process = |&(pid, parent, session): &(i32, i32, i32)| Process {
        pid,
        parent,
        session,
        started: u64::try_from(pid).unwrap(),
        alive: true,
        has_terminal: false,
    };
    ours.iter().chain(rows).map(process).collect()
}

fn child(pid: i32, bond: Bond) -> (i32, Child) {
    let started = u64::try_from(pid).unwrap();
    (pid, Child { started, bond })
}

fn set(pids: &[i32]) -> BTreeSet<i32> {
    pids.iter().copied().collect()
}

/// What clearing away the program 200 would kill, while `others` run.
fn tree_of_200(table: &Table, others: &[(i32, Child)]) -> BTreeSet<i32> {
    let (pid, program) = child(200, Bond::Killed);
    let children = others.iter().copied().chain([(pid, program)]).collect();
    tree(table, OWN, pid, program, &children)
}

#[test]
fn victims_are_roots_and_all_below_without_what_is_kept() {
    let table = table(&[(200, OWN, 200), (201, 200, 200), (202, 201, 202), (300, OWN, 300), (301, 300, 300)]);
    let victims = |roots: &[i32], keep: &[i32]| victims(&table, OWN, &set(roots), &set(keep));
    assert_eq!(victims(&[200], &[]), set(&[200, 201, 202]));
    assert_eq!(victims(&[200, 300], &[300]), set(&[200, 201, 202]));
    assert_eq!(victims(&[200], &[201]), set(&[200]));
    assert_eq!(victims(&[], &[]), set(&[]));
}

#[test]
fn neither_we_nor_our_ancestors_nor_their_other_children_are_victims() {
    let table = table(&[(200, OWN, 200), (95, 90, 90)]);
    assert_eq!(victims(&table, OWN, &set(&[1, 90, OWN, 200]), &set(&[])), set(&[200]));
}

#[test]
fn the_dead_are_not_victims() {
    let dead = Process { alive: false, parent: OWN, ..Process::unknown(200) };
    let table = [dead].into_iter().collect();
    assert_eq!(victims(&table, OWN, &set(&[200]), &set(&[])), set(&[]));
}

#[test]
fn a_tree_is_session_descendants_and_orphans() {
    let table = table(&[
        (200, OWN, 200),
        (201, 200, 201), // a session of its own, still below
        (202, OWN, 200), // an orphan of its session
        (203, OWN, 203), // an orphan with a session of its own
        (204, 203, 204), // below that
        (205, 1, 200),   // of its session, adopted by somebody else
    ]);
    assert_eq!(tree_of_200(&table, &[]), set(&[200, 201, 202, 203, 204, 205]));
}

#[test]
fn the_same_tree_is_found_when_its_root_is_gone() {
    let table = table(&[(202, OWN, 200), (203, OWN, 203), (204, 203, 204)]);
    assert_eq!(tree_of_200(&table, &[]), set(&[202, 203, 204]));
}

#[test]
fn what_may_belong_to_another_program_is_left_to_it() {
    let rows = [(200, OWN, 200), (203, OWN, 203), (300, OWN, 300), (301, OWN, 300)];
    let with = |bond| tree_of_200(&table(&rows), &[child(300, bond)]);
    assert_eq!(with(Bond::Killed), set(&[200]), "203 may be an orphan of 300");
    assert_eq!(with(Bond::Asked), set(&[200, 203]), "300 would have adopted it");
    assert_eq!(with(Bond::Free), set(&[200, 203]), "300 leaves no orphans");
}

#[test]
fn the_session_of_one_that_is_still_read_stays() {
    // 300 has ended and was reaped.
    let table = table(&[(200, OWN, 200), (301, OWN, 300), (302, 301, 302), (203, OWN, 203)]);
    assert_eq!(tree_of_200(&table, &[child(300, Bond::Killed)]), set(&[200, 203]));
}

#[test]
fn the_last_program_takes_what_earlier_ones_had_to_leave() {
    let table = table(&[(150, OWN, 150), (200, OWN, 200)]);
    assert_eq!(tree_of_200(&table, &[]), set(&[150, 200]));
}

#[test]
fn a_number_that_passed_to_a_stranger_is_not_touched() {
    let mut rows: Vec<Process> = table(&[(201, 200, 200)]).iter().copied().collect();
    rows.push(Process { parent: 1, session: 200, started: 999, ..Process::unknown(200) });
    assert_eq!(tree_of_200(&rows.into_iter().collect(), &[]), set(&[]));
}

#[test]
fn children_that_others_started_in_our_session_are_not_orphans() {
    let table = table(&[(200, OWN, 200), (250, OWN, OWN_SESSION), (251, 250, OWN_SESSION)]);
    assert_eq!(tree_of_200(&table, &[]), set(&[200]));
    assert_eq!(orphans(&table, OWN, &BTreeMap::new()).map(|orphan| orphan.pid).collect::<Vec<_>>(), [200]);
}
