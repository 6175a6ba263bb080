//! The contract of the ports: what the real ones and the simulated ones both do, faults included.
//!
//! A property is one function over a rig. There are two rigs for each port, and so two tests for each property: one
//! has the real port, with a file, a repository or processes behind it; the other has the simulator's. Where they
//! differ, the seeds would test fiction, and a test fails. What a rig cannot bring about, no property speaks of.

use cogwork_schemas::{Check, FeatureId, FeatureList, ListedFeature};
use cogwork_store::{ImportLimits, Store};
use jiff::SignedDuration;
use tokio::sync::mpsc::Receiver;

use super::world::{Night, Port, World};
use crate::ports::{Deadlines, Input};

/// How long anything may take that nobody holds up.
const SOON: SignedDuration = SignedDuration::from_secs(8);
/// How long is listened for what must not come.
const A_WHILE: SignedDuration = SignedDuration::from_millis(400);

/// What the longest test may take, and then some.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Makes two tests of each property: one on the real rig, one on the simulated.
macro_rules! on_both {
    ($real:ty, $simulated:ty: $($property:ident),+ $(,)?) => {
        mod real {
            use super::*;

            $(#[test]
            fn $property() {
                super::super::live(async { super::$property(&mut <$real>::new().await).await });
            })+
        }

        mod simulated {
            use super::*;

            $(#[test]
            fn $property() {
                super::super::live(async { super::$property(&mut <$simulated>::new().await).await });
            })+
        }
    };
}

mod inputs;
mod ledger;
mod main_branch;
mod readers;
mod runners;

/// What hears the inputs of a port.
trait Hears {
    /// Returns what reaches the run next, if anything does within this time.
    async fn hear(&mut self, within: SignedDuration) -> Option<Input>;
}

/// Runs a test as a run lives: on one thread.
fn live(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, test).await }).expect("it comes to an end");
}

/// What tells a test that it has a process to itself.
const ALONE: &str = "COGWORK_CONTRACT_ALONE";

/// Runs a test that changes its whole process in one of its own, where too large a file is an error and no signal.
fn alone(module: &str, name: &str, test: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let module = module.split_once("::").unwrap().1;
    #[expect(clippy::disallowed_methods, reason = "this test itself")]
    let mut this = std::process::Command::new("/bin/sh");
    this.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    let output = this.args(["--exact", &format!("{module}::{name}")]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Hears what a real port says.
async fn hear_real(inputs: &mut Receiver<Input>, within: SignedDuration) -> Option<Input> {
    tokio::time::timeout(within.try_into().unwrap(), inputs.recv()).await.ok().flatten()
}

/// Makes a feature that waits for nothing.
fn ready_feature(store: &Store) -> FeatureId {
    let new = ListedFeature {
        id: None,
        key: None,
        category: "c".to_owned(),
        name: "n".to_owned(),
        description: String::new(),
        steps: Vec::new(),
        checks: vec![Check::new("true")],
        dependencies: Vec::new(),
        priority: None,
        estimate_s: None,
    };
    let imported = store.import(&FeatureList { features: vec![new] }, &ImportLimits::default());
    imported.unwrap().created[0]
}

/// A simulated world in which nothing happens but what a test makes happen.
struct Stage {
    night: Night,
    port: Port,
}

impl Stage {
    fn set() -> Self {
        let night = Night::staged();
        let port = night.port();
        Self { night, port }
    }

    fn world<T>(&self, ask: impl FnOnce(&mut World) -> T) -> T {
        self.night.world(ask)
    }
}

impl Hears for Stage {
    async fn hear(&mut self, within: SignedDuration) -> Option<Input> {
        let input = self.world(|world| {
            let steady = Some(world.moment().steady + within);
            world.next_input(Deadlines { wall: None, steady })
        });
        input.filter(|input| !matches!(input, Input::Deadline))
    }
}
