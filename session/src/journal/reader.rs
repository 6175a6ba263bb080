//! Reading a session journal from its beginning, also while it is written.
//!
//! It goes from file to file by their numbers, so that it loses nothing when the one that it is at becomes full, and
//! says where something is missing. It never changes a file.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::files;

/// What comes next in a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A line, without its end.
    Line(String),
    /// So many bytes were left out here.
    Gap(u64),
    /// Nothing more so far. What follows the last whole line is not a line yet.
    Nothing,
}

/// A journal that is being read.
#[derive(Debug)]
pub(crate) struct Reader {
    dir: PathBuf,
    part: Option<Part>,
    partial: Vec<u8>,
}

/// One file of it.
#[derive(Debug)]
struct Part {
    /// The number that it has or will get.
    number: u32,
    file: BufReader<File>,
    /// Nothing more is added to it.
    is_full: bool,
}

impl Reader {
    /// Returns a reader at the beginning of the journal in a directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), part: None, partial: Vec::new() }
    }

    /// Returns what comes next.
    ///
    /// # Errors
    /// When a file cannot be read that is there.
    pub(crate) fn next(&mut self) -> io::Result<Found> {
        loop {
            let Some(part) = &mut self.part else {
                match self.go_on(0)? {
                    Some(found) => return Ok(found),
                    None => continue,
                }
            };
            part.file.read_until(b'\n', &mut self.partial)?;
            if self.partial.pop_if(|last| *last == b'\n').is_some() {
                return Ok(Found::Line(self.take_partial()));
            }
            if !part.is_full {
                part.is_full = files::full_parts(&self.dir).last().is_some_and(|last| *last >= part.number);
                if !part.is_full {
                    return Ok(Found::Nothing);
                }
                // Something may have been added between the two looks: it is read once more, now for good.
                continue;
            }
            if !self.partial.is_empty() {
                return Ok(Found::Line(self.take_partial()));
            }
            let number = part.number;
            if let Some(found) = self.go_on(number)? {
                return Ok(found);
            }
        }
    }

    /// Goes on with the part after that with a number. Returns what there is to tell of the way: something missing, or
    /// that there is no such part yet.
    fn go_on(&mut self, number: u32) -> io::Result<Option<Found>> {
        let Some((next, file)) = open_after(&self.dir, number)? else {
            return Ok(Some(Found::Nothing));
        };
        self.part = Some(Part { number: next, file, is_full: false });
        Ok((next > number + 1).then(|| self.gap()))
    }

    fn gap(&self) -> Found {
        Found::Gap(super::left_out(&files::current(&self.dir)))
    }

    fn take_partial(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        line
    }
}

/// Opens the file after the one with a number, and returns the number that it has or will get.
fn open_after(dir: &Path, number: u32) -> io::Result<Option<(u32, BufReader<File>)>> {
    loop {
        let full = files::full_parts(dir);
        let (next, path) = match full.range(number + 1..).next() {
            Some(next) => (*next, files::full(dir, *next)),
            None => (full.last().map_or(1, |last| last + 1), files::current(dir)),
        };
        match File::open(path) {
            // It may have become full between the two looks, and then have another number.
            Ok(file) if full.contains(&next) || files::full_parts(dir) == full => {
                return Ok(Some((next, BufReader::new(file))));
            }
            Ok(_) => {}
            // It was let go of meanwhile, or the next one is just being begun.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if files::full_parts(dir) == full {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
}
