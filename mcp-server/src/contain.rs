//! Keeps a panic inside the call that caused it.
//!
//! The library under this server never answers a call that panicked, and the client would wait for ever.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Drives a future to its end; a panic inside it comes back as its message.
///
/// After a panic the future is dropped and never polled again. What it shared with the rest of the server are
/// locks that do not poison and a database whose transaction rolled back, so going on is sound.
pub(crate) async fn panics<T>(call: impl Future<Output = T>) -> Result<T, String> {
    let mut call = pin!(call);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Err(panic) => Poll::Ready(Err(message(panic.as_ref()))),
    })
    .await
}

/// Does one thing; a panic inside it comes back as its message.
pub(crate) fn panics_of<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| message(panic.as_ref()))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}
