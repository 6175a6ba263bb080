//! Pages of a list: as many items as were asked for and as an answer has room for.

use cogwork_schemas::FeatureId;
use serde::Serialize;

use crate::error::{Code, ToolError};

/// Characters of JSON that the items of one page may take; the rest of an answer is for its other fields.
const ROOM: usize = 9_000;

/// What part of a list was asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    limit: usize,
    offset: usize,
}

impl Asked {
    /// Takes the arguments as they came. A limit out of range is brought into it, because a model that asks for too
    /// much wants what there is.
    ///
    /// # Errors
    /// For a negative offset, which asks for nothing there is.
    pub(super) fn new(
        limit: Option<i64>,
        offset: Option<i64>,
        default: usize,
        most: usize,
    ) -> Result<Self, ToolError> {
        let limit = limit.map_or(default, |limit| usize::try_from(limit).unwrap_or(1).clamp(1, most));
        match usize::try_from(offset.unwrap_or(0)) {
            Ok(offset) => Ok(Self { limit, offset }),
            Err(_) => Err(ToolError::new(
                Code::InvalidArgument,
                format!("`offset` must be 0 or more, not {}", offset.unwrap_or(0)),
                "Begin with 0, then use the answer's next_offset.",
            )),
        }
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub(super) next_offset: Option<usize>,
}

/// Makes the items of one page of `ids`, of which there are `total`; takes no more of them than it has to.
///
/// # Errors
/// What making an item returned.
pub(super) fn page<T: Serialize>(
    ids: impl Iterator<Item = FeatureId>,
    total: usize,
    asked: Asked,
    mut item: impl FnMut(FeatureId) -> Result<T, ToolError>,
) -> Result<Page<T>, ToolError> {
    let mut items = Vec::new();
    let mut room = ROOM;
    for id in ids.skip(asked.offset).take(asked.limit) {
        let next = item(id)?;
        let chars = serde_json::to_string(&next).map_or(0, |text| text.chars().count() + 1);
        // The first item always goes out; too large a one is cut by the answer's own limit.
        if chars > room && !items.is_empty() {
            break;
        }
        room = room.saturating_sub(chars);
        items.push(next);
    }
    let end = asked.offset.saturating_add(items.len());
    Ok(Page { items, next_offset: (end < total).then_some(end) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(page: &Page<FeatureId>) -> Vec<i64> {
        page.items.iter().map(|id| id.0).collect()
    }

    fn check(limit: Option<i64>, offset: Option<i64>) -> Page<FeatureId> {
        let all: Vec<FeatureId> = (1..=7).map(FeatureId).collect();
        page(all.iter().copied(), all.len(), Asked::new(limit, offset, 3, 5).unwrap(), Ok).unwrap()
    }

    #[test]
    fn pages_join_without_gap_or_overlap() {
        let first = check(None, None);
        assert_eq!((ids(&first), first.next_offset), (vec![1, 2, 3], Some(3)));
        let second = check(None, Some(3));
        assert_eq!((ids(&second), second.next_offset), (vec![4, 5, 6], Some(6)));
        let last = check(None, Some(6));
        assert_eq!((ids(&last), last.next_offset), (vec![7], None));
        assert_eq!(check(None, Some(i64::MAX)).next_offset, None);
    }

    #[test]
    fn a_limit_out_of_range_is_brought_into_it() {
        assert_eq!(check(Some(100), None).items.len(), 5);
        assert_eq!(check(Some(0), None).items.len(), 1);
        assert_eq!(check(Some(-4), None).items.len(), 1);
        assert!(Asked::new(None, Some(-1), 3, 5).is_err());
    }

    #[test]
    fn a_page_ends_where_the_room_does() {
        let all: Vec<FeatureId> = (1..=50).map(FeatureId).collect();
        let asked = Asked::new(Some(50), None, 10, 50).unwrap();
        let long = page(all.iter().copied(), all.len(), asked, |_| Ok("x".repeat(1_000))).unwrap();
        assert_eq!((long.items.len(), long.next_offset), (8, Some(8)));
        let huge = page(all.iter().copied(), all.len(), asked, |_| Ok("x".repeat(100_000))).unwrap();
        assert_eq!((huge.items.len(), huge.next_offset), (1, Some(1)));
    }
}
