# The tasks of every day. `just` alone lists them.

export RUSTDOCFLAGS := "-D warnings"

_list:
    @just --list --unsorted

# Format everything
fmt:
    cargo fmt --all

# What the compiler and clippy have to say, as errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests, each in a process of its own (needs cargo-nextest); ARGS narrow them down
test *ARGS:
    cargo nextest run --workspace {{ ARGS }}

# The documentation, without warnings
doc:
    cargo doc --workspace --no-deps --document-private-items

# Build examples/todo with the scripted agent
demo *ARGS:
    cargo run --release -- demo {{ ARGS }}

# Licences, duplicates, sources and advisories of the dependencies (needs cargo-deny)
deny:
    cargo deny check

# The official MCP conformance suite against `cogwork-mcp` (fetches Node and the suite once; ARGS narrow it down)
conformance *ARGS:
    tests/interop/conformance.py {{ ARGS }}

# Write the JSON Schemas anew from the types
schemas:
    UPDATE_SCHEMAS=1 cargo test -p cogwork-schemas

# Real MCP clients and coding agents against the real server, without any key; they come from npm and PyPI
interop *ARGS:
    tests/interop/run {{ ARGS }}
    tests/interop/conformance.py

# Fetch the coding agents that `interop` runs: Claude Code, Codex, Gemini CLI, OpenCode, and one that speaks ACP
agents-install:
    tests/interop/run --install agents driven

# Bugs planted on purpose, each of which the simulator has to find: tests/mutants/README.md
mutants *NUMBERS:
    tests/mutants/run {{ NUMBERS }}

# The simulator through ten times its nights
nightly-seeds SEEDS="20000":
    COGWORK_SEEDS={{ SEEDS }} cargo test -p cogwork-conductor --lib simulator

# Ten runs of fifty features, killed every 0.2 to 0.8 seconds until they are complete
killed-runs:
    cargo test --release -p cogwork-tests --test it survive_a_kill_at_every_moment -- --ignored --nocapture

# Work that was handed in, and its run ended in each way, twenty times over
handed-in:
    cargo test --release -p cogwork-tests --test it handed_in_twenty_times -- --ignored --nocapture

# Everything that has to be green before a change is merged
ci:
    .ci/run
