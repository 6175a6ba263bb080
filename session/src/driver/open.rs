//! Before a session begins: it is said who runs it, and room is made for its files.

use cogwork_schemas::ProcessIdentity;
use cogwork_store::StoreError;

use super::World;
use super::tools::chain;
use crate::journal::{self, KEPT_SESSIONS};

/// Lets go of the files of sessions long past; this one's are there by now.
pub(super) fn prune(world: World<'_>) {
    match world.store.ask_at_once(|store| store.live_sessions()) {
        Ok(live) => {
            let live = live.iter().map(|live| live.id).chain([world.job.session]).collect();
            journal::prune(&world.job.project, KEPT_SESSIONS, &live);
        }
        // The next session will do it.
        Err(error) => tracing::warn!("the files of old sessions stay: {}", chain(&error)),
    }
}

/// Records who runs the session, unless whoever started this process has done so already.
pub(super) async fn report_up(world: World<'_>, process: &ProcessIdentity) -> Result<(), StoreError> {
    let session = world.job.session;
    let live = world.store.call(|store| store.live_sessions()).await?;
    let live = live.into_iter().find(|live| live.id == session);
    if live.is_some_and(|live| live.process.as_ref() == Some(process)) {
        return Ok(());
    }
    world.store.call(|store| store.session_up(session, process)).await
}
