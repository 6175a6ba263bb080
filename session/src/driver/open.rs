//! Before a session begins: it is said who runs it, and room is made for its files.

use cogwork_schemas::ProcessIdentity;
use cogwork_store::StoreError;

use super::World;
use super::tools::chain;
use crate::journal::{self, KEPT_SESSIONS};

/// Lets go of the files of sessions long past; this one's are there by now.
pub(super) fn prune(world: World<'_>) {
    match world.store.live_sessions() {
        Ok(live) => {
            let live = live.iter().map(|live| live.id).chain([world.job.session]).collect();
            journal::prune(&world.job.project, KEPT_SESSIONS, &live);
        }
        // Whoever cannot read this will hardly get to begin.
        Err(error) => tracing::warn!("the files of old sessions stay: {}", chain(&error)),
    }
}

/// Records who runs the session, unless whoever started this process has done so already.
pub(super) fn report_up(world: World<'_>, process: &ProcessIdentity) -> Result<(), StoreError> {
    let live = world.store.live_sessions()?.into_iter().find(|live| live.id == world.job.session);
    if live.is_some_and(|live| live.process.as_ref() == Some(process)) {
        return Ok(());
    }
    world.store.session_up(world.job.session, process)
}
