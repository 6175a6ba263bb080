//! Reading every feature, one at a time, for whoever writes them elsewhere.

use cogwork_schemas::Feature;

use crate::features::{FEATURE, checks_of, dependencies_of, feature};
use crate::{Store, StoreError};

impl Store {
    /// Gives every feature as it is at one moment to `visit`, by id, until that fails; its failure is the inner
    /// result. Holds one feature at a time, and that moment for as long as it takes.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn each_feature<E>(
        &self,
        mut visit: impl FnMut(Feature) -> Result<(), E>,
    ) -> Result<Result<(), E>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(&format!("{FEATURE} ORDER BY f.id"))?;
            for found in statement.query_map([], feature)? {
                let mut found = found?;
                found.dependencies = dependencies_of(tx, found.id)?;
                found.checks = checks_of(tx, found.id)?;
                if let Err(failure) = visit(found) {
                    return Ok(Err(failure));
                }
            }
            Ok(Ok(()))
        })
    }
}
