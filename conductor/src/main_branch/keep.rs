//! Keeping what is in a workspace before it is removed, under refs of the attempt that had it last.

use cogwork_process::git::Git;
use cogwork_process::git::snapshot::{KeepAs, NotKept, Snapshots};
use cogwork_schemas::AttemptOutcome;
use cogwork_store::{Taken, handed_in_ref, kept_prefix, left_ref};

/// Keeps all that is in the workspace and on none of the commits `main` and those that were handed in.
///
/// # Errors
///
/// [`NotKept`] when something is not kept. What could be kept, is.
pub(super) async fn keep_all(
    project: &Git,
    snapshots: &Snapshots,
    last: &Taken,
    main: Option<&str>,
) -> Result<(), NotKept> {
    let (attempt, session) = (last.attempt.id, last.attempt.session.to_string());
    let handed_in = project.resolve(&handed_in_ref(attempt)).await?;
    let when = if last.outcome == Some(AttemptOutcome::Landed) {
        "after its work was handed in"
    } else {
        "when it ended"
    };
    let to = KeepAs {
        prefix: &kept_prefix(attempt),
        left: &left_ref(attempt),
        handed_in: handed_in.as_deref(),
        main,
        message: &format!("What the workspace of {session} held {when}"),
        trailers: &[("Cogwork-Session", &session)],
    };
    snapshots.keep_all(&to).await
}
