//! Any bytes as what an agent prints, in any pieces: each backend makes something of it, and a secret stays one.

#![no_main]

use cogwork_session::AgentSpec;
use cogwork_session::fuzzing;
use libfuzzer_sys::fuzz_target;

/// In the dictionary as well, so that it is printed.
const SECRET: &str = "hunter22-swordfish";

fuzz_target!(|data: &[u8]| {
    let [kind, size, bytes @ ..] = data else { return };
    let agent = match kind % 5 {
        0 => AgentSpec::Claude,
        1 => AgentSpec::Codex,
        2 => AgentSpec::Gemini,
        3 => AgentSpec::Opencode,
        _ => AgentSpec::Acp { command: "agent".to_owned() },
    };
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(*size) + 1).collect();
    let said = fuzzing::read(&agent, &pieces, SECRET);
    assert!(said.iter().all(|text| !text.contains(SECRET)), "{said:?}");
    // Pieces mean nothing.
    assert_eq!(said, fuzzing::read(&agent, &[bytes], SECRET));
});
