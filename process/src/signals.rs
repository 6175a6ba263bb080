//! Signals to this process, but for those that it was started to ignore: `nohup` keeps its word.

use std::io;
use std::mem::MaybeUninit;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears one kind of signal.
#[derive(Debug)]
pub struct SignalListener(Option<Signal>);

impl SignalListener {
    /// Begins to hear signals of a kind, from now on in place of what the system does at them. One that was ignored when
    /// this process began stays ignored, and is never heard.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to deliver it.
    pub fn new(kind: SignalKind) -> io::Result<Self> {
        let listener = if is_ignored(kind) { None } else { Some(signal(kind)?) };
        Ok(Self(listener))
    }

    /// Waits for the next one. Cancel-safe.
    pub async fn recv(&mut self) {
        match &mut self.0 {
            // One that is delivered no more is not heard either.
            Some(signal) => match signal.recv().await {
                Some(()) => {}
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

#[expect(unsafe_code, reason = "there is no safe way to ask for the disposition of a signal")]
fn is_ignored(kind: SignalKind) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action nothing is set, and the old one is written to memory that is ours and was zeroed, which
    // is a valid value of this plain C structure.
    unsafe {
        libc::sigaction(kind.as_raw_value(), std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
