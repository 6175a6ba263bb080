//! TOML settings. What can be appended is appended; all else is edited in the document and then woven back into the
//! old text line by line, because the document forgets how lines ended and whose a comment was.

use serde_json::{Map, Value};
use similar::{DiffTag, TextDiff};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::{EditError, Others, Spot, position};

pub(super) fn read(text: &str) -> Result<Value, EditError> {
    document(text)?;
    toml::from_str(text).map_err(|error| syntax(text, error.span(), error.message()))
}

pub(super) fn put(
    text: &str,
    spot: Spot<'_>,
    entry: &Map<String, Value>,
    others: Others,
) -> Result<String, EditError> {
    let mut document = document(text)?;
    let Some(section) = document.get_mut(spot.section) else {
        return appended(text, spot, entry);
    };
    let is_plain = section.as_table().is_some_and(|table| !table.is_dotted());
    let Some(table) = section.as_table_like_mut() else {
        return Err(EditError::not_a_table(spot.section));
    };
    match table.get_mut(spot.name) {
        None if is_plain => return appended(text, spot, entry),
        Some(known) if others == Others::Keep && known.is_table_like() => {
            if let Some(known) = known.as_table_like_mut() {
                merge(known, entry)?;
            }
        }
        Some(Item::Table(known)) => {
            known.clear();
            merge(known, entry)?;
        }
        None | Some(_) => {
            let mut inline = InlineTable::new();
            merge(&mut inline, entry)?;
            table.insert(spot.name, toml_edit::value(inline));
        }
    }
    Ok(woven(text, &document.to_string()))
}

pub(super) fn remove(text: &str, spot: Spot<'_>) -> Result<String, EditError> {
    let mut document = document(text)?;
    if let Some(section) = document.get_mut(spot.section).and_then(Item::as_table_like_mut) {
        section.remove(spot.name);
    }
    Ok(woven(text, &document.to_string()))
}

/// Returns the text with a table of its own at the end, in the line ends of the text.
fn appended(text: &str, spot: Spot<'_>, entry: &Map<String, Value>) -> Result<String, EditError> {
    let mut table = Table::new();
    merge(&mut table, entry)?;
    let mut section = Table::new();
    section.set_implicit(true);
    section.insert(spot.name, Item::Table(table));
    let mut document = DocumentMut::new();
    document.insert(spot.section, Item::Table(section));
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    let new = format!("{gap}{document}");
    Ok(text.to_owned() + &if is_dos(text) { new.replace('\n', "\r\n") } else { new })
}

/// Changes what differs and leaves other keys, which somebody else added, where they are.
fn merge(table: &mut dyn TableLike, entry: &Map<String, Value>) -> Result<(), EditError> {
    for (key, value) in entry {
        let mut value = input(value).ok_or_else(EditError::elsewhere)?;
        match table.get_mut(key) {
            Some(Item::Value(known)) => {
                *value.decor_mut() = known.decor().clone();
                *known = value;
            }
            Some(_) | None => drop(table.insert(key, Item::Value(value))),
        }
    }
    Ok(())
}

fn input(value: &Value) -> Option<toml_edit::Value> {
    match value {
        Value::Bool(value) => Some((*value).into()),
        Value::Number(value) => value.as_i64().map(Into::into),
        Value::String(value) => Some(value.as_str().into()),
        Value::Array(values) => {
            values.iter().map(input).collect::<Option<Array>>().map(toml_edit::Value::Array)
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// Returns the new text with the line ends of the old one, and with comments that stood above what was taken out.
fn woven(old: &str, new: &str) -> String {
    let whole: Vec<&str> = old.split_inclusive('\n').collect();
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let newline = if is_dos(old) { "\r\n" } else { "\n" };
    let mut text = String::with_capacity(new.len());
    for op in TextDiff::from_slices(&before, &after).ops() {
        let gone = whole.get(op.old_range()).unwrap_or_default();
        match op.tag() {
            DiffTag::Equal => text.extend(gone.iter().copied()),
            DiffTag::Delete => {
                let above = gone.iter().take_while(|line| is_blank(line) || is_comment(line)).count();
                let last = gone.iter().take(above).rposition(|line| is_comment(line));
                text.extend(gone.iter().take(last.map_or(0, |last| last + 1)).copied());
            }
            DiffTag::Replace | DiffTag::Insert => {
                for line in after.get(op.new_range()).unwrap_or_default() {
                    text.push_str(line);
                    text.push_str(newline);
                }
            }
        }
    }
    text
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn is_dos(text: &str) -> bool {
    text.contains("\r\n")
}

fn document(text: &str) -> Result<DocumentMut, EditError> {
    text.parse().map_err(|error: toml_edit::TomlError| syntax(text, error.span(), error.message()))
}

fn syntax(text: &str, span: Option<std::ops::Range<usize>>, detail: &str) -> EditError {
    let (line, column) = position(text, span.map_or(0, |span| span.start));
    EditError::Syntax { line, column, detail: detail.to_owned() }
}
