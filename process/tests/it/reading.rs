//! What programs take of the machine is read, wherever they have gone, and not forgotten when they end.

use std::time::Duration;

use cogwork_process::contain::{self, Output, Reading};

use crate::alone::alone;
use crate::contained::{script, within};

fn reading() -> Reading {
    contain::reading().unwrap()
}

#[test]
fn memory_is_that_of_the_living_and_time_also_that_of_the_dead() {
    alone(async || {
        assert_eq!(reading().below.processes, 0);
        assert!(reading().own.processes == 1 && reading().own.memory_bytes > 1_000_000);
        // A line that does not end is kept whole, here by a process in a session of its own.
        let mut eater =
            script("(head -c 60000000 /dev/zero; echo up >&2; sleep 60) | setsid tail >/dev/null")
                .start()
                .unwrap();
        assert!(matches!(within(20_000, eater.next()).await, Output::Stderr(line) if line.text == "up"));
        let eating = reading().below;
        assert!(eating.processes >= 3, "{eating:?}");
        assert!((55_000_000..100_000_000).contains(&eating.memory_bytes), "{eating:?}");
        within(10_000, eater.terminate(Duration::from_millis(100))).await;
        let after = reading().below;
        assert_eq!((after.processes, after.memory_bytes), (0, 0));

        let mut busy = script("i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done").start().unwrap();
        within(60_000, busy.wait()).await;
        let spent = reading().below.cpu_ms - after.cpu_ms;
        assert!((20..60_000).contains(&spent), "{spent}");
    });
}
