use super::*;

const SESSION: SessionId = SessionId(4);

/// Three lines of ten bytes to a file, two files kept besides the first.
const SMALL: Bounds = Bounds { file: 30, kept: 2 };

fn line(number: u32) -> String {
    format!("line {number:04}")
}

fn write(journal: &mut Journal, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        journal.write(Timestamp::UNIX_EPOCH, &line(number));
    }
}

/// Reads what there is; a gap is `None`.
fn read(reader: &mut Reader) -> Vec<Option<String>> {
    let mut lines = Vec::new();
    loop {
        match reader.next().unwrap() {
            Found::Line(line) => lines.push(Some(line)),
            Found::Gap(_) => lines.push(None),
            Found::Nothing => return lines,
        }
    }
}

fn lines(numbers: std::ops::RangeInclusive<u32>) -> Vec<Option<String>> {
    numbers.map(|number| Some(line(number))).collect()
}

fn told(lines: &[Option<String>]) -> Vec<u64> {
    let message = |line: &Option<String>| serde_json::from_str::<RunnerMessage>(line.as_deref()?).ok();
    let bytes = |message: RunnerMessage| {
        if let RunnerEvent::LeftOut { bytes } = message.event { Some(bytes) } else { None }
    };
    lines.iter().filter_map(message).filter_map(bytes).collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_small_journal_is_one_file() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut Journal::open(dir.path(), SESSION, SMALL), 1..=3);
    assert_eq!(names(dir.path()), ["journal.ndjson"]);
    assert_eq!(read(&mut Reader::new(dir.path())), lines(1..=3));
}

#[test]
fn a_large_one_keeps_its_beginning_and_its_end_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), SESSION, SMALL);
    write(&mut journal, 1..=12);
    assert_eq!(
        names(dir.path()),
        ["journal.1.ndjson", "journal.2.ndjson", "journal.3.ndjson", "journal.ndjson"]
    );
    assert_eq!(read(&mut Reader::new(dir.path())), lines(1..=12), "so far all of it");
    write(&mut journal, 13..=200);
    let found = read(&mut Reader::new(dir.path()));
    assert_eq!(found[..3], lines(1..=3)[..]);
    assert_eq!(found[3], None, "{found:?}");
    assert_eq!(found.last(), lines(200..=200).last());
    assert_eq!(names(dir.path()).len(), 4);
    let size: u64 =
        names(dir.path()).iter().map(|name| dir.path().join(name).metadata().unwrap().len()).sum();
    let missing = *told(&found).last().unwrap();
    assert!(size < 600, "{size}");
    // What was said of earlier gaps was left out, too, in part.
    assert!((200 * 10 - size..200 * 150).contains(&missing), "{missing} of {found:?}");
}

#[test]
fn who_opens_it_again_goes_on_after_the_last_whole_line() {
    let dir = tempfile::tempdir().unwrap();
    write(&mut Journal::open(dir.path(), SESSION, SMALL), 1..=100);
    let missing = *told(&read(&mut Reader::new(dir.path()))).last().unwrap();
    let current = dir.path().join("journal.ndjson");
    let mut text = fs::read_to_string(&current).unwrap();
    text.push_str("{\"at\":\"half a li");
    fs::write(&current, text).unwrap();
    let mut reader = Reader::new(dir.path());
    let whole = read(&mut reader);
    assert_eq!(whole.last(), lines(100..=100).last(), "a half line is no line");

    let mut journal = Journal::open(dir.path(), SESSION, SMALL);
    write(&mut journal, 101..=101);
    assert_eq!(read(&mut reader)[0].as_deref(), Some("{\"at\":\"half a li"));
    write(&mut journal, 102..=120);
    assert!(*told(&read(&mut Reader::new(dir.path()))).last().unwrap() > missing);
}

#[test]
fn a_half_line_does_not_spoil_the_one_after_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal.ndjson"), "half").unwrap();
    write(&mut Journal::open(dir.path(), SESSION, SMALL), 1..=1);
    let half = Some("half".to_owned());
    assert_eq!(read(&mut Reader::new(dir.path())), [vec![half], lines(1..=1)].concat());
}

#[test]
fn a_reader_that_keeps_up_misses_nothing_when_files_become_full() {
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Reader::new(dir.path());
    assert_eq!(read(&mut reader), []);
    let mut journal = Journal::open(dir.path(), SESSION, SMALL);
    let mut seen = Vec::new();
    for number in 1..=50 {
        write(&mut journal, number..=number);
        let is_plain = |line: &Option<String>| line.as_ref().is_none_or(|line| line.starts_with("line"));
        seen.extend(read(&mut reader).into_iter().filter(is_plain));
    }
    assert_eq!(seen, lines(1..=50));
}

#[test]
fn a_reader_beside_a_writer_in_a_hurry_sees_every_line_or_a_gap_and_all_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let writer = std::thread::spawn(move || {
        let mut journal = Journal::open(&path, SESSION, Bounds { file: 50, kept: 2 });
        for number in 1..=5000 {
            write(&mut journal, number..=number);
            // The reader keeps up most of the time, so that it is often at the end of a file that becomes full.
            for _ in 0..number % 1000 {
                std::hint::spin_loop();
            }
        }
    });
    let mut reader = Reader::new(dir.path());
    let mut seen = Vec::new();
    while !writer.is_finished() {
        seen.extend(read(&mut reader));
    }
    writer.join().unwrap();
    seen.extend(read(&mut reader));
    seen.retain(|line| line.as_ref().is_none_or(|line| line.starts_with("line")));
    let mut expected = 1;
    for found in &seen {
        match found {
            Some(found) => {
                assert_eq!(*found, line(expected));
                expected += 1;
            }
            None => {
                let next = seen.iter().flatten().find(|found| **found > line(expected - 1)).unwrap();
                expected = next["line ".len()..].parse().unwrap();
            }
        }
    }
    assert_eq!(seen.last().unwrap().as_ref(), Some(&line(5000)));
}

#[test]
fn a_journal_that_cannot_be_written_is_no_reason_to_stop() {
    let mut journal = Journal::open(Path::new("/no/such/directory"), SESSION, SMALL);
    write(&mut journal, 1..=9);
}
