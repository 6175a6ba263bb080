//! End-to-end tests of Cogwork; they are in `tests/it`. The programs beside this file are what they start, and what
//! measures the figures of the README.
