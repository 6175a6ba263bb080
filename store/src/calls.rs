//! Calls that may be made again because their answer was lost: done once, and answered the same.
//!
//! An answer is recorded in the transaction of the change that it is about. None holds a secret.

use std::cell::RefCell;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Transaction};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::columns::{Json, Micros};
use crate::error::Fail;
use crate::{ErrorClass, Store, StoreError};

/// How long answers are kept: longer than any outage after which somebody still asks for one.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The call that the store is in.
#[derive(Debug, Default)]
pub(crate) struct Calling(RefCell<Option<Call>>);

#[derive(Debug)]
struct Call {
    id: String,
    /// How many operations of it are answered.
    answered: u32,
}

impl Calling {
    /// Returns what this call's next operation is remembered by; `None` outside of a call.
    fn key(&self, operation: &str) -> Option<String> {
        let call = self.0.borrow();
        call.as_ref().map(|call| format!("{operation} {} of {}", call.answered, call.id))
    }

    /// Goes on to the next operation. One that got no answer is still to be asked again.
    fn answered<T>(&self, answer: &Result<T, StoreError>) {
        let is_answered = match answer.as_ref().map_err(StoreError::class) {
            Ok(_) | Err(ErrorClass::Refused) => true,
            Err(ErrorClass::Again | ErrorClass::Unknown | ErrorClass::Fatal) => false,
        };
        if let Some(call) = self.0.borrow_mut().as_mut().filter(|_| is_answered) {
            call.answered += 1;
        }
    }
}

/// Ends a call, also by a panic.
struct End<'a> {
    calling: &'a Calling,
    outer: Option<Call>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.calling.0.replace(self.outer.take());
    }
}

impl Store {
    /// Does `work` under a name that its caller has chosen for this one call. The same work under the same name, within
    /// a day, by any process, gets the same answer and changes nothing: for a caller that does not know whether it was
    /// done ([`ErrorClass::Unknown`]). A refusal changed nothing and is not remembered, nor is "nothing yet".
    ///
    /// The work makes one operation, or always the same ones; a claim made again shows the same secret.
    pub fn once<T>(&self, call: &str, work: impl FnOnce(&Self) -> T) -> T {
        let call = Call { id: call.to_owned(), answered: 0 };
        let _end = End { calling: &self.calling, outer: self.calling.0.replace(Some(call)) };
        work(self)
    }

    /// Runs `work` as [`Store::write`] does, once for each call.
    pub(crate) fn write_once<T: Serialize + DeserializeOwned>(
        &self,
        operation: &str,
        work: impl FnOnce(&Transaction<'_>, Timestamp) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        self.write_once_if(operation, |_| true, work)
    }

    /// Runs `work` as [`Store::write_once`] does, and remembers only answers that stay true.
    pub(crate) fn write_once_if<T: Serialize + DeserializeOwned>(
        &self,
        operation: &str,
        stays: impl FnOnce(&T) -> bool,
        work: impl FnOnce(&Transaction<'_>, Timestamp) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        let Some(key) = self.calling.key(operation) else { return self.write(work) };
        let answer = self.write(|tx, now| {
            if let Some(answer) = answer(tx, now, &key, KEPT)? {
                return Ok(answer);
            }
            let answer = work(tx, now)?;
            if stays(&answer) {
                remember(tx, now, &key, &answer)?;
            }
            Ok(answer)
        });
        self.calling.answered(&answer);
        answer
    }
}

/// Reads what a call was answered, if that was within this time.
pub(crate) fn answer<T: DeserializeOwned>(
    tx: &Transaction<'_>,
    now: Timestamp,
    key: &str,
    within: SignedDuration,
) -> Result<Option<T>, Fail> {
    let oldest = now.checked_sub(within).unwrap_or(Timestamp::MIN);
    let found = tx
        .prepare_cached("SELECT answer FROM calls WHERE id = ?1 AND at >= ?2")?
        .query_row((key, Micros(oldest)), |row| row.get::<_, Json<_>>(0))
        .optional()?;
    Ok(found.map(|answer| answer.0))
}

/// Records what a call is answered, and forgets what nobody asks for any more.
pub(crate) fn remember<T: Serialize>(
    tx: &Transaction<'_>,
    now: Timestamp,
    key: &str,
    answer: &T,
) -> Result<(), Fail> {
    let oldest = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    tx.prepare_cached("DELETE FROM calls WHERE at < ?1")?.execute([Micros(oldest)])?;
    tx.prepare_cached(
        "INSERT INTO calls (id, at, answer) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET at = excluded.at, answer = excluded.answer",
    )?
    .execute((key, Micros(now), Json(answer)))?;
    Ok(())
}
